//! What the door says no to, or holds, never reaches upstream; each no is one event.

use std::time::Duration;

use indelible_access::door::Door;
use indelible_access::halt::{Halt, HaltScope};
use indelible_access::hold::Answer;
use indelible_gateway::llm::settings::Format;
use tempfile::TempDir;

use crate::stand::{Stand, read};
use crate::upstream::{Script, Upstream};

const CHAT: &str = "/v1/chat/completions";
const ASK: &str = r#"{"model":"gpt-x","messages":[{"role":"user","content":"write to ana@example.com"}]}"#;

/// A stand behind the given policies; the folder must live as long.
async fn stand(format: Format, policies: &str) -> (Stand, TempDir) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.cedar"), policies).unwrap();
    let state = folder.path().join("state.sqlite");
    let door = Door::open(&state, Some(folder.path()), Vec::new()).unwrap();
    let upstream = Upstream::start(Script::json("{\"id\":\"c\"}")).await;
    (Stand::build(door, format, upstream, |_| {}).await, folder)
}

#[tokio::test]
async fn a_denial_has_the_form_of_the_api_and_is_one_event() {
    for (format, path) in [(Format::OpenAi, CHAT), (Format::Anthropic, "/v1/messages")] {
        let policies = "@id(\"all\") permit(principal, action, resource);
            @id(\"no-pii\") forbid(principal, action, resource) when { context.labels_found.contains(\"pii.email\") };";
        let (stand, _folder) = stand(format, policies).await;
        let (status, headers, body, _) = read(stand.post(path, ASK).await).await;
        assert_eq!((status, headers["x-indelible-refused"].to_str().unwrap()), (403, "denied"));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["type"], "permission_error");
        assert_eq!(body["type"] == "error", format == Format::Anthropic);
        let events = stand.log.events();
        assert_eq!(stand.log.endings(), ["single/denied/denied"]);
        assert_eq!(events[0]["outcome"]["policy"], "no-pii");
        assert_eq!(events[0]["resources"][0]["labels"][0], "pii.email");
        assert!(stand.upstream.got().is_empty() && stand.s.open.count() == 0);
    }
}

#[tokio::test]
async fn a_halted_model_is_refused_until_it_is_resumed() {
    let (stand, _folder) = stand(Format::OpenAi, "permit(principal, action, resource);").await;
    stand
        .s
        .door
        .halt(&Halt {
            scope: HaltScope::Model,
            value: "gpt-x".to_owned(),
            reason: "leak".to_owned(),
            by: "eve".to_owned(),
            since: 0,
        })
        .unwrap();
    assert_eq!(read(stand.post(CHAT, ASK).await).await.0, 403);
    assert_eq!(stand.log.endings(), ["single/denied/halted"]);
    drop(stand.s.door.resume(HaltScope::Model, "gpt-x").unwrap());
    assert_eq!(read(stand.post(CHAT, ASK).await).await.0, 200);
}

#[tokio::test]
async fn a_held_call_waits_for_a_person() {
    let policies = "@id(\"ask\") @hold(\"really?\") permit(principal, action, resource);";
    let (stand, _folder) = stand(Format::OpenAi, policies).await;
    let answer_next = |approved| {
        let door = &stand.s.door;
        async move {
            loop {
                if let Some(pending) = door.holds().list().first() {
                    let answer = Answer { approved, by: "eve".to_owned(), reason: "seen".to_owned() };
                    drop(door.holds().answer(&pending.id, answer).unwrap());
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let (answer, ()) = futures::join!(async { read(stand.post(CHAT, ASK).await).await }, answer_next(true));
    assert_eq!(answer.0, 200);
    assert_eq!(stand.log.events()[0]["outcome"]["policy"], "ask, approved by eve");
    let (answer, ()) = futures::join!(async { read(stand.post(CHAT, ASK).await).await }, answer_next(false));
    assert_eq!((answer.0, answer.1["x-indelible-refused"].to_str().unwrap()), (403, "approval_denied"));
    assert_eq!(stand.upstream.got().len(), 1);

    // A client that goes away while it waits leaves a record too.
    drop(tokio::time::timeout(Duration::from_millis(50), stand.post(CHAT, ASK)).await);
    let events = stand.log.wait_for(4).await;
    assert_eq!(events[3]["outcome"]["reason"], "client went away while it waited for an approval");
}
