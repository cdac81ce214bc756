//! Who calls, as the server proved it by the token, and what the caller says beyond that: for whom, for what, in which session.
//! The first is trusted, the second is recorded as said.
//!
//! Promises: a header that cannot be understood refuses the call instead of being recorded wrongly; everything is bounded.

use std::net::IpAddr;

use http::HeaderMap;
use indelible_access::door::{Ask, AskContext, Principal, ResourceAsk};
use indelible_event::limits::IDENTIFIER_BYTES_MAX;
use indelible_event::words::{Action, ActorType};

use crate::draft::Text;
use crate::refusal::Refusal;
use crate::route::Route;

/// Headers of ours begin so; none of them is forwarded.
pub const OWN_HEADERS: &str = "x-indelible-";
/// For whom the caller acts, nearest first: `ana@example.com`, or `agent:planner, human:ana@example.com`.
pub const ON_BEHALF_OF: &str = "x-indelible-on-behalf-of";
/// The application that calls.
pub const APPLICATION: &str = "x-indelible-application";
/// What the call is for.
pub const PURPOSE: &str = "x-indelible-purpose";
/// The caller's session.
pub const SESSION: &str = "x-indelible-session";
/// The conversation that the call belongs to.
pub const CONVERSATION: &str = "x-indelible-conversation";
/// W3C Trace Context; passed on as it came.
pub const TRACEPARENT: &str = "traceparent";

/// Most principals in a chain: a longer one is a mistake.
const CHAIN_MAX: usize = 16;

/// W3C Trace Context of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 lower-case hex digits.
    pub trace_id: String,
    /// 16 lower-case hex digits: the caller's span.
    pub span_id: String,
}

/// Who calls. The server fills the first part from the token and the connection; [`Caller::read_headers`] the rest.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who: the token's name.
    pub id: String,
    /// What kind of actor.
    pub actor_type: ActorType,
    /// Roles it has.
    pub roles: Vec<String>,
    /// Groups it belongs to.
    pub groups: Vec<String>,
    /// Where it calls from.
    pub ip: Option<IpAddr>,
    /// The program it uses.
    pub user_agent: String,
    /// The request id (`x-request-id`); `outcome.request` of every event of the call.
    pub request: String,
    /// How its identity was proven, such as `token`.
    pub auth: &'static str,
    /// For whom it acts, nearest first, as it says.
    pub on_behalf_of: Vec<Principal>,
    /// The application, as it says.
    pub application: Option<String>,
    /// What for, as it says.
    pub purpose: Option<String>,
    /// Its session, as it says.
    pub session: Option<String>,
    /// The conversation, as it says.
    pub conversation: Option<String>,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
}

impl Caller {
    /// A caller of whom only the name and kind are known.
    #[must_use]
    pub fn new(id: impl Into<String>, actor_type: ActorType) -> Self {
        Self {
            id: id.into(),
            actor_type,
            roles: Vec::new(),
            groups: Vec::new(),
            ip: None,
            user_agent: String::new(),
            request: String::new(),
            auth: "",
            on_behalf_of: Vec::new(),
            application: None,
            purpose: None,
            session: None,
            conversation: None,
            trace: None,
        }
    }

    /// Takes up what the caller says about the call.
    ///
    /// # Errors
    /// [`Refusal::BadHeader`] when a header of ours cannot be understood.
    pub fn read_headers(&mut self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(chain) = text(headers, ON_BEHALF_OF)? {
            self.on_behalf_of = read_chain(&chain)?;
        }
        for (name, slot) in [
            (APPLICATION, &mut self.application),
            (PURPOSE, &mut self.purpose),
            (SESSION, &mut self.session),
            (CONVERSATION, &mut self.conversation),
        ] {
            if let Some(value) = text(headers, name)? {
                *slot = Some(value);
            }
        }
        // A trace header that is not W3C's is passed on like any other and means nothing to us.
        self.trace = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(Trace::parse);
        Ok(())
    }

    /// What the door is asked about a call by this caller.
    #[must_use]
    pub fn ask(&self, route: &Route, action: Action, operation: &str, resource: ResourceAsk) -> Ask {
        Ask {
            principal: Principal {
                id: self.id.clone(),
                actor_type: self.actor_type,
                roles: self.roles.clone(),
                groups: self.groups.clone(),
            },
            chain: self.on_behalf_of.clone(),
            action,
            operation: operation.to_owned(),
            resource,
            context: AskContext {
                route: route.name().to_owned(),
                application: self.application.clone(),
                purpose: self.purpose.clone(),
                ..AskContext::default()
            },
        }
    }

    /// Whom content of this call is about: the person at the end of the chain, else the caller.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.on_behalf_of.last().map_or(self.id.as_str(), |principal| principal.id.as_str())
    }
}

impl Trace {
    /// Reads `traceparent`: version, trace id, parent span and flags.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        let fine = lower_hex(version, 2) && version != "ff" && nonzero_hex(trace_id, 32) && nonzero_hex(span_id, 16);
        fine.then(|| Self { trace_id: trace_id.to_owned(), span_id: span_id.to_owned() })
    }
}

fn lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn nonzero_hex(text: &str, digits: usize) -> bool {
    lower_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

fn text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::BadHeader { name, reason: "it is sent more than once" });
    }
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Refusal::BadHeader { name, reason: "its value is not UTF-8" })?
        .trim();
    if text.len() > IDENTIFIER_BYTES_MAX {
        return Err(Refusal::BadHeader { name, reason: "its value is longer than 1,024 bytes" });
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn read_chain(text: &str) -> Result<Vec<Principal>, Refusal> {
    let mut chain = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if chain.len() == CHAIN_MAX {
            return Err(Refusal::BadHeader { name: ON_BEHALF_OF, reason: "it names more than 16 principals" });
        }
        let (actor_type, id) = match item.split_once(':') {
            Some((word, id)) => match ActorType::parse(word.trim()) {
                Some(actor_type) => (actor_type, id.trim()),
                // `urn:…`, `https://…`: an id with a colon of its own.
                None => (ActorType::Human, item),
            },
            None => (ActorType::Human, item),
        };
        if id.is_empty() {
            return Err(Refusal::BadHeader {
                name: ON_BEHALF_OF,
                reason: "it names a kind of principal without an id",
            });
        }
        chain.push(Principal { id: id.to_owned(), actor_type, roles: Vec::new(), groups: Vec::new() });
    }
    Ok(chain)
}

/// A header of the call as a short text; empty when it is not there.
#[must_use]
pub fn header_text(headers: &HeaderMap, name: &str) -> Text {
    let value = headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).unwrap_or_default();
    Text::from(value.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Caller, Refusal> {
        let mut caller = Caller::new("app", ActorType::Service);
        caller.read_headers(&headers(pairs)).map(|()| caller)
    }

    #[test]
    fn a_chain_is_read_nearest_first() {
        let caller = read(&[(ON_BEHALF_OF, "agent:planner, human:ana@example.com,urn:x:7")]).unwrap();
        let chain: Vec<_> = caller.on_behalf_of.iter().map(|one| (one.actor_type, one.id.as_str())).collect();
        assert_eq!(
            chain,
            [(ActorType::Agent, "planner"), (ActorType::Human, "ana@example.com"), (ActorType::Human, "urn:x:7")]
        );
        assert_eq!(caller.subject(), "urn:x:7");
        assert_eq!(read(&[]).unwrap().subject(), "app");
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for value in ["agent:", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"] {
            assert!(matches!(read(&[(ON_BEHALF_OF, value)]), Err(Refusal::BadHeader { .. })), "{value}");
        }
        assert!(read(&[(PURPOSE, "a"), (PURPOSE, "b")]).is_err());
    }

    #[test]
    fn traces_are_w3c_or_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Trace::parse(good).unwrap().span_id, "00f067aa0ba902b7");
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
