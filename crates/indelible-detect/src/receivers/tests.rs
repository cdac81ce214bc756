//! Receivers over real sockets: servers that hang, dribble, refuse and send elsewhere; what is sent, and how it is signed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;

use super::*;

/// A request as it arrived.
#[derive(Debug)]
struct Arrived {
    path: String,
    head: String,
    body: Vec<u8>,
}

impl Arrived {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap_or_default()
    }
}

/// A server for one connection, which does `answer` after the request.
fn server(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> (String, mpsc::Receiver<Arrived>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let _nobody_looks = tell.send(Arrived { path, head, body });
        answer(&mut stream);
    });
    (url, told, thread)
}

fn says(text: &'static str) -> impl FnOnce(&mut TcpStream) + Send {
    move |stream| stream.write_all(text.as_bytes()).unwrap()
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn settings(kind: ReceiverKind) -> ReceiverSettings {
    ReceiverSettings {
        name: "on-call".to_owned(),
        kind,
        severity: Severity::Low,
        rules: Vec::new(),
        logs: Vec::new(),
        timeout: Duration::from_millis(800),
        allow_private: true,
        authorities: None,
    }
}

fn webhook(url: &str, key: Option<&str>) -> ReceiverKind {
    ReceiverKind::Webhook { url: Secret::new(url), key: key.map(Secret::new), template: None }
}

fn notice() -> Notice {
    let mut notice = Notice::test("on-call", "main", 1_795_425_330_500_000_000);
    notice.reason = NoticeReason::Opened;
    notice.alert.severity = Severity::High;
    notice.link = Some("https://audit.example.com/v1/alerts/1".to_owned());
    notice
}

fn deliver(kind: ReceiverKind) -> Result<(), DeliveryError> {
    Receiver::new(settings(kind)).unwrap().deliver(&notice())
}

/// What a receiver of this kind gets, at its own path.
fn sent(kind: impl FnOnce(&str) -> ReceiverKind, notice: &Notice) -> (Arrived, Value) {
    let (url, told, thread) = server(says(TAKEN));
    Receiver::new(settings(kind(&url))).unwrap().deliver(notice).unwrap();
    thread.join().unwrap();
    let arrived = told.recv().unwrap();
    let body = serde_json::from_slice(&arrived.body).unwrap();
    (arrived, body)
}

#[test]
fn a_webhook_gets_the_notice_signed_over_what_it_reads() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (arrived, body) = sent(|url| webhook(url, Some(key)), &notice());
    assert_eq!((arrived.path.as_str(), &body["reason"]), ("/hook", &"opened".into()));
    assert_eq!(body, serde_json::to_value(notice()).unwrap());
    let signed = format!("{}.{}.", arrived.header("webhook-id"), arrived.header("webhook-timestamp"));
    let mut signed = signed.into_bytes();
    signed.extend(&arrived.body);
    let secret = base64::engine::general_purpose::STANDARD.decode(key.trim_start_matches("whsec_")).unwrap();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let signature = arrived.header("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    aws_lc_rs::hmac::verify(&secret, &signed, &signature).unwrap();
    assert_eq!(arrived.header("webhook-id"), notice().key, "the same at each attempt");
}

#[test]
fn whatever_a_server_does_ends_in_time_and_says_what_it_was() {
    let long = format!("HTTP/1.1 400 Bad\r\ncontent-length: 10000000\r\n\r\n{}", "x".repeat(200_000));
    let (url, _told, thread) = server(move |stream| {
        let _gone_early = stream.write_all(long.as_bytes());
    });
    let refused = deliver(webhook(&url, None)).unwrap_err();
    assert!(matches!(&refused, DeliveryError::Refused { status: 400, answer } if answer.len() == 200), "{refused}");
    assert!(refused.is_permanent());
    thread.join().unwrap();

    let (url, ..) = server(says("HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nbusy"));
    let busy = deliver(webhook(&url, None)).unwrap_err();
    assert!(
        matches!(&busy, DeliveryError::Busy { status: 500, answer, retry_after: None } if answer == "busy"),
        "{busy}"
    );
    let (url, ..) = server(says("HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"));
    let slow = deliver(webhook(&url, None)).unwrap_err();
    assert_eq!((slow.is_permanent(), slow.retry_after()), (false, Some(Duration::from_secs(7))));

    // a metadata service, through a redirect
    let (url, ..) =
        server(says("HTTP/1.1 307 Go\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n"));
    assert!(matches!(deliver(webhook(&url, None)), Err(DeliveryError::Redirect { status: 307 })));

    let (url, ..) = server(|_| std::thread::sleep(Duration::from_secs(3)));
    let began = Instant::now();
    assert!(matches!(deliver(webhook(&url, None)), Err(DeliveryError::Timeout)));
    assert!(began.elapsed() < Duration::from_secs(3), "its time is over long before");

    // one byte at a time, for ever
    let (url, ..) = server(|stream| {
        for byte in b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat_n(&b'y', 200)) {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert!(matches!(deliver(webhook(&url, None)), Err(DeliveryError::Timeout)));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    assert!(matches!(deliver(webhook(&url, None)), Err(DeliveryError::Unreachable { .. })));
    assert!(matches!(
        deliver(webhook("http://nowhere.invalid/", None)),
        Err(DeliveryError::Resolve { .. } | DeliveryError::Timeout)
    ));
}

#[test]
fn nothing_is_sent_into_ones_own_network_unless_it_is_meant() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        let mut settings = settings(webhook(&format!("http://{host}:{port}/"), None));
        settings.allow_private = false;
        let error = Receiver::new(settings).unwrap().deliver(&notice()).unwrap_err();
        assert!(matches!(error, DeliveryError::Internal { .. } | DeliveryError::Resolve { .. }), "{host}: {error}");
    }
    assert!(listener.accept().is_err(), "nobody came");
    for kind in [
        ReceiverKind::Syslog(SyslogSettings { host: "127.0.0.1".to_owned(), port, protocol: SyslogProtocol::Tcp }),
        ReceiverKind::Mail(mail(port)),
    ] {
        let mut settings = settings(kind);
        settings.allow_private = false;
        let error = Receiver::new(settings).unwrap().deliver(&notice()).unwrap_err();
        assert!(matches!(error, DeliveryError::Internal { .. }), "{error}");
    }
    assert!(listener.accept().is_err(), "nobody came");
}

fn mail(port: u16) -> MailSettings {
    MailSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: MailTls::None,
        login: None,
        from: "Indelible <indelible@example.com>".to_owned(),
        to: vec!["on-call@example.com".to_owned()],
    }
}

#[test]
fn those_on_call_know_an_alert_by_its_id_from_beginning_to_end() {
    let at = |reason| Notice { reason, ..notice() };
    let pagerduty =
        |url: &str| ReceiverKind::PagerDuty { routing_key: Secret::new("r0ut1ng"), url: Some(url.to_owned()) };
    let id = notice().alert.id.to_string();
    for (reason, action) in [
        (NoticeReason::Opened, "trigger"),
        (NoticeReason::Acknowledged, "acknowledge"),
        (NoticeReason::Closed, "resolve"),
    ] {
        let (_, body) = sent(pagerduty, &at(reason));
        assert_eq!((&body["event_action"], &body["dedup_key"]), (&action.into(), &id.as_str().into()));
        assert_eq!(body["payload"].is_object(), reason == NoticeReason::Opened);
    }
    let opsgenie = |url: &str| ReceiverKind::Opsgenie { key: Secret::new("k"), url: Some(url.to_owned()) };
    let (arrived, body) = sent(opsgenie, &at(NoticeReason::Escalated));
    assert_eq!((arrived.path.as_str(), arrived.header("authorization")), ("/hook", "GenieKey k"));
    assert_eq!((&body["alias"], &body["priority"]), (&id.as_str().into(), &"P2".into()));
    let (arrived, _) = sent(opsgenie, &at(NoticeReason::Closed));
    assert_eq!(arrived.path, format!("/hook/{id}/close?identifierType=alias"));
    let alertmanager = |url: &str| ReceiverKind::Alertmanager { url: url.to_owned(), token: Some(Secret::new("t")) };
    let (arrived, body) = sent(alertmanager, &at(NoticeReason::Closed));
    assert_eq!((arrived.path.as_str(), arrived.header("authorization")), ("/hook/api/v2/alerts", "Bearer t"));
    assert_eq!(body[0]["labels"]["alert"], id.as_str());
    assert_eq!(body[0]["endsAt"], "2026-11-23T09:15:30.500000000Z");
}

#[test]
fn who_wants_what_is_as_set() {
    let mut settings = settings(webhook("http://127.0.0.1:1/", None));
    settings.severity = Severity::High;
    settings.rules = vec!["completeness/*".to_owned(), "exact".to_owned()];
    settings.logs = vec!["main".to_owned()];
    let receiver = Receiver::new(settings).unwrap();
    let wants = |rule: &str, severity: Severity, log: &str| {
        let mut alert = notice().alert;
        (alert.rule.id, alert.severity, alert.log) = (rule.to_owned(), severity, log.to_owned());
        receiver.wants(&alert)
    };
    assert!(wants("completeness/gap", Severity::Critical, "main") && wants("exact", Severity::High, "main"));
    assert!(!wants("exactly", Severity::High, "main"));
    assert!(!wants("exact", Severity::Medium, "main") && !wants("exact", Severity::High, "other"));
}

#[test]
fn secrets_are_in_no_error_and_no_debug() {
    let secret = "http://127.0.0.1:1/services/T0/B0/s3cr3t";
    let receiver = Receiver::new(settings(ReceiverKind::Slack { url: Secret::new(secret) })).unwrap();
    let mut told = format!("{receiver:?}");
    let error = receiver.deliver(&notice()).unwrap_err();
    told.push_str(&format!("{error} {error:?}"));
    assert!(!told.contains("s3cr3t"), "{told}");
    assert!(matches!(Receiver::new(settings(webhook("ftp://x/", None))), Err(ReceiverError::Url)));
    let wrong = MailSettings { from: "a\r\nBcc: b@c".to_owned(), ..mail(25) };
    assert!(matches!(Receiver::new(settings(ReceiverKind::Mail(wrong))), Err(ReceiverError::Address { .. })));
}
