//! One event from outside: read strictly, checked against the tables of `shape`, written in canonical form into a batch.
//!
//! Promises: every fault of an event is reported, not only the first (a fault in the JSON itself ends it); what is written is
//! RFC 8785 and at most 65,535 bytes; a refused event leaves the batch as it was. Never: a value changed, but for an id's letters
//! folded to lower case.

mod check;
mod rules;

use crate::batch::EventBatch;
use crate::fault::{Fault, FaultCode, FaultList};
use crate::id::EventId;
use crate::json::{Document, with_tape};
use crate::limits::ENTRY_BYTES_MAX;

use check::Check;

/// What an event gets when it carries no `source` (or only a part of one).
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// `source.id`: 1 to 1,024 bytes; the name of the token that the request came with.
    pub source_id: &'a str,
    /// `source.kind`: 1 to 1,024 bytes.
    pub source_kind: &'a str,
}

/// An event that is now in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its id.
    pub id: EventId,
    /// Whether the event came without an id and got this one from `new_id`.
    pub id_assigned: bool,
}

/// Reads one event that is the whole input and appends it to the batch in canonical form, its `recorded` slot still to be filled.
///
/// # Errors
/// Every fault of the event in the order of the input, at most [`crate::limits::FAULTS_LISTED_MAX`]; the batch is then as it was.
pub fn prepare(
    input: &[u8],
    defaults: &Defaults<'_>,
    new_id: &mut dyn FnMut() -> EventId,
    batch: &mut EventBatch,
) -> Result<Prepared, Vec<Fault>> {
    let mut faults = FaultList::new();
    let prepared = with_tape(|tape| match tape.read(input) {
        Ok(document) => prepare_document(&document, defaults, new_id, batch, &mut faults),
        Err(error) => {
            faults.add(|| error.into());
            None
        }
    });
    prepared.ok_or_else(|| faults.into_listed())
}

/// Checks a document that was read and appends it to the batch. `None` when it has faults, which are then in the list.
pub(crate) fn prepare_document<'t>(
    document: &'t Document<'_, 't>,
    defaults: &Defaults<'_>,
    new_id: &mut dyn FnMut() -> EventId,
    batch: &mut EventBatch,
    faults: &mut FaultList,
) -> Option<Prepared> {
    let listed_before = faults.listed_len();
    let mut prepared = None;
    let pushed = batch.push_checked(|out| {
        let written = Check::new(defaults, new_id, out, faults).event(document.root());
        prepared = written.as_ref().map(|written| Prepared { id: written.id, id_assigned: written.id_assigned });
        written.map(|written| (written.id, written.recorded_at))
    });
    if let Some(Err(too_long)) = pushed {
        prepared = None;
        faults.add(|| Fault {
            line: None,
            field: String::new(),
            column: Some(document.root().at() + 1),
            code: FaultCode::EntryTooLong,
            reason: format!(
                "the event takes {} bytes in canonical form; the longest an entry may be is {ENTRY_BYTES_MAX}",
                too_long.bytes
            ),
            hint: Some("keep large content outside the event and name it in `resources` or `sealed`".to_owned()),
        });
    }
    if prepared.is_none() {
        faults.listed_from(listed_before).sort_by_key(|fault| fault.column.unwrap_or(0));
    }
    prepared
}

#[cfg(test)]
mod tests;
