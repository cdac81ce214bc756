//! What a search for context brought back is one event, found by conversation and by document, without the query's words.

use serde_json::json;

use crate::harness::Server;

#[test]
fn a_retrieval_is_one_event_that_links_to_its_conversation_and_keeps_no_words() {
    let server = Server::start();
    let body = json!({
        "query": "what did ana earn", "index": "hr-notes", "conversation": "c-17", "model": "embed-1", "application": "hr-bot",
        "documents": [{"id": "d1", "source": "s3://hr/1.pdf", "score": "0.913", "labels": ["pii"]}, {"id": "d2", "score": 0.5}],
        "trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"},
        "on_behalf_of": [{"id": "ben@example.com", "type": "human"}],
    });
    let answer = server.post("/v1/retrievals", body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert!(json["receipt"].as_str().unwrap().starts_with("indelible.receipt/1\n"));
    let stored = server.get(&format!("/v1/logs/main/entries/{}", json["index"])).json();
    assert_eq!(stored["id"], json["id"]);
    assert_eq!((&stored["action"], &stored["operation"]), (&json!("read"), &json!("retrieval")));
    assert_eq!(
        stored["resources"],
        json!([
            {"type": "index", "id": "hr-notes", "count": 2},
            {"type": "document", "id": "d1", "name": "s3://hr/1.pdf", "labels": ["pii"]},
            {"type": "document", "id": "d2"},
        ])
    );
    assert_eq!(stored["ai"], json!({"conversation": "c-17", "operation": "retrieval", "request_model": "embed-1"}));
    assert_eq!(stored["attributes"]["retrieval.scores_thousandths"], json!([913, 500]));
    assert_eq!(stored["on_behalf_of"][0]["id"], "ben@example.com");
    assert!(!stored.to_string().contains("earn"));
}

#[test]
fn a_wrong_retrieval_says_what_is_wrong_and_records_nothing() {
    let server = Server::start();
    for (body, status, problem) in [
        (json!({"index": "i", "documents": [{"id": "a", "score": "high"}]}), 400, "wrong-score"),
        (json!({"index": "i", "documents": [{"id": "a", "score": 1}, {"id": "b"}]}), 400, "wrong-score"),
        (json!({"index": "", "documents": []}), 422, "resources"),
        (json!({"documents": []}), 400, "index"),
    ] {
        let answer = server.post("/v1/retrievals", body.to_string());
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(problem), "{}", answer.text());
    }
}
