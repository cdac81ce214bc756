//! Who holds a token, as policies and events see it: what kind of actor, in which roles and groups. Apart from the token's own
//! role, which says what the token may do here.
//!
//! Promises: at most 32 roles and 32 groups of at most 128 bytes, without control characters, none twice.

use indelible_event::words::ActorType;

use crate::role::Role;

/// Most roles, and most groups, of one holder.
pub const HOLDER_NAMES_MAX: usize = 32;
/// Longest name of a role or group, in bytes.
pub const HOLDER_NAME_BYTES_MAX: usize = 128;

/// Kind, roles and groups of a token's holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    actor_type: ActorType,
    roles: Vec<String>,
    groups: Vec<String>,
}

/// A holder cannot be described so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HolderError {
    /// Nobody with a token is anonymous, and the system's own events have no token.
    #[error("the holder of a token is `human`, `service` or `agent`, not `{found}`")]
    ActorType {
        /// What was said.
        found: &'static str,
    },
    /// Too many.
    #[error("there are {found} {field}; {HOLDER_NAMES_MAX} are the most for one token")]
    TooMany {
        /// `roles` or `groups`.
        field: &'static str,
        /// How many.
        found: usize,
    },
    /// Wrong length or characters.
    #[error(
        "`{field}` number {place} has no 1 to {HOLDER_NAME_BYTES_MAX} bytes, or has control characters or blanks at an end"
    )]
    Name {
        /// `roles` or `groups`.
        field: &'static str,
        /// Which one, from 1.
        place: usize,
    },
}

impl Default for Holder {
    /// A service without roles and groups.
    fn default() -> Self {
        Self { actor_type: ActorType::Service, roles: Vec::new(), groups: Vec::new() }
    }
}

impl Holder {
    /// A person without roles and groups.
    #[must_use]
    pub fn human() -> Self {
        Self { actor_type: ActorType::Human, roles: Vec::new(), groups: Vec::new() }
    }

    /// Checks a description. A name that stands twice is kept once.
    ///
    /// # Errors
    /// [`HolderError`] names the field.
    pub fn new(actor_type: ActorType, roles: Vec<String>, groups: Vec<String>) -> Result<Self, HolderError> {
        if !matches!(actor_type, ActorType::Human | ActorType::Service | ActorType::Agent) {
            return Err(HolderError::ActorType { found: actor_type.as_str() });
        }
        Ok(Self { actor_type, roles: names("roles", roles)?, groups: names("groups", groups)? })
    }

    /// What kind of actor it is.
    #[must_use]
    pub fn actor_type(&self) -> ActorType {
        self.actor_type
    }

    /// The roles it was given; none when it was given none.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// The groups it belongs to.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The roles that policies see: its own, or, when it was given none, the token's.
    pub(crate) fn roles_or(&self, token: Role) -> Vec<String> {
        if self.roles.is_empty() { vec![token.word().to_owned()] } else { self.roles.clone() }
    }
}

fn names(field: &'static str, names: Vec<String>) -> Result<Vec<String>, HolderError> {
    if names.len() > HOLDER_NAMES_MAX {
        return Err(HolderError::TooMany { field, found: names.len() });
    }
    let mut kept: Vec<String> = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let fits = (1..=HOLDER_NAME_BYTES_MAX).contains(&name.len()) && name.trim() == name;
        if !fits || name.chars().any(char::is_control) {
            return Err(HolderError::Name { field, place: place + 1 });
        }
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_describe_a_holder_is_refused_with_its_field() {
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let fine = Holder::new(ActorType::Agent, words(&["analyst", "analyst"]), words(&["fraud, EU"])).unwrap();
        assert_eq!((fine.roles(), fine.groups()), (&words(&["analyst"])[..], &words(&["fraud, EU"])[..]));
        assert!(Holder::new(ActorType::Anonymous, Vec::new(), Vec::new()).is_err());
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        let error = Holder::new(ActorType::Human, Vec::new(), many).unwrap_err();
        assert_eq!(error, HolderError::TooMany { field: "groups", found: 33 });
        for wrong in ["", " a", "a\nb", &"n".repeat(129)] {
            let error = Holder::new(ActorType::Human, words(&["fine", wrong]), Vec::new()).unwrap_err();
            assert_eq!(error, HolderError::Name { field: "roles", place: 2 }, "{wrong:?}");
        }
    }
}
