//! The values that the rows of a batch have in one field, as codes. Never: an empty row; a row without a value has the code of none.

use super::tally::{Code, NONE};

/// The codes of each row, one row's after the other's.
#[derive(Debug, Default)]
pub(super) struct CodeLists {
    pub(super) codes: Vec<Code>,
    pub(super) ends: Vec<usize>,
}

impl CodeLists {
    /// Ends the row whose codes were pushed: each stands once, and that of none when there is no other.
    pub(super) fn close(&mut self) {
        let start = self.ends.last().copied().unwrap_or_default();
        match self.codes.len() - start {
            0 => self.codes.push(NONE),
            1 => {}
            _ => {
                let mut own = self.codes.split_off(start);
                own.sort_unstable();
                own.dedup();
                self.codes.append(&mut own);
            }
        }
        self.ends.push(self.codes.len());
    }

    pub(super) fn of(&self, row: usize) -> &[Code] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.codes[start..self.ends[row]]
    }
}
