//! A request becomes an exchange.

use std::sync::Arc;

use indelible_access::door::{Principal, ResourceAsk};
use indelible_event::words::{Action, ActorType};
use serde_json::Value;
use tokio::time::Instant;

use super::{Flow, Party};
use crate::caller::Caller;
use crate::content::Content;
use crate::draft::{Draft, Resource, Text};
use crate::exchange::Exchange;
use crate::mcp::action::tool_action;
use crate::mcp::json::Raw;
use crate::mcp::message::Message;
use crate::mcp::method::{Side, Touched, meaning};
use crate::mcp::pending::Pending;
use crate::refusal::Refusal;

/// A subscription is answered when it ends, which may be never.
const OPEN_ENDED: &str = "subscriptions/listen";
/// Most capabilities that are named.
const CAPABILITIES_MAX: usize = 32;
/// Longest text of a message that an event repeats.
const TEXT_BYTES_MAX: usize = 256;

impl Flow {
    /// Asks the door and records the intent.
    pub(super) async fn open(&self, party: &Party, from: Side, message: &Message<'_>) -> Result<Pending, Refusal> {
        let mut meaning = meaning(from, &message.method);
        let touched = meaning.touched(message).ok_or(Refusal::BadRequest {
            reason: "`params` does not name what is asked for in a way that can be read",
        })?;
        if touched.kind == "tool" {
            meaning.action = tool_action(&self.rules.actions, &touched.name, self.definitions.hints(&touched.name));
        }
        let caller = self.actor(party, from);
        let mut intent = Draft::new(self.s.new_id()?, meaning.action, message.method.clone().into_owned());
        self.describe(party, message, &touched, &mut intent);
        let content = meaning.content(message);
        let labels = content.map(|(raw, _)| self.labels(raw)).unwrap_or_default();
        let id = self.resource_id(&touched);
        intent.resources.push(Resource {
            name: touched.name.clone().into_owned().into(),
            labels: labels.iter().map(|label| Text::Borrowed(label)).collect(),
            ..Resource::new(touched.kind, id.clone())
        });
        if let Some((raw, kind)) = content {
            self.seal(&caller, raw, kind, &mut intent)?;
        }
        let resource = ResourceAsk { kind: touched.kind.to_owned(), id, labels: Vec::new() };
        let mut ask = caller.ask(&self.route, meaning.action, &message.method, resource);
        ask.context.labels_found = labels.iter().map(|label| (*label).to_owned()).collect();
        if touched.kind == "tool" {
            ask.context.tool_arguments = arguments(message)?;
        }
        let exchange = Exchange::begin(&self.s, caller, Arc::clone(&self.route), intent, ask).await?;
        let deadline = (message.method != OPEN_ENDED).then(|| Instant::now() + self.rules.answer_timeout);
        Ok(Pending {
            from,
            method: message.method.as_ref().into(),
            meaning,
            exchange,
            progress_token: message.progress_token(),
            progress: 0,
            cancelled: false,
            deadline,
        })
    }

    /// Who acts: the client, or the server on behalf of the client whose session it is.
    pub(super) fn actor(&self, party: &Party, from: Side) -> Arc<Caller> {
        if from == Side::Client {
            return Arc::clone(&party.caller);
        }
        let client = &party.caller;
        let mut server = Caller::new(self.rules.server.clone(), ActorType::Service);
        let nearest = Principal {
            id: client.id.clone(),
            actor_type: client.actor_type,
            roles: client.roles.clone(),
            groups: client.groups.clone(),
        };
        server.on_behalf_of = std::iter::once(nearest).chain(client.on_behalf_of.iter().cloned()).collect();
        server.request.clone_from(&client.request);
        server.application.clone_from(&client.application);
        server.session.clone_from(&client.session);
        server.conversation.clone_from(&client.conversation);
        server.trace.clone_from(&client.trace);
        Arc::new(server)
    }

    /// `<server>/<name>`; the server itself by its name; the client by the server that talks to it.
    fn resource_id(&self, touched: &Touched<'_>) -> String {
        if touched.name.is_empty() && matches!(touched.kind, "mcp_server" | "mcp_client") {
            return self.rules.server.clone();
        }
        format!("{}/{}", self.rules.server, touched.name)
    }

    /// What every event of a request says of it.
    fn describe(&self, party: &Party, message: &Message<'_>, touched: &Touched<'_>, draft: &mut Draft) {
        draft.attribute("mcp.method.name", message.method.clone().into_owned());
        draft.ai.conversation = party.caller.conversation.clone().unwrap_or_default().into();
        draft.attribute("mcp.server", self.rules.server.clone());
        draft.attribute("mcp.transport", party.transport.as_str());
        draft.attribute_if("jsonrpc.request.id", message.id.as_ref().map(crate::mcp::message::Id::display));
        let meta = message.param("_meta");
        let stated = |name: &str| meta.and_then(|meta| meta.member(name));
        let version = stated("io.modelcontextprotocol/protocolVersion").or_else(|| message.param("protocolVersion"));
        let version = version.and_then(short).unwrap_or_else(|| party.version.clone());
        draft.attribute("mcp.protocol.version", version);
        let client = stated("io.modelcontextprotocol/clientInfo").or_else(|| message.param("clientInfo"));
        implementation(client, ["mcp.client.name", "mcp.client.version"], draft);
        let offers = stated("io.modelcontextprotocol/clientCapabilities").or_else(|| message.param("capabilities"));
        if matches!(message.method.as_ref(), "initialize" | "server/discover") {
            capabilities(offers, "mcp.client.capabilities", draft);
        }
        if touched.kind == "tool" {
            "execute_tool".clone_into(draft.ai.operation.to_mut());
            draft.ai.tool_name = touched.name.clone().into_owned().into();
            let hash = self.definitions.hash(&touched.name);
            draft.attribute_if("mcp.tool.definition", hash.map(|hash| format!("sha256:{hash}")));
        }
        if message.method == "sampling/createMessage" {
            let max = message.param("maxTokens").and_then(Raw::integer).and_then(|max| u64::try_from(max).ok());
            draft.attribute_if("gen_ai.request.max_tokens", max);
        }
    }

    /// Takes content into the vault, as much of it as the route keeps.
    pub(super) fn seal(
        &self,
        caller: &Caller,
        raw: Raw<'_>,
        kind: crate::route::ContentKind,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let mut content = Content::begin(&self.s, &self.route, caller, draft.id, kind).map_err(Refusal::NotSealed)?;
        content.write(raw.as_str().as_bytes()).map_err(Refusal::NotSealed)?;
        draft.attribute(size_name(kind), content.bytes());
        content.finish(draft, "application/json".into()).map_err(Refusal::NotSealed)
    }

    /// What content is about.
    pub(super) fn labels(&self, raw: Raw<'_>) -> Vec<&'static str> {
        self.s.labels.scan(raw.as_str())
    }

    /// The default action of news, which do nothing but tell.
    pub(super) fn action_of_news(method: &str) -> Action {
        if method == "notifications/cancelled" { Action::Modify } else { Action::Execute }
    }
}

fn size_name(kind: crate::route::ContentKind) -> &'static str {
    use crate::route::ContentKind;
    match kind {
        ContentKind::Prompt => "mcp.prompt.bytes",
        ContentKind::Answer => "mcp.answer.bytes",
        ContentKind::Arguments => "mcp.arguments.bytes",
        ContentKind::Result => "mcp.result.bytes",
    }
}

/// What a policy may look at. What it could not look at is not let through.
fn arguments(message: &Message<'_>) -> Result<Option<Value>, Refusal> {
    let Some(raw) = message.param("arguments") else { return Ok(None) };
    serde_json::from_str(raw.as_str())
        .map(Some)
        .map_err(|_| Refusal::BadRequest { reason: "the tool's arguments cannot be read" })
}

/// A short text of the other side's.
pub(super) fn short(raw: Raw<'_>) -> Option<Text> {
    let text = raw.text()?;
    let cut = text.floor_char_boundary(TEXT_BYTES_MAX.min(text.len()));
    Some(text.get(..cut)?.to_owned().into())
}

/// Name and version of a program.
pub(super) fn implementation(info: Option<Raw<'_>>, names: [&'static str; 2], draft: &mut Draft) {
    let Some(info) = info else { return };
    for (name, member) in names.into_iter().zip(["name", "version"]) {
        draft.attribute_if(name, info.member(member).and_then(short));
    }
}

/// The names of capabilities.
pub(super) fn capabilities(offers: Option<Raw<'_>>, name: &'static str, draft: &mut Draft) {
    let Some(offers) = offers else { return };
    let names: Vec<Text> = offers
        .members()
        .take(CAPABILITIES_MAX)
        .map(|(key, _)| key.chars().take(64).collect::<String>().into())
        .collect();
    if !names.is_empty() {
        draft.attribute(name, names);
    }
}
