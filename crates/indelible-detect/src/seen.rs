//! One entry as detectors see it: read once, shown to all of them.

use indelible_event::doors::EntryIndex;
use indelible_event::view::EventView;

use crate::finding::Evidence;

/// An entry of a log with what stands in it.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Its place in the log.
    pub index: EntryIndex,
    /// Its bytes as stored.
    pub bytes: &'a [u8],
    /// The same, read.
    pub view: EventView<'a>,
}

impl Seen<'_> {
    /// When it was recorded, in nanoseconds since 1970-01-01T00:00:00Z; 0 when the entry does not say (a stored entry always does).
    #[must_use]
    pub fn recorded_unix_ns(&self) -> i64 {
        self.view.recorded_unix_ns.unwrap_or(0)
    }

    /// This entry as evidence.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence { index: self.index, event: self.view.id.as_ref().into(), time: self.view.recorded.as_ref().into() }
    }
}
