//! The handlers, one file a resource. Each gets a [`Call`] whose caller is allowed the route, and gives an [`Answer`] or a
//! problem.

pub(crate) mod alerts;
pub(crate) mod approvals;
mod body;
mod count;
pub(crate) mod export;
pub(crate) mod find;
mod follow;
mod halts;
pub(crate) mod logs;
pub(crate) mod openapi;
mod published;
pub(crate) mod receivers;
mod record;
mod retrievals;
mod rules;
mod sealed;
mod server;
pub(crate) mod silences;
mod sources;
mod sql;
mod streaming;
mod times;
mod tokens;

use std::sync::Arc;

use axum::body::Body;

pub(crate) use self::body::form;

use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::routes::Operation;

/// Takes a call to its handler. All but the hot path are boxed, so that its future stays small.
pub(crate) async fn handle(call: &Arc<Call>, body: Body) -> Result<Answer, Problem> {
    match call.route.operation {
        Operation::Record => record::record(call, body).await,
        Operation::RecordRetrieval => Box::pin(retrievals::record(call, body)).await,
        Operation::Search => Box::pin(find::search(call)).await,
        Operation::Follow => Box::pin(follow::follow(call)).await,
        Operation::Count => Box::pin(count::count_events(call)).await,
        Operation::ListSources => Box::pin(sources::list(call)).await,
        Operation::Sql => Box::pin(sql::sql(call, body)).await,
        Operation::Export => Box::pin(export::export(call)).await,
        Operation::ListLogs => Box::pin(logs::list(call)).await,
        Operation::DescribeLog => Box::pin(logs::describe(call)).await,
        Operation::LogIntegrity => Box::pin(logs::integrity(call)).await,
        Operation::ReadEntry => Box::pin(logs::entry(call)).await,
        Operation::ProveEntry => Box::pin(logs::proof(call)).await,
        Operation::Checkpoint => Box::pin(published::checkpoint(call)).await,
        Operation::Tile => Box::pin(published::tile(call)).await,
        Operation::VerifierKey => Box::pin(published::verifier_key(call)).await,
        Operation::CreateToken => Box::pin(tokens::create(call, body)).await,
        Operation::ListTokens => Box::pin(tokens::list(call)).await,
        Operation::RevokeToken => Box::pin(tokens::revoke(call)).await,
        Operation::Unseal => Box::pin(sealed::unseal(call)).await,
        Operation::Forget => Box::pin(sealed::forget(call, body)).await,
        Operation::Health => Ok(server::health()),
        Operation::Ready => server::ready(call),
        Operation::Metrics => Ok(server::metrics(call)),
        Operation::OpenApi => openapi::serve(),
        Operation::ExplainProblem => server::explain_problem(call),
        Operation::ListApprovals => Box::pin(approvals::list(call)).await,
        Operation::DecideApproval => Box::pin(approvals::decide(call, body)).await,
        Operation::ListHalts => Box::pin(halts::list(call)).await,
        Operation::Halt => Box::pin(halts::halt(call, body)).await,
        Operation::Resume => Box::pin(halts::resume(call)).await,
        Operation::ListAlerts => Box::pin(alerts::list(call)).await,
        Operation::ShowAlert => Box::pin(alerts::show(call)).await,
        Operation::AcknowledgeAlert => Box::pin(alerts::acknowledge(call, body)).await,
        Operation::CloseAlert => Box::pin(alerts::close(call, body)).await,
        Operation::ListSilences => Box::pin(silences::list(call)).await,
        Operation::Silence => Box::pin(silences::set(call, body)).await,
        Operation::Unsilence => Box::pin(silences::end(call)).await,
        Operation::ListReceivers => Box::pin(receivers::list(call)).await,
        Operation::TestReceiver => Box::pin(receivers::test(call)).await,
        Operation::ListRules => Box::pin(rules::list(call)).await,
        Operation::Overview
        | Operation::ShowActor
        | Operation::ShowResource
        | Operation::ShowFlows
        | Operation::ShowSettings
        | Operation::SaveSearch
        | Operation::SignInPage
        | Operation::SignIn
        | Operation::SignInWithProvider
        | Operation::SignInFromProvider
        | Operation::SignOut
        | Operation::Preferences
        | Operation::Asset
        | Operation::ShowExport
        | Operation::Help
        | Operation::CallGateway
        | Operation::Unknown => Err(Problem::new(Kind::NotFound, "there is no such path")),
    }
}

/// Runs blocking work (disk, compression, parsing of large bodies) beside the requests.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal(format!("a blocking task ended early: {error}")))
}

/// A number for an event, whose integers are signed.
pub(crate) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
