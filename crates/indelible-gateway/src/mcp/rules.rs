//! What the configuration says of a tool server, apart from where it is.

use std::time::Duration;

use indelible_event::words::Action;

use super::action::Pattern;

/// How long an answer may take unless set otherwise; progress begins it anew. Tools that ask a person take minutes.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a cancelled request may still be answered: servers stop "as soon as practical".
pub const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// How a denied tool call is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DenialForm {
    /// By a JSON-RPC error: the agent's program sees it.
    #[default]
    Error,
    /// By a tool result with `isError`: the model reads it, and can say so or try something else.
    ToolResult,
}

impl DenialForm {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::ToolResult => "tool_result",
        }
    }
}

/// What the configuration says of a tool server.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Its name: the first part of the ids of its tools.
    pub server: String,
    /// Actions by patterns of tool names; the first that matches wins.
    pub actions: Vec<(Pattern, Action)>,
    /// How a denied tool call is answered.
    pub denial: DenialForm,
    /// How long an answer may take.
    pub answer_timeout: Duration,
}

impl Rules {
    /// Rules that only name the server.
    #[must_use]
    pub fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            actions: Vec::new(),
            denial: DenialForm::default(),
            answer_timeout: ANSWER_TIMEOUT,
        }
    }
}
