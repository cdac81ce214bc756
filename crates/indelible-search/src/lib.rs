//! Find: Parquet segments, fresh tail, query language, SQL.
