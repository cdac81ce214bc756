//! What was counted of whole row groups, kept for whoever asks the same again: a page asks the same all day.
//!
//! Promises: entries never change, so neither do these; memory is bounded; what was not used for long goes first. Never: counts of the
//! tail, which grows, or of a group with very many values.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::{HashMap, HashSet};

/// Most groups of a row group's counts that are kept: a quarter of its rows. Where values hardly repeat, counting again costs little more.
pub(super) const PARTIAL_GROUPS_MAX: usize = 32_768;
/// Fewest rows of a row group whose counts are kept: fewer are counted as fast.
pub(super) const PARTIAL_ROWS_MIN: usize = 16_384;
/// Memory of each of the two generations.
const GENERATION_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Memory of the texts of all of them.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most questions that are known to have too many groups.
const HOPELESS_MAX: usize = 256;
/// What a text takes beside its letters.
const TEXT_BYTES_MORE: usize = 64;

/// Entries, and what was counted of them: the query's tests that they did not all pass or fail, fields, sums, interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartialKey {
    pub(super) first: u64,
    pub(super) rows: usize,
    pub(super) what: Arc<str>,
}

/// Values, each held once for all counts. Its places stand for it; they are never given to another.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    places: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    bytes: usize,
}

impl Texts {
    /// The place of a text.
    pub(super) fn place(&self, text: &str) -> u32 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.places.get(text) {
            return *place;
        }
        let place = u32::try_from(known.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = text.into();
        known.bytes += text.len() + TEXT_BYTES_MORE;
        known.texts.push(Arc::clone(&text));
        known.places.insert(text, place);
        place
    }

    /// The text at a place.
    pub(super) fn text(&self, place: u32) -> Option<Arc<str>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.texts.get(place as usize).cloned()
    }

    fn bytes(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

/// Counts of one row group, flat: of group `n` the fields from `n` times their number on, and the like of sums.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) matched: u64,
    pub(super) texts: Arc<Texts>,
    /// The place of each value, plus one; 0 for none.
    pub(super) values: Vec<u32>,
    /// Empty without an interval.
    pub(super) buckets: Vec<i64>,
    pub(super) counts: Vec<u32>,
    pub(super) sums: Vec<i128>,
}

impl Partial {
    fn bytes(&self) -> usize {
        size_of_val(&*self.values) + size_of_val(&*self.buckets) + size_of_val(&*self.counts) + size_of_val(&*self.sums)
    }
}

/// Counts that are kept, in two generations: what is used moves to the new one, and when that is full the old one goes.
#[derive(Debug, Default)]
pub(crate) struct Partials {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    texts: Arc<Texts>,
    new: HashMap<PartialKey, Arc<Partial>>,
    old: HashMap<PartialKey, Arc<Partial>>,
    bytes_new: usize,
    hopeless: HashSet<Box<str>>,
}

impl Partials {
    pub(super) fn get(&self, key: &PartialKey) -> Option<Arc<Partial>> {
        let mut held = self.held();
        if let Some(known) = held.new.get(key) {
            return Some(Arc::clone(known));
        }
        let (key, known) = held.old.remove_entry(key)?;
        held.put(key, Arc::clone(&known));
        Some(known)
    }

    /// Where the texts of the next counts go. With too many of them everything begins anew.
    pub(super) fn texts(&self) -> Arc<Texts> {
        let mut held = self.held();
        if held.texts.bytes() > TEXT_BYTES_MAX {
            *held = Held { hopeless: std::mem::take(&mut held.hopeless), ..Held::default() };
        }
        Arc::clone(&held.texts)
    }

    pub(super) fn put(&self, key: PartialKey, partial: Partial) {
        let mut held = self.held();
        // what was counted before everything began anew would hold the old texts
        if Arc::ptr_eq(&held.texts, &partial.texts) {
            held.put(key, Arc::new(partial));
        }
    }

    /// Whether a question had too many groups before. A log only grows, so it has too many for ever.
    pub(super) fn is_hopeless(&self, question: &str) -> bool {
        self.held().hopeless.contains(question)
    }

    /// Remembers that a question has too many groups.
    pub(super) fn give_up(&self, question: String) {
        let mut held = self.held();
        if held.hopeless.len() >= HOPELESS_MAX {
            held.hopeless.clear();
        }
        held.hopeless.insert(question.into_boxed_str());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn partial(partials: &Partials, matched: u64, groups: usize) -> Partial {
        let (buckets, sums) = (Vec::new(), Vec::new());
        Partial { matched, texts: partials.texts(), values: Vec::new(), buckets, counts: vec![1; groups], sums }
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_makes_room() {
        let partials = Partials::default();
        for first in 0..20 {
            partials.put(key(first), partial(&partials, first, GENERATION_BYTES_MAX / 16));
            assert_eq!(partials.get(&key(0)).map(|partial| partial.matched), Some(0));
        }
        let kept = (0..20).filter(|first| partials.get(&key(*first)).is_some()).count();
        assert!((2..=8).contains(&kept), "{kept}");
        assert!(partials.get(&key(1)).is_none());
    }

    #[test]
    fn with_too_many_texts_everything_begins_anew() {
        let partials = Partials::default();
        let late = partial(&partials, 1, 1);
        partials.put(key(0), partial(&partials, 0, 1));
        let text = |n: usize| format!("{n}{}", "x".repeat(TEXT_BYTES_MAX / 8));
        let places: Vec<u32> = (0..9).map(|n| partials.texts().place(&text(n))).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 7, 0], "the last one is the first of the new ones");
        assert!(partials.get(&key(0)).is_none());
        assert_eq!(late.texts.text(3).as_deref(), Some(&*text(3)), "who holds the old ones still reads them");
        partials.put(key(1), late);
        assert!(partials.get(&key(1)).is_none());
    }
}
