//! Content on its way into the vault, as much of it as the route keeps.
//!
//! Promises: nothing of a content stays in memory here; what cannot be sealed stops the call, unless the route lets calls through
//! when they cannot be recorded.

use std::fmt;

use indelible_event::id::EventId;
use indelible_event::vault::{ContentAbout, ContentWriter, VaultError};

use crate::caller::Caller;
use crate::draft::{Draft, Text};
use crate::route::{ContentKind, OnLogFailure, Route};
use crate::surroundings::Surroundings;

/// One content that is being taken in.
pub struct Content {
    kind: ContentKind,
    writer: Option<Box<dyn ContentWriter>>,
    bytes: u64,
    on_failure: OnLogFailure,
    lost: bool,
}

impl Content {
    /// Begins a content that the event `event` will carry.
    ///
    /// # Errors
    /// [`VaultError`] when it cannot be taken and the route refuses what cannot be recorded.
    pub fn begin(
        s: &Surroundings,
        route: &Route,
        caller: &Caller,
        event: EventId,
        kind: ContentKind,
    ) -> Result<Self, VaultError> {
        let mut content = Self { kind, writer: None, bytes: 0, on_failure: route.on_log_failure(), lost: false };
        if let Some(keep) = route.capture().of(kind).keep() {
            let begun = s.vault.begin(ContentAbout { event, subject: caller.subject().to_owned(), keep });
            content.writer = content.judge(begun)?;
        }
        Ok(content)
    }

    fn judge<T>(&mut self, result: Result<T, VaultError>) -> Result<Option<T>, VaultError> {
        match (result, self.on_failure) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(_), OnLogFailure::Allow) => {
                self.lost = true;
                self.writer = None;
                Ok(None)
            }
            (Err(error), OnLogFailure::Refuse) => {
                self.writer = None;
                Err(error)
            }
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// As [`Content::begin`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let written = writer.write(bytes);
        self.judge(written).map(drop)
    }

    /// How many bytes came so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the content and puts what the event says of it into `draft`. An empty content says nothing.
    ///
    /// # Errors
    /// As [`Content::begin`].
    pub fn finish(mut self, draft: &mut Draft, media_type: Text) -> Result<(), VaultError> {
        if let Some(writer) = self.writer.take()
            && self.bytes > 0
        {
            let finished = writer.finish();
            if let Some(sealed) = self.judge(finished)? {
                draft.seal(self.kind.as_str(), media_type, sealed);
            }
        }
        if self.lost {
            draft.attribute("indelible.content_lost", true);
        }
        Ok(())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("kind", &self.kind).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
