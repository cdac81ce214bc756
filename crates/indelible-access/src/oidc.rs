//! Sign-in by another's word: OpenID Connect, the authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).
//!
//! Promises: an ID token counts only when a key that the issuer publishes made its signature, with RS256, PS256, ES256 or `EdDSA`, and
//! when it is for this client, of this issuer, of now and of the sign-in that asked for it; an answer belongs to the sign-in
//! whose state it carries (RFC 6749 §10.12), and to the issuer that was asked (RFC 9207); nobody gets in whom no rule gives a
//! role. What is fetched is bounded, goes to `https` only (a provider on this machine excepted), and is asked for again only so often.
//! Never: knows HTTP ([`Fetch`] does), keeps an access token, or shows a code, a token or a secret in an error.
//!
//! Reading order: addresses and settings, what is fetched, what the provider says of itself, its keys, a sign-in under way, the
//! ID token, and what its claims come to here.

mod address;
mod fetch;
mod settings;

mod discovery;
mod exchange;
mod keys;

mod flow;
mod pending;

mod claims;
mod id_token;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible_event::env::{Randomness, RandomnessError};

pub use self::claims::SignedIn;
pub use self::fetch::{Ask, Fetch, FetchError, Fetched};
pub use self::flow::{Begun, Callback};
pub use self::id_token::TokenFault;
pub use self::pending::{PENDING_MAX, PENDING_SECONDS, Pending, PendingBook};
pub use self::settings::{CLAIM_BYTES_MAX, ClientSecret, ROLES_MAX, RoleRule, SCOPES_MAX, Settings, SettingsError};

use self::discovery::Metadata;
use self::keys::KeySet;

/// How long what a provider says of itself, and its keys, are taken as they are.
const KNOWN_SECONDS: i64 = 3_600;
/// How often keys may be fetched for the sake of a key id that is not among them: a stream of made-up ids must not become one of
/// requests to the provider.
const REFETCH_SECONDS: i64 = 60;
/// How long a provider that did not answer is left alone.
const FAILED_SECONDS: i64 = 5;

/// Somebody could not be signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider did not answer.
    #[error("the provider's {what} cannot be reached")]
    Unreachable {
        /// Which part of it.
        what: &'static str,
        /// Why.
        source: FetchError,
    },
    /// It did not answer a moment ago.
    #[error("the provider could not be reached a moment ago; try again in {FAILED_SECONDS} seconds")]
    Resting,
    /// It answered something that cannot be used.
    #[error("the provider's {what} cannot be used: {reason}")]
    Provider {
        /// Which part of it.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The provider said no.
    #[error("the provider refused the sign-in: {code}")]
    Denied {
        /// Its word for why (RFC 6749 §4.1.2.1).
        code: String,
    },
    /// The browser came back with something else than it was sent for.
    #[error("this is not the answer to the sign-in that was begun here: {reason}")]
    Answer {
        /// What does not fit.
        reason: &'static str,
    },
    /// The ID token is not one that can be believed.
    #[error("the provider's word cannot be believed")]
    Token(#[from] TokenFault),
    /// The provider's word says too little, or something that cannot stand here.
    #[error("the provider's word says too little: {reason}")]
    Claims {
        /// What is missing.
        reason: String,
    },
    /// Nothing that the provider says of them gives them a role.
    #[error("{name} is known to the provider, but in no group that has a role here; an administrator can give it one")]
    NoRole {
        /// Who.
        name: String,
    },
    /// No randomness.
    #[error("cannot begin a sign-in")]
    Randomness(#[from] RandomnessError),
}

/// A provider that people may sign in with. Everything that fetches blocks; it is called where that may be.
pub struct Provider {
    settings: Settings,
    fetch: Box<dyn Fetch>,
    randomness: Arc<dyn Randomness>,
    known: Mutex<Known>,
}

/// What was fetched, and when. The lock is held while something is fetched, so that many sign-ins at once fetch once.
#[derive(Default)]
struct Known {
    metadata: Option<(i64, Arc<Metadata>)>,
    keys: Option<(i64, Arc<KeySet>)>,
    failed: Option<i64>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider; nothing is fetched yet.
    #[must_use]
    pub fn new(settings: Settings, fetch: Box<dyn Fetch>, randomness: Arc<dyn Randomness>) -> Self {
        Self { settings, fetch, randomness, known: Mutex::default() }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the provider says of itself, fetched when it is not known or was fetched long ago.
    fn metadata(&self, now: i64) -> Result<Arc<Metadata>, OidcError> {
        let mut known = self.known();
        if let Some((at, metadata)) = &known.metadata
            && is_fresh(*at, now, KNOWN_SECONDS)
        {
            return Ok(Arc::clone(metadata));
        }
        let metadata = Arc::new(known.fetched(now, || discovery::fetch(&self.settings, &*self.fetch))?);
        known.metadata = Some((now, Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// The provider's keys; `wanted` says whether a set of them holds the one that is needed.
    fn keys(&self, metadata: &Metadata, now: i64, wanted: impl Fn(&KeySet) -> bool) -> Result<Arc<KeySet>, OidcError> {
        let mut known = self.known();
        if let Some((at, keys)) = &known.keys {
            let is_enough = is_fresh(*at, now, KNOWN_SECONDS) && wanted(keys);
            if is_enough || is_fresh(*at, now, REFETCH_SECONDS) {
                return Ok(Arc::clone(keys));
            }
        }
        let keys = Arc::new(known.fetched(now, || keys::fetch(metadata, &*self.fetch))?);
        known.keys = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Fetches, unless that failed a moment ago.
    fn fetched<T>(&mut self, now: i64, fetch: impl FnOnce() -> Result<T, OidcError>) -> Result<T, OidcError> {
        if self.failed.is_some_and(|at| is_fresh(at, now, FAILED_SECONDS)) {
            return Err(OidcError::Resting);
        }
        let fetched = fetch();
        self.failed = fetched.is_err().then_some(now);
        fetched
    }
}

/// A clock that was set back makes nothing fresh for longer.
fn is_fresh(at: i64, now: i64, seconds: i64) -> bool {
    (0..seconds).contains(&(now - at))
}

#[cfg(test)]
mod tests;
