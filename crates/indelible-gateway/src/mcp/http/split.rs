//! A stream of server-sent events cut into whole events, each with the bytes it came in.

use bytes::Bytes;

use crate::sse::SseEvents;

/// One whole event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Every byte of it, and of what stood before it since the last one.
    pub(super) raw: Bytes,
    /// Its name; empty when it has none.
    pub(super) name: String,
    /// Its id; empty when it has none.
    pub(super) id: String,
    /// Its data; `None` when it has no data field.
    pub(super) data: Option<Vec<u8>>,
}

/// An event is longer than a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Cuts a stream into events.
#[derive(Debug)]
pub(super) struct Splitter {
    events: SseEvents,
    held: Vec<u8>,
    max: usize,
}

impl Splitter {
    /// Events of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { events: SseEvents::new(max), held: Vec::new(), max }
    }

    /// Takes the next bytes; gives the events that end in them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut found = Vec::new();
        let mut too_long = false;
        let mut from = 0;
        let held = &mut self.held;
        self.events.feed(bytes, |event| {
            held.extend_from_slice(bytes.get(from..event.end.end).unwrap_or_default());
            from = event.end.end;
            too_long |= event.cut;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push(Event {
                raw: Bytes::from(std::mem::take(held)),
                name: text(event.end.event),
                id: text(event.end.id),
                data: event.end.has_data.then(|| event.data.to_vec()),
            });
        });
        self.held.extend_from_slice(bytes.get(from..).unwrap_or_default());
        if too_long || self.held.len() > self.max { Err(TooLong) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_pieces_of_a_stream_are_the_stream(
            blocks in prop::collection::vec("(event: [a-z]{1,4}\n)?(id: [0-9]\n)?(data: [a-z{}]{0,9}\n){0,2}(: c\n)?(\n|\r\n)", 0..8),
            cuts in prop::collection::vec(1usize..9, 1..20),
        ) {
            let stream = blocks.concat().into_bytes();
            let whole = Splitter::new(1_000).feed(&stream).unwrap();
            let mut splitter = Splitter::new(1_000);
            let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.extend(splitter.feed(piece).unwrap());
                rest = after;
            }
            let without_raw = |events: &[Event]| -> Vec<_> {
                events.iter().map(|event| (event.name.clone(), event.id.clone(), event.data.clone())).collect()
            };
            prop_assert_eq!(without_raw(&pieces), without_raw(&whole));
            let mut sent: Vec<u8> = pieces.iter().flat_map(|event| event.raw.to_vec()).collect();
            sent.extend_from_slice(&splitter.held);
            prop_assert_eq!(sent, stream);
        }
    }

    #[test]
    fn an_event_is_bounded() {
        assert_eq!(Splitter::new(10).feed(b"data: 0123456789abc\n\n"), Err(TooLong));
        assert_eq!(Splitter::new(10).feed(b": a comment that goes on and on"), Err(TooLong));
    }
}
