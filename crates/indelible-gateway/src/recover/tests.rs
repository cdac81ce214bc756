//! What a killed process leaves is closed once.

use indelible_event::doors::EntryIndex;

use super::*;
use crate::exchange::Exchange;
use crate::exchange::tests::stage;
use crate::route::{CaptureSettings, OnLogFailure, Route};

#[tokio::test]
async fn an_interrupted_intent_is_closed_once() {
    let stage = stage();
    let route = Arc::new(Route::new("r", CaptureSettings::default(), OnLogFailure::Refuse));
    let mut left = Vec::new();
    for id in ["done", "interrupted"] {
        let mut caller = Caller::new("app", ActorType::Agent);
        caller.request = id.to_owned();
        let caller = Arc::new(caller);
        let mut intent = Draft::new(stage.s.new_id().unwrap(), Action::Infer, "chat.completions");
        intent.resources.push(Resource::new("model", "m"));
        (intent.ai.provider, intent.ai.conversation) = ("openai".into(), "c-17".into());
        let resource =
            indelible_access::door::ResourceAsk { kind: "model".to_owned(), id: "m".to_owned(), labels: Vec::new() };
        let ask = caller.ask(&route, Action::Infer, "chat.completions", resource);
        let exchange = Exchange::begin(&stage.s, caller, Arc::clone(&route), intent, ask).await.unwrap();
        if id == "done" {
            let outcome = exchange.outcome_draft().unwrap();
            exchange.finish(outcome, OutcomeResult::Allowed, "200", "").await.unwrap();
        } else {
            // As a killed process leaves it: neither finished nor dropped.
            left.push(exchange);
        }
    }
    assert_eq!(stage.log.events().len(), 3);
    let reader: Arc<dyn EntryReader> = Arc::clone(&stage.log) as _;
    assert_eq!(recover(&stage.s, Arc::clone(&reader), EntryIndex(0), Arc::default()).await.unwrap(), 1);
    let events = stage.log.events();
    let last = &events[3];
    assert_eq!((&last["outcome"]["reason"], &last["outcome"]["result"]), (&"interrupted".into(), &"failed".into()));
    assert_eq!((&last["outcome"]["request"], &last["actor"]["type"]), (&"interrupted".into(), &"agent".into()));
    assert_eq!((&last["resources"][0]["id"], &last["source"]["id"]), (&"m".into(), &"gateway/r".into()));
    assert_eq!((&last["ai"]["provider"], &last["ai"]["conversation"]), (&"openai".into(), &"c-17".into()));
    assert_eq!(recover(&stage.s, reader, EntryIndex(0), Arc::default()).await.unwrap(), 0, "and not again");
}
