//! The way of one call: understood, judged, recorded, forwarded, answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, Uri, request};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use indelible_access::door::ResourceAsk;
use indelible_event::id::EventId;
use indelible_event::words::OutcomeResult;

use super::Inner;
use super::call::{Begun, Call, How};
use super::decode::Decoder;
use super::headers;
use super::intake::{self, Taken, Untaken};
use super::operation::{self, Operation};
use super::refused::Fault;
use super::request::{Read, RequestReader};
use super::stream::AnswerBody;
use super::upload::{Upload, UploadBody};
use super::upstream::RequestBody;
use crate::body::{ResponseBody, full};
use crate::caller::Caller;
use crate::content::Content;
use crate::draft::{Draft, Resource, Text};
use crate::exchange::Exchange;
use crate::refusal::Refusal;
use crate::route::ContentKind;

/// How much of a request is read in one go: longer ones let others have their turn in between.
const TURN_BYTES: usize = 256 * 1024;

/// What is known of a call before it is judged.
struct Understood {
    operation: Operation,
    uri: Uri,
    intent: Draft,
    /// The id that the outcome will have: what is sealed on the way belongs to it.
    outcome: EventId,
    caller: Arc<Caller>,
    tokens_asked: Option<u64>,
    labels: Vec<&'static str>,
}

/// Takes one request all the way.
pub(super) async fn forward<B>(
    gateway: &Arc<Inner>,
    request: Request<B>,
    mut caller: Caller,
) -> Result<Response<ResponseBody>, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let (mut parts, body) = request.into_parts();
    caller.read_headers(&parts.headers)?;
    let rest = parts.uri.path().strip_prefix(gateway.mount.as_str()).unwrap_or_default();
    let operation = operation::find(gateway.format, &parts.method, rest);
    let uri = gateway.upstream.uri(rest, parts.uri.query());
    let uri = uri.ok_or(Refusal::BadRequest { reason: "the path leads out of the mount" })?;
    let intent = describe(gateway, &parts, rest, &operation)?;
    let outcome = gateway.s.new_id()?;
    let caller = Arc::new(caller);
    let mut call = Understood { operation, uri, intent, outcome, caller, tokens_asked: None, labels: Vec::new() };

    let media_type = media_type(&parts.headers);
    let (body, upload) = if call.operation.reads_request {
        (read_first(gateway, &mut call, &parts.headers, body, media_type).await?, None)
    } else {
        read_on_the_way(gateway, &call, body, media_type)?
    };
    let resource = call.resource();
    let mut ask = call.caller.ask(&gateway.route, call.operation.action, &call.operation.name, resource);
    ask.context.tokens_asked = call.tokens_asked;
    ask.context.labels_found = call.labels.iter().map(|label| (*label).to_owned()).collect();
    let Understood { operation, uri, intent, outcome, caller, .. } = call;
    let request_id = caller.request.clone();
    let exchange = Exchange::begin(&gateway.s, caller, Arc::clone(&gateway.route), intent, ask).await?;

    // The intent is durable: from here on there is an outcome whatever happens.
    headers::for_upstream(&mut parts.headers, gateway.credential.as_ref());
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = parts.method.clone();
    *outgoing.uri_mut() = uri;
    *outgoing.headers_mut() = parts.headers;
    let outcome = exchange.outcome_draft_as(outcome).ok_or(Refusal::Internal { reason: "the exchange is over" })?;
    let begun = Begun { gateway: Arc::clone(gateway), exchange, outcome, upload, operation, sent: Instant::now() };
    match send(gateway, outgoing, begun.upload.as_ref()).await {
        Ok(response) => answer(begun, response, &parts.method, &request_id).await,
        Err(fault) => fail(begun, fault, &request_id).await,
    }
}

/// What the method, path and headers say.
fn describe(gateway: &Inner, parts: &request::Parts, rest: &str, operation: &Operation) -> Result<Draft, Refusal> {
    let mut intent = Draft::new(gateway.s.new_id()?, operation.action, operation.name.clone());
    intent.ai.provider = gateway.provider.clone().into();
    intent.ai.operation = operation.ai.into();
    intent.attribute("http.request.method", parts.method.as_str().to_owned());
    intent.attribute("url.path", rest.to_owned());
    intent.attribute("server.address", gateway.upstream.host().to_owned());
    if operation.resource == "model" && !operation.id.is_empty() {
        intent.ai.request_model = operation.id.clone().into();
    }
    Ok(intent)
}

impl Understood {
    /// What is touched, for the event and for the door.
    fn resource(&mut self) -> ResourceAsk {
        let model = self.operation.resource == "model" && self.operation.id.is_empty();
        let id = if model { self.intent.ai.request_model.clone() } else { Text::from(self.operation.id.clone()) };
        let mut resource = Resource::new(self.operation.resource, id.clone());
        resource.labels = self.labels.iter().map(|label| Text::from(*label)).collect();
        self.intent.resources.push(resource);
        if self.intent.ai.conversation.is_empty() {
            self.intent.ai.conversation = self.caller.conversation.clone().unwrap_or_default().into();
        }
        ResourceAsk {
            kind: self.operation.resource.to_owned(),
            id: id.into_owned(),
            labels: self.labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }
}

/// Reads a request that names its model, seals it, and gives it back to be forwarded.
async fn read_first<B>(
    gateway: &Inner,
    call: &mut Understood,
    headers: &HeaderMap,
    body: B,
    media_type: Text,
) -> Result<RequestBody, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let taken = intake::take(body, gateway.request_bytes_max, gateway.timeouts.request, &gateway.room).await;
    let taken = taken.map_err(|untaken| match untaken {
        Untaken::TooLong => Refusal::BadRequest { reason: "it is longer than this gateway reads" },
        Untaken::Cut => Refusal::BadRequest { reason: "it broke off" },
        Untaken::TooSlow => Refusal::BadRequest { reason: "it came too slowly" },
        Untaken::NoRoom => Refusal::TooManyOpen { retry_after_ms: 1_000 },
    })?;
    let Read { asked, system_hash, labels } = read(gateway, headers, &taken).await?;
    if asked.model_unclear {
        return Err(Refusal::BadRequest { reason: "it names its model twice, or by a name that is too long" });
    }
    asked.describe(&mut call.intent);
    call.intent.attribute("gen_ai.request.system", system_hash.is_some());
    call.intent.attribute_if("gen_ai.system_instructions.hash", system_hash);
    call.intent.attribute("http.request.body.size", taken.bytes);
    call.tokens_asked = asked.max_tokens;
    call.labels = labels;
    let sealed = Content::begin(&gateway.s, &gateway.route, &call.caller, call.intent.id, ContentKind::Prompt)
        .and_then(|mut content| {
            taken.pieces.iter().try_for_each(|piece| content.write(piece))?;
            content.finish(&mut call.intent, media_type)
        });
    sealed.map_err(Refusal::NotSealed)?;
    Ok(taken.map_err(|never| match never {}).boxed_unsync())
}

/// Reads what a request says.
async fn read(gateway: &Inner, headers: &HeaderMap, taken: &Taken) -> Result<Read, Refusal> {
    let mut reader = RequestReader::new(gateway.s.labels.begin());
    let mut decoder = Decoder::new(headers);
    let mut json = Ok(());
    for turn in taken.pieces.iter().flat_map(|piece| piece.chunks(TURN_BYTES)) {
        decoder
            .feed(turn, |plain| {
                if json.is_ok() {
                    json = reader.feed(plain);
                }
            })
            .map_err(|_| Refusal::BadRequest { reason: "its content coding cannot be read" })?;
        if taken.bytes > TURN_BYTES as u64 {
            tokio::task::yield_now().await;
        }
    }
    json.and_then(|()| reader.finish(&gateway.salt))
        .map_err(|_| Refusal::BadRequest { reason: "it is no JSON document" })
}

/// Lets a request through to be sealed on its way.
fn read_on_the_way<B>(
    gateway: &Inner,
    call: &Understood,
    body: B,
    media_type: Text,
) -> Result<(RequestBody, Option<Upload>), Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    if body.is_end_stream() {
        return Ok((http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync(), None));
    }
    // What passes can only be told by the outcome. It is begun now so that a vault that takes nothing stops the call before it is
    // made.
    let content = Content::begin(&gateway.s, &gateway.route, &call.caller, call.outcome, ContentKind::Prompt);
    let upload = Upload::new(content.map_err(Refusal::NotSealed)?, media_type);
    Ok((UploadBody { body, upload: upload.clone() }.boxed_unsync(), Some(upload)))
}

fn media_type(headers: &HeaderMap) -> Text {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| Text::from(value.to_owned()))
        .unwrap_or_default()
}

/// Sends the request and waits for the answer's head: as long as something moves, or the idle time has not passed.
async fn send(
    gateway: &Inner,
    request: Request<RequestBody>,
    upload: Option<&Upload>,
) -> Result<Response<Incoming>, Fault> {
    let idle: Duration = gateway.timeouts.idle;
    let mut sending = std::pin::pin!(gateway.upstream.send(request));
    let mut uploaded = 0;
    loop {
        match tokio::time::timeout(idle, &mut sending).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(_)) if upload.is_some_and(Upload::is_cut) => return Err(Fault::RequestCut),
            Ok(Err(error)) => {
                tracing::debug!(route = gateway.route.name(), %error, "upstream could not be reached");
                return Err(Fault::Unreachable);
            }
            Err(_) => {
                let now = upload.map_or(0, Upload::bytes);
                if now == uploaded {
                    return Err(Fault::Silent);
                }
                uploaded = now;
            }
        }
    }
}

/// The answer's head is here: its body follows by itself.
async fn answer(
    begun: Begun,
    response: Response<Incoming>,
    method: &Method,
    request_id: &str,
) -> Result<Response<ResponseBody>, Refusal> {
    let idle = begun.gateway.timeouts.idle;
    let (mut parts, body) = response.into_parts();
    let call = Box::new(Call::new(begun, parts.status, &parts.headers).map_err(Refusal::NotSealed)?);
    headers::for_client(&mut parts.headers, request_id);
    // Nothing that could be held would follow: the head itself is the end.
    if *method == Method::HEAD || body.is_end_stream() || body.size_hint().exact() == Some(0) {
        let (finish, refusal) = call.conclude(&How::Complete);
        finish.await?;
        return match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(Response::from_parts(parts, full(Bytes::new()))),
        };
    }
    Ok(Response::from_parts(parts, AnswerBody::new(body, call, idle).boxed_unsync()))
}

/// No answer came: the outcome says why, and the client is told in the API's own form.
async fn fail(begun: Begun, fault: Fault, request_id: &str) -> Result<Response<ResponseBody>, Refusal> {
    let Begun { gateway, exchange, mut outcome, upload, .. } = begun;
    let not_sealed = upload.as_ref().is_some_and(Upload::is_not_sealed);
    let sealed = upload.map_or(Ok(()), |upload| upload.finish(&mut outcome));
    let (code, reason) =
        if not_sealed { ("not_sealed", "the request could not be sealed") } else { (fault.code(), fault.reason()) };
    exchange.finish(outcome, OutcomeResult::Failed, code, reason).await?;
    sealed.map_err(Refusal::NotSealed)?;
    Ok(fault.response(gateway.format, request_id))
}
