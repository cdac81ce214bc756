//! The pages: what an auditor and an analyst look at, as HTML made here. One file a page; each gets a [`Call`] whose caller is allowed
//! the route, as the API's handlers do, and asks the same functions as they.
//!
//! Promises: every page works without script and is a link that can be sent on; nothing comes from another host; no script or style
//! stands in a page (`content-security-policy`); each look is on record before it is shown. Never: HTML put together from text: the
//! templates escape, and nothing goes round them.

mod access;
mod alerts;
mod approvals;
mod ask;
mod assets;
mod chart;
mod columns;
pub(crate) mod cookies;
mod copies;
mod event;
pub(crate) mod exports;
mod flows;
mod help;
mod html;
mod integrity;
mod overview;
mod parts;
mod preferences;
mod ranges;
mod saved;
mod search;
mod settings;
mod shell;
mod sign_in;
mod sign_in_fetch;
pub(crate) mod sign_in_oidc;
mod sources;
mod subject;
mod verdicts;
mod words;
mod zone;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};

pub(crate) use self::html::problem;
use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::routes::Operation;

/// Takes a call to its page.
pub(crate) async fn handle(call: &Arc<Call>, body: Body) -> Result<Answer, Problem> {
    match call.route.operation {
        Operation::Overview => overview::show(call).await,
        Operation::Search => search::show(call).await,
        Operation::Count => search::counts(call).await,
        Operation::ReadEntry => event::show(call).await,
        Operation::ShowActor | Operation::ShowResource => subject::show(call).await,
        Operation::ShowFlows => flows::show(call).await,
        Operation::Export => exports::handle(call, body).await,
        Operation::ShowExport => exports::progress(call),
        Operation::ListAlerts => alerts::list(call).await,
        Operation::ShowAlert => alerts::show(call).await,
        Operation::AcknowledgeAlert => alerts::acknowledge(call, body).await,
        Operation::CloseAlert => alerts::close(call, body).await,
        Operation::Silence => alerts::silence(call, body).await,
        Operation::Unsilence => alerts::end_silence(call).await,
        Operation::ListApprovals => approvals::list(call).await,
        Operation::DecideApproval => approvals::decide(call, body).await,
        Operation::ListSources => sources::list(call).await,
        Operation::LogIntegrity => integrity::show(call).await,
        Operation::ListTokens => access::show(call).await,
        Operation::ShowSettings => settings::show(call).await,
        Operation::TestReceiver => settings::test(call).await,
        Operation::Help => help::show(call),
        Operation::SaveSearch => saved::change(call, body).await,
        Operation::SignInPage => sign_in::page(call),
        Operation::SignIn => sign_in::begin(call, body).await,
        Operation::SignInWithProvider => sign_in_oidc::begin(call).await,
        Operation::SignInFromProvider => sign_in_oidc::finish(call).await,
        Operation::SignOut => sign_in::end(call).await,
        Operation::Preferences => preferences::set(call, body).await,
        Operation::Asset => assets::serve(call),
        Operation::Record
        | Operation::RecordRetrieval
        | Operation::Follow
        | Operation::Sql
        | Operation::ListLogs
        | Operation::DescribeLog
        | Operation::ProveEntry
        | Operation::Checkpoint
        | Operation::Tile
        | Operation::VerifierKey
        | Operation::CreateToken
        | Operation::RevokeToken
        | Operation::Unseal
        | Operation::Forget
        | Operation::Health
        | Operation::Ready
        | Operation::Metrics
        | Operation::OpenApi
        | Operation::ExplainProblem
        | Operation::ListHalts
        | Operation::Halt
        | Operation::Resume
        | Operation::ListSilences
        | Operation::ListReceivers
        | Operation::ListRules
        | Operation::CallGateway
        | Operation::Unknown => Err(Problem::new(Kind::NotFound, "there is no such page")),
    }
}

/// A text that a form sent; an empty one says nothing.
fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Whether one stays here by going to `path`, which came from outside: a path as browsers send it, and no other host.
fn is_ours(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.starts_with("/\\")
        && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A redirection after a form: the browser asks for `to` by itself.
fn see_other(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(to) = axum::http::HeaderValue::from_str(to) {
        response.headers_mut().insert(axum::http::header::LOCATION, to);
    }
    response
}
