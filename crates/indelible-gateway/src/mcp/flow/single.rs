//! What is recorded as one event: news, changed tools, answers to nothing, messages that cannot be read.

use std::sync::Arc;

use futures::future::try_join_all;
use indelible_event::batch::EventBatch;
use indelible_event::words::{Action, OutcomePhase, OutcomeResult};

use super::ask::short;
use super::{Flow, Party};
use crate::caller::Caller;
use crate::draft::{Draft, Ending, Resource, Text};
use crate::exchange::{record, write};
use crate::mcp::definitions::{Change, Changes};
use crate::mcp::json::Raw;
use crate::mcp::message::{Message, MessageFault};
use crate::mcp::method::Side;
use crate::refusal::Refusal;
use crate::route::OnLogFailure;

/// Tools that one event names: lists of a gateway's event hold 64.
const TOOLS_EACH: usize = 50;

impl Flow {
    /// Records news by its name.
    pub(super) async fn notice(&self, party: &Party, from: Side, message: &Message<'_>) -> Result<(), Refusal> {
        let action = Self::action_of_news(&message.method);
        let mut draft = Draft::new(self.s.new_id()?, action, message.method.clone().into_owned());
        self.frame(party, &mut draft);
        for (name, member) in
            [("mcp.cancelled_request", "requestId"), ("mcp.log.level", "level"), ("mcp.resource.uri", "uri")]
        {
            let value = message.param(member);
            let text = value.and_then(short).or_else(|| value?.number().map(|number| Text::from(number.to_owned())));
            draft.attribute_if(name, text);
        }
        let reason = match message.param("reason") {
            Some(reason) if self.labels(reason).is_empty() => short(reason).unwrap_or_default(),
            _ => Text::default(),
        };
        self.single(&self.actor(party, from), draft, OutcomeResult::Allowed, "", reason).await
    }

    /// Records an answer to nothing that is open.
    pub(super) async fn stray(
        &self,
        party: &Party,
        from: Side,
        message: &Message<'_>,
        told: bool,
    ) -> Result<(), Refusal> {
        let mut draft = Draft::new(self.s.new_id()?, Action::Execute, "answer");
        self.frame(party, &mut draft);
        draft.attribute_if("jsonrpc.request.id", message.id.as_ref().map(crate::mcp::message::Id::display));
        let code = message.error.and_then(|error| error.member("code")).and_then(Raw::integer);
        let reason = if told {
            message.error.map(|error| self.error_text(error)).unwrap_or_default()
        } else {
            "it answers nothing that is open; withheld".into()
        };
        let code = if told { code.map(|code| code.to_string()).unwrap_or_default() } else { "stray".to_owned() };
        self.single(&self.actor(party, from), draft, OutcomeResult::Failed, code, reason).await
    }

    /// Records a message that cannot be read and so is not forwarded.
    pub(crate) async fn unreadable(&self, party: &Party, from: Side, fault: MessageFault) -> Result<(), Refusal> {
        let mut draft = Draft::new(self.s.new_id()?, Action::Execute, "unreadable");
        self.frame(party, &mut draft);
        let code = fault.code().to_string();
        self.single(&self.actor(party, from), draft, OutcomeResult::Failed, code, fault.to_string()).await
    }

    /// Records the end of a session, with what was only counted in it.
    pub(crate) async fn ended(&self, party: &Party, reason: Text) -> Result<(), Refusal> {
        use std::sync::atomic::Ordering;
        let mut draft = Draft::new(self.s.new_id()?, Action::Execute, "session.end");
        self.frame(party, &mut draft);
        for (name, count) in [
            ("mcp.pings", &self.counts.pings),
            ("mcp.progress_count", &self.counts.progress),
            ("mcp.withheld", &self.counts.withheld),
        ] {
            draft.attribute(name, count.load(Ordering::Relaxed));
        }
        self.single(&party.caller, draft, OutcomeResult::Allowed, "", reason).await
    }

    /// Compares a list of tools with what is remembered; what differs is on record before anybody sees it.
    pub(super) async fn learn(&self, party: &Party, result: Raw<'_>) -> Result<(), Refusal> {
        let compared = self.definitions.compare(result);
        if compared.is_empty() && !compared.first_seen {
            return Ok(());
        }
        let _one_at_a_time = self.listing.lock().await;
        let changes = self.definitions.compare(result);
        for chunk in changes.changes.chunks(TOOLS_EACH) {
            self.changed(party, &changes, chunk).await?;
        }
        let definitions = Arc::clone(&self.definitions);
        // The file is synced: not on a thread that carries other calls.
        let accepted = tokio::task::spawn_blocking(move || definitions.accept(&changes)).await;
        match accepted {
            Ok(Ok(())) => {}
            // It is on record; after a restart it is recorded once more.
            Ok(Err(error)) => tracing::warn!(route = self.route.name(), %error, "a change of tools is not remembered"),
            Err(error) => tracing::warn!(route = self.route.name(), %error, "a change of tools is not remembered"),
        }
        Ok(())
    }

    async fn changed(&self, party: &Party, changes: &Changes, chunk: &[Change]) -> Result<(), Refusal> {
        let redefined = chunk.iter().any(|change| change.before.is_some());
        let action = if redefined { Action::Modify } else { Action::Configure };
        let mut draft = Draft::new(self.s.new_id()?, action, "tools/changed");
        self.frame(party, &mut draft);
        draft.resources.clear();
        let (mut added, mut changed) = (Vec::<Text>::new(), Vec::<Text>::new());
        for change in chunk {
            let id = format!("{}/{}", self.rules.server, change.name);
            draft.resources.push(Resource { name: change.name.clone().into(), ..Resource::new("tool", id) });
            match change.before {
                Some(before) => {
                    changed.push(format!("{} sha256:{before} sha256:{}", change.name, change.now.hash).into());
                }
                None => added.push(format!("{} sha256:{}", change.name, change.now.hash).into()),
            }
        }
        draft.attribute("mcp.tools.first_seen", changes.first_seen);
        if !added.is_empty() {
            draft.attribute("mcp.tools.added", added);
        }
        if !changed.is_empty() {
            draft.attribute("mcp.tools.changed", changed);
        }
        if changes.beyond > 0 {
            draft.attribute("mcp.tools.not_remembered", changes.beyond);
        }
        self.single(&self.actor(party, Side::Server), draft, OutcomeResult::Allowed, "", "").await
    }

    pub(super) fn frame(&self, party: &Party, draft: &mut Draft) {
        draft.ai.conversation = party.caller.conversation.clone().unwrap_or_default().into();
        draft.attribute("mcp.server", self.rules.server.clone());
        draft.attribute("mcp.transport", party.transport.as_str());
        draft.attribute("mcp.protocol.version", party.version.clone());
        draft.resources.push(Resource::new("mcp_server", self.rules.server.clone()));
    }

    /// Records one event of phase `single`.
    async fn single(
        &self,
        caller: &Caller,
        mut draft: Draft,
        result: OutcomeResult,
        code: impl Into<Text>,
        reason: impl Into<Text>,
    ) -> Result<(), Refusal> {
        let ending = Ending {
            result,
            phase: OutcomePhase::Single,
            code: code.into(),
            reason: reason.into(),
            policy: Text::default(),
        };
        let mut batch = EventBatch::new();
        let durable = draft.take_durable();
        write(&self.s, caller, &self.route, &draft, &ending, &mut batch)?;
        let (recorded, sealed) = futures::join!(record(&self.s, batch), try_join_all(durable));
        match (recorded, self.route.on_log_failure()) {
            (Err(error), OnLogFailure::Refuse) => return Err(Refusal::NotRecorded(error)),
            (Err(_), OnLogFailure::Allow) => self.route.add_unrecorded(1),
            (Ok(_), _) => {}
        }
        match (sealed, self.route.on_log_failure()) {
            (Err(error), OnLogFailure::Refuse) => Err(Refusal::NotSealed(error)),
            _ => Ok(()),
        }
    }
}
