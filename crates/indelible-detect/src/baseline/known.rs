//! Whether something was ever seen: by an actor whose own set is full, by a role, in the whole log. Two Bloom filters of fixed
//! size; when the newer one is full the older one is emptied and takes over.

use datasketches::bloom::{BloomFilter, BloomFilterBuilder};

/// Wrongly known, at most, when full.
const WRONG: f64 = 0.01;
/// Hashes of both must not differ between starts.
const SEED: u64 = 0x696e_6465_6c69_626c;

/// What was seen.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) newer: BloomFilter,
    pub(super) older: BloomFilter,
    pub(super) items: u32,
    max: u32,
}

impl Known {
    /// Nothing yet; `max` items in each of the two, within what is sensible.
    pub(super) fn new(max: u32) -> Self {
        let max = max.clamp(1_000, 100_000_000);
        let filter = || {
            let builder = BloomFilterBuilder::with_accuracy(u64::from(max), WRONG).seed(SEED);
            builder.build().expect("a filter of a sensible size is refused only for a wrong size")
        };
        Self { newer: filter(), older: filter(), items: 0, max }
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.newer.contains(&key) || self.older.contains(&key)
    }

    /// Takes it in. Whether it was known.
    pub(super) fn insert(&mut self, key: u64) -> bool {
        let known = self.older.contains(&key);
        if self.newer.contains_and_insert(&key) {
            return true;
        }
        self.items = self.items.saturating_add(1);
        if self.items >= self.max {
            self.older.reset();
            std::mem::swap(&mut self.newer, &mut self.older);
            self.items = 0;
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_until_twice_as_much_came_after_it() {
        let mut known = Known::new(1_000);
        assert!(!known.insert(1));
        assert!(known.insert(1));
        for key in 2..1_500 {
            known.insert(key);
        }
        assert!(known.contains(1));
        for key in 1_500..4_000 {
            known.insert(key);
        }
        assert!(!known.contains(1));
    }
}
