//! `GET /events/{log}/{index}`: one event: in words, its chain of delegation, what belongs to it, every field, the exact bytes, and the
//! proof that one's own browser checks.

use std::sync::Arc;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible_access::Action;
use indelible_event::json::Value;
use indelible_event::view::{ActorView, EventView, ResourceView};
use indelible_search::Order;

use super::ask::{Asking, grouped};
use super::columns::{duration, name};
use super::html;
use super::shell::{Shell, term};
use super::words::{Piece, plain, sentence};
use crate::api::count;
use crate::api::logs::{index, read_entry};
use crate::call::{Answer, Call};
use crate::problem::Problem;

/// Events shown of each relation.
const RELATED_MAX: usize = 20;
/// How far around the event an actor's other doings are looked for, and how far those of a trace or conversation.
const ACTOR_AROUND_NS: i64 = 300 * 1_000_000_000;
const OTHERS_AROUND_NS: i64 = 30 * 86_400 * 1_000_000_000;

/// A link of the chain: who or what, of which kind.
#[derive(Debug)]
struct Link {
    role: &'static str,
    kind: String,
    text: String,
    href: String,
}

/// An event that belongs to this one.
#[derive(Debug)]
struct Related {
    index: u64,
    is_this: bool,
    time: String,
    unix_ns: i64,
    said: String,
    why: Vec<&'static str>,
}

/// A content that is kept sealed.
#[derive(Debug)]
struct Sealed {
    name: String,
    media_type: String,
    bytes: String,
    /// The commitment in hexadecimal digits, as the API takes it; `None` when the event does not say it rightly.
    id: Option<String>,
}

/// A group of fields with a title.
#[derive(Debug)]
struct Group {
    title: &'static str,
    /// Name of the field in queries, its value, and the search for it where there is one.
    fields: Vec<(String, String, Option<String>)>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    shell: Shell,
    index: u64,
    sentence: Vec<Piece>,
    time: String,
    recorded: String,
    result: String,
    chain: Vec<Link>,
    groups: Vec<Group>,
    sealed: Vec<Sealed>,
    may_unseal: bool,
    related: Vec<Related>,
    /// The query that finds the conversation it belongs to.
    conversation: Option<String>,
    pair: Option<(u64, &'static str)>,
    raw: String,
    size: u64,
}

/// Shows an event.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = Arc::clone(call.log(call.path_part("name"))?);
    let index = index(call)?;
    let entry = read_entry(&log, index).await?;
    let view = EventView::parse(&entry).map_err(Problem::internal)?;
    let asking = Asking::begin(call, &log, None, None).await?;
    let shell = Shell::of(call, "Event", &log);
    let related = related(&asking, &shell, index.0, &view).await?;
    let event = call.event().resource("log", log.name()).attribute("index", count(index.0));
    let mark = call.record(&log, event.attribute("related", count(related.len() as u64))).await?;
    let pieces = sentence(&view);
    let page = EventPage {
        index: index.0,
        time: shell.zone.event(&view.time, view.time_unix_ns),
        recorded: shell.zone.written(&view.recorded),
        result: view.outcome.result.as_deref().unwrap_or("unknown").to_owned(),
        chain: chain(&shell, &view),
        groups: groups(&shell, &view),
        sealed: view.sealed.iter().map(sealed).collect(),
        may_unseal: shell.may(Action::Unseal),
        conversation: view.ai.conversation.as_deref().map(|conversation| term("conversation", conversation)),
        pair: pair(&view, index.0, &related),
        related,
        raw: String::from_utf8_lossy(&entry).into_owned(),
        size: log.reader.size(),
        shell: Shell { title: plain(&pieces), ..shell },
        sentence: pieces,
    };
    html::answer(call, &page, mark)
}

/// Persons first, data last: the way an access took.
fn chain(shell: &Shell, view: &EventView<'_>) -> Vec<Link> {
    let someone = |role, actor: &ActorView<'_>| Link {
        role,
        kind: actor.kind.as_deref().unwrap_or("unknown").to_owned(),
        text: name(actor),
        href: actor.id.as_deref().map(|id| shell.to("/actor", &[("id", id)])).unwrap_or_default(),
    };
    let mut chain: Vec<Link> = view.on_behalf_of.iter().rev().map(|actor| someone("for", actor)).collect();
    chain.push(someone("did it", &view.actor));
    if let Some(tool) = view.ai.tool_name.as_deref() {
        chain.push(Link {
            role: "with",
            kind: "tool".to_owned(),
            text: tool.to_owned(),
            href: shell.search_for("tool", tool),
        });
    }
    let touched = view
        .resources
        .iter()
        .filter(|resource| resource.name.as_deref().or(resource.id.as_deref()) != view.ai.tool_name.as_deref());
    for resource in touched.take(5) {
        let id = resource.id.as_deref().or(resource.name.as_deref()).unwrap_or_default();
        chain.push(Link {
            role: "touched",
            kind: resource.kind.as_deref().unwrap_or("resource").to_owned(),
            text: resource.name.as_deref().unwrap_or(id).to_owned(),
            href: shell.to("/resource", &[("id", id)]),
        });
    }
    chain
}

/// What belongs to an event, oldest first, each once with every reason.
async fn related(
    asking: &Asking<'_>,
    shell: &Shell,
    index: u64,
    view: &EventView<'_>,
) -> Result<Vec<Related>, Problem> {
    let relations = [
        ("request", "same request", view.outcome.request.as_deref(), OTHERS_AROUND_NS),
        ("trace", "same trace", view.trace_id.as_deref(), OTHERS_AROUND_NS),
        ("conversation", "same conversation", view.ai.conversation.as_deref(), OTHERS_AROUND_NS),
        ("session", "same session", view.actor.session.as_deref(), OTHERS_AROUND_NS),
        ("actor", "same actor around that time", view.actor.id.as_deref(), ACTOR_AROUND_NS),
    ];
    let mut related: Vec<Related> = Vec::new();
    for (field, why, value, around) in relations {
        let Some(value) = value else { continue };
        for (other, entry) in neighbours(asking, &term(field, value), view, around).await? {
            if let Some(known) = related.iter_mut().find(|known| known.index == other) {
                known.why.push(why);
                continue;
            }
            let Ok(view) = EventView::parse(&entry) else { continue };
            related.push(Related {
                index: other,
                is_this: other == index,
                time: shell.zone.event(&view.time, view.time_unix_ns),
                unix_ns: view.time_unix_ns.or(view.recorded_unix_ns).unwrap_or_default(),
                said: plain(&sentence(&view)),
                why: vec![why],
            });
        }
    }
    related.sort_by_key(|event| (event.unix_ns, event.index));
    if related.len() == 1 && related.iter().all(|event| event.is_this) {
        related.clear();
    }
    Ok(related)
}

/// Some events that match, half of them from before and half from after.
async fn neighbours(
    asking: &Asking<'_>,
    q: &str,
    view: &EventView<'_>,
    around: i64,
) -> Result<Vec<(u64, bytes::Bytes)>, Problem> {
    let Some(time) = view.time_unix_ns else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for (order, least, most) in [
        (Order::NewestFirst, time.saturating_sub(around), time),
        (Order::OldestFirst, time.saturating_add(1), time.saturating_add(around)),
    ] {
        entries.extend(asking.entries(asking.between(q, least, most)?, order, RELATED_MAX / 2).await?);
    }
    Ok(entries)
}

/// The other half: the outcome of an intent, or the intent of an outcome.
fn pair(view: &EventView<'_>, index: u64, related: &[Related]) -> Option<(u64, &'static str)> {
    let same = || related.iter().filter(|other| other.why.contains(&"same request"));
    match view.outcome.phase.as_deref()? {
        "intent" => same().find(|other| other.index > index).map(|other| (other.index, "outcome")),
        "outcome" => same().find(|other| other.index < index).map(|other| (other.index, "intent")),
        _ => None,
    }
}

fn sealed(sealed: &indelible_event::view::SealedView<'_>) -> Sealed {
    let commitment =
        sealed.commitment.as_deref().and_then(|text| STANDARD.decode(text).ok()).filter(|bytes| bytes.len() == 32);
    Sealed {
        name: sealed.name.as_deref().unwrap_or("content").to_owned(),
        media_type: sealed.media_type.as_deref().unwrap_or("unknown type").to_owned(),
        bytes: counted(sealed.bytes).unwrap_or_default(),
        id: commitment.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// All fields, in groups; groups without any are left out.
fn groups(shell: &Shell, view: &EventView<'_>) -> Vec<Group> {
    let what = [
        ("action", view.action.as_deref()),
        ("operation", view.operation.as_deref()),
        ("purpose", view.purpose.as_deref()),
        ("legal_basis", view.legal_basis.as_deref()),
    ];
    let source = [("source", view.source.id.as_deref()), ("kind", view.source.kind.as_deref())];
    let trace = [("trace", view.trace_id.as_deref()), ("span", view.span_id.as_deref())];
    let attributes = view.attributes.iter().map(|(name, value)| (format!("attributes.{name}"), shown(value), None));
    let mut groups = vec![
        group(shell, "What", &what),
        outcome_group(shell, view),
        actor_group(shell, "Actor", &view.actor),
        group(shell, "Source", &source).and("seq", view.source.seq.map(grouped)),
        model_group(shell, view),
        group(shell, "Trace", &trace),
    ];
    groups.extend(view.on_behalf_of.iter().map(|actor| actor_group(shell, "On behalf of", actor)));
    groups.extend(view.resources.iter().map(|resource| resource_group(shell, resource)));
    groups.push(Group { title: "Attributes", fields: attributes.collect() });
    groups.retain(|group| !group.fields.is_empty());
    groups
}

impl Group {
    /// With a field more, where it has a value; one that nobody searches for.
    fn and(mut self, name: &str, value: Option<String>) -> Self {
        self.fields.extend(value.map(|value| (name.to_owned(), value, None)));
        self
    }
}

fn outcome_group(shell: &Shell, view: &EventView<'_>) -> Group {
    let outcome = [
        ("outcome", view.outcome.result.as_deref()),
        ("phase", view.outcome.phase.as_deref()),
        ("code", view.outcome.code.as_deref()),
        ("reason", view.outcome.reason.as_deref()),
        ("policy", view.outcome.policy.as_deref()),
        ("request", view.outcome.request.as_deref()),
    ];
    group(shell, "Outcome", &outcome).and("duration", view.duration_ns.map(duration))
}

fn model_group(shell: &Shell, view: &EventView<'_>) -> Group {
    let model = [
        ("provider", view.ai.provider.as_deref()),
        ("ai_operation", view.ai.operation.as_deref()),
        ("request_model", view.ai.request_model.as_deref()),
        ("response_model", view.ai.response_model.as_deref()),
        ("conversation", view.ai.conversation.as_deref()),
        ("agent", view.ai.agent.as_deref()),
        ("tool", view.ai.tool_name.as_deref()),
        ("tool_call", view.ai.tool_call_id.as_deref()),
    ];
    group(shell, "Model", &model)
        .and("input_tokens", counted(view.ai.input_tokens))
        .and("output_tokens", counted(view.ai.output_tokens))
        .and("finish", Some(view.ai.finish_reasons.join(", ")).filter(|text| !text.is_empty()))
}

fn resource_group(shell: &Shell, resource: &ResourceView<'_>) -> Group {
    let named = [
        ("resource_type", resource.kind.as_deref()),
        ("resource_id", resource.id.as_deref()),
        ("resource_name", resource.name.as_deref()),
    ];
    let mut group = group(shell, "Resource", &named);
    for (name, values) in [("label", &resource.labels), ("field", &resource.fields)] {
        let links =
            values.iter().map(|value| (name.to_owned(), value.to_string(), Some(shell.search_for(name, value))));
        group.fields.extend(links);
    }
    group.and("count", counted(resource.count)).and("bytes", counted(resource.bytes))
}

/// A number that is none below nought.
fn counted(number: Option<i64>) -> Option<String> {
    number.and_then(|number| u64::try_from(number).ok()).map(grouped)
}

fn actor_group(shell: &Shell, title: &'static str, actor: &ActorView<'_>) -> Group {
    let is_actor = title == "Actor";
    let mut group = group(
        shell,
        title,
        &[
            (if is_actor { "actor" } else { "behalf" }, actor.id.as_deref()),
            ("actor_type", actor.kind.as_deref()),
            ("name", actor.name.as_deref()),
            ("session", actor.session.as_deref()),
            ("ip", actor.ip.as_deref()),
            ("user_agent", actor.user_agent.as_deref()),
            ("auth", actor.auth.as_deref()),
        ],
    );
    // of those it acted for, the index knows the ids only
    if !is_actor {
        for (_, _, link) in group.fields.iter_mut().filter(|(name, ..)| name != "behalf") {
            *link = None;
        }
    }
    for (name, values) in [("role", &actor.roles), ("group", &actor.groups)] {
        let link = |value: &str| is_actor.then(|| shell.search_for(name, value));
        group.fields.extend(values.iter().map(|value| (name.to_owned(), value.clone().into_owned(), link(value))));
    }
    group
}

fn group(shell: &Shell, title: &'static str, fields: &[(&str, Option<&str>)]) -> Group {
    let there = fields.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    let fields = there.map(|(name, value)| (name.to_owned(), value.to_owned(), Some(shell.search_for(name, value))));
    Group { title, fields: fields.collect() }
}

/// An attribute's value as text: lists by commas.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone().into_owned(),
        Value::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name}: {}", shown(value))).collect::<Vec<_>>().join(", ")
        }
    }
}
