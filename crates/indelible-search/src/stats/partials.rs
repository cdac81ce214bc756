//! What was counted of whole row groups, kept for whoever asks the same again: a page asks the same all day.
//!
//! Promises: entries never change, so neither do these; memory is bounded; what was not used for long goes first. Never: counts of the
//! tail, which grows, or of a group with very many values.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use super::tally::{Amounts, Group};

/// Most groups of a row group's counts that are kept.
pub(super) const PARTIAL_GROUPS_MAX: usize = 4_096;
/// Fewest rows of a row group whose counts are kept: fewer are counted as fast.
pub(super) const PARTIAL_ROWS_MIN: usize = 16_384;
/// Memory of each of the two generations.
const GENERATION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries, and what was counted of them: the query's tests that they did not all pass or fail, fields, sums, interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartialKey {
    pub(super) first: u64,
    pub(super) rows: usize,
    pub(super) what: Arc<str>,
}

/// Counts of one row group.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) matched: u64,
    /// Of each field the values, whose codes count from 1.
    pub(super) texts: Vec<Vec<Box<str>>>,
    pub(super) groups: Vec<(Group, Amounts)>,
}

impl Partial {
    fn bytes(&self) -> usize {
        let texts: usize = self.texts.iter().flatten().map(|text| text.len() + size_of::<Box<str>>()).sum();
        texts + self.groups.len() * size_of::<(Group, Amounts)>()
    }
}

/// Counts that are kept, in two generations: what is used moves to the new one, and when that is full the old one goes.
#[derive(Debug, Default)]
pub(crate) struct Partials {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    new: HashMap<PartialKey, Arc<Partial>>,
    old: HashMap<PartialKey, Arc<Partial>>,
    bytes_new: usize,
}

impl Partials {
    pub(super) fn get(&self, key: &PartialKey) -> Option<Arc<Partial>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held.new.get(key) {
            return Some(Arc::clone(known));
        }
        let (key, known) = held.old.remove_entry(key)?;
        held.put(key, Arc::clone(&known));
        Some(known)
    }

    pub(super) fn put(&self, key: PartialKey, partial: Partial) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::new(partial));
    }
}

impl Held {
    fn put(&mut self, key: PartialKey, partial: Arc<Partial>) {
        let bytes = partial.bytes() + key.what.len() + size_of::<PartialKey>() + size_of::<Partial>();
        if self.bytes_new + bytes > GENERATION_BYTES_MAX {
            self.old = std::mem::take(&mut self.new);
            self.bytes_new = 0;
        }
        self.bytes_new += bytes;
        self.new.insert(key, partial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u64) -> PartialKey {
        PartialKey { first, rows: 1, what: "".into() }
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_makes_room() {
        let partials = Partials::default();
        let texts = || vec![vec!["x".repeat(GENERATION_BYTES_MAX / 4).into_boxed_str()]];
        for first in 0..20 {
            partials.put(key(first), Partial { matched: first, texts: texts(), groups: Vec::new() });
            assert_eq!(partials.get(&key(0)).map(|partial| partial.matched), Some(0));
        }
        let kept = (0..20).filter(|first| partials.get(&key(*first)).is_some()).count();
        assert!((2..=8).contains(&kept), "{kept}");
        assert!(partials.get(&key(1)).is_none());
    }
}
