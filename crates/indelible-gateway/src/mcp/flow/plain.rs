//! What a client does to a session as a whole (opening a stream, ending it), as an exchange like any other.

use std::sync::Arc;

use indelible_access::door::ResourceAsk;
use indelible_event::words::{Action, OutcomeResult};

use super::{Flow, Party};
use crate::draft::Draft;
use crate::exchange::Exchange;
use crate::refusal::Refusal;

impl Flow {
    /// Asks the door and records the intent.
    pub(crate) async fn begin_plain(
        &self,
        party: &Party,
        operation: &'static str,
        action: Action,
    ) -> Result<Exchange, Refusal> {
        let mut intent = Draft::new(self.s.new_id()?, action, operation);
        self.frame(party, &mut intent);
        let resource = ResourceAsk { kind: "mcp_server".to_owned(), id: self.rules.server.clone(), labels: Vec::new() };
        let ask = party.caller.ask(&self.route, action, operation, resource);
        Exchange::begin(&self.s, Arc::clone(&party.caller), Arc::clone(&self.route), intent, ask).await
    }

    /// Records how it ended.
    pub(crate) async fn end_plain(&self, exchange: Exchange, done: bool, code: &str) -> Result<(), Refusal> {
        let outcome = exchange.outcome_draft()?;
        let result = if done { OutcomeResult::Allowed } else { OutcomeResult::Failed };
        exchange.finish(outcome, result, code.to_owned(), "").await
    }
}
