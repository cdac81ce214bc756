//! One sign-in: out to the provider, and back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indelible_event::env::{Randomness, RandomnessError};
use sha2::{Digest as _, Sha256};

use super::address::with_parameters;
use super::claims::{self, SignedIn};
use super::exchange::{redeem, shown_code, user_info};
use super::id_token::{self, Expected};
use super::pending::Pending;
use super::{OidcError, Provider};
use crate::token::TokenHash;

/// Random bytes in a state, a nonce, a verifier and a key. As a verifier that makes 43 characters, the least that RFC 7636 §4.1 allows
/// and what it recommends.
const RANDOM_BYTES: usize = 32;
/// Longest code that is sent on.
const CODE_BYTES_MAX: usize = 8 * 1024;

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser is sent.
    pub location: String,
    /// What is kept until it comes back.
    pub pending: Pending,
}

/// With what the browser came back (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Clone, Copy, Default)]
pub struct Callback<'a> {
    /// `code`
    pub code: Option<&'a str>,
    /// `state`
    pub state: Option<&'a str>,
    /// `iss`
    pub iss: Option<&'a str>,
    /// `error`
    pub error: Option<&'a str>,
}

impl std::fmt::Debug for Callback<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("iss", &self.iss).field("error", &self.error).finish_non_exhaustive()
    }
}

impl Provider {
    /// Begins a sign-in, after which `next` is shown. Blocks while the provider is asked what it is.
    ///
    /// # Errors
    /// [`OidcError`] when the provider cannot be used.
    pub fn begin(&self, next: &str, now: i64) -> Result<Begun, OidcError> {
        let metadata = self.metadata(now)?;
        let random = || random_text(&*self.randomness);
        let pending = Pending { state: random()?, nonce: random()?, verifier: random()?, next: next.to_owned() };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&pending.verifier));
        let location = with_parameters(
            &metadata.authorization_endpoint,
            &[
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", &self.settings.redirect_url),
                ("scope", &self.settings.scope()),
                ("state", &pending.state),
                ("nonce", &pending.nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        );
        Ok(Begun { location, pending })
    }

    /// Ends a sign-in: who it was. Blocks while the provider is asked.
    ///
    /// # Errors
    /// [`OidcError`] when it was nobody who may come in.
    pub fn finish(&self, pending: &Pending, callback: &Callback<'_>, now: i64) -> Result<SignedIn, OidcError> {
        let metadata = self.metadata(now)?;
        let refused = |reason| Err(OidcError::Answer { reason });
        // 1. whose answer is it: nothing else of it counts before that
        if !callback.state.is_some_and(|state| is_same(state, &pending.state)) {
            return refused("its state is another one");
        }
        match callback.iss {
            Some(iss) if iss != self.settings.issuer => return refused("another provider gave it"),
            None if metadata.names_issuer => return refused("it does not say which provider gave it"),
            _ => {}
        }
        // 2. did the provider say yes
        if let Some(error) = callback.error {
            return Err(OidcError::Denied { code: shown_code(error) });
        }
        let Some(code) = callback.code.filter(|code| (1..=CODE_BYTES_MAX).contains(&code.len())) else {
            return refused("it holds no code");
        };
        // 3. the code for the provider's word, which is then looked at
        let tokens = redeem(&self.settings, &metadata, &*self.fetch, code, &pending.verifier)?;
        let token = id_token::Unchecked::read(&tokens.id_token, &metadata.signed_with)?;
        let keys = self.keys(&metadata, now, |keys| token.key(keys).is_ok())?;
        let expected =
            Expected { issuer: &self.settings.issuer, client: &self.settings.client_id, nonce: &pending.nonce, now };
        let mut known = token.check(token.key(&keys)?, &expected)?;
        // 4. claims that scopes ask for may stand elsewhere (OpenID Connect Core 1.0 §5.4)
        if claims::lacks_any(&self.settings, &known)
            && let (Some(url), Some(access)) = (&metadata.userinfo_endpoint, &tokens.access_token)
        {
            claims::add(&mut known, user_info(&*self.fetch, url, access)?)?;
        }
        // 5. what that comes to here
        SignedIn::new(&self.settings, &known)
    }
}

/// A text that cannot be guessed, of characters that need no escaping anywhere.
pub(super) fn random_text(randomness: &dyn Randomness) -> Result<String, RandomnessError> {
    let mut bytes = [0u8; RANDOM_BYTES];
    randomness.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Compared by their hashes, so that the time it takes tells nothing.
pub(super) fn is_same(left: &str, right: &str) -> bool {
    TokenHash::of(left.as_bytes()) == TokenHash::of(right.as_bytes())
}
