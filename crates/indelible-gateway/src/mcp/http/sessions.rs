//! Sessions: what waits for an answer beyond one HTTP request, and whose it is.
//!
//! Promises: a session answers only to the caller who began it; their number is bounded; idle ones are forgotten.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::mcp::flow::Party;
use crate::mcp::table::Table;

/// Most sessions at once; each holds about 1 KiB.
const SESSIONS_MAX: usize = 65_536;
/// How long a session that nobody uses is remembered.
const IDLE: Duration = Duration::from_secs(3_600);
/// The same while there are too many.
const IDLE_WHEN_FULL: Duration = Duration::from_secs(60);
/// Most of the gateway's own events that wait for the reader of a stream.
const INBOX_MAX: usize = 64;

/// What names a session.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The protocol's id.
    Id(Box<str>),
    /// Path and query that messages are sent to (HTTP+SSE).
    Endpoint(Box<str>),
    /// None: what a caller does without a session.
    Caller(Box<str>),
}

impl fmt::Debug for Key {
    /// Whoever knows the id is in the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// What events call the session: a hash, for the id itself opens it.
    pub(super) fn public(&self) -> Option<String> {
        let id = match self {
            Self::Id(id) | Self::Endpoint(id) => id,
            Self::Caller(_) => return None,
        };
        let hash = Sha256::digest(id.as_bytes());
        Some(hash.iter().take(16).fold("mcp:".to_owned(), |text, byte| format!("{text}{byte:02x}")))
    }
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: Key,
    owner: Box<str>,
    /// Requests that wait.
    pub(super) waiting: Table,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: Instant,
    party: Party,
    /// Headers by which the server knows the session, for answers of the gateway's own.
    headers: HeaderMap,
    inbox: Option<mpsc::Sender<Bytes>>,
}

impl Session {
    pub(super) fn new(key: Key, party: Party, headers: HeaderMap) -> Self {
        let owner = party.caller.id.as_str().into();
        let state = State { used: Instant::now(), party, headers, inbox: None };
        Self { key, owner, waiting: Table::default(), state: Mutex::new(state) }
    }

    pub(super) fn party(&self) -> Party {
        self.lock().party.clone()
    }

    pub(super) fn headers(&self) -> HeaderMap {
        self.lock().headers.clone()
    }

    /// Opens the way to the reader of the session's stream.
    pub(super) fn open_inbox(&self) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(INBOX_MAX);
        self.lock().inbox = Some(sender);
        receiver
    }

    /// Hands the reader of the session's stream an event; false when nobody reads.
    pub(super) fn tell(&self, event: Bytes) -> bool {
        self.lock().inbox.as_ref().is_some_and(|inbox| inbox.try_send(event).is_ok())
    }

    fn touch(&self, party: &Party) {
        let mut state = self.lock();
        state.used = Instant::now();
        state.party = party.clone();
    }

    fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        self.waiting.is_empty() && self.lock().used + idle < now
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no session for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSession {
    /// It is another's.
    NotYours,
    /// There are too many.
    Full,
}

/// All sessions of one gateway.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    table: Mutex<HashMap<Key, Arc<Session>>>,
}

impl Sessions {
    /// The session of that name, begun if there is none. After a restart of the gateway the first who names it has it.
    pub(super) fn enter(&self, key: Key, party: &Party, headers: &HeaderMap) -> Result<Arc<Session>, NoSession> {
        let mut table = self.lock();
        if let Some(session) = table.get(&key) {
            if *session.owner != *party.caller.id {
                return Err(NoSession::NotYours);
            }
            session.touch(party);
            return Ok(Arc::clone(session));
        }
        if table.len() >= SESSIONS_MAX {
            forget_idle(&mut table, Instant::now(), IDLE_WHEN_FULL);
        }
        if table.len() >= SESSIONS_MAX {
            return Err(NoSession::Full);
        }
        let session = Arc::new(Session::new(key.clone(), party.clone(), headers.clone()));
        table.insert(key, Arc::clone(&session));
        Ok(session)
    }

    /// The session of that name, if there is one and it is the caller's.
    pub(super) fn find(&self, key: &Key, party: &Party) -> Option<Arc<Session>> {
        let session = self.lock().get(key).cloned()?;
        if *session.owner != *party.caller.id {
            return None;
        }
        session.touch(party);
        Some(session)
    }

    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// All of them; those that nobody has used for long are forgotten.
    pub(super) fn sweep(&self, now: Instant) -> Vec<Arc<Session>> {
        let mut table = self.lock();
        forget_idle(&mut table, now, IDLE);
        table.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Session>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets those that nobody waits in, uses or has used for long.
fn forget_idle(table: &mut HashMap<Key, Arc<Session>>, now: Instant, idle: Duration) {
    table.retain(|_, session| !session.is_idle(now, idle) || Arc::strong_count(session) > 1);
}

#[cfg(test)]
mod tests {
    use indelible_event::words::ActorType;

    use super::*;
    use crate::caller::Caller;
    use crate::mcp::flow::Transport;

    fn party(id: &str) -> Party {
        Party { caller: Arc::new(Caller::new(id, ActorType::Agent)), transport: Transport::Http, version: "".into() }
    }

    #[test]
    fn a_session_is_its_owners() {
        let sessions = Sessions::default();
        let key = || Key::Id("s-1".into());
        sessions.enter(key(), &party("a"), &HeaderMap::new()).unwrap();
        assert_eq!(sessions.enter(key(), &party("b"), &HeaderMap::new()).unwrap_err(), NoSession::NotYours);
        assert!(sessions.find(&key(), &party("b")).is_none() && sessions.find(&key(), &party("a")).is_some());
        sessions.forget(&key());
        sessions.enter(key(), &party("b"), &HeaderMap::new()).unwrap();
        let public = key().public().unwrap();
        assert!(public.len() == 36 && !public.contains("s-1"), "{public}");
        assert_eq!(Key::Caller("a".into()).public(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_sessions_are_forgotten() {
        let sessions = Sessions::default();
        drop(sessions.enter(Key::Id("s".into()), &party("a"), &HeaderMap::new()).unwrap());
        tokio::time::advance(IDLE + Duration::from_secs(1)).await;
        assert!(sessions.sweep(Instant::now()).is_empty());
    }
}
