//! What a provider's claims come to here: a name, groups, a role, and the logs it is limited to. Never: a role that no rule gives.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::OidcError;
use super::settings::{CLAIM_BYTES_MAX, RoleRule, Settings};
use crate::holder::{HOLDER_NAME_BYTES_MAX, HOLDER_NAMES_MAX, Holder};
use crate::identity::{Identity, TokenName};
use indelible_event::words::ActorType;

/// Longest subject (OpenID Connect Core 1.0 §2).
const SUBJECT_BYTES_MAX: usize = 255;
/// Most groups that are looked through.
const GROUPS_MAX: usize = 2_000;
/// Bytes of the hash that an identity is listed by.
const ID_BYTES: usize = 12;

/// Somebody whom a provider knows and a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The provider's identifier.
    pub issuer: String,
    /// Who it is to the provider; never somebody else's.
    pub subject: String,
    /// What they are called here.
    pub name: TokenName,
    /// Their mail address, when the provider tells it and does not say that it is unverified.
    pub email: Option<String>,
    /// Those of their groups that rules name.
    pub groups: Vec<String>,
    /// The rule that let them in.
    pub rule: RoleRule,
}

/// Whether a claim that the settings name is missing.
pub(super) fn lacks_any(settings: &Settings, claims: &Map<String, Value>) -> bool {
    [&settings.name_claim, &settings.groups_claim].into_iter().any(|name| find(claims, name).is_none())
}

/// Adds what the provider says elsewhere, if it says it of the same person (OpenID Connect Core 1.0 §5.3.2). What the ID token says
/// stays.
pub(super) fn add(claims: &mut Map<String, Value>, more: Map<String, Value>) -> Result<(), OidcError> {
    let subject = claims.get("sub").and_then(Value::as_str);
    if subject.is_none() || subject != more.get("sub").and_then(Value::as_str) {
        let reason = "it is of somebody else".to_owned();
        return Err(OidcError::Provider { what: "user information", reason });
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(())
}

impl SignedIn {
    /// Reads the claims of an ID token that was checked.
    pub(super) fn new(settings: &Settings, claims: &Map<String, Value>) -> Result<Self, OidcError> {
        let wrong = |reason: String| OidcError::Claims { reason };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if !(1..=SUBJECT_BYTES_MAX).contains(&subject.len()) || subject.chars().any(char::is_control) {
            return Err(wrong("the claim `sub` is missing or has the wrong form".to_owned()));
        }
        let email = email(claims);
        let is_email = settings.name_claim == "email";
        let said = if is_email { email } else { find(claims, &settings.name_claim).and_then(Value::as_str) };
        let Some(said) = said else {
            let and_true = if is_email { ", or the address is unverified" } else { "" };
            return Err(wrong(format!(
                "the claim `{}`, which names people here, is missing{and_true}",
                settings.name_claim
            )));
        };
        let name = TokenName::new(&spelled(said)).map_err(|error| wrong(error.to_string()))?;
        let groups = groups(claims, &settings.groups_claim);
        let Some(rule) = settings.roles.iter().find(|rule| groups.contains(&rule.group.as_str())) else {
            return Err(OidcError::NoRole { name: name.to_string() });
        };
        let is_named = |group: &&str| settings.roles.iter().any(|rule| rule.group == **group);
        let mut named: Vec<String> = Vec::new();
        for group in groups.iter().copied().filter(is_named) {
            if !named.iter().any(|known| known == group) {
                named.push(group.to_owned());
            }
        }
        Ok(Self {
            issuer: settings.issuer.clone(),
            subject: subject.to_owned(),
            name,
            email: email.map(str::to_owned),
            groups: named,
            rule: rule.clone(),
        })
    }

    /// The same as everybody else who may do something here.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let fits = |group: &&String| group.len() <= HOLDER_NAME_BYTES_MAX && group.trim() == group.as_str();
        let groups = self.groups.iter().filter(fits).take(HOLDER_NAMES_MAX).cloned().collect();
        // nothing that was filtered so is refused; and without groups nobody is less let in than with them
        let holder = Holder::new(ActorType::Human, Vec::new(), groups).unwrap_or_else(|_| Holder::human());
        Identity::of_provider(self.id(), self.name.clone(), self.rule.role, holder, self.rule.logs.clone())
    }

    /// A short form of issuer and subject, which together name one person for ever (OpenID Connect Core 1.0 §5.7).
    fn id(&self) -> String {
        let hash = Sha256::digest(format!("{}\n{}", self.issuer, self.subject));
        let digits: String = hash.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect();
        format!("oidc_{digits}")
    }
}

/// The mail address, unless the provider says that nobody has shown it to be theirs.
fn email(claims: &Map<String, Value>) -> Option<&str> {
    let is_unverified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => !verified,
        // some providers write it as a text
        Some(Value::String(verified)) => verified != "true",
        Some(_) => true,
        None => false,
    };
    claims.get("email").and_then(Value::as_str).filter(|_| !is_unverified)
}

/// A claim by its name; where there is none of that name, by its path with dots (`realm_access.roles`).
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    })
}

/// The groups: a list of texts, or one.
fn groups<'a>(claims: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    let all: Vec<&str> = match find(claims, name) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().take(GROUPS_MAX).filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|group| group.len() <= CLAIM_BYTES_MAX).collect()
}

/// A name in the characters that names have here: each other byte as `:` and two digits, so that two people never become one.
fn spelled(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-@/".contains(&byte) {
            spelled.push(char::from(byte));
        } else {
            spelled.push_str(&format!(":{byte:02x}"));
        }
    }
    spelled
}
