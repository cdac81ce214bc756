//! Receivers: those who are told of alerts, each in the form it reads.
//!
//! Promises: a delivery ends within its time limit; an answer is read to a bound; a redirect is not followed; an address inside
//! one's own network is refused unless the operator allowed it for this receiver, and the address that was checked is the one
//! connected to. Never: a secret in an error, a log line or `Debug`; a text of an event that the receiver would take for markup.

mod address;
mod chat;
mod fields;
mod http;
mod mail;
mod ocsf;
mod oncall;
mod secret;
mod syslog;
mod template;
mod webhook;

use std::net::SocketAddr;
use std::time::Duration;

use crate::alert::Alert;
use crate::finding::Severity;
use crate::notice::{Notice, NoticeReason};

pub use mail::{MailSettings, MailTls};
pub use secret::Secret;
pub use syslog::{SyslogProtocol, SyslogSettings};
pub use template::{TEMPLATE_BYTES_MAX, Template, TemplateError};

/// How long a delivery may take unless the settings say otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Where PagerDuty takes events (Events API v2).
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Where Opsgenie takes alerts (Alert API v2).
const OPSGENIE_URL: &str = "https://api.opsgenie.com/v2/alerts";

/// A receiver as it is set up.
#[derive(Clone, Debug)]
pub struct ReceiverSettings {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
    /// Alerts below this are not told.
    pub severity: Severity,
    /// Only alerts of these rules: ids, or with a `*` at the end their beginning. All when empty.
    pub rules: Vec<String>,
    /// Only alerts of these logs; of all when empty.
    pub logs: Vec<String>,
    /// How long a delivery may take.
    pub timeout: Duration,
    /// Whether it may be in one's own network.
    pub allow_private: bool,
    /// Authorities to trust instead of the system's, in PEM.
    pub authorities: Option<Vec<u8>>,
}

/// What a receiver is, with what only this kind needs.
#[derive(Clone, Debug)]
pub enum ReceiverKind {
    /// A Slack incoming webhook.
    Slack {
        /// Its address, which is a secret.
        url: Secret,
    },
    /// A Microsoft Teams workflow ("when a webhook request is received").
    Teams {
        /// Its address, which is a secret.
        url: Secret,
    },
    /// PagerDuty, Events API v2.
    PagerDuty {
        /// The integration's routing key.
        routing_key: Secret,
        /// Another address than PagerDuty's own.
        url: Option<String>,
    },
    /// Opsgenie, Alert API v2.
    Opsgenie {
        /// The integration's key.
        key: Secret,
        /// Another address than Opsgenie's own, up to and with `/v2/alerts`.
        url: Option<String>,
    },
    /// Prometheus Alertmanager, API v2.
    Alertmanager {
        /// Its address, up to where `/api/v2/alerts` follows.
        url: String,
        /// A bearer token, when it wants one.
        token: Option<Secret>,
    },
    /// Any HTTP endpoint: the notice as JSON, signed (Standard Webhooks).
    Webhook {
        /// Its address, which may hold a secret.
        url: Secret,
        /// The key of the signature; not signed without one.
        key: Option<Secret>,
        /// A body of one's own.
        template: Option<Template>,
    },
    /// Any HTTP endpoint: the notice as an OCSF Detection Finding.
    Ocsf {
        /// Its address, which may hold a secret.
        url: Secret,
        /// A bearer token, when it wants one.
        token: Option<Secret>,
    },
    /// A mail server.
    Mail(MailSettings),
    /// A syslog receiver: RFC 5424 with a CEF message.
    Syslog(SyslogSettings),
}

impl ReceiverKind {
    /// Its word in settings and answers.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Opsgenie { .. } => "opsgenie",
            Self::Alertmanager { .. } => "alertmanager",
            Self::Webhook { .. } => "webhook",
            Self::Ocsf { .. } => "ocsf",
            Self::Mail(_) => "mail",
            Self::Syslog(_) => "syslog",
        }
    }
}

/// A receiver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The address is none.
    #[error("its address is no https:// or http:// address")]
    Url,
    /// The key cannot be used.
    #[error("its key is not base64 as `whsec_…` promises")]
    Key,
    /// A mail address is none.
    #[error("`{address}` is no mail address")]
    Address {
        /// Which one.
        address: String,
    },
    /// The authorities cannot be read.
    #[error("the authorities to trust are no PEM certificates")]
    Authorities,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
}

/// A notice was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The name leads nowhere.
    #[error("the name {host} cannot be resolved")]
    Resolve {
        /// Host and port.
        host: String,
        /// Why.
        source: std::io::Error,
    },
    /// The address is inside one's own network.
    #[error("{address} is an address of one's own network; set `allow_private` for this receiver if that is meant")]
    Internal {
        /// Which address the name leads to.
        address: SocketAddr,
    },
    /// The connection failed or broke off.
    #[error("it cannot be reached: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// It sends us elsewhere.
    #[error(
        "it answers with a redirect ({status}), which is not followed; set the address it leads to if that is meant"
    )]
    Redirect {
        /// The HTTP status.
        status: u16,
    },
    /// It cannot just now.
    #[error("it answers {status}: {answer}")]
    Busy {
        /// The HTTP status, or that of another protocol.
        status: u16,
        /// The beginning of what it says.
        answer: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// It does not want this.
    #[error("it refuses the notice with {status}: {answer}")]
    Refused {
        /// The HTTP status, or that of another protocol.
        status: u16,
        /// The beginning of what it says.
        answer: String,
    },
    /// The notice cannot be written in the receiver's form.
    #[error("the notice cannot be written: {reason}")]
    Form {
        /// Why.
        reason: String,
    },
}

impl DeliveryError {
    /// Whether the receiver refuses this notice, rather than being away: others may go on.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Form { .. })
    }

    /// How long the receiver asks us to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Somebody who is told of alerts.
#[derive(Debug)]
pub struct Receiver {
    settings: ReceiverSettings,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Http(http::Poster),
    Mail(mail::Mailer),
    Syslog(syslog::Sender),
}

impl Receiver {
    /// Sets a receiver up; nothing is sent.
    ///
    /// # Errors
    /// [`ReceiverError`] with what is wrong in the settings.
    pub fn new(settings: ReceiverSettings) -> Result<Self, ReceiverError> {
        let way = match &settings.kind {
            ReceiverKind::Mail(mail) => Way::Mail(mail::Mailer::new(mail, &settings)?),
            ReceiverKind::Syslog(syslog) => Way::Syslog(syslog::Sender::new(syslog, &settings)?),
            kind => {
                check_url(kind)?;
                Way::Http(http::Poster::new(&settings)?)
            }
        };
        Ok(Self { settings, way })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What it is: the word in settings.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.settings.kind.word()
    }

    /// Whether it is to be told of this alert.
    #[must_use]
    pub fn wants(&self, alert: &Alert) -> bool {
        let Self { settings, .. } = self;
        let named = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => alert.rule.id.starts_with(start),
            None => *pattern == alert.rule.id,
        };
        alert.severity >= settings.severity
            && (settings.rules.is_empty() || settings.rules.iter().any(named))
            && (settings.logs.is_empty() || settings.logs.contains(&alert.log))
    }

    /// Delivers a notice. Blocks, for at most the receiver's time limit.
    ///
    /// # Errors
    /// [`DeliveryError`]: it was not taken, as far as one can tell.
    pub fn deliver(&self, notice: &Notice) -> Result<(), DeliveryError> {
        match &self.way {
            Way::Mail(mailer) => mailer.send(notice),
            Way::Syslog(sender) => sender.send(notice),
            Way::Http(poster) => match request(&self.settings.kind, notice)? {
                Some(request) => poster.post(&request),
                None => Ok(()),
            },
        }
    }
}

/// What is posted for a notice; `None` when the receiver has no word for it.
fn request(kind: &ReceiverKind, notice: &Notice) -> Result<Option<http::Post>, DeliveryError> {
    let bearer = |token: &Option<Secret>| token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
    Ok(match kind {
        ReceiverKind::Slack { url } => Some(http::Post::json(url.reveal(), &chat::slack(notice))),
        ReceiverKind::Teams { url } => Some(http::Post::json(url.reveal(), &chat::teams(notice))),
        ReceiverKind::PagerDuty { routing_key, url } => {
            let url = url.as_deref().unwrap_or(PAGERDUTY_URL);
            Some(http::Post::json(url, &oncall::pagerduty(notice, routing_key.reveal())))
        }
        ReceiverKind::Opsgenie { key, url } => {
            let (path, body) = oncall::opsgenie(notice);
            let url = format!("{}{path}", url.as_deref().unwrap_or(OPSGENIE_URL));
            Some(http::Post::json(&url, &body).header("authorization", format!("GenieKey {}", key.reveal())))
        }
        ReceiverKind::Alertmanager { url, token } => {
            let post = http::Post::json(&format!("{url}/api/v2/alerts"), &oncall::alertmanager(notice));
            Some(post.maybe_header("authorization", bearer(token)))
        }
        ReceiverKind::Webhook { url, key, template } => {
            Some(webhook::post(notice, url.reveal(), key.as_ref(), template.as_ref())?)
        }
        ReceiverKind::Ocsf { url, token } => {
            let post = http::Post::json(url.reveal(), &ocsf::detection_finding(notice));
            Some(post.maybe_header("authorization", bearer(token)))
        }
        ReceiverKind::Mail(_) | ReceiverKind::Syslog(_) => None,
    })
}

fn check_url(kind: &ReceiverKind) -> Result<(), ReceiverError> {
    let url = match kind {
        ReceiverKind::Slack { url }
        | ReceiverKind::Teams { url }
        | ReceiverKind::Webhook { url, .. }
        | ReceiverKind::Ocsf { url, .. } => Some(url.reveal()),
        ReceiverKind::PagerDuty { url, .. } | ReceiverKind::Opsgenie { url, .. } => url.as_deref(),
        ReceiverKind::Alertmanager { url, .. } => Some(url.as_str()),
        ReceiverKind::Mail(_) | ReceiverKind::Syslog(_) => None,
    };
    if let Some(url) = url
        && !http::is_url(url)
    {
        return Err(ReceiverError::Url);
    }
    if let ReceiverKind::Webhook { key: Some(key), .. } = kind {
        webhook::signing_key(key)?;
    }
    Ok(())
}

/// The word for a reason in titles.
fn headline(reason: NoticeReason) -> &'static str {
    match reason {
        NoticeReason::Opened => "New alert",
        NoticeReason::Raised => "Alert got worse",
        NoticeReason::Escalated => "Nobody has taken this alert",
        NoticeReason::Acknowledged => "Alert taken",
        NoticeReason::Closed => "Alert closed",
        NoticeReason::Test => "Test",
    }
}

#[cfg(test)]
mod tests;
