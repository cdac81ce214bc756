//! Who a request comes from, once its token was found; and why a token opens nothing. Never: the token itself.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use indelible_event::words::ActorType;

use crate::holder::Holder;
use crate::role::Role;

/// Longest name of a token in bytes; it becomes `actor.id` and `source.id` of events.
pub const TOKEN_NAME_BYTES_MAX: usize = 64;
/// Names that the server uses for itself or for nobody; a token may not pass for them.
pub const RESERVED_NAMES: [&str; 3] = ["anonymous", "indelible", "indelible-server"];

/// A token's name: `a-z`, `A-Z`, `0-9`, `.`, `_`, `-`, `@`, `:` and `/`, 1 to 64 characters, unique among live tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenName(String);

/// A name cannot be given to a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenNameError {
    /// Wrong length or characters.
    #[error(
        "a token's name has 1 to {TOKEN_NAME_BYTES_MAX} characters out of letters, digits and `. _ - @ : /`, and begins with a letter or digit"
    )]
    Form,
    /// A name the server keeps for itself.
    #[error("the name `{0}` is kept for the server's own events; choose another")]
    Reserved(String),
}

impl TokenName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`TokenNameError`] for a wrong form or a reserved name.
    pub fn new(name: &str) -> Result<Self, TokenNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:/".contains(&byte);
        let begins_well = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if !begins_well || name.len() > TOKEN_NAME_BYTES_MAX || !name.bytes().all(allowed) {
            return Err(TokenNameError::Form);
        }
        if RESERVED_NAMES.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(TokenNameError::Reserved(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The holder of a live token.
#[derive(Debug)]
pub struct Identity {
    /// The token's public id (`tok_…`), by which it is listed and revoked; of somebody whom a provider knows `oidc_…`, made of both.
    pub id: String,
    /// Its name: who acts.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// Who holds it.
    pub holder: Holder,
    /// The logs it is limited to; `None` means every log.
    pub logs: Option<Vec<String>>,
    /// When it stops working, in seconds since the epoch.
    pub expires: Option<i64>,
    /// When it was last used, in seconds since the epoch, 0 for never; kept in memory, written to the file now and then.
    pub(crate) used: AtomicI64,
}

impl Identity {
    /// Somebody of whom a provider says who they are; `id` is not a token's.
    #[must_use]
    pub fn of_provider(id: String, name: TokenName, role: Role, holder: Holder, logs: Option<Vec<String>>) -> Self {
        Self { id, name, role, holder, logs, expires: None, used: AtomicI64::new(0) }
    }

    /// Whether the token may touch the log `name`. The check never tells whether that log exists.
    #[must_use]
    pub fn may_use_log(&self, name: &str) -> bool {
        match &self.logs {
            None => true,
            Some(logs) => logs.iter().any(|log| log == name),
        }
    }

    /// The holder as the actor of an event: id, type, roles (the token's where the holder has none) and groups.
    #[must_use]
    pub fn as_actor(&self) -> (&str, ActorType, Vec<String>, Vec<String>) {
        (self.name.as_str(), self.holder.actor_type(), self.holder.roles_or(self.role), self.holder.groups().to_vec())
    }

    /// When it was last used, in seconds since the epoch; 0 for never.
    #[must_use]
    pub fn last_used(&self) -> i64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Why a presented token opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such token, or it was revoked: the two are not told apart.
    #[error("the token is not known here; it may have been revoked")]
    Unknown,
    /// The token was right once. Only its holder learns this.
    #[error("the token `{name}` has expired; ask an administrator for a new one")]
    Expired {
        /// Whose it was.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_the_servers_own_are_kept() {
        assert!(TokenName::new("svc/checkout@eu:1").is_ok());
        assert!(TokenName::new(&"n".repeat(64)).is_ok());
        for wrong in ["", " ", "-a", "a b", "ä", &"n".repeat(65)] {
            assert_eq!(TokenName::new(wrong), Err(TokenNameError::Form), "{wrong}");
        }
        assert_eq!(TokenName::new("Anonymous"), Err(TokenNameError::Reserved("Anonymous".to_owned())));
    }
}
