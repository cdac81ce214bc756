//! An answer ends an exchange.

use indelible_event::words::OutcomeResult;

use super::ask::{capabilities, implementation, short};
use super::{Flow, Party};
use crate::draft::{Draft, Text};
use crate::mcp::json::Raw;
use crate::mcp::message::Message;
use crate::mcp::pending::Pending;
use crate::refusal::Refusal;

/// Most questions to the client that one result names.
const QUESTIONS_MAX: usize = 16;

impl Flow {
    /// Records the outcome that an answer is. On an error the answer must be withheld.
    pub(super) async fn close(&self, party: &Party, pending: Pending, answer: &Message<'_>) -> Result<(), Refusal> {
        let listed = answer.result.filter(|_| &*pending.method == "tools/list");
        if let Some(result) = listed
            && let Err(refusal) = self.learn(party, result).await
        {
            self.fail(pending, "not_recorded", "the changed definitions of tools could not be recorded").await;
            return Err(refusal);
        }
        let mut outcome = pending.exchange.outcome_draft()?;
        tell_progress(&pending, &mut outcome);
        if let Some(error) = answer.error {
            let code = error.member("code").and_then(Raw::integer).map(|code| code.to_string()).unwrap_or_default();
            let reason = self.error_text(error);
            return pending.exchange.finish(outcome, OutcomeResult::Failed, code, reason).await;
        }
        let Some(result) = answer.result else { return self.fail_with(pending, outcome).await };
        if let Some(kind) = pending.meaning.answered {
            let labels = self.labels(result);
            for label in &labels {
                let Some(resource) = outcome.resources.first_mut() else { break };
                if !resource.labels.contains(&Text::Borrowed(label)) {
                    resource.labels.push((*label).into());
                }
            }
            if !labels.is_empty() {
                let labels: Vec<Text> = labels.into_iter().map(Text::from).collect();
                outcome.attribute("indelible.answer_labels", labels);
            }
            let caller = pending.exchange.caller().cloned().unwrap_or_else(|| party.caller.clone());
            if let Err(refusal) = self.seal(&caller, result, kind, &mut outcome) {
                // The outcome says so; the answer is withheld.
                let words = "the answer is withheld: its content could not be sealed";
                pending.exchange.finish(outcome, OutcomeResult::Failed, "not_sealed", words).await?;
                return Err(refusal);
            }
        }
        describe(&pending.method, result, &mut outcome);
        let failed = result.member("isError").and_then(Raw::truth) == Some(true);
        let (ending, code) = if failed { (OutcomeResult::Failed, "tool_error") } else { (OutcomeResult::Allowed, "") };
        let reason = if failed { "the tool said that it failed" } else { "" };
        pending.exchange.finish(outcome, ending, code, reason).await
    }

    /// Records that a request got no answer.
    pub(crate) async fn fail(&self, pending: Pending, code: impl Into<Text>, reason: impl Into<Text>) {
        // Without randomness the exchange ends by being dropped.
        let Ok(mut outcome) = pending.exchange.outcome_draft() else { return };
        tell_progress(&pending, &mut outcome);
        // The one who asked gets an error either way; what the log does not take now it takes later.
        drop(pending.exchange.finish(outcome, OutcomeResult::Failed, code, reason).await);
    }

    async fn fail_with(&self, pending: Pending, outcome: Draft) -> Result<(), Refusal> {
        pending.exchange.finish(outcome, OutcomeResult::Failed, "invalid_answer", "the answer holds nothing").await
    }

    /// The words of an error, unless they are about somebody.
    pub(super) fn error_text(&self, error: Raw<'_>) -> Text {
        let Some(message) = error.member("message") else { return Text::default() };
        if self.labels(message).is_empty() {
            short(message).unwrap_or_default()
        } else {
            "(withheld: labelled content)".into()
        }
    }
}

fn tell_progress(pending: &Pending, outcome: &mut Draft) {
    if pending.progress > 0 {
        outcome.attribute("mcp.progress_count", pending.progress);
    }
    if pending.cancelled {
        outcome.attribute("mcp.cancelled", true);
    }
}

/// What the outcome says of a result.
fn describe(method: &str, result: Raw<'_>, outcome: &mut Draft) {
    let meta = result.member("_meta").and_then(|meta| meta.member("io.modelcontextprotocol/serverInfo"));
    implementation(result.member("serverInfo").or(meta), ["mcp.server.name", "mcp.server.version"], outcome);
    if matches!(method, "initialize" | "server/discover") {
        capabilities(result.member("capabilities"), "mcp.server.capabilities", outcome);
        outcome.attribute_if("mcp.protocol.version", result.member("protocolVersion").and_then(short));
    }
    if method == "sampling/createMessage" {
        outcome.ai.response_model = result.member("model").and_then(short).unwrap_or_default();
        outcome.ai.finish_reasons = result.member("stopReason").and_then(short).into_iter().collect();
    }
    if method == "elicitation/create" {
        outcome.attribute_if("mcp.elicitation.action", result.member("action").and_then(short));
    }
    let list = match method {
        "tools/list" => Some("tools"),
        "resources/list" => Some("resources"),
        "prompts/list" => Some("prompts"),
        "resources/read" => Some("contents"),
        "roots/list" => Some("roots"),
        _ => None,
    };
    let count = list.map(|list| result.member(list).map_or(0, |list| list.items().count() as u64));
    outcome.attribute_if("mcp.items", count);
    // The questions of a result that is not final (2026-07-28): the client answers them when it asks again.
    if let Some(questions) = result.member("inputRequests") {
        let methods: Vec<Text> = questions
            .members()
            .take(QUESTIONS_MAX)
            .filter_map(|(_, question)| question.member("method").and_then(short))
            .collect();
        outcome.attribute("mcp.input_requests", methods);
    }
    outcome.attribute_if("mcp.result_type", result.member("resultType").and_then(short));
}
