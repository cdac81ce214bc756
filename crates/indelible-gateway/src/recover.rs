//! Intents that a dead process left without an outcome: found by reading the log from the low-water mark, and closed.
//!
//! Promises: each is closed exactly once, by an event `outcome.result = failed`, `reason = "interrupted"`; an intent with an
//! outcome is left alone. Never: closes what a live exchange still holds, because only entries from before this start are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use indelible_event::batch::EventBatch;
use indelible_event::doors::{EntryIndex, EntryReader, ReadError};
use indelible_event::id::EventId;
use indelible_event::view::{AiView, EventView};
use indelible_event::words::{Action, ActorType, OutcomePhase, OutcomeResult};

use crate::caller::Caller;
use crate::draft::{Ai, Draft, Ending, Resource, SOURCE_KIND, Text};
use crate::exchange::{INTENT, record};
use crate::numbered::{Numbers, number_of};
use crate::refusal::Refusal;
use crate::surroundings::Surroundings;

/// Entries and bytes read at a time.
const READ_ENTRIES: usize = 4_096;
const READ_BYTES: usize = 4 * 1024 * 1024;
/// Most interrupted intents that are closed at one start; the low-water mark keeps the rest for the next.
const INTERRUPTED_MAX: usize = 100_000;
/// Events recorded at a time.
const BATCH_EVENTS: usize = 256;

/// An intent without an outcome.
#[derive(Debug)]
pub struct Interrupted {
    /// Where it stands.
    pub index: EntryIndex,
    source: String,
    intent: EventId,
    caller: Caller,
    action: Action,
    operation: String,
    resources: Vec<Resource>,
    ai: Ai,
}

/// Reads the entries from `from` to the log's present end and gives the intents of gateways that have no outcome there, oldest first;
/// takes into `numbers` how far each source has counted. Blocks on the disk.
///
/// # Errors
/// [`ReadError`] when an entry cannot be read.
pub fn find_interrupted(
    reader: &dyn EntryReader,
    from: EntryIndex,
    numbers: &Numbers,
) -> Result<Vec<Interrupted>, ReadError> {
    let end = reader.size();
    let mut open: BTreeMap<EventId, Interrupted> = BTreeMap::new();
    let mut next = from;
    while next.0 < end {
        let entries = reader.read(next, READ_ENTRIES, READ_BYTES)?;
        for (index, entry) in entries.iter().take_while(|(index, _)| index.0 < end) {
            // What another version wrote, or nobody can read as an event, is no intent of ours.
            let Ok(view) = EventView::parse(entry) else { continue };
            if view.source.kind.as_deref() != Some(SOURCE_KIND) {
                continue;
            }
            if let Some((source, number)) = number_of(&view) {
                numbers.at_least(&source, number);
            }
            match view.outcome.phase.as_deref().and_then(OutcomePhase::parse) {
                Some(OutcomePhase::Intent) if open.len() < INTERRUPTED_MAX => {
                    if let Some(intent) = Interrupted::read(&view, index) {
                        open.insert(intent.intent, intent);
                    }
                }
                Some(OutcomePhase::Outcome) => {
                    if let Some(intent) = closes(&view) {
                        open.remove(&intent);
                    }
                }
                _ => {}
            }
        }
        if entries.is_empty() {
            break;
        }
        next = entries.next_index();
    }
    let mut found: Vec<_> = open.into_values().collect();
    found.sort_by_key(|intent| intent.index);
    Ok(found)
}

/// Records the missing outcomes.
///
/// # Errors
/// [`Refusal`] when the log does not take them; what was recorded before stays closed.
pub async fn close_interrupted(s: &Arc<Surroundings>, found: &[Interrupted]) -> Result<(), Refusal> {
    for some in found.chunks(BATCH_EVENTS) {
        let mut batch = EventBatch::new();
        for intent in some {
            let ending = Ending {
                result: OutcomeResult::Failed,
                phase: OutcomePhase::Outcome,
                code: "interrupted".into(),
                reason: "interrupted".into(),
                policy: Text::default(),
            };
            let outcome = intent.outcome(s.new_id()?);
            outcome
                .write(&intent.caller, &intent.source, s.clock.now(), &ending, &mut batch)
                .map_err(|_| Refusal::Internal { reason: "an outcome could not be written" })?;
        }
        record(s, batch).await.map_err(Refusal::NotRecorded)?;
    }
    Ok(())
}

/// Finds and closes what a dead process left from `from` on, and holds the low-water mark meanwhile. Gives how many there were.
/// `numbers` are those of the recorder in `s` if it numbers events: they go on from what the log says.
///
/// # Errors
/// [`Refusal`] when the log cannot be read or does not take the outcomes; the mark then stays where it was.
pub async fn recover(
    s: &Arc<Surroundings>,
    reader: Arc<dyn EntryReader>,
    from: EntryIndex,
    numbers: Arc<Numbers>,
) -> Result<usize, Refusal> {
    let ticket = s.open.hold(from);
    let found = tokio::task::spawn_blocking(move || find_interrupted(&*reader, from, &numbers))
        .await
        .map_err(|_| Refusal::Internal { reason: "looking for interrupted calls failed" })?
        .map_err(|error| {
            tracing::error!(%error, "the log could not be read for interrupted calls");
            Refusal::Internal { reason: "the log could not be read for interrupted calls" }
        })?;
    close_interrupted(s, &found).await?;
    if found.len() < INTERRUPTED_MAX {
        ticket.close(None);
    }
    Ok(found.len())
}

/// Which intent an outcome closes.
fn closes(view: &EventView<'_>) -> Option<EventId> {
    let (_, value) = view.attributes.iter().find(|(name, _)| name == INTENT)?;
    match value {
        indelible_event::json::Value::Text(id) => EventId::parse(id.as_bytes()),
        _ => None,
    }
}

impl Interrupted {
    fn read(view: &EventView<'_>, index: EntryIndex) -> Option<Self> {
        let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let actor_type = ActorType::parse(view.actor.kind.as_deref()?)?;
        let mut caller = Caller::new(owned(&view.actor.id), actor_type);
        caller.request = owned(&view.outcome.request);
        caller.roles = view.actor.roles.iter().map(|role| role.clone().into_owned()).collect();
        caller.auth = if view.actor.auth.as_deref() == Some("token") { "token" } else { "" };
        caller.ip = view.actor.ip.as_deref().and_then(|ip| ip.parse().ok());
        caller.on_behalf_of = view.on_behalf_of.iter().filter_map(principal).collect();
        let resources = view.resources.iter().map(|resource| {
            let mut read = Resource::new(owned(&resource.kind), owned(&resource.id));
            read.labels = resource.labels.iter().map(|label| Text::from(label.clone().into_owned())).collect();
            read
        });
        Some(Self {
            index,
            source: owned(&view.source.id),
            intent: view.event_id()?,
            caller,
            action: Action::parse(view.action.as_deref()?)?,
            operation: owned(&view.operation),
            resources: resources.collect(),
            ai: asked(&view.ai),
        })
    }

    fn outcome(&self, id: EventId) -> Draft {
        let mut draft = Draft::new(id, self.action, self.operation.clone());
        draft.resources.clone_from(&self.resources);
        draft.ai.clone_from(&self.ai);
        draft.attribute(INTENT, self.intent.to_string());
        draft
    }
}

/// What an intent says of the call: everything but how it was answered.
fn asked(ai: &AiView<'_>) -> Ai {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| Text::from(text.as_deref().unwrap_or_default().to_owned());
    Ai {
        provider: text(&ai.provider),
        operation: text(&ai.operation),
        request_model: text(&ai.request_model),
        conversation: text(&ai.conversation),
        agent: text(&ai.agent),
        tool_name: text(&ai.tool_name),
        tool_call_id: text(&ai.tool_call_id),
        ..Ai::default()
    }
}

fn principal(actor: &indelible_event::view::ActorView<'_>) -> Option<indelible_access::door::Principal> {
    Some(indelible_access::door::Principal {
        id: actor.id.as_deref()?.to_owned(),
        actor_type: ActorType::parse(actor.kind.as_deref()?)?,
        roles: Vec::new(),
        groups: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
