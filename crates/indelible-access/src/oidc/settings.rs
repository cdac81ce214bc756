//! What an operator says of a provider. Checked once, where it is made; the rest trusts it.

use std::fmt;

use super::address::{Reach, reach};
use crate::role::Role;

/// Longest name of a claim, and longest name of a group.
pub const CLAIM_BYTES_MAX: usize = 256;
/// Most rules that give roles.
pub const ROLES_MAX: usize = 256;
/// Most scopes.
pub const SCOPES_MAX: usize = 16;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Takes a secret; white space around it does not count.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Which group has which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    /// The group, or any value of the claim.
    pub group: String,
    /// What its members may do.
    pub role: Role,
    /// The logs they are limited to; `None` means every log.
    pub logs: Option<Vec<String>>,
}

/// A provider, and what its claims come to here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its identifier, exactly as it writes it.
    pub issuer: String,
    /// Who this server is to it.
    pub client_id: String,
    /// What proves that; none for a public client, for which PKCE alone has to do.
    pub client_secret: Option<ClientSecret>,
    /// Where it sends people back to.
    pub redirect_url: String,
    /// What is asked for; `openid` always is.
    pub scopes: Vec<String>,
    /// The claim that names people here.
    pub name_claim: String,
    /// The claim with their groups.
    pub groups_claim: String,
    /// The first rule that fits gives the role.
    pub roles: Vec<RoleRule>,
}

/// Settings that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not an address that a provider may have.
    #[error(
        "`{key}` is not an `https` address (plain `http` only on this machine), without a name, a fragment or blanks"
    )]
    Address {
        /// Which setting.
        key: &'static str,
    },
    /// Missing.
    #[error("`{key}` is missing")]
    Missing {
        /// Which setting.
        key: &'static str,
    },
    /// Wrong length or characters.
    #[error("`{key}` has no 1 to {CLAIM_BYTES_MAX} characters, or has blanks or control characters")]
    Form {
        /// Which setting.
        key: &'static str,
    },
    /// A role that is for programs.
    #[error("the role {role} of the group `{group}` is for programs; pages need read, responder, approver or admin")]
    Role {
        /// The role.
        role: Role,
        /// The group.
        group: String,
    },
    /// Too many.
    #[error("there are too many of `{key}`: {most} are the most")]
    TooMany {
        /// Which setting.
        key: &'static str,
        /// The most.
        most: usize,
    },
}

impl SettingsError {
    /// Which setting is meant.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Address { key } | Self::Missing { key } | Self::Form { key } | Self::TooMany { key, .. } => key,
            Self::Role { .. } => "role",
        }
    }
}

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`SettingsError`] names what is wrong.
    pub fn check(self) -> Result<Self, SettingsError> {
        for (key, address) in [("issuer", &self.issuer), ("redirect_url", &self.redirect_url)] {
            reach(address).ok_or(SettingsError::Address { key })?;
        }
        // an issuer has no query (OpenID Connect Discovery 1.0 §3)
        if self.issuer.contains('?') {
            return Err(SettingsError::Address { key: "issuer" });
        }
        let texts =
            [("client_id", &self.client_id), ("name_claim", &self.name_claim), ("groups_claim", &self.groups_claim)];
        for (key, text) in texts.into_iter().chain(self.scopes.iter().map(|scope| ("scopes", scope))) {
            if !is_word(text) {
                return Err(SettingsError::Form { key });
            }
        }
        if self.scopes.len() > SCOPES_MAX {
            return Err(SettingsError::TooMany { key: "scopes", most: SCOPES_MAX });
        }
        check_roles(&self.roles)?;
        Ok(self)
    }

    /// Whether a provider like this may be reached without TLS.
    pub(super) fn is_loopback(&self) -> bool {
        reach(&self.issuer) == Some(Reach::Loopback)
    }

    /// What is asked for, `openid` first.
    pub(super) fn scope(&self) -> String {
        let others = self.scopes.iter().filter(|scope| *scope != "openid").map(String::as_str);
        std::iter::once("openid").chain(others).collect::<Vec<_>>().join(" ")
    }
}

fn check_roles(roles: &[RoleRule]) -> Result<(), SettingsError> {
    if roles.is_empty() {
        return Err(SettingsError::Missing { key: "role" });
    }
    if roles.len() > ROLES_MAX {
        return Err(SettingsError::TooMany { key: "role", most: ROLES_MAX });
    }
    for rule in roles {
        let fits = (1..=CLAIM_BYTES_MAX).contains(&rule.group.len()) && !rule.group.chars().any(char::is_control);
        if !fits {
            return Err(SettingsError::Form { key: "group" });
        }
        if matches!(rule.role, Role::Ingest | Role::Gateway) {
            return Err(SettingsError::Role { role: rule.role, group: rule.group.clone() });
        }
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    (1..=CLAIM_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}
