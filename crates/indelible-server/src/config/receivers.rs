//! `[[receiver]]`: who is told of alerts. Never: a secret among the settings that are shown; what is as good as one (the address of
//! a chat's webhook) is hidden too.

use std::path::{Path, PathBuf};

use indelible_detect::finding::Severity;
use indelible_detect::receivers::{
    MailSettings, MailTls, Receiver, ReceiverError, ReceiverKind, ReceiverSettings, Secret, SyslogProtocol,
    SyslogSettings, Template, TemplateError,
};

use super::Period;
use super::detect::{severity, texts};
use super::gateways::{name, word};
use super::keys::{ItemKey, Kind, item_key};
use super::secrets::{self, SecretError};
use super::values::{flag, path, put, time, url};

/// Most receivers: each has a thread of its own.
pub const RECEIVERS_MAX: usize = 64;
/// Largest file with a secret or authorities.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverType {
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// PagerDuty.
    PagerDuty,
    /// Opsgenie.
    Opsgenie,
    /// Prometheus Alertmanager.
    Alertmanager,
    /// Any HTTP endpoint.
    Webhook,
    /// Any HTTP endpoint, in OCSF.
    Ocsf,
    /// A mail server.
    Mail,
    /// A syslog receiver.
    Syslog,
}

const TYPES: [(ReceiverType, &str); 9] = [
    (ReceiverType::Slack, "slack"),
    (ReceiverType::Teams, "teams"),
    (ReceiverType::PagerDuty, "pagerduty"),
    (ReceiverType::Opsgenie, "opsgenie"),
    (ReceiverType::Alertmanager, "alertmanager"),
    (ReceiverType::Webhook, "webhook"),
    (ReceiverType::Ocsf, "ocsf"),
    (ReceiverType::Mail, "mail"),
    (ReceiverType::Syslog, "syslog"),
];
const SECURITY: [(MailTls, &str); 3] =
    [(MailTls::StartTls, "starttls"), (MailTls::Whole, "tls"), (MailTls::None, "none")];
const PROTOCOLS: [(SyslogProtocol, &str); 3] =
    [(SyslogProtocol::Tls, "tls"), (SyslogProtocol::Tcp, "tcp"), (SyslogProtocol::Udp, "udp")];

/// A receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Option<ReceiverType>,
    /// Its address.
    pub url: Option<String>,
    /// A file that holds its address.
    pub url_file: Option<PathBuf>,
    /// A variable that holds its address.
    pub url_variable: Option<String>,
    /// A file with the key, token or password that it wants; of a webhook the key that notices are signed with.
    pub credential_file: Option<PathBuf>,
    /// A variable with the same.
    pub credential_variable: Option<String>,
    /// A body of one's own, for webhooks.
    pub template_file: Option<PathBuf>,
    /// Alerts below this are not told.
    pub severity: Severity,
    /// Only alerts of these rules.
    pub rules: Vec<String>,
    /// Only alerts of these logs.
    pub logs: Vec<String>,
    /// How long a delivery may take.
    pub timeout: Period,
    /// Whether it may be in one's own network.
    pub allow_private: bool,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Name and port, for mail and syslog.
    pub address: Option<String>,
    /// How the connection to a mail server is secured.
    pub security: MailTls,
    /// How syslog messages travel.
    pub protocol: SyslogProtocol,
    /// The user at a mail server.
    pub user: Option<String>,
    /// From whom mail comes.
    pub from: Option<String>,
    /// To whom it goes.
    pub to: Vec<String>,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: None,
            url: None,
            url_file: None,
            url_variable: None,
            credential_file: None,
            credential_variable: None,
            template_file: None,
            severity: Severity::Low,
            rules: Vec::new(),
            logs: Vec::new(),
            timeout: Period::seconds(10),
            allow_private: false,
            ca_file: None,
            address: None,
            security: MailTls::default(),
            protocol: SyslogProtocol::default(),
            user: None,
            from: None,
            to: Vec::new(),
        }
    }
}

impl std::fmt::Debug for ReceiverConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiverConfig").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Every key of a `[[receiver]]`.
pub const RECEIVER_KEYS: &[ItemKey<ReceiverConfig>] = &[
    item_key("name", Kind::Text, |r| r.name.clone(), |r, t| put(&mut r.name, name(t))),
    item_key(
        "type",
        Kind::Text,
        |r| {
            TYPES.iter().find(|(kind, _)| Some(*kind) == r.kind).map(|(_, word)| (*word).to_owned()).unwrap_or_default()
        },
        |r, t| put(&mut r.kind, word(t, &TYPES).map(Some)),
    ),
    item_key("url", Kind::Text, |r| hidden(r.url.as_ref()), |r, t| put(&mut r.url, url(t).map(Some))),
    item_key("url_file", Kind::Text, |r| shown(r.url_file.as_ref()), |r, t| put(&mut r.url_file, path(t).map(Some))),
    item_key(
        "url_variable",
        Kind::Text,
        |r| r.url_variable.clone().unwrap_or_default(),
        |r, t| put(&mut r.url_variable, name(t).map(Some)),
    ),
    item_key(
        "credential_file",
        Kind::Text,
        |r| shown(r.credential_file.as_ref()),
        |r, t| put(&mut r.credential_file, path(t).map(Some)),
    ),
    item_key(
        "credential_variable",
        Kind::Text,
        |r| r.credential_variable.clone().unwrap_or_default(),
        |r, t| put(&mut r.credential_variable, name(t).map(Some)),
    ),
    item_key(
        "template_file",
        Kind::Text,
        |r| shown(r.template_file.as_ref()),
        |r, t| put(&mut r.template_file, path(t).map(Some)),
    ),
    item_key("severity", Kind::Text, |r| r.severity.to_string(), |r, t| put(&mut r.severity, severity(t))),
    item_key("rules", Kind::Texts, |r| r.rules.join(","), |r, t| put(&mut r.rules, Ok(texts(t)))),
    item_key("logs", Kind::Texts, |r| r.logs.join(","), |r, t| put(&mut r.logs, Ok(texts(t)))),
    item_key("timeout", Kind::Text, |r| r.timeout.to_string(), |r, t| put(&mut r.timeout, time(t, 1_000, 60_000))),
    item_key("allow_private", Kind::Flag, |r| r.allow_private.to_string(), |r, t| put(&mut r.allow_private, flag(t))),
    item_key("ca_file", Kind::Text, |r| shown(r.ca_file.as_ref()), |r, t| put(&mut r.ca_file, path(t).map(Some))),
    item_key(
        "address",
        Kind::Text,
        |r| r.address.clone().unwrap_or_default(),
        |r, t| put(&mut r.address, host_and_port(t).map(|_parts| Some(t.to_owned()))),
    ),
    item_key(
        "security",
        Kind::Text,
        |r| word_of(r.security, &SECURITY),
        |r, t| put(&mut r.security, word(t, &SECURITY)),
    ),
    item_key(
        "protocol",
        Kind::Text,
        |r| word_of(r.protocol, &PROTOCOLS),
        |r, t| put(&mut r.protocol, word(t, &PROTOCOLS)),
    ),
    item_key(
        "user",
        Kind::Text,
        |r| r.user.clone().unwrap_or_default(),
        |r, t| put(&mut r.user, Ok(Some(t.to_owned()))),
    ),
    item_key(
        "from",
        Kind::Text,
        |r| r.from.clone().unwrap_or_default(),
        |r, t| put(&mut r.from, Ok(Some(t.to_owned()))),
    ),
    item_key("to", Kind::Texts, |r| r.to.join(","), |r, t| put(&mut r.to, Ok(texts(t)))),
];

fn word_of<T: Copy + PartialEq>(value: T, words: &[(T, &'static str)]) -> String {
    words.iter().find(|(known, _)| *known == value).map(|(_, word)| (*word).to_owned()).unwrap_or_default()
}

fn hidden(url: Option<&String>) -> String {
    url.map(|_| "(hidden)".to_owned()).unwrap_or_default()
}

fn shown(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("`{text}` is not HOST:PORT, such as `mail.example.com:587`");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() || host.contains(char::is_whitespace) || port == 0 {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

/// What each key alone cannot tell of receivers. One line a fault.
pub(super) fn receiver_relations(receivers: &[ReceiverConfig], fault: &mut dyn FnMut(&str, String)) {
    for (place, receiver) in receivers.iter().enumerate() {
        let key = format!("receiver.{}", receiver.name);
        if receiver.name.is_empty() {
            fault(&key, format!("the `[[receiver]]` number {} has no `name`", place + 1));
        }
        if receivers.iter().take(place).any(|other| other.name == receiver.name) {
            fault(&key, format!("the name `{}` is taken", receiver.name));
        }
        for missing in missing(receiver) {
            fault(&key, format!("`{missing}` is missing"));
        }
        let urls = [receiver.url.is_some(), receiver.url_file.is_some(), receiver.url_variable.is_some()];
        if urls.into_iter().filter(|set| *set).count() > 1 {
            fault(&key, "set one of `url`, `url_file` and `url_variable`".to_owned());
        }
        if receiver.credential_file.is_some() && receiver.credential_variable.is_some() {
            fault(&key, "set one of `credential_file` and `credential_variable`".to_owned());
        }
    }
}

fn missing(receiver: &ReceiverConfig) -> Vec<&'static str> {
    let has_url = receiver.url.is_some() || receiver.url_file.is_some() || receiver.url_variable.is_some();
    let has_credential = receiver.credential_file.is_some() || receiver.credential_variable.is_some();
    let needed = match receiver.kind {
        None => vec![("type", false)],
        Some(
            ReceiverType::Slack
            | ReceiverType::Teams
            | ReceiverType::Alertmanager
            | ReceiverType::Webhook
            | ReceiverType::Ocsf,
        ) => vec![("url", has_url)],
        Some(ReceiverType::PagerDuty | ReceiverType::Opsgenie) => vec![("credential_file", has_credential)],
        Some(ReceiverType::Mail) => vec![
            ("address", receiver.address.is_some()),
            ("from", receiver.from.is_some()),
            ("to", !receiver.to.is_empty()),
            ("credential_file", has_credential || receiver.user.is_none()),
        ],
        Some(ReceiverType::Syslog) => vec![("address", receiver.address.is_some())],
    };
    needed.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect()
}

/// A receiver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverConfigError {
    /// A file or a variable.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Something that this type needs is missing.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// The template cannot be used.
    #[error("the template {} cannot be used", path.display())]
    Template {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: TemplateError,
    },
    /// The settings cannot be used.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
}

impl ReceiverConfig {
    /// The receiver, with its secrets read. Nothing is sent.
    pub(crate) fn receiver(&self) -> Result<Receiver, ReceiverConfigError> {
        let missing = |key| ReceiverConfigError::Missing { key };
        let url = || self.url().and_then(|url| url.ok_or(missing("url")));
        let credential = || self.credential().and_then(|found| found.ok_or(missing("credential_file")));
        let kind = match self.kind.ok_or(missing("type"))? {
            ReceiverType::Slack => ReceiverKind::Slack { url: Secret::new(&url()?) },
            ReceiverType::Teams => ReceiverKind::Teams { url: Secret::new(&url()?) },
            ReceiverType::PagerDuty => ReceiverKind::PagerDuty { routing_key: credential()?, url: self.url()? },
            ReceiverType::Opsgenie => ReceiverKind::Opsgenie { key: credential()?, url: self.url()? },
            ReceiverType::Alertmanager => ReceiverKind::Alertmanager { url: url()?, token: self.credential()? },
            ReceiverType::Webhook => {
                ReceiverKind::Webhook { url: Secret::new(&url()?), key: self.credential()?, template: self.template()? }
            }
            ReceiverType::Ocsf => ReceiverKind::Ocsf { url: Secret::new(&url()?), token: self.credential()? },
            ReceiverType::Mail => {
                let (host, port) = self.host_and_port()?;
                let login = self.user.clone().map(|user| Ok::<_, ReceiverConfigError>((user, credential()?)));
                ReceiverKind::Mail(MailSettings {
                    host,
                    port,
                    tls: self.security,
                    login: login.transpose()?,
                    from: self.from.clone().ok_or(missing("from"))?,
                    to: self.to.clone(),
                })
            }
            ReceiverType::Syslog => {
                let (host, port) = self.host_and_port()?;
                ReceiverKind::Syslog(SyslogSettings { host, port, protocol: self.protocol })
            }
        };
        let settings = ReceiverSettings {
            name: self.name.clone(),
            kind,
            severity: self.severity,
            rules: self.rules.clone(),
            logs: self.logs.clone(),
            timeout: self.timeout.duration(),
            allow_private: self.allow_private,
            authorities: self.ca_file.as_deref().map(read).transpose()?,
        };
        Ok(Receiver::new(settings)?)
    }

    fn host_and_port(&self) -> Result<(String, u16), ReceiverConfigError> {
        let address = self.address.as_deref().and_then(|address| host_and_port(address).ok());
        address.ok_or(ReceiverConfigError::Missing { key: "address" })
    }

    fn url(&self) -> Result<Option<String>, ReceiverConfigError> {
        let found = secret(self.url_file.as_deref(), self.url_variable.as_deref())?;
        Ok(self.url.clone().or(found).map(|url| url.trim().trim_end_matches('/').to_owned()))
    }

    fn credential(&self) -> Result<Option<Secret>, ReceiverConfigError> {
        let found = secret(self.credential_file.as_deref(), self.credential_variable.as_deref())?;
        Ok(found.map(|text| Secret::new(&text)))
    }

    fn template(&self) -> Result<Option<Template>, ReceiverConfigError> {
        let Some(path) = &self.template_file else { return Ok(None) };
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        let parsed = Template::parse(&text);
        parsed.map(Some).map_err(|source| ReceiverConfigError::Template { path: path.clone(), source })
    }
}

fn secret(file: Option<&Path>, variable: Option<&str>) -> Result<Option<String>, SecretError> {
    match (file, variable) {
        (Some(file), _) => read(file).map(|bytes| Some(String::from_utf8_lossy(&bytes).into_owned())),
        (None, Some(name)) => secrets::variable(name).map(Some),
        (None, None) => Ok(None),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    secrets::file(path, FILE_BYTES_MAX)
}
