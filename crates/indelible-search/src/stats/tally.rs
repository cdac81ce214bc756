//! Groups and how much of each was counted.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{BY_MAX, GROUPS_MAX, SUMS_MAX};
use crate::error::FindError;

/// A number for each value; 0 stands for none.
pub(super) type Code = u32;
pub(super) const NONE: Code = 0;
/// A bucket for entries without a time.
pub(super) const NO_TIME: i64 = i64::MIN;

/// A group: its bucket, and the code of each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub(super) bucket: i64,
    pub(super) codes: [Code; BY_MAX],
}

/// How many rows, and the sums of their numbers: so wide that they cannot overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) count: u64,
    pub(super) sums: [i128; SUMS_MAX],
}

impl Amounts {
    pub(super) fn of_rows(count: u64) -> Self {
        Self { count, sums: [0; SUMS_MAX] }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
    }
}

/// Counts so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) groups: HashMap<Group, Amounts>,
    pub(super) matched: u64,
}

impl Tally {
    pub(super) fn add(&mut self, group: Group, amounts: Amounts) -> Result<(), FindError> {
        let full = self.groups.len() >= GROUPS_MAX;
        match self.groups.entry(group) {
            Entry::Occupied(mut known) => known.get_mut().add(&amounts),
            Entry::Vacant(_) if full => return Err(FindError::TooManyGroups { most: GROUPS_MAX }),
            Entry::Vacant(new) => {
                new.insert(amounts);
            }
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) -> Result<(), FindError> {
        self.matched += other.matched;
        other.groups.into_iter().try_for_each(|(group, amounts)| self.add(group, amounts))
    }
}
