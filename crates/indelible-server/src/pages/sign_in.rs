//! Signing in and out at a browser. A sign-in and a sign-out are events; one that is refused is counted as every refusal is.
//!
//! Never: a token in a link, in a page, or in the cookie.

use askama::Template;
use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use indelible_access::session::SignedInBy;
use indelible_access::{Identity, Role, TokenHash};
use indelible_event::percent::encode;
use indelible_event::words::Action;

use super::html::{self, response};
use super::shell::Shell;
use super::{cookies, is_ours, see_other};
use crate::api::form;
use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::trail::Mark;

const SAYS_NOTHING: &str = "asks who somebody is; says nothing of a log";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    shell: Shell,
    next: &'a str,
    wrong: Option<&'a str>,
    /// Where people sign in with a provider.
    provider: Option<String>,
}

/// Asks who somebody is.
pub(super) fn page(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["next"])?;
    let next = within(parameters.get("next"));
    let page = SignInPage { shell: Shell::bare(call, "Sign in"), next, wrong: None, provider: provider(call, next) };
    html::answer(call, &page, Mark::not_needed(SAYS_NOTHING))
}

/// Takes a token, begins a session.
pub(super) async fn begin(call: &Call, body: Body) -> Result<Answer, Problem> {
    if !cookies::is_same_origin(&call.parts) {
        return Err(Problem::new(Kind::Forbidden, "a sign-in must come from the page of this server"));
    }
    let form = form(call, body, &["token", "next"]).await?;
    let token = form.get("token").unwrap_or_default().trim();
    let now = call.app.environment.now_seconds();
    let next = within(form.get("next"));
    match call.app.tokens.authenticate(token.as_bytes(), now) {
        Ok(identity) if may_look(identity.role) => {
            signed_in(call, &identity, SignedInBy::Token(TokenHash::of(token.as_bytes())), "token", next).await
        }
        Ok(identity) => {
            let wrong = format!(
                "The token {} has the role {}, which is for programs. Pages need read, responder, approver or admin.",
                identity.name, identity.role
            );
            again(call, next, &wrong).await
        }
        Err(refusal) => again(call, next, &format!("{}.", sentence(&refusal.to_string()))).await,
    }
}

/// Begins a session for somebody who has shown who they are. The event stands before the session opens anything.
pub(super) async fn signed_in(
    call: &Call,
    identity: &Identity,
    by: SignedInBy,
    how: &'static str,
    next: &str,
) -> Result<Answer, Problem> {
    let event = call.event_of_identity(Action::Login, identity, how);
    let mark = call.record(call.app.logs.first(), event).await?;
    let text = call.app.sessions.begin(by, call.app.environment.now_seconds()).map_err(Problem::internal)?;
    let mut response = see_other(next);
    if let Some(cookie) = cookies::set_session(&text, call.app.config.tls()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(Answer::new(response, mark))
}

/// Ends the session.
pub(super) async fn end(call: &Call) -> Result<Answer, Problem> {
    if !cookies::is_same_origin(&call.parts) {
        return Err(Problem::new(Kind::Forbidden, "a sign-out must come from a page of this server"));
    }
    let now = call.app.environment.now_seconds();
    let mut mark = Mark::not_needed(SAYS_NOTHING);
    if let Some(text) = cookies::get(&call.parts.headers, cookies::SESSION)
        && let Some(identity) = call.app.sessions.find(text, &call.app.tokens, now)
    {
        // what somebody gives up they give up, even where it cannot be recorded
        call.app.sessions.end(text);
        let event = call.event_of_identity(Action::Logout, &identity, "session");
        mark = call.record(call.app.logs.first(), event).await?;
    }
    let mut response = see_other("/sign-in");
    response.headers_mut().append(SET_COOKIE, cookies::drop_session());
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(Answer::new(response, mark))
}

/// Asks again, and counts the refusal.
pub(super) async fn again(call: &Call, next: &str, wrong: &str) -> Result<Answer, Problem> {
    crate::gate::record_refusal(call, Kind::Unauthenticated).await;
    let shell = Shell::bare(call, "Sign in");
    let page = SignInPage { shell, next, wrong: Some(wrong), provider: provider(call, next) };
    let text = page.render().map_err(Problem::internal)?;
    Ok(Answer::new(response(call, StatusCode::UNAUTHORIZED, text), Mark::not_needed(SAYS_NOTHING)))
}

/// The way to the provider, if there is one. A link: as a form it would be stopped by `form-action`.
fn provider(call: &Call, next: &str) -> Option<String> {
    call.app.open_id.as_ref().map(|_| format!("/sign-in/oidc?next={}", encode(next)))
}

fn may_look(role: Role) -> bool {
    !matches!(role, Role::Ingest | Role::Gateway)
}

/// Where to go after signing in: a path of ours, or the first page.
pub(super) fn within(next: Option<&str>) -> &str {
    next.filter(|next| is_ours(next) && !next.starts_with("/sign-")).unwrap_or("/")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn after_signing_in_one_stays_here() {
        assert_eq!(within(Some("/search?q=actor%3Aana")), "/search?q=actor%3Aana");
        for elsewhere in
            ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nb", "/sign-in?next=/", "x"]
        {
            assert_eq!(within(Some(elsewhere)), "/", "{elsewhere}");
        }
        assert_eq!(within(None), "/");
    }
}
