//! How a provider is asked: one request at a time on a thread that may block, all of it within a time, the answer read to a bound.
//! Never: follows a redirect, goes through a proxy, or tells what was sent.

use std::io::Read as _;
use std::sync::Arc;

use indelible_access::oidc::{Ask, Fetch, FetchError, Fetched};
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::config::PROVIDER_TIME;

/// Asks a provider over HTTP.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
}

impl Http {
    /// Trusts `authorities` (PEM) alone when there are any, else the system's. `None` when they hold no certificate.
    pub(super) fn new(authorities: Option<&str>) -> Option<Self> {
        let roots = match authorities {
            Some(pem) => certificates(pem),
            None => system_roots(),
        };
        if authorities.is_some() && roots.is_empty() {
            return None;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(PROVIDER_TIME))
            .max_idle_connections(0)
            .user_agent(concat!("indelible/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.unversioned_rustls_crypto_provider(provider).build())
            .build();
        Some(Self { agent: config.new_agent() })
    }
}

fn certificates(pem: &str) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem.as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    items.collect()
}

fn system_roots() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.iter().map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned()).collect()
}

impl Fetch for Http {
    fn fetch(&self, ask: &Ask<'_>) -> Result<Fetched, FetchError> {
        // what the client's errors say is of the connection, never of what was sent over it
        let failed = |error: &dyn std::fmt::Display| FetchError(error.to_string());
        let answered = match ask.form {
            Some(form) => {
                let mut request = self.agent.post(ask.url).header("accept", "application/json");
                if let Some(authorization) = ask.authorization {
                    request = request.header("authorization", authorization);
                }
                request.header("content-type", "application/x-www-form-urlencoded").send(form.as_bytes())
            }
            None => {
                let mut request = self.agent.get(ask.url).header("accept", "application/json");
                if let Some(authorization) = ask.authorization {
                    request = request.header("authorization", authorization);
                }
                request.call()
            }
        };
        let mut response = answered.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let most = u64::try_from(ask.bytes_max).unwrap_or(u64::MAX);
        let read = response.body_mut().as_reader().take(most.saturating_add(1)).read_to_end(&mut body);
        read.map_err(|error| failed(&error))?;
        if body.len() > ask.bytes_max {
            return Err(FetchError(format!("its answer is longer than {} bytes", ask.bytes_max)));
        }
        Ok(Fetched { status, body })
    }
}
