//! Keep: journal, seal, log, receipts; acknowledged means durable.
