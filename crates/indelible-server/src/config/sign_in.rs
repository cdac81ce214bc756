//! `[sign_in]`: how long sessions hold, and the OpenID provider that people may sign in with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indelible_access::Role;
use indelible_access::oidc::{ClientSecret, ROLES_MAX, RoleRule, Settings, SettingsError};
use indelible_access::session::SessionTimes;

use super::detect::texts;
use super::keys::{ItemKey, Key, Kind, item_key, key};
use super::secrets::{self, SecretError};
use super::values::{path, put, shown, time};
use super::{Config, Period};

/// Most rules that give roles.
pub const SIGN_IN_ROLES_MAX: usize = ROLES_MAX;
/// Largest file with a secret that is read.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Longest value of a key that goes to the provider as it is.
const TEXT_BYTES_MAX: usize = 2_048;

/// How people sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInConfig {
    /// How long somebody stays signed in, whatever happens.
    pub session_time: Period,
    /// How long they do without a request.
    pub session_idle: Period,
    /// `[sign_in.oidc]`
    pub oidc: OidcConfig,
}

/// An OpenID provider; none as long as there is no issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    /// Its identifier, exactly as it writes it.
    pub issuer: Option<String>,
    /// Who this server is to it.
    pub client_id: Option<String>,
    /// A file that holds what proves that.
    pub client_secret_file: Option<PathBuf>,
    /// A variable that holds it.
    pub client_secret_variable: Option<String>,
    /// Where it sends people back to; out of `server.public_url` when missing.
    pub redirect_url: Option<String>,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claim that names people here.
    pub name_claim: String,
    /// The claim with their groups.
    pub groups_claim: String,
    /// `[[sign_in.oidc.role]]`
    pub roles: Vec<SignInRoleConfig>,
}

/// Which group has which role.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SignInRoleConfig {
    /// The group.
    pub group: String,
    /// Its role.
    pub role: Option<Role>,
    /// The logs that its members are limited to; empty for all.
    pub logs: Vec<String>,
}

impl Default for SignInConfig {
    fn default() -> Self {
        Self {
            session_time: Period::seconds(12 * 3_600),
            session_idle: Period::seconds(3_600),
            oidc: OidcConfig::default(),
        }
    }
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret_file: None,
            client_secret_variable: None,
            redirect_url: None,
            ca_file: None,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            name_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: Vec::new(),
        }
    }
}

/// Every key of `[sign_in]` and `[sign_in.oidc]`.
pub(super) const SIGN_IN_KEYS: [Key; 11] = [
    key(
        "sign_in.session_time",
        Kind::Text,
        |c| c.sign_in.session_time.to_string(),
        |c, t| put(&mut c.sign_in.session_time, time(t, 60_000, 30 * 86_400_000)),
    ),
    key(
        "sign_in.session_idle",
        Kind::Text,
        |c| c.sign_in.session_idle.to_string(),
        |c, t| put(&mut c.sign_in.session_idle, time(t, 60_000, 30 * 86_400_000)),
    ),
    key(
        "sign_in.oidc.issuer",
        Kind::Text,
        |c| c.sign_in.oidc.issuer.clone().unwrap_or_default(),
        |c, t| put(&mut c.sign_in.oidc.issuer, text(t).map(Some)),
    ),
    key(
        "sign_in.oidc.client_id",
        Kind::Text,
        |c| c.sign_in.oidc.client_id.clone().unwrap_or_default(),
        |c, t| put(&mut c.sign_in.oidc.client_id, text(t).map(Some)),
    ),
    key(
        "sign_in.oidc.client_secret_file",
        Kind::Text,
        |c| shown(c.sign_in.oidc.client_secret_file.as_ref()),
        |c, t| put(&mut c.sign_in.oidc.client_secret_file, path(t).map(Some)),
    ),
    key(
        "sign_in.oidc.client_secret_variable",
        Kind::Text,
        |c| c.sign_in.oidc.client_secret_variable.clone().unwrap_or_default(),
        |c, t| put(&mut c.sign_in.oidc.client_secret_variable, text(t).map(Some)),
    ),
    key(
        "sign_in.oidc.redirect_url",
        Kind::Text,
        |c| c.sign_in.oidc.redirect_url.clone().unwrap_or_default(),
        |c, t| put(&mut c.sign_in.oidc.redirect_url, text(t).map(Some)),
    ),
    key(
        "sign_in.oidc.ca_file",
        Kind::Text,
        |c| shown(c.sign_in.oidc.ca_file.as_ref()),
        |c, t| put(&mut c.sign_in.oidc.ca_file, path(t).map(Some)),
    ),
    key(
        "sign_in.oidc.scopes",
        Kind::Texts,
        |c| c.sign_in.oidc.scopes.join(","),
        |c, t| put(&mut c.sign_in.oidc.scopes, Ok(texts(t))),
    ),
    key(
        "sign_in.oidc.name_claim",
        Kind::Text,
        |c| c.sign_in.oidc.name_claim.clone(),
        |c, t| put(&mut c.sign_in.oidc.name_claim, text(t)),
    ),
    key(
        "sign_in.oidc.groups_claim",
        Kind::Text,
        |c| c.sign_in.oidc.groups_claim.clone(),
        |c, t| put(&mut c.sign_in.oidc.groups_claim, text(t)),
    ),
];

/// Every key of a `[[sign_in.oidc.role]]`.
pub const SIGN_IN_ROLE_KEYS: &[ItemKey<SignInRoleConfig>] = &[
    item_key("group", Kind::Text, |r| r.group.clone(), |r, t| put(&mut r.group, Ok(t.to_owned()))),
    item_key(
        "role",
        Kind::Text,
        |r| r.role.map(|role| role.word().to_owned()).unwrap_or_default(),
        |r, t| put(&mut r.role, role(t).map(Some)),
    ),
    item_key("logs", Kind::Texts, |r| r.logs.join(","), |r, t| put(&mut r.logs, Ok(texts(t)))),
];

fn text(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("must have 1 to {TEXT_BYTES_MAX} characters and no control characters"));
    }
    Ok(text.to_owned())
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word)
        .filter(|role| !matches!(role, Role::Ingest | Role::Gateway))
        .ok_or_else(|| format!("`{word}` is none of admin, read, approver, responder"))
}

/// What each key alone cannot tell. One line a fault.
pub(super) fn sign_in_relations(config: &Config, fault: &mut dyn FnMut(&str, String)) {
    let sign_in = &config.sign_in;
    if sign_in.session_idle.duration() > sign_in.session_time.duration() {
        fault("sign_in.session_idle", "must not be longer than `sign_in.session_time`".to_owned());
    }
    let oidc = &sign_in.oidc;
    if oidc.client_secret_file.is_some() && oidc.client_secret_variable.is_some() {
        let reason = "set one of `client_secret_file` and `client_secret_variable`".to_owned();
        fault("sign_in.oidc.client_secret_variable", reason);
    }
    for (place, rule) in oidc.roles.iter().enumerate() {
        for (what, missing) in [("group", rule.group.is_empty()), ("role", rule.role.is_none())] {
            if missing {
                fault("sign_in.oidc.role", format!("the `[[sign_in.oidc.role]]` number {} has no `{what}`", place + 1));
            }
        }
        for log in rule.logs.iter().filter(|log| !config.logs.0.iter().any(|known| known.name == **log)) {
            fault("sign_in.oidc.role", format!("no `[[log]]` is named `{log}`"));
        }
    }
    if oidc.issuer.is_none() {
        if !oidc.roles.is_empty() {
            fault("sign_in.oidc.issuer", "is missing, and there is a `[[sign_in.oidc.role]]`".to_owned());
        }
        return;
    }
    if let Err(error) = settings(config, None) {
        fault(&format!("sign_in.oidc.{}", error.key()), error.to_string());
    }
}

/// The provider cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SignInConfigError {
    /// A file or a variable.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl SignInConfig {
    /// How long sessions hold.
    #[must_use]
    pub fn times(&self) -> SessionTimes {
        let seconds = |period: Period| i64::try_from(period.duration().as_secs()).unwrap_or(i64::MAX);
        SessionTimes { age: seconds(self.session_time), idle: seconds(self.session_idle) }
    }
}

impl Config {
    /// The provider, with its secret read; `None` when there is none. Nothing is asked of it.
    ///
    /// # Errors
    /// [`SignInConfigError`] names what cannot be read or used.
    pub fn oidc(&self) -> Result<Option<Settings>, SignInConfigError> {
        if self.sign_in.oidc.issuer.is_none() {
            return Ok(None);
        }
        Ok(Some(settings(self, self.sign_in.oidc.secret()?)?))
    }
}

impl OidcConfig {
    fn secret(&self) -> Result<Option<ClientSecret>, SignInConfigError> {
        if let Some(path) = &self.client_secret_file {
            return Ok(Some(ClientSecret::new(&read(path)?)));
        }
        let Some(name) = &self.client_secret_variable else { return Ok(None) };
        Ok(Some(ClientSecret::new(&secrets::variable(name)?)))
    }

    /// The authorities to trust, in PEM.
    ///
    /// # Errors
    /// [`SignInConfigError::Secret`] when they cannot be read.
    pub fn authorities(&self) -> Result<Option<String>, SignInConfigError> {
        Ok(self.ca_file.as_deref().map(read).transpose()?)
    }
}

/// Longest that one question to the provider may take.
pub(crate) const PROVIDER_TIME: Duration = Duration::from_secs(10);

fn settings(config: &Config, client_secret: Option<ClientSecret>) -> Result<Settings, SettingsError> {
    let oidc = &config.sign_in.oidc;
    let missing = |key| SettingsError::Missing { key };
    let derived = || config.server.public_url.as_ref().map(|url| format!("{url}/sign-in/callback"));
    let roles = oidc.roles.iter().map(|rule| {
        let logs = Some(rule.logs.clone()).filter(|logs| !logs.is_empty());
        Ok(RoleRule { group: rule.group.clone(), role: rule.role.ok_or(missing("role"))?, logs })
    });
    Settings {
        issuer: oidc.issuer.clone().ok_or(missing("issuer"))?,
        client_id: oidc.client_id.clone().ok_or(missing("client_id"))?,
        client_secret,
        redirect_url: oidc.redirect_url.clone().or_else(derived).ok_or(missing("redirect_url"))?,
        scopes: oidc.scopes.clone(),
        name_claim: oidc.name_claim.clone(),
        groups_claim: oidc.groups_claim.clone(),
        roles: roles.collect::<Result<_, _>>()?,
    }
    .check()
}

fn read(path: &Path) -> Result<String, SecretError> {
    let no_text = || std::io::Error::new(std::io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(secrets::file(path, SECRET_BYTES_MAX)?).map_err(|_| SecretError::read(path, no_text()))
}
