//! The HTTP client of every command: one server, one token, clear errors, patient retries. Never: shows the token.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::cli::ServerArguments;
use crate::exit::{CliError, Detail, Exit, chain};

/// Tries of one request while a person waits for the answer: under a second.
const TRIES: u32 = 3;
/// Tries of one request by a command that is in no hurry: with doubling waits more than half a minute.
const TRIES_PATIENT: u32 = 8;
/// The first wait.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long a server may think about an answer before the request has failed.
const LONGEST_ANSWER: Duration = Duration::from_secs(300);
/// Redirects followed by requests without a token; with one, none.
const REDIRECTS_MAX: u32 = 3;
/// Largest answer that is read into memory.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Where certificate authorities are on the systems we know.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Talks to one server.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
    tries: u32,
}

impl Client {
    /// A client for the server that the arguments or the environment name.
    pub(crate) fn new(arguments: &ServerArguments) -> Result<Self, CliError> {
        let token = match &arguments.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| CliError::because(format!("cannot read {}", path.display()), &error))?;
                Some(text.trim().to_owned())
            }
            None => std::env::var("INDELIBLE_TOKEN").ok().filter(|token| !token.is_empty()),
        };
        Self::build(arguments, &arguments.url, token)
    }

    /// A client with a token of its own.
    pub(crate) fn with_token(arguments: &ServerArguments, token: &str) -> Result<Self, CliError> {
        Self::build(arguments, &arguments.url, Some(token.to_owned()))
    }

    /// A client for any address. The token goes along only if that is on the server which the arguments or the environment
    /// name: whoever asks for another's log shall not be told our secret.
    pub(crate) fn at(arguments: &ServerArguments, url: &str) -> Result<Self, CliError> {
        let own = origin(url).is_some_and(|address| Some(address) == origin(&arguments.url));
        let token = if own { Self::new(arguments)?.token } else { None };
        Self::build(arguments, url, token)
    }

    fn build(arguments: &ServerArguments, url: &str, token: Option<String>) -> Result<Self, CliError> {
        let url = url.trim_end_matches('/').to_owned();
        if origin(&url).is_none() {
            let words = format!("`{url}` is no address of a server: it must begin with https:// or http://");
            return Err(CliError::new(words).exit(Exit::Usage));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(if token.is_some() { 0 } else { REDIRECTS_MAX })
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(LONGEST_ANSWER))
            .user_agent(concat!("indelible/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https:") {
            config = config.tls_config(tls(arguments)?);
        }
        Ok(Self { agent: config.build().new_agent(), url, token, tries: TRIES })
    }

    /// A client that waits longer for a server that is away, busy or full, and says so.
    pub(crate) fn patient(self) -> Self {
        Self { tries: TRIES_PATIENT, ..self }
    }

    /// A client that asks once.
    pub(crate) fn impatient(self) -> Self {
        Self { tries: 1, ..self }
    }

    /// The server's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The token, for handing it to another part of this process.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Fetches a JSON document.
    pub(crate) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        let mut response = self.get_stream(path, query)?;
        read_json(&mut response)
    }

    /// Fetches a text.
    pub(crate) fn get_text(&self, path: &str) -> Result<String, CliError> {
        let mut response = self.get_stream(path, &[])?;
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        text.map_err(|error| CliError::because("the answer could not be read", &error))
    }

    /// Fetches an answer to be read as it comes.
    pub(crate) fn get_stream(&self, path: &str, query: &[(&str, String)]) -> Result<Response<Body>, CliError> {
        self.send(|| {
            let mut request = self.agent.get(format!("{}{path}", self.url));
            for (key, value) in query {
                request = request.query(*key, value);
            }
            if let Some(token) = &self.token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            request.call()
        })
    }

    /// Sends a body and fetches a JSON document.
    pub(crate) fn post(
        &self,
        path: &str,
        query: &[(&str, String)],
        content_type: &str,
        body: &[u8],
    ) -> Result<Value, CliError> {
        let mut response = self.send(|| {
            let mut request = self.agent.post(format!("{}{path}", self.url)).content_type(content_type);
            for (key, value) in query {
                request = request.query(*key, value);
            }
            if let Some(token) = &self.token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            request.send(body)
        })?;
        read_json(&mut response)
    }

    /// Sends JSON with headers of its own and reads the answer to its end, whatever it is; for calls through a gateway.
    pub(crate) fn call(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(), CliError> {
        let mut response = self.send(|| {
            let mut request = self.agent.post(format!("{}{path}", self.url)).content_type("application/json");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(token) = &self.token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            request.send(body)
        })?;
        let mut reader = response.body_mut().as_reader();
        std::io::copy(&mut reader, &mut std::io::sink())?;
        Ok(())
    }

    /// Deletes a resource.
    pub(crate) fn delete(&self, path: &str, query: &[(&str, String)]) -> Result<(), CliError> {
        self.send(|| {
            let mut request = self.agent.delete(format!("{}{path}", self.url));
            for (key, value) in query {
                request = request.query(*key, value);
            }
            if let Some(token) = &self.token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            request.call()
        })?;
        Ok(())
    }

    /// Sends until the server answers with something final.
    fn send(&self, call: impl Fn() -> Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, CliError> {
        let mut wait = FIRST_WAIT;
        for attempt in 1..=self.tries {
            let last = attempt == self.tries;
            let (reason, pause) = match call() {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) if is_passing(response.status().as_u16()) && !last => {
                    (response.status().to_string(), retry_after(&response).unwrap_or(wait))
                }
                Ok(response) => return Err(refused(response)),
                Err(error) if is_connection(&error) && !last => (chain(&error), wait),
                Err(error) => return Err(self.unreached(&error)),
            };
            if self.tries == TRIES_PATIENT {
                eprintln!("waiting for {}: {reason} (try {attempt} of {})", self.url, self.tries);
            }
            std::thread::sleep(pause.min(LONGEST_WAIT) + jitter(wait));
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(CliError::new(format!("{} did not answer", self.url)))
    }

    fn unreached(&self, error: &ureq::Error) -> CliError {
        let unreached = CliError::new(format!("cannot reach {}: {}", self.url, chain(error)));
        if is_connection(error) {
            return unreached
                .hint("is the server running? start it with `indelible serve`, or name it with INDELIBLE_URL");
        }
        if self.url.starts_with("https:") {
            return unreached.hint("if its certificate is from an authority of your own, name that with --ca");
        }
        unreached
    }
}

/// Makes the server's problem document (RFC 9457) an error for a person.
fn refused(mut response: Response<Body>) -> CliError {
    let status = response.status();
    let text = response.body_mut().with_config().limit(1024 * 1024).read_to_string().unwrap_or_default();
    let problem: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let text = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let detail = if text("detail").is_empty() { status.to_string() } else { text("detail") };
    let faults = problem.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut details: Vec<Detail> = faults.iter().map(fault).collect();
    let total = problem.get("errors_total").and_then(Value::as_u64).unwrap_or_default();
    let more = total.saturating_sub(details.len() as u64);
    if more > 0 {
        details.push(Detail { line: None, text: format!("and {more} more") });
    }
    let error = CliError::new(detail).details(details).refused_with(status.as_u16());
    if status.as_u16() == 401 {
        return error.hint("set INDELIBLE_TOKEN to a token of this server (`indelible token create`)");
    }
    match faults.iter().find_map(|fault| fault.get("hint")?.as_str()) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// One fault of a problem document: line, field, reason.
pub(crate) fn fault(fault: &Value) -> Detail {
    let text = |key: &str| fault.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let field = if text("field").is_empty() { String::new() } else { format!("{}: ", text("field")) };
    Detail { line: fault.get("line").and_then(Value::as_u64), text: format!("{field}{}", text("reason")) }
}

fn read_json(response: &mut Response<Body>) -> Result<Value, CliError> {
    let mut bytes = Vec::new();
    let mut reader = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).reader();
    reader.read_to_end(&mut bytes).map_err(|error| CliError::because("the answer could not be read", &error))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| CliError::because("the answer is no JSON", &error))
}

/// Whether the same request may succeed later.
fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 503 | 507)
}

/// Whether the connection is at fault, not what was said over it (a certificate that is not trusted stays so).
fn is_connection(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput),
        ureq::Error::ConnectionFailed | ureq::Error::Timeout(_) => true,
        _ => false,
    }
}

/// Scheme, host and port of an address; `None` when it is none of HTTP.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    Some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Up to a quarter of the wait, so that many clients do not come back together.
fn jitter(wait: Duration) -> Duration {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    wait / 4 * (nanos % 100) / 100
}

fn tls(arguments: &ServerArguments) -> Result<TlsConfig, CliError> {
    let system = SYSTEM_ROOTS.iter().map(std::path::PathBuf::from).find(|path| path.is_file());
    let path = arguments.ca.clone().or(system).ok_or_else(|| {
        CliError::new("no certificate authorities were found on this system").hint("name a PEM file with --ca")
    })?;
    let pem =
        std::fs::read(&path).map_err(|error| CliError::because(format!("cannot read {}", path.display()), &error))?;
    let roots: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
    Ok(builder.unversioned_rustls_crypto_provider(provider).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_server_are_told_from_those_of_others() {
        assert_eq!(origin("https://Logs.example.com/log/main"), origin("https://logs.example.com:443"));
        for other in ["http://logs.example.com", "https://logs.example.com:8443", "https://logs.example.com.evil.org"] {
            assert_ne!(origin(other), origin("https://logs.example.com"));
        }
        assert_ne!(origin("https://logs.example.com@evil.org/"), origin("https://logs.example.com"));
        assert_eq!(origin("ftp://logs.example.com"), None);
        assert_eq!(origin("logs.example.com"), None);
    }
}
