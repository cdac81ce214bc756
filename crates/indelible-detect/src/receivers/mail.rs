//! E-mail by SMTP (RFC 5321), through `lettre`: text only, one message a notice, threads by alert.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};

use super::fields::{facts, title};
use super::{DeliveryError, ReceiverError, ReceiverSettings, Secret, address};
use crate::notice::Notice;

/// How the connection to the mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MailTls {
    /// TLS after the greeting (STARTTLS); a server without it is refused.
    #[default]
    StartTls,
    /// TLS from the first byte (port 465).
    Whole,
    /// None: for a server on the same machine.
    None,
}

/// A mail server, and who gets mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: MailTls,
    /// User and password, when it wants them.
    pub login: Option<(String, Secret)>,
    /// From whom mail comes.
    pub from: String,
    /// To whom it goes.
    pub to: Vec<String>,
}

pub(super) struct Mailer {
    settings: MailSettings,
    from: Mailbox,
    to: Mailboxes,
    tls: Option<TlsParameters>,
    timeout: Duration,
    allow_private: bool,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Mailer {
    pub(super) fn new(settings: &MailSettings, receiver: &ReceiverSettings) -> Result<Self, ReceiverError> {
        let mailbox =
            |text: &String| text.parse::<Mailbox>().map_err(|_| ReceiverError::Address { address: text.clone() });
        let mut to = Mailboxes::new();
        for text in &settings.to {
            to.push(mailbox(text)?);
        }
        let tls = match settings.tls {
            MailTls::None => None,
            MailTls::StartTls | MailTls::Whole => Some(parameters(&settings.host, receiver)?),
        };
        Ok(Self {
            from: mailbox(&settings.from)?,
            to,
            tls,
            timeout: receiver.timeout,
            allow_private: receiver.allow_private,
            settings: settings.clone(),
        })
    }

    pub(super) fn send(&self, notice: &Notice) -> Result<(), DeliveryError> {
        let message = self.message(notice)?;
        let until = Instant::now() + self.timeout;
        let MailSettings { host, port, .. } = &self.settings;
        let mut last = DeliveryError::Timeout;
        for found in address::resolve(host, *port, self.allow_private, self.timeout)? {
            let transport = self.transport(found, address::left(until)?);
            match transport.send(&message) {
                Ok(_taken) => return Ok(()),
                Err(error) => last = failure(&error),
            }
            if last.is_permanent() {
                break;
            }
        }
        Err(last)
    }

    /// To the address that was checked; the certificate is held against the name.
    fn transport(&self, found: SocketAddr, left: Duration) -> SmtpTransport {
        let tls = match (&self.tls, self.settings.tls) {
            (Some(tls), MailTls::Whole) => Tls::Wrapper(tls.clone()),
            (Some(tls), _) => Tls::Required(tls.clone()),
            (None, _) => Tls::None,
        };
        let builder = SmtpTransport::builder_dangerous(found.ip().to_string());
        let mut builder = builder.port(found.port()).tls(tls).timeout(Some(left));
        if let Some((user, password)) = &self.settings.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        builder.build()
    }

    fn message(&self, notice: &Notice) -> Result<Message, DeliveryError> {
        let mut body = format!("{}\n\n", line(&notice.alert.latest.summary));
        for (name, value) in facts(notice) {
            body.push_str(&format!("{name}: {}\n", line(&value)));
        }
        if let Some(link) = &notice.link {
            body.push_str(&format!("\n{link}\n"));
        }
        let domain = self.from.email.domain();
        // the same at each attempt; all mail about one alert is one thread
        let (id, thread) = (format!("<{}@{domain}>", notice.key), format!("<{}@{domain}>", notice.alert.id));
        let mut builder = MessageBuilder::new().from(self.from.clone()).subject(line(&title(notice)));
        builder = builder.mailbox(lettre::message::header::To::from(self.to.clone()));
        builder = builder.message_id(Some(id)).references(thread).header(ContentType::TEXT_PLAIN);
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let builder = builder.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        builder.body(body).map_err(|error| DeliveryError::Form { reason: error.to_string() })
    }
}

fn parameters(host: &str, receiver: &ReceiverSettings) -> Result<TlsParameters, ReceiverError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = &receiver.authorities {
        let own = Certificate::from_pem(pem).map_err(|_| ReceiverError::Authorities)?;
        builder = builder.add_root_certificate(own);
    }
    builder.build().map_err(|error| ReceiverError::Tls { reason: error.to_string() })
}

/// One line: no header and no line of the text ends where an event says so.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn failure(error: &lettre::transport::smtp::Error) -> DeliveryError {
    if error.is_timeout() {
        return DeliveryError::Timeout;
    }
    let status = error.status().map(|code| code.to_string().parse().unwrap_or(0));
    match status {
        Some(status) if error.is_permanent() => DeliveryError::Refused { status, answer: error.to_string() },
        Some(status) => DeliveryError::Busy { status, answer: error.to_string(), retry_after: None },
        None => DeliveryError::Unreachable { reason: error.to_string() },
    }
}
