//! A way through a gateway, as the configuration names it: what of its content is kept, and what happens when the log takes nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use indelible_event::vault::Keep;

/// Whether a path is `mount` or below it.
#[must_use]
pub fn is_below(mount: &str, path: &str) -> bool {
    path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What happens to a call that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLogFailure {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes through unrecorded, and is counted: the log gets the count as soon as it takes records again.
    Allow,
}

impl OnLogFailure {
    /// The word in the configuration and in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Allow => "allow",
        }
    }
}

/// How much of a content is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// The content, encrypted, and a commitment in the event.
    #[default]
    Sealed,
    /// Only the commitment and its salt.
    Hash,
    /// Nothing but its size.
    None,
}

impl Capture {
    /// The word in the configuration and in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Hash => "hash",
            Self::None => "none",
        }
    }

    /// What the vault is to keep, if anything.
    #[must_use]
    pub fn keep(self) -> Option<Keep> {
        match self {
            Self::Sealed => Some(Keep::Sealed),
            Self::Hash => Some(Keep::Hash),
            Self::None => None,
        }
    }
}

/// A kind of content that passes through a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentKind {
    /// What a model or server is asked: request bodies, prompts.
    Prompt,
    /// What it answers.
    Answer,
    /// What a tool is called with.
    Arguments,
    /// What a tool gives back.
    Result,
}

impl ContentKind {
    /// The content's name in `sealed[]`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Answer => "answer",
            Self::Arguments => "arguments",
            Self::Result => "result",
        }
    }
}

/// How much is kept of each kind of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureSettings {
    /// Of what is asked.
    pub prompt: Capture,
    /// Of what is answered.
    pub answer: Capture,
    /// Of tool arguments.
    pub arguments: Capture,
    /// Of tool results.
    pub result: Capture,
}

impl CaptureSettings {
    /// How much is kept of one kind.
    #[must_use]
    pub fn of(&self, kind: ContentKind) -> Capture {
        match kind {
            ContentKind::Prompt => self.prompt,
            ContentKind::Answer => self.answer,
            ContentKind::Arguments => self.arguments,
            ContentKind::Result => self.result,
        }
    }
}

/// One configured way through a gateway.
#[derive(Debug)]
pub struct Route {
    name: String,
    source: String,
    capture: CaptureSettings,
    on_log_failure: OnLogFailure,
    unrecorded: AtomicU64,
}

impl Route {
    /// A route named `name`; its events come from the source `gateway/<name>`.
    #[must_use]
    pub fn new(name: &str, capture: CaptureSettings, on_log_failure: OnLogFailure) -> Self {
        Self {
            name: name.to_owned(),
            source: format!("gateway/{name}"),
            capture,
            on_log_failure,
            unrecorded: AtomicU64::new(0),
        }
    }

    /// Its name in the configuration, in policies and in `halt`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `source.id` of its events.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How much of each content is kept.
    #[must_use]
    pub fn capture(&self) -> &CaptureSettings {
        &self.capture
    }

    /// What happens to a call that cannot be recorded.
    #[must_use]
    pub fn on_log_failure(&self) -> OnLogFailure {
        self.on_log_failure
    }

    /// Calls that went through unrecorded and are not told to the log yet.
    #[must_use]
    pub fn unrecorded(&self) -> u64 {
        self.unrecorded.load(Ordering::Relaxed)
    }

    pub(crate) fn add_unrecorded(&self, calls: u64) {
        self.unrecorded.fetch_add(calls, Ordering::Relaxed);
    }

    pub(crate) fn take_unrecorded(&self) -> u64 {
        match self.unrecorded.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.unrecorded.swap(0, Ordering::Relaxed),
        }
    }
}
