//! A provider's public keys (RFC 7517). Never: a key that is for something else than signing, or two keys for one id.

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::OidcError;
use super::discovery::Metadata;
use super::exchange::get_json;
use super::fetch::Fetch;
use super::id_token::SignedWith;

/// Most bytes of a key set, and most keys in it.
const KEY_SET_BYTES_MAX: usize = 256 * 1024;
const KEYS_MAX: usize = 64;
const WHAT: &str = "keys";

/// The keys that can sign ID tokens.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// What it may sign with; RSA keys may be for either form.
    with: Vec<SignedWith>,
    key: DecodingKey,
}

/// A key, as far as it matters here; what is missing in one that matters makes it none of use.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Why no key is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// None of that id and kind.
    Unknown,
    /// More than one.
    Ambiguous,
}

/// Fetches them.
pub(super) fn fetch(metadata: &Metadata, fetch: &dyn Fetch) -> Result<KeySet, OidcError> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let document: Document = get_json(fetch, WHAT, &metadata.jwks_uri, None, KEY_SET_BYTES_MAX)?;
    if document.keys.len() > KEYS_MAX {
        let reason = format!("there are {}; {KEYS_MAX} are the most", document.keys.len());
        return Err(OidcError::Provider { what: WHAT, reason });
    }
    // a key of a kind not known here is for somebody else (RFC 7517 §5)
    Ok(KeySet { keys: document.keys.into_iter().filter_map(|key| read(serde_json::from_value(key).ok()?)).collect() })
}

fn read(jwk: Jwk) -> Option<Key> {
    let is_for_signing = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
        && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if !is_for_signing {
        return None;
    }
    let (with, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let key = DecodingKey::from_rsa_components(jwk.n.as_ref()?, jwk.e.as_ref()?);
            (vec![SignedWith::Rs256, SignedWith::Ps256], key)
        }
        ("EC", Some("P-256")) => {
            (vec![SignedWith::Es256], DecodingKey::from_ec_components(jwk.x.as_ref()?, jwk.y.as_ref()?))
        }
        ("OKP", Some("Ed25519")) => (vec![SignedWith::EdDsa], DecodingKey::from_ed_components(jwk.x.as_ref()?)),
        _ => return None,
    };
    let with: Vec<SignedWith> =
        with.into_iter().filter(|with| jwk.alg.as_deref().is_none_or(|alg| alg == with.word())).collect();
    (!with.is_empty()).then_some(Key { id: jwk.kid, with, key: key.ok()? })
}

impl KeySet {
    /// The one key of this id for this kind of signature. Without an id there must be one key only (OpenID Connect Core 1.0 §10.1).
    pub(super) fn find(&self, id: Option<&str>, with: SignedWith) -> Result<&DecodingKey, NoKey> {
        let fits = |key: &&Key| key.with.contains(&with) && (id.is_none() || key.id.as_deref() == id);
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(&key.key),
            (None, _) => Err(NoKey::Unknown),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
        }
    }
}
