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
    /// Rows by the code of the one field that is counted by, where nothing else is told apart: see [`Tally::settle`].
    by_code: Vec<u64>,
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

    /// Counts rows by their code alone; there are never more codes than [`GROUPS_MAX`].
    pub(super) fn add_code(&mut self, code: Code, count: u64) {
        let at = code as usize;
        if self.by_code.len() <= at {
            self.by_code.resize(at + 1, 0);
        }
        self.by_code[at] += count;
    }

    /// Puts what was counted by code alone among the groups.
    ///
    /// # Errors
    /// [`FindError::TooManyGroups`].
    pub(super) fn settle(&mut self) -> Result<(), FindError> {
        for (code, count) in std::mem::take(&mut self.by_code).into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let mut group = Group { bucket: NO_TIME, codes: [NONE; BY_MAX] };
            group.codes[0] = Code::try_from(code).unwrap_or(NONE);
            self.add(group, Amounts::of_rows(count))?;
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) -> Result<(), FindError> {
        self.matched += other.matched;
        for (code, count) in other.by_code.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add_code(Code::try_from(code).unwrap_or(NONE), *count);
        }
        other.groups.into_iter().try_for_each(|(group, amounts)| self.add(group, amounts))
    }
}
