//! The kill switch: what is halted is refused at the next question, whatever policies say.
//!
//! Promises: a halt is on the disk before it is confirmed, and stands after a restart. Never: halts by pattern; one names one
//! thing, so that nobody halts more than was meant.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use rusqlite::{Connection, params};

use crate::door::Ask;

/// Most halts at once.
pub const HALTS_MAX: usize = 1_000;
/// Longest value and reason.
const TEXT_BYTES_MAX: usize = 1_024;

/// What a halt names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HaltScope {
    /// A gateway's route.
    Route,
    /// An actor, as caller or anywhere in the chain it acts for.
    Actor,
    /// A model.
    Model,
    /// A tool.
    Tool,
}

impl HaltScope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Route, Self::Actor, Self::Model, Self::Tool];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Actor => "actor",
            Self::Model => "model",
            Self::Tool => "tool",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

impl fmt::Display for HaltScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One halt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What kind of thing.
    pub scope: HaltScope,
    /// Which one.
    pub value: String,
    /// Why, for those who are refused.
    pub reason: String,
    /// Who halted it.
    pub by: String,
    /// When, in seconds since the epoch.
    pub since: i64,
}

impl Halt {
    fn covers(&self, ask: &Ask) -> bool {
        match self.scope {
            HaltScope::Route => ask.context.route == self.value,
            HaltScope::Actor => {
                ask.principal.id == self.value || ask.chain.iter().any(|principal| principal.id == self.value)
            }
            HaltScope::Model => ask.resource.kind == "model" && ask.resource.id == self.value,
            HaltScope::Tool => ask.resource.kind == "tool" && ask.resource.id == self.value,
        }
    }
}

/// A halt cannot be set or lifted.
#[derive(Debug, thiserror::Error)]
pub enum HaltError {
    /// Too many already.
    #[error("there are {HALTS_MAX} halts already; lift some first")]
    TooMany,
    /// The value or reason is empty or too long.
    #[error("a halt needs a value and a reason of 1 to {TEXT_BYTES_MAX} bytes each")]
    Text,
    /// Nothing like that is halted.
    #[error("the {scope} `{value}` is not halted")]
    NotFound {
        /// The scope asked for.
        scope: HaltScope,
        /// The value asked for.
        value: String,
    },
    /// The file could not be read or written.
    #[error("cannot use the file of halts")]
    File(#[from] rusqlite::Error),
}

/// All halts: in memory for every question, in `state.sqlite` for the next start.
#[derive(Debug, Default)]
pub struct Halts {
    live: RwLock<Vec<Halt>>,
}

pub(crate) const CREATE: &str = "create table if not exists halts (
    scope  text not null,
    value  text not null,
    reason text not null,
    actor  text not null,
    since  integer not null,
    primary key (scope, value)
) strict;";

impl Halts {
    /// Those in the file.
    pub(crate) fn load(connection: &Connection) -> Result<Self, HaltError> {
        connection.execute_batch(CREATE)?;
        let mut statement =
            connection.prepare("select scope, value, reason, actor, since from halts order by since")?;
        let rows = statement.query_map([], |row| {
            let scope: String = row.get(0)?;
            Ok((scope, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let mut live = Vec::new();
        for row in rows {
            let (scope, value, reason, by, since) = row?;
            match HaltScope::parse(&scope) {
                Some(scope) => live.push(Halt { scope, value, reason, by, since }),
                // One of a later version: better told than forgotten.
                None => tracing::error!(scope, "a halt in the file is of a kind that this version does not know"),
            }
        }
        Ok(Self { live: RwLock::new(live) })
    }

    /// Every halt, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Halt> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The halt that covers an ask.
    #[must_use]
    pub fn covering(&self, ask: &Ask) -> Option<Halt> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).iter().find(|halt| halt.covers(ask)).cloned()
    }

    /// Halts; the same thing again takes the new reason.
    pub(crate) fn set(&self, connection: &Connection, halt: &Halt) -> Result<(), HaltError> {
        let fits = |text: &str| !text.is_empty() && text.len() <= TEXT_BYTES_MAX;
        if !fits(&halt.value) || !fits(&halt.reason) {
            return Err(HaltError::Text);
        }
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &Halt| other.scope == halt.scope && other.value == halt.value;
        if live.len() >= HALTS_MAX && !live.iter().any(same) {
            return Err(HaltError::TooMany);
        }
        // It takes effect first: a switch is pulled in need, and a full disk must not hold it up.
        live.retain(|other| !same(other));
        live.push(halt.clone());
        connection.execute(
            "insert or replace into halts (scope, value, reason, actor, since) values (?1, ?2, ?3, ?4, ?5)",
            params![halt.scope.word(), halt.value, halt.reason, halt.by, halt.since],
        )?;
        Ok(())
    }

    /// Lifts a halt; gives what it was. The file comes first: after a failure it still stands.
    pub(crate) fn lift(&self, connection: &Connection, scope: HaltScope, value: &str) -> Result<Halt, HaltError> {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let place = live.iter().position(|halt| halt.scope == scope && halt.value == value);
        let place = place.ok_or_else(|| HaltError::NotFound { scope, value: value.to_owned() })?;
        connection.execute("delete from halts where scope = ?1 and value = ?2", params![scope.word(), value])?;
        Ok(live.remove(place))
    }
}
