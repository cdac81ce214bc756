//! Gives an event that is canonical already its number (`source.seq`), in place: for who numbers events of several writers in the
//! order in which they are recorded, and learns the number only then.
//!
//! Promises: what comes out is canonical too: the bytes are those that the event would have had with the number from the start.
//! Never: reads the event as a whole; numbers one that has a number.

use std::io::Write as _;

use crate::batch::{EntrySlot, EntryTooLong, EventBatch};

/// Where an event's number belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberPlace<'a> {
    /// `source.id` as JSON, quotes and escapes as they stand.
    pub source: &'a [u8],
    at: usize,
    /// Whether the number is the object's last member.
    last: bool,
}

impl<'a> NumberPlace<'a> {
    /// Where the number of a canonical event belongs; `None` when it has one, has no source, or is no canonical event.
    #[must_use]
    pub fn find(entry: &'a [u8]) -> Option<Self> {
        let mut at = 0;
        let object = loop {
            let (key, value) = member(entry, at)?;
            if key == b"source" {
                break value;
            }
            at = end_of_value(entry, value)?;
        };
        if entry.get(object) != Some(&b'{') {
            return None;
        }
        let mut source = None;
        let mut at = object;
        loop {
            let (key, value) = member(entry, at)?;
            if key == b"seq" {
                return None;
            }
            if key > b"seq".as_slice() {
                let at = at + 1;
                return Some(Self { source: source?, at, last: false });
            }
            let end = end_of_value(entry, value)?;
            if key == b"id" {
                source = entry.get(value..end);
            }
            at = end;
            if entry.get(at) == Some(&b'}') {
                return Some(Self { source: source?, at, last: true });
            }
        }
    }
}

impl EventBatch {
    /// Appends a copy of an entry of another batch that has this number at `place`, which [`NumberPlace::find`] gave for it.
    ///
    /// # Errors
    /// [`EntryTooLong`] when it does not fit with the number; the batch is then as it was before.
    pub fn push_numbered(
        &mut self,
        slot: &EntrySlot,
        entry: &[u8],
        place: &NumberPlace<'_>,
        seq: u64,
    ) -> Result<(), EntryTooLong> {
        self.push(slot.id, |bytes| {
            let start = bytes.len();
            let (before, after) = entry.split_at(place.at.min(entry.len()));
            bytes.extend_from_slice(before);
            let from = bytes.len();
            let (open, close) = if place.last { (",", "") } else { ("", ",") };
            // a buffer takes all that is written
            let _written = write!(bytes, "{open}\"seq\":{seq}{close}");
            let added = bytes.len() - from;
            bytes.extend_from_slice(after);
            let recorded_at = usize::from(slot.recorded_at);
            start + if recorded_at < place.at { recorded_at } else { recorded_at + added }
        })
    }

    /// Appends a copy of an entry of another batch.
    ///
    /// # Errors
    /// [`EntryTooLong`] when the batch would pass 4 GiB; it is then as it was before.
    pub fn push_copy(&mut self, slot: &EntrySlot, entry: &[u8]) -> Result<(), EntryTooLong> {
        self.push(slot.id, |bytes| {
            let start = bytes.len();
            bytes.extend_from_slice(entry);
            start + usize::from(slot.recorded_at)
        })
    }
}

/// The key after the `{` or `,` at `at`, and where its value begins.
fn member(entry: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if !matches!(entry.get(at), Some(b'{' | b',')) {
        return None;
    }
    let end = end_of_text(entry, at + 1)?;
    let key = entry.get(at + 2..end.checked_sub(1)?)?;
    (entry.get(end) == Some(&b':')).then_some((key, end + 1))
}

/// The byte after the text that begins with the quote at `at`.
fn end_of_text(entry: &[u8], at: usize) -> Option<usize> {
    if entry.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match entry.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The byte after the value at `at`: the `,`, `}` or `]` that follows it.
fn end_of_value(entry: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = at;
    loop {
        match entry.get(at)? {
            b'"' => at = end_of_text(entry, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            b',' if depth == 0 => return Some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::EventId;
    use crate::prepare::{Defaults, prepare};

    fn prepared(json: &str) -> EventBatch {
        let mut batch = EventBatch::new();
        let defaults = Defaults { source_id: "gateway/\"a\\", source_kind: "gateway" };
        let faults = prepare(json.as_bytes(), &defaults, &mut || EventId([3; 16]), &mut batch).err();
        assert!(faults.is_none(), "{json}: {faults:?}");
        batch
    }

    fn event(text: &str, source: &str) -> String {
        let text = serde_json::to_string(text).unwrap();
        format!(
            r#"{{"time":"2026-11-23T10:15:30Z","actor":{{"id":"ana","type":"human","name":{text}}},"action":"read",
            "outcome":{{"result":"allowed","reason":{text}}},"attributes":{{"source":"x","text":{text}}}{source}}}"#
        )
    }

    proptest! {
        #[test]
        fn a_number_put_in_gives_the_bytes_that_it_would_have_had_from_the_start(
            text in "[ -~äß\"\\\\{}:,\\[\\]]{1,40}", seq in 1u64..9_000_000_000_000_000, kind: bool,
        ) {
            let (with, without) = if kind {
                let with = format!(r#","source":{{"seq":{seq},"id":"a\"b\\","kind":"app"}}"#);
                (with, r#","source":{"id":"a\"b\\","kind":"app"}"#)
            } else {
                (format!(r#","source":{{"seq":{seq}}}"#), "")
            };
            let wanted = prepared(&event(&text, &with));
            let plain = prepared(&event(&text, without));
            let (slot, entry) = plain.entries().next().unwrap();
            let place = NumberPlace::find(entry).unwrap();
            let id: &[u8] = if kind { br#""a\"b\\""# } else { br#""gateway/\"a\\""# };
            prop_assert_eq!(place.source, id);
            let mut numbered = EventBatch::new();
            numbered.push_copy(slot, entry).unwrap();
            numbered.push_numbered(slot, entry, &place, seq).unwrap();
            let (_, copied) = numbered.entries().next().unwrap();
            prop_assert_eq!(copied, entry);
            let (slot, numbered) = numbered.entries().nth(1).unwrap();
            let (wanted_slot, wanted) = wanted.entries().next().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(numbered), String::from_utf8_lossy(wanted));
            prop_assert_eq!(slot.recorded_at, wanted_slot.recorded_at);
            // and it has one now
            prop_assert_eq!(NumberPlace::find(numbered), None);
        }

        #[test]
        fn whatever_the_bytes_are_nothing_worse_happens_than_that_no_place_is_found(bytes: Vec<u8>, text in "[{}\\[\\],:\"a-e\\\\]{0,60}") {
            let _place = NumberPlace::find(&bytes);
            let _place = NumberPlace::find(text.as_bytes());
        }
    }
}
