//! A data folder read without a server: the published entries and the index as it is on disk.
//!
//! Only reads. What is not published yet (the last half second of a running server) is not seen.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indelible_deliver::{csv_header, csv_row, ndjson_line, ocsf_line};
use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_search::query::Query;
use indelible_search::{
    Access, Counting, Index, Order, Patience, SQL_ROWS_MAX, SearchRequest, Settings, SqlRequest, StatsRequest, Timed,
    filter,
};
use indelible_store::FolderReader;
use indelible_store::name::LogName;
use serde_json::{Value, json};

use crate::cli::{ExportFormat, QueryArguments};
use crate::exit::CliError;

/// Time for one query on a folder: nobody else waits for it.
const QUERY_TIME: Duration = Duration::from_secs(600);

/// Bytes of an export gathered before they are written.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// An opened log of a data folder.
pub(crate) struct Folder {
    log: String,
    entries: FolderReader,
    index: Arc<Index>,
}

impl Folder {
    /// Opens one log of a data folder and brings its index up to date in memory.
    pub(crate) fn open(data: &Path, log: Option<&str>) -> Result<Self, CliError> {
        let name = LogName::new(log.unwrap_or("main")).map_err(|error| CliError::new(error.to_string()))?;
        let entries = published(data, &name)?;
        let settings = Settings { access: Access::ReadOnly, ..Settings::default() };
        let index = Index::open(&data.join("index").join(name.as_str()), name.as_str(), settings)
            .map_err(|error| CliError::because("the index cannot be used", &error))?;
        // the files of a running server may be ahead of its published checkpoint: then they already hold everything
        if index.state().in_files < entries.size() {
            index.refresh(&entries).map_err(|error| CliError::because("the log cannot be read", &error))?;
        }
        Ok(Self { log: name.to_string(), entries, index: Arc::new(index) })
    }

    /// Finds events and reads them from the log itself.
    pub(crate) fn search(
        &self,
        query: &QueryArguments,
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<(u64, Value)>, CliError> {
        let failed = |error: &dyn std::error::Error| CliError::because("the search failed", error);
        let filter = read_query(query)?;
        let mut found = Vec::new();
        let mut cursor = None;
        while found.len() < limit {
            let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
            let page = (limit - found.len()).min(indelible_search::PAGE_MAX);
            let request = SearchRequest {
                order,
                limit: page,
                cursor: cursor.take(),
                time: QUERY_TIME,
                ..SearchRequest::new(filter.clone())
            };
            let page = self.index.search_blocking(&request).map_err(|error| failed(&error))?;
            for hit in page.hits {
                if hit.index < self.entries.size() {
                    found.push((hit.index, self.event(hit.index)?));
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn event(&self, index: u64) -> Result<Value, CliError> {
        let entries = self.entries.read(EntryIndex(index), 1, 0);
        let entries = entries.map_err(|error| CliError::because("the log cannot be read", &error))?;
        let (_, entry) =
            entries.iter().next().ok_or_else(|| CliError::new(format!("entry {index} is not in the log")))?;
        serde_json::from_slice(entry).map_err(|error| CliError::because(format!("entry {index} is not JSON"), &error))
    }

    /// Counts, in the form in which the HTTP API answers.
    pub(crate) fn stats(
        &self,
        query: &QueryArguments,
        by: &[String],
        interval: Option<&str>,
    ) -> Result<Value, CliError> {
        let counting = Counting::by(by).each(interval);
        let request = StatsRequest { time: QUERY_TIME, ..StatsRequest::new(read_query(query)?, counting) };
        let answer = self.index.stats_blocking(&request);
        let answer = answer.map_err(|error| CliError::because("the events could not be counted", &error))?;
        let timed = if interval.is_some() { Timed::Yes } else { Timed::No };
        let rows: Vec<Value> = answer.rows.iter().map(|row| row.to_json(by, timed)).collect();
        Ok(json!({"rows": rows, "truncated": answer.truncated, "matched": answer.matched, "size": answer.size}))
    }

    /// Writes every matching event, oldest first, as the server's export does.
    pub(crate) fn export(
        &self,
        query: &QueryArguments,
        format: ExportFormat,
        out: &mut (dyn Write + Send),
    ) -> Result<(), CliError> {
        let failed = |error: &dyn std::error::Error| CliError::because("the export failed", error);
        let query = read_query(query)?;
        if format == ExportFormat::Parquet {
            let written = self.index.export_parquet(&query, out, &Patience::endless());
            return written.map(|_rows| ()).map_err(|error| failed(&error));
        }
        let mut lines = Vec::new();
        if format == ExportFormat::Csv {
            csv_header(&mut lines).map_err(|error| failed(&error))?;
        }
        for index in self.index.hits(&query, Order::OldestFirst, Patience::endless()) {
            let index = index.map_err(|error| failed(&error))?;
            if index >= self.entries.size() {
                break;
            }
            let entries = self.entries.read(EntryIndex(index), 1, 0).map_err(|error| failed(&error))?;
            for (_, entry) in entries.iter().take(1) {
                match format {
                    ExportFormat::Csv => csv_row(index, entry, &mut lines),
                    ExportFormat::Ocsf => ocsf_line(&self.log, index, entry, &mut lines),
                    ExportFormat::Ndjson | ExportFormat::Parquet => {
                        ndjson_line(entry, &mut lines);
                        Ok(())
                    }
                }
                .map_err(|error| failed(&error))?;
            }
            if lines.len() >= WRITTEN_AT_ONCE {
                out.write_all(&lines)?;
                lines.clear();
            }
        }
        Ok(out.write_all(&lines)?)
    }

    /// One SELECT, in the form in which the HTTP API answers.
    pub(crate) fn sql(&self, query: &str) -> Result<Value, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let request =
            SqlRequest { max_rows: SQL_ROWS_MAX, time: QUERY_TIME, memory: 2 << 30, ..SqlRequest::new(query) };
        let answer =
            runtime.block_on(self.index.sql(request)).map_err(|error| CliError::because("the query failed", &error))?;
        let columns: Vec<Value> =
            answer.columns.iter().map(|column| json!({"name": column.name, "type": column.kind})).collect();
        Ok(json!({"columns": columns, "rows": answer.rows, "truncated": answer.truncated}))
    }
}

fn read_query(query: &QueryArguments) -> Result<Query, CliError> {
    filter(&query.query, query.from.as_deref(), query.to.as_deref())
        .map_err(|error| CliError::because("the query cannot be read", &error))
}

/// The published entries of one log of a data folder.
pub(crate) fn published(data: &Path, name: &LogName) -> Result<FolderReader, CliError> {
    let folder = data.join("logs").join(name.as_str());
    FolderReader::open(&folder).map_err(|error| {
        CliError::because(format!("{} cannot be read as a log", folder.display()), &error)
            .hint("name the data folder with --data and the log with --log")
    })
}
