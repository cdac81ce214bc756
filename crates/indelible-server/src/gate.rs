//! The gate every request passes: who calls, may they, do it, answer. The only place that turns problems into answers, counts
//! them and has refusals recorded. Never: a handler that is reached without what its route needs.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderValue, Method, Request, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use indelible_access::Identity;
use prometheus_client::metrics::gauge::Gauge;

use crate::api;
use crate::app::App;
use crate::call::{Answer, Call, Peer};
use crate::gateways;
use crate::metrics::Metrics;
use crate::pages;
use crate::pages::cookies;
use crate::problem::{Kind, Problem};
use crate::routes::{Face, NO_ROUTE, Route, all};
use crate::trail::refusals::event as refusal_event;

/// The router, made from the table of routes.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut paths: Vec<(&'static str, MethodRouter)> = Vec::new();
    for route in all() {
        let app = Arc::clone(app);
        let filter = match route.method {
            Method::POST => MethodFilter::POST,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let handler = move |request: Request<Body>| gate(Arc::clone(&app), route, request);
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, methods)) => *methods = std::mem::take(methods).on(filter, handler),
            None => paths.push((route.path, on(filter, handler))),
        }
    }
    let mut router = Router::new();
    for (path, methods) in paths {
        let app = Arc::clone(app);
        let allow = allowed_methods(path);
        let wrong_method = move |request: Request<Body>| {
            let problem = Problem::new(Kind::MethodNotAllowed, format!("{} is not for this path", request.method()));
            let answer = refuse(&app, problem.with_allow(allow.clone()));
            async move { answer }
        };
        router = router.route(path, methods.fallback(wrong_method));
    }
    let app = Arc::clone(app);
    router.fallback(move |request: Request<Body>| {
        let app = Arc::clone(&app);
        async move {
            match app.gateways.find(request.uri().path()) {
                Some(gateway) => gateways::call(app, gateway, request).await,
                None => refuse(&app, Problem::new(Kind::NotFound, "there is no such path; see /openapi.json")),
            }
        }
    })
}

fn allowed_methods(path: &str) -> String {
    let of_path = all().filter(|route| route.path == path).map(|route| route.method.as_str());
    of_path.collect::<Vec<_>>().join(", ")
}

/// Answers what is on no route. Nothing of a log is asked for, so nothing is recorded but a figure.
fn refuse(app: &App, problem: Problem) -> Response<Body> {
    let id = app.request_ids.next();
    app.metrics.answered(NO_ROUTE.operation, problem.kind().row().status, 0.0);
    finish(problem.into_response(id.as_str()), id.as_str())
}

/// Takes one request through.
async fn gate(app: Arc<App>, route: &'static Route, request: Request<Body>) -> Response<Body> {
    let began = Instant::now();
    let _in_work = InWork::begin(&app.metrics);
    let id = app.request_ids.next();
    let (mut parts, body) = request.into_parts();
    let ip = parts.extensions.get::<Peer>().map(|peer| peer.0);
    let mut path = Ok(Vec::new());
    if route.path.contains('{') {
        path = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map(|found| found.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    }
    let mut call = Call { app, route, id, began, identity: None, ip, parts, path: Vec::new() };
    let known = match path {
        Ok(path) => {
            call.path = path;
            authorize(&mut call)
        }
        Err(_) => Err(Problem::new(Kind::InvalidRequest, "the path is not percent-encoded UTF-8")),
    };
    let call = Arc::new(call);
    let result = match known {
        Ok(()) => through(&call, body).await,
        Err(problem) => Err(problem),
    };
    let response = match result {
        Ok(answer) => answer.response,
        Err(problem) => refused(&call, problem).await,
    };
    call.app.metrics.answered(route.operation, response.status().as_u16(), began.elapsed().as_secs_f64());
    tracing::debug!(
        request_id = call.id.as_str(),
        operation = route.operation.word(),
        status = response.status().as_u16(),
        actor = call.identity.as_ref().map(|identity| identity.name.as_str()),
        "answered"
    );
    finish(response, call.id.as_str())
}

/// Counts a request while it is worked on; a client that leaves ends it too.
struct InWork(Gauge);

impl InWork {
    fn begin(metrics: &Metrics) -> Self {
        metrics.in_work.inc();
        Self(metrics.in_work.clone())
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}

async fn through(call: &Arc<Call>, body: Body) -> Result<Answer, Problem> {
    if call.app.is_stopping() && call.route.action.is_some() {
        return Err(Problem::new(Kind::Unavailable, "the server is stopping"));
    }
    match call.route.face {
        Face::Api => api::handle(call, body).await,
        Face::Page => Box::pin(pages::handle(call, body)).await,
    }
}

/// Finds who calls and whether the role allows the route. Which logs the token is limited to is asked where the log is known.
pub(crate) fn authorize(call: &mut Call) -> Result<(), Problem> {
    let Some(action) = call.route.action else { return Ok(()) };
    let found = match call.parts.headers.get(AUTHORIZATION) {
        Some(header) => Some(by_token(&call.app, header.as_bytes())?),
        None => by_session(call)?,
    };
    let Some(identity) = found else {
        if action == indelible_access::Action::ReadPublished && is_public(call) {
            return Ok(());
        }
        return Err(Problem::new(Kind::Unauthenticated, "no token was sent"));
    };
    let (name, role) = (identity.name.clone(), identity.role);
    call.identity = Some(identity);
    if role.may(action) {
        return Ok(());
    }
    let detail = format!("the token `{name}` has the role {role}, which does not allow {}", action.word());
    Err(Problem::new(Kind::Forbidden, detail))
}

fn by_token(app: &App, header: &[u8]) -> Result<Arc<Identity>, Problem> {
    let (scheme, token) = split_scheme(header);
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(Problem::new(Kind::Unauthenticated, "the `Authorization` header is not `Bearer <token>`"));
    }
    let identity = app.tokens.authenticate(token, app.environment.now_seconds());
    identity.map_err(|refusal| Problem::new(Kind::Unauthenticated, refusal.to_string()))
}

/// Who is signed in at this browser. A browser sends cookies whoever made the page that asks, so a change needs to come from a page
/// of ours.
fn by_session(call: &Call) -> Result<Option<Arc<Identity>>, Problem> {
    let Some(text) = cookies::get(&call.parts.headers, cookies::SESSION) else { return Ok(None) };
    let now = call.app.environment.now_seconds();
    let Some(identity) = call.app.sessions.find(text, &call.app.tokens, now) else { return Ok(None) };
    if call.route.method != Method::GET && !cookies::is_same_origin(&call.parts) {
        return Err(Problem::new(Kind::Forbidden, "a change by a browser must come from a page of this server"));
    }
    Ok(Some(identity))
}

fn is_public(call: &Call) -> bool {
    call.app.logs.get(call.path_part("name")).is_some_and(|log| log.is_public())
}

fn split_scheme(header: &[u8]) -> (&[u8], &[u8]) {
    match header.iter().position(|byte| *byte == b' ') {
        Some(space) => {
            let (scheme, rest) = header.split_at(space);
            (scheme, rest.trim_ascii())
        }
        None => (header, &[]),
    }
}

/// Tells the operator what the client is not told, has the refusal recorded, and answers.
pub(crate) async fn refused(call: &Call, problem: Problem) -> Response<Body> {
    let kind = problem.kind();
    let (id, code, cause) = (call.id.as_str(), kind.row().code, problem.cause());
    match kind {
        Kind::Internal | Kind::Damaged => tracing::error!(request_id = id, kind = code, cause, "request failed"),
        _ if cause.is_some() => tracing::warn!(request_id = id, kind = code, cause, "request refused"),
        _ => {}
    }
    if call.route.action.is_some() {
        record_refusal(call, kind).await;
    }
    match call.route.face {
        Face::Api => problem.into_response(call.id.as_str()),
        Face::Page => pages::problem(call, problem),
    }
}

/// Counts the refusal; the first of a caller gets an event of its own before the answer. If that cannot be recorded now it
/// stays counted and is recorded with the sums, for a refusal gives no access that could be taken back.
pub(crate) async fn record_refusal(call: &Call, kind: Kind) {
    let app = &call.app;
    app.metrics.refusals.inc();
    let refused = call.refused(kind);
    let now = app.trail.now();
    if !app.refusals.count(&refused, now) || matches!(kind, Kind::Full | Kind::Unavailable | Kind::Busy) {
        return;
    }
    let log = refused.log.as_deref().and_then(|log| app.logs.get(log)).unwrap_or_else(|| app.logs.first());
    let event = refusal_event(&refused, now, 1).request(call.id.as_str());
    if app.trail.record(log, event).await.is_ok() {
        app.refusals.recorded(&refused);
    }
}

/// The headers that every answer has.
pub(crate) fn finish(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
