//! From a template to an answer: headers that shut out everything from elsewhere, compression, and problems as pages.

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;
use indelible_event::percent::encode;

use super::assets::{gzip, takes_gzip};
use super::shell::Shell;
use super::{cookies, see_other};
use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::trail::Mark;

/// Nothing but what this server sends; no script and no style inside a page; no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Pages under this size are not worth compressing.
const PLAIN_BYTES_MAX: usize = 1_024;

/// 200 with a page.
pub(super) fn answer(call: &Call, page: &impl Template, mark: Mark) -> Result<Answer, Problem> {
    let text = page.render().map_err(Problem::internal)?;
    Ok(Answer::new(response(call, StatusCode::OK, text), mark))
}

/// A page with a status of its own.
pub(super) fn response(call: &Call, status: StatusCode, text: String) -> Response<Body> {
    let compress = text.len() > PLAIN_BYTES_MAX && takes_gzip(&call.parts.headers);
    let body = if compress { gzip(text.as_bytes()) } else { Bytes::from(text) };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding, cookie"));
    if compress {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    shell: Shell,
    status: u16,
    detail: &'a str,
    advice: &'a str,
    request: &'a str,
    may_sign_in: bool,
}

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage<'a> {
    path: &'a str,
}

/// A problem as a page: who is not signed in is asked to, and comes back to where they wanted to go.
pub(crate) fn problem(call: &Call, problem: Problem) -> Response<Body> {
    let row = problem.kind().row();
    if problem.kind() == Kind::Unauthenticated && call.route.method == Method::GET {
        return to_sign_in(call);
    }
    let page = ProblemPage {
        shell: Shell::bare(call, row.title),
        status: row.status,
        detail: problem.detail(),
        advice: if problem.kind() == Kind::Forbidden {
            "Ask an administrator for a role that allows it, or sign in as somebody else. Refusals are recorded."
        } else {
            row.advice
        },
        request: call.id.as_str(),
        may_sign_in: matches!(problem.kind(), Kind::Forbidden | Kind::Unauthenticated),
    };
    let Ok(text) = page.render() else { return problem.into_response(call.id.as_str()) };
    let mut response = response(call, problem.kind().status(), text);
    if let Some(milliseconds) = problem.kind().retry_after_ms() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(milliseconds.div_ceil(1_000)));
    }
    response
}

/// A link from elsewhere comes without our cookie (`SameSite=Strict`): the page asks for itself once more, and then it is there.
fn to_sign_in(call: &Call) -> Response<Body> {
    let path = call.parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let site = call.parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site == b"cross-site" || site == b"same-site")
        && let Ok(text) = (AgainPage { path }).render()
    {
        return response(call, StatusCode::OK, text);
    }
    let mut response = see_other(&format!("/sign-in?next={}", encode(path)));
    if cookies::get(&call.parts.headers, cookies::SESSION).is_some() {
        response.headers_mut().append(axum::http::header::SET_COOKIE, cookies::drop_session());
    }
    // what htmx asks for is put into a page: there the whole page has to go
    if call.parts.headers.contains_key("hx-request") {
        if let Some(to) = response.headers_mut().remove(LOCATION) {
            response.headers_mut().insert("hx-redirect", to);
        }
        *response.status_mut() = StatusCode::OK;
    }
    response
}
