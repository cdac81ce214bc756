//! The provider that the tests ask.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::super::*;
use crate::role::Role;
use crate::session::tests::Counting;

pub(super) const ISSUER: &str = "https://id.example.com";
pub(super) const NOW: i64 = 1_790_000_000;

pub(super) enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(&'static RsaKeyPair),
}

impl Signer {
    fn new(with: &str) -> Self {
        let random = SystemRandom::new();
        match with {
            "ES256" => {
                let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
                Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap())
            }
            "EdDSA" => Self::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => {
                static RSA: OnceLock<RsaKeyPair> = OnceLock::new();
                Self::Rsa(RSA.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
            }
        }
    }

    /// The public key as it is published.
    fn public(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match self {
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Self::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({"kty": "RSA", "n": text(n.big_endian_without_leading_zero()), "e": text(e.big_endian_without_leading_zero())})
            }
        };
        key["kid"] = json!(id);
        key["use"] = json!("sig");
        key
    }

    /// Everything of the public key, as a liar uses it for a shared secret.
    pub(super) fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, with: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let encoding: &'static dyn signature::RsaEncoding =
                    if with == "PS256" { &signature::RSA_PSS_SHA256 } else { &signature::RSA_PKCS1_SHA256 };
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signed).unwrap();
                signed
            }
        }
    }
}

pub(super) type Forge = Box<dyn Fn(&Fake, &str) -> String + Send + Sync>;

/// What the provider answers, to be changed by a test.
pub(super) struct Fake {
    inner: Arc<Inner>,
    pub(super) user_info: Arc<Mutex<Value>>,
}

struct Inner {
    with: String,
    signer: Mutex<Signer>,
    key_id: Mutex<String>,
    metadata: Mutex<Value>,
    keys: Mutex<Value>,
    header: Mutex<Map<String, Value>>,
    claims: Mutex<Map<String, Value>>,
    nonce: Mutex<Option<String>>,
    forge: Mutex<Option<Forge>>,
    statuses: Mutex<HashMap<String, u16>>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    pub(super) fn new(with: &str) -> Self {
        let signer = Signer::new(with);
        let keys = json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "other"}, signer.public("k-1")]});
        let metadata = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example.com/authorize",
            "token_endpoint": "https://id.example.com/token",
            "userinfo_endpoint": "https://id.example.com/me",
            "jwks_uri": "https://id.example.com/keys",
            "response_types_supported": ["code", "none"],
            "id_token_signing_alg_values_supported": ["none", "HS256", with],
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        let claims = json!({
            "iss": ISSUER, "sub": "s-1", "aud": "indelible", "iat": NOW, "exp": NOW + 300,
            "email": "ana@example.com", "email_verified": true, "groups": ["staff", "auditors", "auditors"],
        });
        let user_info = Arc::new(Mutex::new(json!({"sub": "s-1"})));
        let inner = Inner {
            with: with.to_owned(),
            signer: Mutex::new(signer),
            key_id: Mutex::new("k-1".to_owned()),
            metadata: Mutex::new(metadata),
            keys: Mutex::new(keys),
            header: Mutex::default(),
            claims: Mutex::new(claims.as_object().unwrap().clone()),
            nonce: Mutex::default(),
            forge: Mutex::default(),
            statuses: Mutex::default(),
            asked: Mutex::default(),
        };
        Self { inner: Arc::new(inner), user_info }
    }

    pub(super) fn provider(&self, settings: Settings) -> Provider {
        let fake = Self { inner: Arc::clone(&self.inner), user_info: Arc::clone(&self.user_info) };
        Provider::new(settings.check().unwrap(), Box::new(fake), Arc::new(Counting(AtomicU64::new(1))))
    }

    pub(super) fn metadata(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.inner.metadata.lock().unwrap());
    }

    pub(super) fn keys(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.inner.keys.lock().unwrap());
    }

    pub(super) fn header(&self, name: &str, value: Value) {
        self.inner.header.lock().unwrap().insert(name.to_owned(), value);
    }

    pub(super) fn claims(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        change(&mut self.inner.claims.lock().unwrap());
    }

    /// Puts a text of one's own in place of the ID token.
    pub(super) fn forge(&self, forge: impl Fn(&Fake, &str) -> String + Send + Sync + 'static) {
        *self.inner.forge.lock().unwrap() = Some(Box::new(forge));
    }

    pub(super) fn status(&self, path: &str, status: u16) {
        self.inner.statuses.lock().unwrap().insert(path.to_owned(), status);
    }

    /// The time at which tokens are made.
    pub(super) fn at(&self, now: i64) {
        self.claims(|claims| {
            claims["iat"] = json!(now);
            claims["exp"] = json!(now + 300);
        });
    }

    /// Signs with another key from now on, and publishes it.
    pub(super) fn rotate(&self, id: &str) {
        let signer = Signer::new(&self.inner.with);
        *self.inner.keys.lock().unwrap() = json!({"keys": [signer.public(id)]});
        *self.inner.signer.lock().unwrap() = signer;
        *self.inner.key_id.lock().unwrap() = id.to_owned();
    }

    /// A key of somebody else, as if it were published.
    pub(super) fn public_key(&self, id: &str) -> Value {
        Signer::new(&self.inner.with).public(id)
    }

    pub(super) fn public_der(&self) -> Vec<u8> {
        self.inner.signer.lock().unwrap().public_der()
    }

    pub(super) fn answer_to(&self, pending: &Pending) {
        *self.inner.nonce.lock().unwrap() = Some(pending.nonce.clone());
    }

    /// How often a path was asked for.
    pub(super) fn count(&self, path: &str) -> usize {
        self.inner.asked.lock().unwrap().iter().filter(|asked| asked.starts_with(&format!("{path} "))).count()
    }

    /// What was sent to a path last.
    pub(super) fn last(&self, path: &str) -> String {
        let asked = self.inner.asked.lock().unwrap();
        asked.iter().rfind(|asked| asked.starts_with(&format!("{path} "))).unwrap().clone()
    }

    /// Header and claims, not yet signed.
    pub(super) fn unsigned(&self, changes: &Value) -> String {
        let mut header = json!({"alg": self.inner.with, "kid": *self.inner.key_id.lock().unwrap(), "typ": "JWT"});
        let mut claims = self.inner.claims.lock().unwrap().clone();
        if let Some(nonce) = &*self.inner.nonce.lock().unwrap() {
            claims.entry("nonce".to_owned()).or_insert(json!(nonce));
        }
        for (name, value) in self.inner.header.lock().unwrap().iter().chain(changes.as_object().unwrap()) {
            header[name] = value.clone();
        }
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let text = |value: String| URL_SAFE_NO_PAD.encode(value);
        format!("{}.{}", text(header.to_string()), text(Value::Object(claims).to_string()))
    }

    pub(super) fn signed(&self, changes: &Value) -> String {
        let message = self.unsigned(changes);
        let signed = self.inner.signer.lock().unwrap().sign(&self.inner.with, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }

    fn token(&self) -> String {
        let right = self.signed(&json!({}));
        match &*self.inner.forge.lock().unwrap() {
            Some(forge) => forge(self, &right),
            None => right,
        }
    }
}

impl Fetch for Fake {
    fn fetch(&self, ask: &Ask<'_>) -> Result<Fetched, FetchError> {
        let path = ask.url.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{}", ask.url));
        let told =
            format!("{path} {} authorization={}", ask.form.unwrap_or_default(), ask.authorization.unwrap_or_default());
        self.inner.asked.lock().unwrap().push(told);
        let body = match path {
            "/.well-known/openid-configuration" => self.inner.metadata.lock().unwrap().to_string(),
            "/keys" => self.inner.keys.lock().unwrap().to_string(),
            "/token" => json!({"id_token": self.token(), "access_token": "a-1", "token_type": "Bearer"}).to_string(),
            "/me" => self.user_info.lock().unwrap().to_string(),
            other => panic!("{other}"),
        };
        let status = self.inner.statuses.lock().unwrap().get(path).copied().unwrap_or(200);
        Ok(Fetched { status, body: body.into_bytes() })
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        issuer: ISSUER.to_owned(),
        client_id: "indelible".to_owned(),
        client_secret: Some(ClientSecret::new("s:ecret\n")),
        redirect_url: "https://log.example.com/sign-in/callback".to_owned(),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        name_claim: "email".to_owned(),
        groups_claim: "groups".to_owned(),
        roles: vec![RoleRule { group: "auditors".to_owned(), role: Role::Read, logs: Some(vec!["main".to_owned()]) }],
    }
}

/// Out and back once.
pub(super) fn sign_in(fake: &Fake) -> Result<SignedIn, OidcError> {
    let provider = fake.provider(settings());
    let begun = provider.begin("/", NOW)?;
    sign_in_with(&provider, fake, &begun.pending)
}

pub(super) fn sign_in_with(provider: &Provider, fake: &Fake, pending: &Pending) -> Result<SignedIn, OidcError> {
    fake.answer_to(pending);
    let callback = Callback { code: Some("c-1"), state: Some(&pending.state), ..Callback::default() };
    provider.finish(pending, &callback, NOW)
}
