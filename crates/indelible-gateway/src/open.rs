//! Intents that have no outcome yet, and the low-water mark: the index from which a start has to look for interrupted ones.
//!
//! Promises: no open intent ever stands below the mark, not even one that is just being recorded; the table is bounded. What is
//! forgotten without being closed holds the mark back: the next start reads more, and misses nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible_event::doors::EntryIndex;

/// Most exchanges under way at once, unless set otherwise: each holds a few KiB besides its connection.
pub const OPEN_MAX: usize = 65_536;

/// The table of open exchanges.
#[derive(Debug)]
pub struct OpenExchanges {
    table: Mutex<Table>,
    max: usize,
}

#[derive(Debug)]
struct Table {
    /// One more than the highest index known to be durable: what is recorded from now on stands there or later.
    seen: u64,
    /// Each open exchange: the lowest index its intent can have, and its number.
    floors: BTreeSet<(u64, u64)>,
    numbers: u64,
}

/// A place in the table.
#[derive(Debug)]
pub struct Ticket {
    table: Arc<OpenExchanges>,
    floor: u64,
    number: u64,
}

impl OpenExchanges {
    /// An empty table for at most `max` exchanges over a log whose next entry will have the index `next`.
    #[must_use]
    pub fn new(max: usize, next: EntryIndex) -> Self {
        Self { table: Mutex::new(Table { seen: next.0, floors: BTreeSet::new(), numbers: 0 }), max }
    }

    /// Opens an exchange whose intent is about to be recorded. `None` when the table is full.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> Option<Ticket> {
        let mut table = self.lock();
        if table.floors.len() >= self.max {
            return None;
        }
        let floor = table.seen;
        Some(self.ticket(&mut table, floor))
    }

    /// Holds the mark at `from` until the ticket is closed: while interrupted intents from there on are being closed.
    #[must_use]
    pub fn hold(self: &Arc<Self>, from: EntryIndex) -> Ticket {
        let mut table = self.lock();
        self.ticket(&mut table, from.0)
    }

    fn ticket(self: &Arc<Self>, table: &mut Table, floor: u64) -> Ticket {
        table.numbers += 1;
        let number = table.numbers;
        table.floors.insert((floor, number));
        Ticket { table: Arc::clone(self), floor, number }
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().floors.len()
    }

    /// Every intent below this index has its outcome on record.
    #[must_use]
    pub fn low_water(&self) -> EntryIndex {
        let table = self.lock();
        EntryIndex(table.floors.first().map_or(table.seen, |(floor, _)| *floor))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The intent is durable at `index`.
    pub fn recorded(&mut self, index: EntryIndex) {
        let mut table = self.table.lock();
        table.floors.remove(&(self.floor, self.number));
        self.floor = index.0;
        table.floors.insert((self.floor, self.number));
        table.seen = table.seen.max(index.0.saturating_add(1));
    }

    /// The outcome is durable at `index`, or there is no intent to close (`None`).
    #[allow(clippy::needless_pass_by_value, reason = "a closed ticket must not be used again")]
    pub fn close(self, index: Option<EntryIndex>) {
        let mut table = self.table.lock();
        table.floors.remove(&(self.floor, self.number));
        if let Some(index) = index {
            table.seen = table.seen.max(index.0.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_never_passes_an_open_intent() {
        let table = Arc::new(OpenExchanges::new(3, EntryIndex(10)));
        assert_eq!(table.low_water(), EntryIndex(10));
        let mut first = table.open().unwrap();
        let mut second = table.open().unwrap();
        second.recorded(EntryIndex(12));
        assert_eq!(table.low_water(), EntryIndex(10), "the first is still being recorded");
        first.recorded(EntryIndex(13));
        assert_eq!(table.low_water(), EntryIndex(12));
        let third = table.open().unwrap();
        assert!(table.open().is_none(), "bounded");
        second.close(Some(EntryIndex(15)));
        assert_eq!(table.low_water(), EntryIndex(13));
        first.close(Some(EntryIndex(16)));
        assert_eq!(
            table.low_water(),
            EntryIndex(14),
            "the third may stand right after what was durable when it was opened"
        );
        third.close(None);
        assert_eq!((table.low_water(), table.count()), (EntryIndex(17), 0));
    }

    #[test]
    fn what_is_forgotten_holds_the_mark_back() {
        let table = Arc::new(OpenExchanges::new(3, EntryIndex(0)));
        drop(table.open());
        table.hold(EntryIndex(0)).close(None);
        assert_eq!((table.low_water(), table.count()), (EntryIndex(0), 1));
    }
}
