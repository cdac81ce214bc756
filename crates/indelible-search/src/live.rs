//! Following a log: which of the entries that have just been recorded match. Never: opens a file.

use indelible_event::doors::Entries;

use crate::error::FindError;
use crate::index::{Chunk, Filler};
use crate::query::Query;
use crate::scan::{Memo, Program};

/// A query ready to be put to new entries.
#[derive(Debug)]
pub struct Matcher {
    program: Program,
}

impl Matcher {
    /// Makes `query` ready.
    #[must_use]
    pub fn new(query: &Query) -> Self {
        Self { program: Program::new(query) }
    }

    /// The indexes of those `entries` that match, rising. The same answer as a search would give.
    ///
    /// # Errors
    /// Only for a fault of ours.
    pub fn matching(&self, entries: &Entries) -> Result<Vec<u64>, FindError> {
        let Some((first, _)) = entries.iter().next() else { return Ok(Vec::new()) };
        let mut filler = Filler::new(first.0);
        let mut chunks = Vec::new();
        filler.take(entries, &mut chunks)?;
        chunks.extend(filler.seal()?);
        Ok(chunks.iter().flat_map(|chunk| self.of(chunk)).collect())
    }

    fn of(&self, chunk: &Chunk) -> Vec<u64> {
        let rows = self.program.matches(&chunk.rows, &mut Memo::default());
        rows.set_indices().map(|row| chunk.first + row as u64).collect()
    }
}
