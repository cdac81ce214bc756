//! The gateway for model APIs.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full, StreamBody};
use indelible_gateway::llm::settings::{Format, Price};
use indelible_gateway::route::{Capture, OnLogFailure};

use crate::stand::{Stand, read};
use crate::testing::{Mood, VaultMood};
use crate::upstream::{Script, Step, send};

const CHAT: &str = "/v1/chat/completions";
const ASK: &str =
    r#"{"model":"gpt-x","stream":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"id":"c-1","model":"gpt-x-1","choices":[{"message":{"content":"yo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
const FIRST: &str = "data: {\"model\":\"gpt-x-1\",\"choices\":[{\"delta\":{\"content\":\"yo\"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn chat_stream() -> Script {
    Script::events(vec![send(FIRST), Step::Wait(20), send(USAGE), send(DONE)])
}

#[tokio::test]
async fn a_call_is_forwarded_as_it_is_and_recorded() {
    let stand = Stand::with(Format::OpenAi, Script::json(ANSWER).header("x-request-id", "up-1"), |settings| {
        settings.prices =
            vec![Price { model: "gpt-*".into(), input: 2_000_000, cached_input: None, output: 1_000_000 }];
    })
    .await;
    let (status, headers, body, whole) = read(stand.post(CHAT, ASK).await).await;
    assert_eq!((status, body.as_slice(), whole), (200, ANSWER.as_bytes(), true));
    assert_eq!(headers["x-request-id"], "up-1");
    assert_eq!(headers["x-indelible-request-id"], "r-1");
    let got = &stand.upstream.got()[0];
    assert_eq!((got.path.as_str(), got.body.as_slice()), (CHAT, ASK.as_bytes()));
    assert_eq!(got.headers["authorization"], "Bearer provider-key");
    assert!(got.headers.contains_key("traceparent"));
    assert!(got.headers.keys().all(|name| !name.as_str().starts_with("x-indelible") && name != "x-api-key"));

    assert_eq!(stand.endings().await, ["intent/allowed/", "outcome/allowed/200"]);
    let events = stand.log.events();
    let (intent, outcome) = (&events[0], &events[1]);
    assert_eq!((&intent["operation"], &intent["action"]), (&"chat.completions".into(), &"infer".into()));
    assert_eq!((&intent["ai"]["request_model"], &intent["ai"]["conversation"]), (&"gpt-x".into(), &"c-9".into()));
    assert_eq!(intent["on_behalf_of"][0]["id"], "ana@example.com");
    assert_eq!(intent["trace"]["span_id"], "00f067aa0ba902b7");
    assert_eq!(intent["attributes"]["gen_ai.request.system"], true);
    assert_eq!((&outcome["ai"]["response_model"], &outcome["ai"]["output_tokens"]), (&"gpt-x-1".into(), &2.into()));
    assert_eq!(outcome["ai"]["finish_reasons"][0], "stop");
    assert_eq!(outcome["attributes"]["http.response.header.x-request-id"], "up-1");
    let contents = stand.vault.contents();
    assert_eq!((contents[0].1.as_slice(), contents[1].1.as_slice()), (ASK.as_bytes(), ANSWER.as_bytes()));
    assert_eq!(contents[1].0.event.to_string(), outcome["id"].as_str().unwrap());
    assert_eq!(contents[0].0.subject, "ana@example.com");
}

#[tokio::test]
async fn a_stream_passes_piece_by_piece_and_its_end_waits_for_the_outcome() {
    let stand = Stand::new(Format::OpenAi, chat_stream()).await;
    let response = stand.post(CHAT, ASK).await;
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, FIRST.as_bytes());
    assert_eq!(stand.log.endings(), ["intent/allowed/"]);
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        if bytes.ends_with(DONE.as_bytes()) {
            assert_eq!(stand.log.endings().len(), 2, "the last event only comes with the outcome durable");
        }
        rest.extend_from_slice(&bytes);
    }
    assert_eq!(rest, [USAGE.as_bytes(), DONE.as_bytes()].concat());
    let outcome = stand.outcome().await;
    assert_eq!((&outcome["outcome"]["result"], &outcome["ai"]["input_tokens"]), (&"allowed".into(), &3.into()));
    assert!(outcome["attributes"]["gen_ai.server.time_to_first_token_ns"].as_u64().is_some());
    assert_eq!(stand.vault.contents()[1].1, [FIRST, USAGE, DONE].concat().as_bytes());
}

#[tokio::test]
async fn a_stream_whose_body_does_not_end_after_its_last_event_ends_all_the_same() {
    let stand = Stand::new(Format::OpenAi, Script::events(vec![send(FIRST), send(DONE), Step::Stall])).await;
    let (_, _, body, whole) = read(stand.post(CHAT, ASK).await).await;
    assert_eq!((body, whole), ([FIRST, DONE].concat().into_bytes(), true));
    assert_eq!(stand.outcome().await["outcome"]["result"], "allowed");
}

#[tokio::test]
async fn whatever_upstream_does_there_is_one_outcome_that_says_so() {
    let cut = Script::events(vec![send(FIRST), Step::Cut]);
    let stall = Script::events(vec![send(FIRST), Step::Stall]);
    let early = Script::events(vec![send(FIRST)]);
    let malformed = Script::events(vec![send("data: {\"choices\":\n\n<html>\n\n")]);
    let odd = Script::events(vec![send("data: {oops\n\n"), send(DONE)]);
    let error = r#"{"error":{"type":"rate_limit_exceeded","message":"slow down"}}"#;
    let busy = Script::json(error).status(429).header("retry-after", "7");
    let broken = Script::new("text/html", vec![send("<h1>oops</h1>")]).status(502);
    let elsewhere = Script::json("{}").status(307).header("location", "http://127.0.0.1:1/elsewhere?sig=secret");
    for (script, whole, ending, reason) in [
        (cut, false, "failed/200", "upstream cut the answer off"),
        (stall, false, "failed/200", "upstream sent nothing for too long"),
        (early, true, "failed/200", "upstream ended the stream without its last event"),
        (malformed, true, "failed/200", "upstream sent a malformed event stream and ended it without its last event"),
        (odd, true, "allowed/200", "some of the answer's events were malformed"),
        (busy, true, "failed/429", "upstream answered 429: rate_limit_exceeded"),
        (broken, true, "failed/502", "upstream answered 502"),
        (elsewhere, true, "allowed/307", "upstream redirected; not followed"),
    ] {
        let sent: Vec<u8> = script
            .steps
            .iter()
            .flat_map(|step| match step {
                Step::Send(bytes) => bytes.to_vec(),
                Step::Wait(_) | Step::Cut | Step::Stall => Vec::new(),
            })
            .collect();
        let stand = Stand::new(Format::OpenAi, script).await;
        let (_, headers, body, came_whole) = read(stand.post(CHAT, ASK).await).await;
        assert_eq!((body, came_whole), (sent, whole), "{reason}");
        let outcome = stand.outcome().await;
        assert_eq!(stand.endings().await[1], format!("outcome/{ending}"), "{reason}");
        assert_eq!(outcome["outcome"]["reason"], reason);
        if ending.ends_with("429") {
            assert_eq!(headers["retry-after"], "7");
            assert_eq!(outcome["attributes"]["http.response.header.retry-after"], "7");
        }
        if ending.ends_with("307") {
            assert_eq!(headers["location"], "http://127.0.0.1:1/elsewhere?sig=secret");
            assert_eq!(outcome["attributes"]["http.response.header.location"], "http://127.0.0.1:1/elsewhere");
        }
    }
}

#[tokio::test]
async fn no_upstream_is_an_outcome_too() {
    let stand = Stand::with(Format::Anthropic, Script::json("{}"), |settings| {
        settings.upstream = "http://127.0.0.1:1".to_owned();
    })
    .await;
    let (status, headers, body, _) = read(stand.post("/v1/messages", r#"{"model":"claude-x"}"#).await).await;
    assert_eq!((status, &headers["x-indelible-refused"]), (502, &"upstream_unreachable".parse().unwrap()));
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["type"], &body["error"]["type"]), (&"error".into(), &"api_error".into()));
    assert_eq!(stand.endings().await, ["intent/allowed/", "outcome/failed/upstream_unreachable"]);
}

#[tokio::test]
async fn a_client_that_goes_away_is_an_outcome() {
    let stand = Stand::new(Format::OpenAi, Script::events(vec![send(FIRST), send(USAGE), Step::Wait(5_000)])).await;
    let mut body = stand.post(CHAT, ASK).await.into_body();
    drop(body.frame().await);
    drop(body.frame().await);
    drop(body);
    let outcome = stand.outcome().await;
    assert_eq!(
        (&outcome["outcome"]["reason"], &outcome["ai"]["output_tokens"]),
        (&"client went away".into(), &2.into())
    );
}

#[tokio::test]
async fn without_a_record_nothing_reaches_upstream() {
    let stand = Stand::new(Format::OpenAi, Script::json(ANSWER)).await;
    stand.log.set(Mood::Full);
    let (status, headers, body, _) = read(stand.post(CHAT, ASK).await).await;
    assert_eq!((status, &headers["x-indelible-refused"]), (507, &"not_recorded".parse().unwrap()));
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], "not_recorded");
    stand.log.set(Mood::Fine);
    for mood in [VaultMood::FullAtBegin, VaultMood::FullAtWrite, VaultMood::FullWhenDurable] {
        stand.vault.set(mood);
        let (status, _, _, _) = read(stand.post(CHAT, ASK).await).await;
        assert_eq!(status, 507, "{mood:?}");
    }
    assert!(stand.upstream.got().is_empty());
    assert!(!stand.log.endings().iter().any(|ending| ending.starts_with("outcome/allowed")));
}

#[tokio::test]
async fn an_end_that_cannot_be_recorded_is_withheld() {
    let stand = Stand::new(Format::OpenAi, chat_stream()).await;
    stand.log.set(Mood::Full);
    stand.log.fine_first.store(1, Ordering::SeqCst);
    let (_, _, body, whole) = read(stand.post(CHAT, ASK).await).await;
    let text = String::from_utf8(body).unwrap();
    assert!(!whole && !text.contains("[DONE]") && text.contains("\"not_recorded\""), "{text}");
    stand.log.set(Mood::Fine);
    let outcome = stand.outcome().await;
    assert_eq!(outcome["attributes"]["indelible.end_withheld"], true);

    let stand = Stand::new(Format::OpenAi, Script::json(ANSWER)).await;
    stand.log.set(Mood::Full);
    stand.log.fine_first.store(1, Ordering::SeqCst);
    let (_, _, body, whole) = read(stand.post(CHAT, ASK).await).await;
    assert!(!whole && body.len() < ANSWER.len());
}

#[tokio::test]
async fn a_route_may_let_calls_through_unrecorded() {
    let stand = Stand::with(Format::OpenAi, Script::json(ANSWER), |settings| {
        settings.on_log_failure = OnLogFailure::Allow;
    })
    .await;
    stand.log.set(Mood::Full);
    stand.vault.set(VaultMood::FullAtBegin);
    assert_eq!(read(stand.post(CHAT, ASK).await).await.2, ANSWER.as_bytes());
    stand.log.set(Mood::Fine);
    stand.vault.set(VaultMood::Fine);
    assert_eq!(read(stand.post(CHAT, ASK).await).await.2, ANSWER.as_bytes());
    stand.log.wait_for(3).await;
    assert!(stand.log.events().iter().any(|event| event["operation"] == "gateway.unrecorded"));
}

#[tokio::test]
async fn coded_bodies_are_read_and_passed_on_untouched() {
    let stream = [FIRST, USAGE, DONE].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(stream.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::stream::encode_all(ANSWER.as_bytes(), 3).unwrap();
    // ANSWER as the `brotli` library wrote it.
    let brotli = include_bytes!("../../testdata/answer.json.br").to_vec();
    for (coding, kind, packed) in
        [("gzip", "text/event-stream", gzip), ("zstd", "application/json", zstd), ("br", "application/json", brotli)]
    {
        let steps = packed.chunks(20).map(|piece| Step::Send(Bytes::copy_from_slice(piece))).collect();
        let stand = Stand::new(Format::OpenAi, Script::new(kind, steps).header("content-encoding", coding)).await;
        let (_, headers, body, whole) = read(stand.post(CHAT, ASK).await).await;
        assert_eq!((&headers["content-encoding"], body, whole), (&coding.parse().unwrap(), packed, true));
        let outcome = stand.outcome().await;
        assert_eq!(
            (&outcome["ai"]["output_tokens"], &outcome["outcome"]["result"]),
            (&2.into(), &"allowed".into()),
            "{coding}"
        );
    }
}

#[tokio::test]
async fn http_2_is_spoken_to_upstream() {
    let stand = Stand::with(Format::OpenAi, chat_stream(), |settings| settings.http2 = true).await;
    let (_, _, body, whole) = read(stand.post(CHAT, ASK).await).await;
    assert_eq!((body, whole), ([FIRST, USAGE, DONE].concat().into_bytes(), true));
    assert_eq!(stand.upstream.got()[0].version, http::Version::HTTP_2);
    assert_eq!(stand.outcome().await["outcome"]["result"], "allowed");
}

#[tokio::test]
async fn forty_megabytes_pass_through_and_through_memory() {
    let picture = "A".repeat(40 * 1024 * 1024);
    let ask = format!(
        r#"{{"model":"gpt-x","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}]}}]}}"#
    );
    let stand = Stand::new(Format::OpenAi, Script::json(ANSWER)).await;
    assert_eq!(read(stand.post(CHAT, &ask).await).await.0, 200);
    assert_eq!(stand.outcome().await["attributes"]["gen_ai.request.images"], 1);
    assert_eq!(stand.upstream.got()[0].body.len(), ask.len());

    let stand = Stand::new(Format::OpenAi, Script::json(r#"{"id":"file-1"}"#)).await;
    let piece = Bytes::from(vec![b'x'; 1024 * 1024]);
    let pieces = (0..40).map(move |_| Ok::<_, &'static str>(http_body::Frame::data(piece.clone())));
    let body = StreamBody::new(futures::stream::iter(pieces)).boxed_unsync();
    assert_eq!(read(stand.send(Method::POST, "/v1/files", body).await).await.0, 200);
    let outcome = stand.outcome().await;
    assert_eq!((&outcome["operation"], &outcome["resources"][0]["id"]), (&"files.create".into(), &"file-1".into()));
    assert_eq!(outcome["attributes"]["http.request.body.size"], 40 * 1024 * 1024);
    assert_eq!(outcome["sealed"].as_array().map(Vec::len), Some(2));
    assert_eq!(stand.upstream.got()[0].body.len(), 40 * 1024 * 1024);
}

#[tokio::test]
async fn an_upload_that_cannot_be_sealed_does_not_arrive() {
    let stand = Stand::new(Format::OpenAi, Script::json("{}")).await;
    stand.vault.set(VaultMood::FullAtWrite);
    let body = Full::new(Bytes::from(vec![b'x'; 100_000])).map_err(|never| match never {}).boxed_unsync();
    let (status, _, _, _) = read(stand.send(Method::POST, "/v1/files", body).await).await;
    assert_eq!(status, 507);
    assert_eq!(stand.endings().await, ["intent/allowed/", "outcome/failed/not_sealed"]);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_before_anything_happens() {
    let stand = Stand::with(Format::OpenAi, Script::json("{}"), |settings| settings.request_bytes_max = 100).await;
    for (path, body) in [
        (CHAT, "no json"),
        (CHAT, r#"{"model":"a","model":"b"}"#),
        (CHAT, &format!("\"{}\"", "x".repeat(200))),
        ("/v1/%2e%2e/admin", "{}"),
    ] {
        let (status, headers, _, _) = read(stand.post(path, body).await).await;
        assert_eq!((status, headers["x-indelible-refused"].to_str().unwrap()), (400, "bad_request"), "{path} {body}");
    }
    assert!(stand.upstream.got().is_empty() && stand.log.events().is_empty());
}

#[tokio::test]
async fn answers_without_a_body_and_other_methods_pass() {
    let stand = Stand::new(Format::OpenAi, Script { status: 204, headers: Vec::new(), steps: Vec::new() }).await;
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let (status, _, _, whole) = read(stand.send(method, "/v1/models/gpt-x", body).await).await;
        assert_eq!((status, whole), (204, true));
    }
    let endings = stand.endings().await;
    assert_eq!(endings.iter().filter(|ending| *ending == "outcome/allowed/204").count(), 3);
}

#[tokio::test]
async fn what_a_route_does_not_capture_is_not_kept() {
    let stand = Stand::with(Format::Anthropic, Script::json(ANSWER), |settings| {
        settings.capture.prompt = Capture::Hash;
        settings.capture.answer = Capture::None;
    })
    .await;
    drop(read(stand.post("/v1/messages", r#"{"model":"claude-x"}"#).await).await);
    stand.endings().await;
    let contents = stand.vault.contents();
    assert_eq!((contents.len(), contents[0].0.keep), (1, indelible_event::vault::Keep::Hash));
    assert_eq!(stand.upstream.got()[0].headers["x-api-key"], "provider-key");
}

#[tokio::test]
async fn many_calls_at_once_have_one_outcome_each() {
    let stand = Stand::new(Format::OpenAi, chat_stream()).await;
    stand.log.delay_ms.store(5, Ordering::SeqCst);
    let calls = (0..60).map(|n| {
        let stand = &stand;
        async move {
            let mut body = stand.post(CHAT, ASK).await.into_body();
            if n % 3 == 0 {
                drop(body.frame().await);
                return;
            }
            while let Some(frame) = body.frame().await {
                drop(frame.unwrap());
            }
        }
    });
    futures::future::join_all(calls).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let endings = stand.endings().await;
    assert_eq!(endings.iter().filter(|ending| ending.starts_with("intent")).count(), 60);
    assert_eq!(endings.iter().filter(|ending| ending.starts_with("outcome")).count(), 60);
    let mut intents: Vec<_> = stand
        .log
        .events()
        .iter()
        .filter_map(|event| event["attributes"]["indelible.intent"].as_str().map(str::to_owned))
        .collect();
    intents.sort();
    intents.dedup();
    assert_eq!(intents.len(), 60);
}
