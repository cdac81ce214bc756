//! Syslog: RFC 5424 messages whose text is CEF (ArcSight Common Event Format, version 0), over TLS (RFC 5425), TCP (octet counting,
//! RFC 6587) or UDP (RFC 5426).
//!
//! Syslog has no answer: over TLS and TCP a notice counts as delivered when the bytes were taken and the connection was ended in
//! order; over UDP when they were sent.

use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::fields::{time, title};
use super::{DeliveryError, ReceiverError, ReceiverSettings, address};
use crate::finding::Severity;
use crate::notice::Notice;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyslogProtocol {
    /// TLS over TCP.
    #[default]
    Tls,
    /// TCP in clear.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A syslog receiver.
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How messages travel.
    pub protocol: SyslogProtocol,
}

/// Facility 13, log audit (RFC 5424, table 1).
const FACILITY: u8 = 13;
/// Longest message: what every receiver should take (RFC 5424, 6.1).
const MESSAGE_BYTES_MAX: usize = 2_048;

#[derive(Debug)]
pub(super) struct Sender {
    settings: SyslogSettings,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    timeout: Duration,
    allow_private: bool,
}

impl Sender {
    pub(super) fn new(settings: &SyslogSettings, receiver: &ReceiverSettings) -> Result<Self, ReceiverError> {
        let tls = match settings.protocol {
            SyslogProtocol::Tls => {
                let failed = |reason: String| ReceiverError::Tls { reason };
                let name = ServerName::try_from(settings.host.clone()).map_err(|error| failed(error.to_string()))?;
                Some((Arc::new(tls_config(receiver)?), name))
            }
            SyslogProtocol::Tcp | SyslogProtocol::Udp => None,
        };
        let (timeout, allow_private) = (receiver.timeout, receiver.allow_private);
        Ok(Self { settings: settings.clone(), tls, timeout, allow_private })
    }

    pub(super) fn send(&self, notice: &Notice) -> Result<(), DeliveryError> {
        let until = Instant::now() + self.timeout;
        let SyslogSettings { host, port, protocol } = &self.settings;
        let addresses = address::resolve(host, *port, self.allow_private, self.timeout)?;
        let message = message(notice);
        let unreached = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => DeliveryError::Timeout,
            _ => DeliveryError::Unreachable { reason: error.to_string() },
        };
        if *protocol == SyslogProtocol::Udp {
            let Some(address) = addresses.first() else { return Err(DeliveryError::Timeout) };
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let sent = UdpSocket::bind(any).and_then(|socket| socket.send_to(message.as_bytes(), address));
            return sent.map(|_bytes| ()).map_err(unreached);
        }
        let stream = address::connect(&addresses, until)?;
        let framed = format!("{} {message}", message.len());
        match &self.tls {
            None => write_all(stream, framed.as_bytes()).map_err(unreached),
            Some((config, name)) => {
                let connection = ClientConnection::new(Arc::clone(config), name.clone());
                let connection =
                    connection.map_err(|error| DeliveryError::Unreachable { reason: error.to_string() })?;
                write_tls(StreamOwned::new(connection, stream), framed.as_bytes()).map_err(unreached)
            }
        }
    }
}

/// Writes, ends our side, and waits for the other to end: bytes that a dead receiver left in a buffer do not count.
fn write_all(mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    ended(&mut stream)
}

fn write_tls(mut stream: StreamOwned<ClientConnection, TcpStream>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(std::net::Shutdown::Write)?;
    ended(&mut stream.sock)
}

/// A receiver that leaves its side open has taken the bytes all the same: nothing tells otherwise.
fn ended(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut rest = [0; 1_024];
    match stream.read(&mut rest) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

fn tls_config(receiver: &ReceiverSettings) -> Result<ClientConfig, ReceiverError> {
    let mut roots = RootCertStore::empty();
    match &receiver.authorities {
        Some(pem) => {
            let certificates: Vec<CertificateDer<'static>> =
                CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
            let (taken, _passed_over) = roots.add_parsable_certificates(certificates);
            if taken == 0 {
                return Err(ReceiverError::Authorities);
            }
        }
        None => {
            let (_taken, _passed_over) =
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| ReceiverError::Tls { reason: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The message: header, structured data, CEF.
fn message(notice: &Notice) -> String {
    let alert = &notice.alert;
    let severity = match alert.severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Informational => 6,
    };
    // at most six digits of a second (RFC 5424, 6.2.3)
    let at = time(alert.last_unix_ns);
    let at = at.get(..26).map_or_else(|| "-".to_owned(), |at| format!("{at}Z"));
    let mut message = format!("<{}>1 {at} - indelible - alert - {}", FACILITY * 8 + severity, cef(notice));
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    message
}

fn cef(notice: &Notice) -> String {
    let alert = &notice.alert;
    let severity = match alert.severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let head = [
        "CEF:0".to_owned(),
        "Indelible".to_owned(),
        "indelible".to_owned(),
        env!("CARGO_PKG_VERSION").to_owned(),
        header(&alert.rule.id),
        header(&title(notice)),
        severity.to_string(),
    ];
    let fields = [
        ("externalId", alert.id.to_string()),
        ("act", notice.reason.as_str().to_owned()),
        ("outcome", alert.state.to_string()),
        ("cnt", alert.findings.to_string()),
        ("start", (alert.opened_unix_ns / 1_000_000).to_string()),
        ("end", (alert.last_unix_ns / 1_000_000).to_string()),
        ("cs1Label", "entityKind".to_owned()),
        ("cs1", alert.entity.kind.clone()),
        ("cs2Label", "entity".to_owned()),
        ("cs2", alert.entity.id.clone()),
        ("cs3Label", "log".to_owned()),
        ("cs3", alert.log.clone()),
        ("msg", alert.latest.summary.clone()),
    ];
    let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("{name}={}", extension(&value))).collect();
    format!("{}|{}", head.join("|"), fields.join(" "))
}

/// A part of CEF's head: backslash and bar are escaped.
fn header(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('|', "\\|")
}

/// A value of CEF's extension: backslash and equals sign are escaped.
fn extension(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('=', "\\=")
}

/// No text of an event ends a message or begins another.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_events_end_no_field_and_no_message() {
        let mut notice = Notice::test("x|y\\z", "main", 1_795_425_330_500_000_000);
        notice.alert.latest.summary = "a=b\n<13>1 - forged".to_owned();
        let message = message(&notice);
        assert!(
            message.starts_with("<110>1 2026-11-23T09:15:30.500000Z - indelible - alert - CEF:0|Indelible|"),
            "{message}"
        );
        assert!(message.contains("(x\\|y\\\\z)") && message.contains("msg=a\\=b <13>1 - forged"), "{message}");
        assert!(!message.contains('\n'));
    }

    #[test]
    fn long_messages_are_cut() {
        let mut notice = Notice::test("x", "main", 0);
        notice.alert.latest.summary = "ä".repeat(5_000);
        assert!(message(&notice).len() <= MESSAGE_BYTES_MAX);
    }
}
