//! The exchange: one intent, one outcome, whatever fails in between.

use std::sync::atomic::Ordering;

use indelible_access::door::{Door, ResourceAsk};
use indelible_event::doors::EntryIndex;
use indelible_event::words::{Action, ActorType};
use indelible_testkit::env::{SeededRandomness, SimClock};

use super::*;
use crate::content::Content;
use crate::labels::Scanner;
use crate::open::OpenExchanges;
use crate::route::{CaptureSettings, ContentKind};
use crate::testing::{MemoryLog, MemoryVault, Mood, VaultMood};

pub(crate) struct Stage {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) vault: MemoryVault,
    pub(crate) s: Arc<Surroundings>,
}

pub(crate) fn stage() -> Stage {
    let (log, vault) = (Arc::new(MemoryLog::default()), MemoryVault::default());
    let s = Arc::new(Surroundings {
        recorder: Arc::clone(&log) as _,
        vault: Arc::new(vault.clone()),
        door: Arc::new(Door::permit_all()),
        clock: Arc::new(SimClock::default()),
        randomness: Arc::new(SeededRandomness::new(1)),
        open: Arc::new(OpenExchanges::new(4, EntryIndex(0))),
        labels: Arc::new(Scanner::new()),
    });
    Stage { log, vault, s }
}

impl Stage {
    fn route(on_log_failure: OnLogFailure) -> Arc<Route> {
        Arc::new(Route::new("r", CaptureSettings::default(), on_log_failure))
    }

    async fn begin(&self, route: &Arc<Route>) -> Result<Exchange, Refusal> {
        let caller = Arc::new(Caller { request: "r-1".to_owned(), ..Caller::new("app", ActorType::Service) });
        let mut intent = Draft::new(self.s.new_id()?, Action::Infer, "chat.completions");
        let mut content =
            Content::begin(&self.s, route, &caller, intent.id, ContentKind::Prompt).map_err(Refusal::NotSealed)?;
        content.write(b"hello").map_err(Refusal::NotSealed)?;
        content.finish(&mut intent, "application/json".into()).map_err(Refusal::NotSealed)?;
        let resource = ResourceAsk { kind: "model".to_owned(), id: "m".to_owned(), labels: Vec::new() };
        let ask = caller.ask(route, Action::Infer, "chat.completions", resource);
        Exchange::begin(&self.s, caller, Arc::clone(route), intent, ask).await
    }
}

fn finish(exchange: Exchange) -> Finish {
    let outcome = exchange.outcome_draft().unwrap();
    exchange.finish(outcome, OutcomeResult::Allowed, "200", "")
}

#[tokio::test]
async fn an_exchange_is_an_intent_and_an_outcome() {
    let stage = stage();
    let exchange = stage.begin(&Stage::route(OnLogFailure::Refuse)).await.unwrap();
    assert_eq!(stage.log.endings(), ["intent/allowed/"]);
    assert_eq!(stage.s.open.low_water(), EntryIndex(0));
    finish(exchange).await.unwrap();
    assert_eq!(stage.log.endings(), ["intent/allowed/", "outcome/allowed/200"]);
    assert_eq!(stage.s.open.low_water(), EntryIndex(2));
    let events = stage.log.events();
    assert_eq!(events[1]["attributes"][INTENT], events[0]["id"]);
    assert_eq!(events[1]["outcome"]["request"], "r-1");
    assert!(events[1]["duration_ns"].as_u64().is_some());
    assert_eq!((events[0]["sealed"][0]["bytes"].as_u64(), stage.vault.contents().len()), (Some(5), 1));
}

#[tokio::test]
async fn a_dropped_exchange_has_one_outcome_too() {
    let stage = stage();
    drop(stage.begin(&Stage::route(OnLogFailure::Refuse)).await.unwrap());
    stage.log.wait_for(2).await;
    assert_eq!(stage.log.endings(), ["intent/allowed/", "outcome/failed/client_gone"]);
    let exchange = stage.begin(&Stage::route(OnLogFailure::Refuse)).await.unwrap();
    drop(finish(exchange));
    stage.log.wait_for(4).await;
    assert_eq!(stage.log.endings()[3], "outcome/allowed/200", "a finish that nobody waits for still ends");
}

#[tokio::test]
async fn a_client_gone_while_the_intent_is_being_recorded_leaves_intent_and_outcome() {
    let stage = stage();
    stage.log.delay_ms.store(30, Ordering::SeqCst);
    let route = Stage::route(OnLogFailure::Refuse);
    let gone = tokio::time::timeout(Duration::from_millis(5), stage.begin(&route)).await;
    assert!(gone.is_err());
    stage.log.wait_for(2).await;
    assert_eq!(stage.log.endings(), ["intent/allowed/", "outcome/failed/client_gone"]);
}

#[tokio::test]
async fn without_a_record_there_is_no_exchange() {
    let stage = stage();
    let route = Stage::route(OnLogFailure::Refuse);
    for (mood, status) in [(Mood::Full, 507), (Mood::Busy, 503), (Mood::Stopped, 503)] {
        stage.log.set(mood);
        let refusal = stage.begin(&route).await.unwrap_err();
        assert_eq!((refusal.code(), refusal.status().as_u16()), ("not_recorded", status));
    }
    stage.log.set(Mood::Fine);
    stage.vault.set(VaultMood::FullWhenDurable);
    let refusal = stage.begin(&route).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status().as_u16()), ("not_sealed", 507));
    stage.log.wait_for(2).await;
    assert_eq!(
        stage.log.endings(),
        ["intent/allowed/", "outcome/failed/not_sealed"],
        "the intent was recorded, so it is closed"
    );
    assert_eq!(stage.s.open.count(), 0);
}

#[tokio::test]
async fn a_route_that_lets_calls_through_tells_of_it_later() {
    let stage = stage();
    let route = Stage::route(OnLogFailure::Allow);
    stage.log.set(Mood::Full);
    stage.vault.set(VaultMood::FullAtWrite);
    for _ in 0..3 {
        finish(stage.begin(&route).await.unwrap()).await.unwrap();
    }
    assert!(stage.log.events().is_empty());
    assert_eq!(route.unrecorded(), 3);
    stage.log.set(Mood::Fine);
    finish(stage.begin(&route).await.unwrap()).await.unwrap();
    let events = stage.log.wait_for(3).await;
    let told = events.iter().find(|event| event["operation"] == "gateway.unrecorded").unwrap();
    assert_eq!(told["resources"][0]["count"], 3);
    let intent = events.iter().find(|event| event["outcome"]["phase"] == "intent").unwrap();
    assert_eq!(intent["attributes"]["indelible.content_lost"], true);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_log_does_not_take_is_withheld_and_recorded_later() {
    let stage = stage();
    let exchange = stage.begin(&Stage::route(OnLogFailure::Refuse)).await.unwrap();
    stage.log.set(Mood::Full);
    assert!(matches!(finish(exchange).await, Err(Refusal::NotRecorded(RecordError::Full))));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.s.open.low_water(), EntryIndex(0));
    stage.log.set(Mood::Fine);
    let events = stage.log.wait_for(2).await;
    assert_eq!(events[1]["attributes"]["indelible.end_withheld"], true);
    assert_eq!(stage.s.open.low_water(), EntryIndex(2));
}

#[tokio::test]
async fn there_is_a_bound_on_open_exchanges() {
    let stage = stage();
    let route = Stage::route(OnLogFailure::Refuse);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(stage.begin(&route).await.unwrap());
    }
    assert_eq!(stage.begin(&route).await.unwrap_err().code(), "busy");
    drop(held.pop());
    stage.log.wait_for(5).await;
    stage.begin(&route).await.unwrap();
}
