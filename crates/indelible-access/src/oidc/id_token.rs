//! An ID token, from a text that anybody may have made to claims that the provider stands for (OpenID Connect Core 1.0 §3.1.3.7).
//!
//! Promises: what signs is decided by the provider's announcement and the key's own kind, never by the token alone; a signature is
//! looked at before any claim is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::flow::is_same;
use super::keys::{KeySet, NoKey};

/// Longest ID token.
const TOKEN_BYTES_MAX: usize = 128 * 1024;
/// How far the provider's clock may be off, in seconds.
const LEEWAY_SECONDS: i64 = 60;
/// How old an ID token may be: it was made for a sign-in of now.
const AGE_SECONDS_MAX: i64 = 600;
/// Most audiences that are looked through.
const AUDIENCES_MAX: usize = 64;

/// How an ID token may be signed. Never with a secret that both sides know, and never not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignedWith {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl SignedWith {
    pub(super) const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The word in headers (RFC 7518 §3.1, RFC 8037 §3.1).
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Not three parts, too long, or a header that is none.
    #[error("the ID token has not the form of one")]
    Form,
    /// Unsigned, signed with a shared secret, or with what the provider does not announce.
    #[error("the ID token is signed in a way that is not accepted")]
    Algorithm,
    /// Another kind of token, or one with extensions that must be understood.
    #[error("this is another kind of token")]
    Kind,
    /// The provider publishes no such key.
    #[error("the provider publishes no key for the ID token")]
    UnknownKey,
    /// The provider publishes several such keys.
    #[error("the provider publishes more than one key for the ID token")]
    AmbiguousKey,
    /// The signature is wrong.
    #[error("the signature of the ID token is wrong")]
    Signature,
    /// A claim that must be there is missing or of the wrong kind.
    #[error("the claim `{0}` of the ID token is missing or has the wrong form")]
    Claim(&'static str),
    /// Another issuer.
    #[error("the ID token is of another issuer")]
    Issuer,
    /// For another client.
    #[error("the ID token is for another client")]
    Audience,
    /// Of another sign-in.
    #[error("the ID token is of another sign-in")]
    Nonce,
    /// No longer, or not yet.
    #[error("the ID token is not of now; compare this server's clock and the provider's")]
    Time,
}

/// What an ID token has to say.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: i64,
}

/// A text of which only the header was read.
pub(super) struct Unchecked<'a> {
    text: &'a str,
    key_id: Option<String>,
    with: SignedWith,
}

impl<'a> Unchecked<'a> {
    /// Reads the header. `accepted` is what the provider announces.
    pub(super) fn read(text: &'a str, accepted: &[SignedWith]) -> Result<Self, TokenFault> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            kid: Option<String>,
            typ: Option<String>,
            crit: Option<Value>,
            b64: Option<Value>,
        }
        if text.len() > TOKEN_BYTES_MAX || text.split('.').count() != 3 {
            return Err(TokenFault::Form);
        }
        let header = text.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
        let header: Header = serde_json::from_slice(&header.ok_or(TokenFault::Form)?).map_err(|_| TokenFault::Form)?;
        let with = accepted.iter().find(|with| with.word() == header.alg).ok_or(TokenFault::Algorithm)?;
        // an access token of the same provider has a type of its own (RFC 9068 §2.1)
        let is_id_token = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"));
        if !is_id_token || header.crit.is_some() || header.b64.is_some() {
            return Err(TokenFault::Kind);
        }
        Ok(Self { text, key_id: header.kid, with: *with })
    }

    /// The key that must have signed it.
    pub(super) fn key<'k>(&self, keys: &'k KeySet) -> Result<&'k DecodingKey, TokenFault> {
        keys.find(self.key_id.as_deref(), self.with).map_err(|none| match none {
            NoKey::Unknown => TokenFault::UnknownKey,
            NoKey::Ambiguous => TokenFault::AmbiguousKey,
        })
    }

    /// Its claims, once signature, issuer, audience, times and nonce are what they must be.
    pub(super) fn check(&self, key: &DecodingKey, expected: &Expected<'_>) -> Result<Map<String, Value>, TokenFault> {
        let mut signature_only = Validation::new(self.with.algorithm());
        // the claims are looked at below, by a clock that is passed in
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(self.text, key, &signature_only);
        let claims = decoded.map_err(|_| TokenFault::Signature)?.claims;
        if text(&claims, "iss")? != expected.issuer {
            return Err(TokenFault::Issuer);
        }
        check_audience(&claims, expected.client)?;
        check_times(&claims, expected.now)?;
        if !is_same(text(&claims, "nonce")?, expected.nonce) {
            return Err(TokenFault::Nonce);
        }
        Ok(claims)
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, TokenFault> {
    claims.get(name).and_then(Value::as_str).ok_or(TokenFault::Claim(name))
}

/// The token is for this client; when it is for others as well, it was given to this one (`azp`).
fn check_audience(claims: &Map<String, Value>, client: &str) -> Result<(), TokenFault> {
    let is_ours = |value: &Value| value.as_str() == Some(client);
    let (is_for_us, is_for_others) = match claims.get("aud") {
        Some(one @ Value::String(_)) => (is_ours(one), false),
        Some(Value::Array(several)) if several.len() <= AUDIENCES_MAX => {
            (several.iter().any(is_ours), several.len() > 1)
        }
        _ => return Err(TokenFault::Claim("aud")),
    };
    let is_given_to_us = match claims.get("azp") {
        Some(party) => is_ours(party),
        None => !is_for_others,
    };
    if is_for_us && is_given_to_us { Ok(()) } else { Err(TokenFault::Audience) }
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), TokenFault> {
    let expires = seconds(claims, "exp")?.ok_or(TokenFault::Claim("exp"))?;
    let issued = seconds(claims, "iat")?.ok_or(TokenFault::Claim("iat"))?;
    let begins = seconds(claims, "nbf")?.unwrap_or(i64::MIN);
    let latest = now.saturating_add(LEEWAY_SECONDS);
    let is_over = expires.saturating_add(LEEWAY_SECONDS) <= now;
    let is_old = issued.saturating_add(AGE_SECONDS_MAX + LEEWAY_SECONDS) < now;
    if is_over || is_old || issued > latest || begins > latest { Err(TokenFault::Time) } else { Ok(()) }
}

/// A time (RFC 7519 §2), in whole seconds.
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "what is beyond all time becomes its end")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
    seconds.map(Some).ok_or(TokenFault::Claim(name))
}
