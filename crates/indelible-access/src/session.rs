//! Sessions of people at a browser: what a cookie stands for.
//!
//! Promises: a session is 256 random bits of which only the SHA-256 is kept, in memory; it ends by itself when nobody used it for a
//! while, at a set age, when its token is revoked or expires, and when the server stops. Their number is bounded: the one that was
//! idle longest makes room. Never: a token's text, or a session on disk.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible_event::env::{Randomness, RandomnessError};

use crate::book::TokenBook;
use crate::identity::Identity;
use crate::token::{TokenHash, hex};

/// Most sessions at once: about 2 MiB.
pub const SESSIONS_MAX: usize = 10_000;
/// Random bytes in a session's text.
const TEXT_BYTES: usize = 32;

/// What proved who somebody is at sign-in.
#[derive(Clone, Debug)]
pub enum SignedInBy {
    /// A token: the session opens what the token opens, as long as it does.
    Token(TokenHash),
    /// Another's word for them, such as an OpenID provider's.
    Provider(Arc<Identity>),
}

/// How long sessions hold, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimes {
    /// From sign-in on, whatever happens.
    pub age: i64,
    /// Without a request.
    pub idle: i64,
}

#[derive(Debug)]
struct Session {
    by: SignedInBy,
    began: i64,
    used: i64,
}

/// All sessions.
pub struct SessionBook {
    sessions: Mutex<HashMap<TokenHash, Session>>,
    times: SessionTimes,
    randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for SessionBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBook").field("times", &self.times).finish_non_exhaustive()
    }
}

impl SessionBook {
    /// No sessions yet.
    #[must_use]
    pub fn new(times: SessionTimes, randomness: Arc<dyn Randomness>) -> Self {
        Self { sessions: Mutex::default(), times, randomness }
    }

    /// Begins a session and gives its text, which is shown to nobody but the browser.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn begin(&self, by: SignedInBy, now: i64) -> Result<String, RandomnessError> {
        let mut bytes = [0u8; TEXT_BYTES];
        self.randomness.fill(&mut bytes)?;
        let text = hex(&bytes);
        let mut sessions = self.sessions();
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| self.times.hold(session, now));
        }
        if sessions.len() >= SESSIONS_MAX {
            let idlest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash);
            if let Some(idlest) = idlest {
                sessions.remove(&idlest);
            }
        }
        sessions.insert(TokenHash::of(text.as_bytes()), Session { by, began: now, used: now });
        Ok(text)
    }

    /// Who is behind a session's text; `None` when it has ended. Memory only.
    #[must_use]
    pub fn find(&self, text: &str, tokens: &TokenBook, now: i64) -> Option<Arc<Identity>> {
        if text.len() != 2 * TEXT_BYTES {
            return None;
        }
        let hash = TokenHash::of(text.as_bytes());
        let mut sessions = self.sessions();
        let session = sessions.get_mut(&hash)?;
        let identity = if self.times.hold(session, now) {
            match &session.by {
                SignedInBy::Token(token) => tokens.authenticate_hash(token, now).ok(),
                SignedInBy::Provider(identity) => {
                    identity.expires.is_none_or(|expires| now < expires).then(|| Arc::clone(identity))
                }
            }
        } else {
            None
        };
        if identity.is_some() {
            session.used = session.used.max(now);
        } else {
            sessions.remove(&hash);
        }
        identity
    }

    /// Ends a session.
    pub fn end(&self, text: &str) {
        self.sessions().remove(&TokenHash::of(text.as_bytes()));
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<TokenHash, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionTimes {
    fn hold(self, session: &Session, now: i64) -> bool {
        now - session.began < self.age && now - session.used < self.idle
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Holder, NewToken, Role, TokenName};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Never the same twice.
    pub(crate) struct Counting(pub(crate) AtomicU64);

    impl Randomness for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
            let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            bytes.iter_mut().zip(next.iter().cycle()).for_each(|(byte, next)| *byte = *next);
            Ok(())
        }
    }

    fn books() -> (tempfile::TempDir, TokenBook, SessionBook) {
        let folder = tempfile::tempdir().unwrap();
        let randomness = Arc::new(Counting(AtomicU64::new(1)));
        let tokens = TokenBook::open(&folder.path().join("state.sqlite"), randomness.clone()).unwrap();
        let times = SessionTimes { age: 100, idle: 10 };
        (folder, tokens, SessionBook::new(times, randomness))
    }

    fn signed_in(tokens: &TokenBook) -> (String, TokenHash) {
        let new = NewToken {
            name: TokenName::new("ana").unwrap(),
            role: Role::Read,
            holder: Holder::default(),
            logs: None,
            expires: None,
        };
        let (row, text) = tokens.keep(tokens.mint(new, 0).unwrap()).unwrap();
        (row.id, text.unwrap().hash())
    }

    #[test]
    fn a_session_holds_while_it_is_used_and_ends_idle_old_signed_out_or_revoked() {
        let (_folder, tokens, sessions) = books();
        let (id, hash) = signed_in(&tokens);
        let begin = || sessions.begin(SignedInBy::Token(hash), 0).unwrap();
        let used = begin();
        for now in (0..100).step_by(9) {
            assert_eq!(sessions.find(&used, &tokens, now).unwrap().name.as_str(), "ana");
        }
        assert!(sessions.find(&used, &tokens, 100).is_none(), "too old");
        let idle = begin();
        assert!(sessions.find(&idle, &tokens, 10).is_none(), "idle");
        assert!(sessions.find(&idle, &tokens, 1).is_none(), "ended is ended, whatever the clock says");
        let left = begin();
        sessions.end(&left);
        assert!(sessions.find(&left, &tokens, 0).is_none(), "signed out");
        let revoked = begin();
        tokens.mint_admin(None, 0).unwrap();
        tokens.revoke(&id, 1).unwrap();
        assert!(sessions.find(&revoked, &tokens, 1).is_none(), "its token was revoked");
        assert!(sessions.find("00", &tokens, 0).is_none() && sessions.find(&"0".repeat(64), &tokens, 0).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_idlest_makes_room() {
        let (_folder, tokens, sessions) = books();
        let (_, hash) = signed_in(&tokens);
        let first = sessions.begin(SignedInBy::Token(hash), 0).unwrap();
        let second = sessions.begin(SignedInBy::Token(hash), 1).unwrap();
        for _ in 2..=SESSIONS_MAX {
            sessions.begin(SignedInBy::Token(hash), 1).unwrap();
        }
        assert_eq!(sessions.sessions().len(), SESSIONS_MAX);
        assert!(sessions.find(&first, &tokens, 1).is_none());
        assert!(sessions.find(&second, &tokens, 1).is_some());
    }
}
