//! One request on its way through: who calls, what for, and what a handler may do with it. A handler gives back an
//! [`Answer`], which needs a [`Mark`]: proof that the access is on record.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderValue, Response, StatusCode, request};
use bytes::Bytes;
use indelible_access::Identity;
use indelible_event::build::EventBuilder;
use indelible_event::words::{Action, ActorType};
use serde::Serialize;

use crate::app::{App, RequestId};
use crate::logs::{LogHandle, shown};
use crate::problem::{Kind, Problem};
use crate::query_string::Parameters;
use crate::routes::Route;
use crate::trail::Mark;
use crate::trail::refusals::{Refused, action};

/// Longest `User-Agent` that is copied into an event.
const USER_AGENT_BYTES_MAX: usize = 256;

/// The client's end of the connection; put into each request where it is accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A request whose caller is known and allowed what the route needs.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) route: &'static Route,
    pub(crate) id: RequestId,
    pub(crate) began: Instant,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) parts: request::Parts,
    pub(crate) path: Vec<(String, String)>,
}

/// What a handler gives back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    /// Kept to show that there is one.
    pub(crate) _mark: Mark,
}

impl Answer {
    pub(crate) fn new(response: Response<Body>, mark: Mark) -> Self {
        Self { response, _mark: mark }
    }

    /// 200 with a JSON body.
    pub(crate) fn json(body: &impl Serialize, mark: Mark) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self::new(json_response(StatusCode::OK, body), mark))
    }

    /// 200 with a body of some type.
    pub(crate) fn bytes(content_type: &'static str, body: impl Into<Bytes>, mark: Mark) -> Self {
        let mut response = Response::new(Body::from(body.into()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::new(response, mark)
    }
}

/// A JSON response.
pub(crate) fn json_response(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Call {
    /// A part of the path by its name in the route; empty when the route has none of that name.
    pub(crate) fn path_part(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The query parameters, of which only `known` ones may be there.
    pub(crate) fn parameters(&self, known: &'static [&'static str]) -> Result<Parameters, Problem> {
        Parameters::read(self.parts.uri.query(), known)
    }

    /// The log named `name`, if the caller may use it. A token that is limited to other logs never learns whether there is one.
    pub(crate) fn log(&self, name: &str) -> Result<&Arc<LogHandle>, Problem> {
        if let Some(identity) = &self.identity
            && !identity.may_use_log(name)
        {
            let detail = format!("the token `{}` is limited to other logs than `{}`", identity.name, shown(name));
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        self.app.logs.find(name)
    }

    /// The log that the parameter `log` names, or the first one; for a limited token, its own first one.
    pub(crate) fn log_or_default(&self, name: Option<&str>) -> Result<&Arc<LogHandle>, Problem> {
        match (name, self.identity.as_ref().and_then(|identity| identity.logs.as_ref()?.first())) {
            (Some(name), _) => self.log(name),
            (None, Some(own)) => self.log(own),
            (None, None) => Ok(self.app.logs.first()),
        }
    }

    /// The caller's name; empty where a route needs none.
    pub(crate) fn caller(&self) -> &str {
        self.identity.as_ref().map(|identity| identity.name.as_str()).unwrap_or_default()
    }

    /// An event for this access, with the caller filled in. The handler adds what was touched and records it.
    pub(crate) fn event(&self) -> EventBuilder<'_> {
        self.event_of(action(self.route.operation))
    }

    /// The same with an action of its own.
    pub(crate) fn event_of(&self, action: Action) -> EventBuilder<'_> {
        match &self.identity {
            Some(identity) => self.event_of_identity(action, identity, self.proven_by()),
            None => self.event_by(action, ActorType::Anonymous, "anonymous"),
        }
    }

    /// The same of somebody who has just shown who they are; `auth` says how.
    pub(crate) fn event_of_identity<'a>(
        &'a self,
        action: Action,
        identity: &'a Identity,
        auth: &'static str,
    ) -> EventBuilder<'a> {
        self.event_by(action, identity.holder.actor_type(), identity.name.as_str())
            .actor_role(identity.role.word())
            .actor_auth(auth)
            .attribute("token", identity.id.as_str())
    }

    fn event_by<'a>(&'a self, action: Action, actor_type: ActorType, id: &'a str) -> EventBuilder<'a> {
        let event = EventBuilder::new(self.app.trail.now(), action, self.route.operation.word(), actor_type, id)
            .request(self.id.as_str())
            .actor_user_agent(self.user_agent());
        match self.ip {
            Some(ip) => event.actor_ip(ip),
            None => event,
        }
    }

    /// How the caller proved who they are: by a token, or by a session that began with one.
    fn proven_by(&self) -> &'static str {
        if self.parts.headers.contains_key(AUTHORIZATION) { "token" } else { "session" }
    }

    /// Makes an event of this access durable in `log`.
    pub(crate) async fn record(&self, log: &LogHandle, event: EventBuilder<'_>) -> Result<Mark, Problem> {
        self.app.trail.record(log, event).await
    }

    /// Who was refused what, for the count.
    pub(crate) fn refused(&self, kind: Kind) -> Refused {
        let actor = self
            .identity
            .as_ref()
            .map(|identity| (identity.name.as_str().to_owned(), identity.role, identity.holder.actor_type()));
        // The path names a log only on some routes; a name that is none of ours is not repeated.
        let log = actor.as_ref().and_then(|_| self.app.logs.get(self.path_part("name")));
        Refused { actor, ip: self.ip, operation: self.route.operation, kind, log: log.map(|log| log.name().to_owned()) }
    }

    fn user_agent(&self) -> &str {
        let given = self.parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Header values that convert to text are ASCII, so any cut is between characters.
        given.get(..USER_AGENT_BYTES_MAX).unwrap_or(given)
    }
}
