//! POST: messages from the client, and what the server says to them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming as Answer;
use tokio::time::Duration;

use super::headers::{is_packed, media_type, mismatch};
use super::relay::{self, Source};
use super::sessions::Key;
use super::{Call, Fault, Inner, headers, own, session_headers};
use crate::body::{ResponseBody, full};
use crate::mcp::answer;
use crate::mcp::flow::{Onward, Sorted, Waiting};
use crate::mcp::message::{Id, Incoming, Kind};
use crate::mcp::method::Side;
use crate::mcp::table::Table;

/// How long a client may take to send a message.
const READ: Duration = Duration::from_secs(60);

/// Why the client's message is not there.
enum NotRead {
    TooLong,
    Cut,
}

pub(super) async fn post<B>(inner: &Arc<Inner>, call: Call, body: B) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request = call.request_id().to_owned();
    if is_packed(&call.headers) {
        let words = "messages must come unpacked: what is forwarded is what was read";
        return own::say(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_request", &request, words);
    }
    let bytes = match read(body, inner.settings.message_bytes_max).await {
        Ok(bytes) => bytes,
        Err(NotRead::TooLong) => {
            return own::say(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", &request, "the message is too long");
        }
        Err(NotRead::Cut) => {
            return own::say(StatusCode::BAD_REQUEST, "bad_request", &request, "the message broke off");
        }
    };
    let incoming = match Incoming::read(&bytes) {
        Ok(incoming) => incoming,
        Err(fault) => {
            if let Err(refusal) = inner.flow.unreadable(&call.party, Side::Client, fault).await {
                return own::refuse(&refusal, &request);
            }
            return own::json(StatusCode::BAD_REQUEST, "bad_request", &request, answer::unreadable(fault));
        }
    };
    if let [message] = incoming.messages.as_slice()
        && let Some(words) = mismatch(&call.headers, message)
    {
        let body = answer::error(message.id.as_ref(), answer::HEADER_MISMATCH, words, None);
        return own::json(StatusCode::BAD_REQUEST, "bad_request", &request, body);
    }
    // With an endpoint the answers come on the session's stream; otherwise on this request's own.
    let scope = (!call.is_endpoint()).then(Table::default);
    let waiting = Waiting { scope: scope.as_ref(), session: &call.session.waiting };
    let sorted = inner.flow.pass(&call.party, Side::Client, &incoming, waiting).await;
    let asked: Vec<Id> = requests(&incoming);
    let onward = match &sorted.onward {
        Onward::AsCame => bytes.clone(),
        Onward::Part(text) => Bytes::from(text.clone()),
        Onward::Nothing => return nothing_goes_on(&call, &sorted, &request),
    };
    match inner.send(Method::POST, &call, onward).await {
        Ok(response) => answered(inner, call, response, scope, sorted, asked).await,
        Err(fault) => failed(inner, &call, scope.unwrap_or_default(), &asked, fault, sorted).await,
    }
}

/// The ids of what was asked.
fn requests(incoming: &Incoming<'_>) -> Vec<Id> {
    let asked = incoming.messages.iter().filter(|message| message.kind == Kind::Request);
    asked.filter_map(|message| message.id.clone()).collect()
}

/// Everything was refused or withheld.
fn nothing_goes_on(call: &Call, sorted: &Sorted, request: &str) -> Response<ResponseBody> {
    let Some(text) = sorted.back_text() else { return own::accepted() };
    if call.is_endpoint() && call.session.tell(own::event(None, &text)) {
        return own::accepted();
    }
    // A denial is an answer like any other; what cannot be recorded is a fault of the place.
    let (code, status) = match sorted.back.iter().find(|back| !back.denied).or(sorted.back.first()) {
        Some(back) if back.denied => (back.code, StatusCode::OK),
        Some(back) if back.code == "bad_request" => (back.code, StatusCode::BAD_REQUEST),
        Some(back) if !sorted.batch => (back.code, StatusCode::SERVICE_UNAVAILABLE),
        Some(back) => (back.code, StatusCode::OK),
        None => ("", StatusCode::OK),
    };
    own::json(status, code, request, text)
}

/// The server's answer has begun.
async fn answered(
    inner: &Arc<Inner>,
    mut call: Call,
    mut response: Response<Answer>,
    scope: Option<Table>,
    sorted: Sorted,
    asked: Vec<Id>,
) -> Response<ResponseBody> {
    let Some(scope) = scope else { return endpoint_answered(inner, &call, response, sorted, &asked).await };
    // A session that begins with this answer holds what the server asks on this stream already.
    if let (Key::Caller(_), Some(Ok(id))) =
        (&call.session.key, response.headers().get(headers::SESSION).map(HeaderValue::to_str))
    {
        let key = Key::Id(id.chars().take(super::SESSION_BYTES_MAX).collect::<String>().into());
        let mut names = session_headers(&call.headers);
        names.extend(session_headers(response.headers()));
        if let Ok(session) = inner.sessions.enter(key, &call.party, &names) {
            call.session = session;
        }
    }
    if media_type(response.headers()) == "text/event-stream" && response.status().is_success() {
        return relay::relay(inner, call, response, Source::Answer { scope, back: sorted.back });
    }
    let max = inner.settings.message_bytes_max;
    let read = tokio::time::timeout(inner.settings.rules.answer_timeout, read(response.body_mut(), max)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(NotRead::TooLong)) => return failed(inner, &call, scope, &asked, Fault::TooLong, sorted).await,
        Ok(Err(NotRead::Cut)) => return failed(inner, &call, scope, &asked, Fault::Cut, sorted).await,
        Err(_) => return failed(inner, &call, scope, &asked, Fault::Silent, sorted).await,
    };
    let (mut head, _) = response.into_parts();
    headers::for_client(&mut head.headers);
    let Ok(incoming) = Incoming::read(&body) else {
        let unreadable = head.status.is_success() && !body.is_empty();
        if unreadable {
            return failed(inner, &call, scope, &asked, Fault::Unreadable, sorted).await;
        }
        // A status says enough: the client sees what the server sent.
        let reason = if head.status.is_success() { "no answer" } else { "the tool server refused the message" };
        inner.flow.end_all(scope.take_all(), &head.status.as_str().to_owned().into(), &reason.into()).await;
        return match (sorted.back_text(), sorted.back.first()) {
            (Some(text), Some(first)) if head.status.is_success() => {
                own::json(StatusCode::OK, first.code, call.request_id(), text)
            }
            _ => Response::from_parts(head, full(body)),
        };
    };
    let waiting = Waiting { scope: Some(&scope), session: &call.session.waiting };
    let said = inner.flow.pass(&call.party, Side::Server, &incoming, waiting).await;
    for back in said.back {
        drop(tokio::spawn(Arc::clone(inner).tell_server(Arc::clone(&call.session), back.text)));
    }
    let mut texts = match said.onward {
        Onward::AsCame if sorted.back.is_empty() && scope.is_empty() => {
            return Response::from_parts(head, full(body));
        }
        Onward::AsCame => incoming.messages.iter().map(|message| message.raw.as_str().to_owned()).collect(),
        Onward::Part(text) if incoming.batch => {
            vec![text.trim_start_matches('[').trim_end_matches(']').to_owned()]
        }
        Onward::Part(text) => vec![text],
        Onward::Nothing => Vec::new(),
    };
    // Without an answer to what was asked, the client would wait for ever.
    let ended = inner.flow.end_all(scope.take_all(), &"no_answer".into(), &"no answer".into()).await;
    texts.extend(ended.iter().map(|(id, _)| answer::error(Some(id), answer::NO_ANSWER, "no answer", None)));
    texts.extend(sorted.back.into_iter().map(|back| back.text));
    let batch = sorted.batch || incoming.batch || texts.len() > 1;
    let text = if batch { format!("[{}]", texts.join(",")) } else { texts.concat() };
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, full(text))
}

/// HTTP+SSE: the answer to the POST says only whether the message was taken.
async fn endpoint_answered(
    inner: &Arc<Inner>,
    call: &Call,
    response: Response<Answer>,
    sorted: Sorted,
    asked: &[Id],
) -> Response<ResponseBody> {
    let status = response.status();
    if !status.is_success() {
        let waiting = asked.iter().filter_map(|id| Some((id.clone(), call.session.waiting.take(Side::Client, id)?)));
        let reason = "the tool server refused the message".into();
        inner.flow.end_all(waiting.collect(), &status.as_str().to_owned().into(), &reason).await;
    }
    for back in sorted.back {
        call.session.tell(own::event(None, &back.text));
    }
    relay::plain(response, inner.settings.message_bytes_max).await
}

/// There is no answer: everything that was asked ends, and whoever asked is told.
async fn failed(
    inner: &Arc<Inner>,
    call: &Call,
    scope: Table,
    asked: &[Id],
    fault: Fault,
    sorted: Sorted,
) -> Response<ResponseBody> {
    let mut waiting = scope.take_all();
    if call.is_endpoint() {
        waiting.extend(asked.iter().filter_map(|id| Some((id.clone(), call.session.waiting.take(Side::Client, id)?))));
    }
    let ended = inner.flow.end_all(waiting, &fault.code().into(), &fault.reason().into()).await;
    let mut texts: Vec<String> = sorted.back.into_iter().map(|back| back.text).collect();
    texts.extend(ended.iter().map(|(id, _)| answer::error(Some(id), fault.json_rpc(), fault.reason(), None)));
    let body = match texts.as_slice() {
        [] => return fault.response(call.request_id()),
        [one] if !sorted.batch => one.clone(),
        many => format!("[{}]", many.join(",")),
    };
    own::json(fault.status(), fault.code(), call.request_id(), body)
}

/// Reads a body as a whole, up to a bound.
async fn read<B>(body: B, max: usize) -> Result<Bytes, NotRead>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    loop {
        let Ok(frame) = tokio::time::timeout(READ, body.frame()).await else {
            return Err(NotRead::Cut);
        };
        match frame {
            None => return Ok(bytes.freeze()),
            Some(Err(_)) => return Err(NotRead::Cut),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() + data.len() > max {
                    return Err(NotRead::TooLong);
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}
