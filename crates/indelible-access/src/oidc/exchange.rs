//! The requests of a sign-in: a code for tokens (OpenID Connect Core 1.0 §3.1.3), and who that was (§5.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible_event::percent::encode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::OidcError;
use super::address::form;
use super::discovery::{ClientProof, Metadata};
use super::fetch::{Ask, Fetch, Fetched};
use super::settings::Settings;

/// Most bytes of an answer with tokens, and of one with claims.
const TOKENS_BYTES_MAX: usize = 256 * 1024;
const CLAIMS_BYTES_MAX: usize = 256 * 1024;
/// Longest word for an error that is told on.
const CODE_BYTES_MAX: usize = 64;

/// What a code was worth.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

/// Gives the code for tokens.
pub(super) fn redeem(
    settings: &Settings,
    metadata: &Metadata,
    fetch: &dyn Fetch,
    code: &str,
    verifier: &str,
) -> Result<Tokens, OidcError> {
    const WHAT: &str = "token endpoint";
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", settings.redirect_url.as_str()),
        ("code_verifier", verifier),
    ];
    let mut authorization = None;
    match (&settings.client_secret, metadata.client_proof) {
        (Some(secret), ClientProof::Basic) => {
            authorization = Some(basic(&settings.client_id, secret.reveal()));
        }
        (Some(secret), ClientProof::Post) => {
            fields.extend([("client_id", settings.client_id.as_str()), ("client_secret", secret.reveal())]);
        }
        (None, _) => fields.push(("client_id", &settings.client_id)),
    }
    let form = form(&fields);
    let ask = Ask {
        url: &metadata.token_endpoint,
        form: Some(&form),
        authorization: authorization.as_deref(),
        bytes_max: TOKENS_BYTES_MAX,
    };
    let fetched = asked(fetch, WHAT, &ask)?;
    if (400..500).contains(&fetched.status) {
        return Err(OidcError::Denied { code: code_of(&fetched.body) });
    }
    json(WHAT, &fetched)
}

/// What more the provider knows of who the access token is for. Only of use when its `sub` is the ID token's.
pub(super) fn user_info(fetch: &dyn Fetch, url: &str, access_token: &str) -> Result<Map<String, Value>, OidcError> {
    let is_header_safe = access_token.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if !is_header_safe {
        let reason = "the access token cannot stand in a header".to_owned();
        return Err(OidcError::Provider { what: "token endpoint", reason });
    }
    get_json(fetch, "user information", url, Some(&format!("Bearer {access_token}")), CLAIMS_BYTES_MAX)
}

/// A GET for JSON.
pub(super) fn get_json<T: DeserializeOwned>(
    fetch: &dyn Fetch,
    what: &'static str,
    url: &str,
    authorization: Option<&str>,
    bytes_max: usize,
) -> Result<T, OidcError> {
    json(what, &asked(fetch, what, &Ask { url, form: None, authorization, bytes_max })?)
}

fn asked(fetch: &dyn Fetch, what: &'static str, ask: &Ask<'_>) -> Result<Fetched, OidcError> {
    let fetched = fetch.fetch(ask).map_err(|source| OidcError::Unreachable { what, source })?;
    if fetched.body.len() > ask.bytes_max {
        return Err(OidcError::Provider { what, reason: format!("it is longer than {} bytes", ask.bytes_max) });
    }
    Ok(fetched)
}

fn json<T: DeserializeOwned>(what: &'static str, fetched: &Fetched) -> Result<T, OidcError> {
    if fetched.status != 200 {
        return Err(OidcError::Provider { what, reason: format!("it answered {} instead of 200", fetched.status) });
    }
    // of what is wrong only the place is told: the text around it may be a token
    serde_json::from_slice(&fetched.body).map_err(|error| OidcError::Provider {
        what,
        reason: format!("it is not the JSON that it should be (line {}, column {})", error.line(), error.column()),
    })
}

/// Name and secret as a form would write them (RFC 6749 §2.3.1).
fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client), encode(secret))))
}

/// The provider's word for an error.
fn code_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failure {
        error: String,
    }
    let failure: Option<Failure> = serde_json::from_slice(body).ok();
    shown_code(failure.as_ref().map_or("", |failure| &failure.error))
}

/// A word for an error, fit to be shown; nothing else that was sent is.
pub(super) fn shown_code(code: &str) -> String {
    let fits = (1..=CODE_BYTES_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if fits { code.to_owned() } else { "it did not say why".to_owned() }
}
