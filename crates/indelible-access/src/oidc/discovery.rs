//! What a provider says of itself (OpenID Connect Discovery 1.0 §4, RFC 8414). Never: believes an issuer other than the one asked.

use serde::Deserialize;

use super::address::{Reach, reach};
use super::exchange::get_json;
use super::fetch::Fetch;
use super::id_token::SignedWith;
use super::settings::Settings;
use super::{OidcError, OidcError::Provider};

/// Most bytes of it.
const METADATA_BYTES_MAX: usize = 128 * 1024;
const WHAT: &str = "description of itself";

/// How this server shows the provider who it is (OpenID Connect Core 1.0 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientProof {
    /// In the `Authorization` header.
    Basic,
    /// In the form.
    Post,
}

/// What of it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) userinfo_endpoint: Option<String>,
    /// How ID tokens may be signed: what the provider announces and this server accepts.
    pub(super) signed_with: Vec<SignedWith>,
    pub(super) client_proof: ClientProof,
    /// Whether each answer names its issuer (RFC 9207 §3).
    pub(super) names_issuer: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    response_types_supported: Vec<String>,
    id_token_signing_alg_values_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Fetches it.
pub(super) fn fetch(settings: &Settings, fetch: &dyn Fetch) -> Result<Metadata, OidcError> {
    let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let document: Document = get_json(fetch, WHAT, &url, None, METADATA_BYTES_MAX)?;
    read(settings, document).map_err(|reason| Provider { what: WHAT, reason })
}

fn read(settings: &Settings, document: Document) -> Result<Metadata, String> {
    if document.issuer != settings.issuer {
        return Err("its issuer is not exactly the one in the settings".to_owned());
    }
    let addresses = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
    for address in addresses.into_iter().chain(&document.userinfo_endpoint) {
        match reach(address) {
            Some(Reach::Secure) => {}
            Some(Reach::Loopback) if settings.is_loopback() => {}
            _ => return Err("one of its addresses is not `https`".to_owned()),
        }
    }
    if !document.response_types_supported.iter().any(|kind| kind == "code") {
        return Err("it has no authorization code flow".to_owned());
    }
    let methods = document.code_challenge_methods_supported;
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
        return Err("it has no PKCE with S256".to_owned());
    }
    let announced = &document.id_token_signing_alg_values_supported;
    let signed_with: Vec<SignedWith> =
        SignedWith::ALL.into_iter().filter(|known| announced.iter().any(|word| word == known.word())).collect();
    if signed_with.is_empty() {
        return Err("it signs ID tokens with none of RS256, PS256, ES256 and EdDSA".to_owned());
    }
    Ok(Metadata {
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        jwks_uri: document.jwks_uri,
        userinfo_endpoint: document.userinfo_endpoint,
        signed_with,
        client_proof: client_proof(document.token_endpoint_auth_methods_supported.as_deref()),
        names_issuer: document.authorization_response_iss_parameter_supported,
    })
}

/// Without a word about it, it is the header.
fn client_proof(methods: Option<&[String]>) -> ClientProof {
    let has = |word: &str| methods.is_none_or(|methods| methods.iter().any(|method| method == word));
    if !has("client_secret_basic") && has("client_secret_post") { ClientProof::Post } else { ClientProof::Basic }
}
