//! Every route, once: method, path, what it needs, and how its use is recorded. Router, OpenAPI document, role matrix, metrics
//! and the server's own events all read this table. Never: a route that stands anywhere else.

pub mod pages;

use axum::http::Method;
use indelible_access::Action;

/// What a request does: its word in events (`operation`), in metrics and in the OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Record events.
    Record,
    /// Record what a search for context brought back.
    RecordRetrieval,
    /// Find events.
    Search,
    /// Follow events live.
    Follow,
    /// Count events.
    Count,
    /// List the sources of a log.
    ListSources,
    /// Read-only SQL.
    Sql,
    /// Export events in bulk.
    Export,
    /// List logs.
    ListLogs,
    /// Describe one log.
    DescribeLog,
    /// Tell how the integrity of a log stands.
    LogIntegrity,
    /// Read one entry.
    ReadEntry,
    /// Prove one entry.
    ProveEntry,
    /// Read the published checkpoint.
    Checkpoint,
    /// Read a tile or an entry bundle.
    Tile,
    /// Read the verifier key.
    VerifierKey,
    /// Make a token.
    CreateToken,
    /// List tokens.
    ListTokens,
    /// Revoke a token.
    RevokeToken,
    /// Show sealed content.
    Unseal,
    /// Erase sealed content.
    Forget,
    /// Whether the process lives.
    Health,
    /// Whether it takes requests.
    Ready,
    /// Metrics.
    Metrics,
    /// The OpenAPI document.
    OpenApi,
    /// What an error means.
    ExplainProblem,
    /// List calls that wait for an approval.
    ListApprovals,
    /// Decide one.
    DecideApproval,
    /// List what is halted.
    ListHalts,
    /// Halt something.
    Halt,
    /// Resume it.
    Resume,
    /// List alerts.
    ListAlerts,
    /// Show one with what is behind it.
    ShowAlert,
    /// Take one.
    AcknowledgeAlert,
    /// Close one.
    CloseAlert,
    /// List silences.
    ListSilences,
    /// Silence alerts for a while.
    Silence,
    /// End a silence.
    Unsilence,
    /// List receivers and how they do.
    ListReceivers,
    /// Try a receiver.
    TestReceiver,
    /// List the rules in force.
    ListRules,
    /// Show what there is at a glance.
    Overview,
    /// Show all there is about an actor.
    ShowActor,
    /// Show all there is about a resource.
    ShowResource,
    /// Show who reached which data through what.
    ShowFlows,
    /// Show the settings in force.
    ShowSettings,
    /// Keep a search under a name, or forget it.
    SaveSearch,
    /// The page that asks who somebody is.
    SignInPage,
    /// Sign in at a browser.
    SignIn,
    /// `GET /sign-in/oidc`
    SignInWithProvider,
    /// `GET /sign-in/callback`
    SignInFromProvider,
    /// Sign out.
    SignOut,
    /// How times and colours are shown to this browser.
    Preferences,
    /// Style, script or picture of the pages.
    Asset,
    /// How far an export is, and its file.
    ShowExport,
    /// What keys and words mean.
    Help,
    /// Call a model or tool through a gateway.
    CallGateway,
    /// No route: a wrong path or method.
    Unknown,
}

impl Operation {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Record => "events.record",
            Self::RecordRetrieval => "retrievals.record",
            Self::Search => "events.search",
            Self::Follow => "events.follow",
            Self::Count => "events.count",
            Self::ListSources => "sources.list",
            Self::Sql => "events.sql",
            Self::Export => "events.export",
            Self::ListLogs => "logs.list",
            Self::DescribeLog => "logs.describe",
            Self::LogIntegrity => "logs.integrity",
            Self::ReadEntry => "entries.read",
            Self::ProveEntry => "entries.prove",
            Self::Checkpoint => "published.checkpoint",
            Self::Tile => "published.tile",
            Self::VerifierKey => "published.key",
            Self::CreateToken => "tokens.create",
            Self::ListTokens => "tokens.list",
            Self::RevokeToken => "tokens.revoke",
            Self::Unseal => "sealed.read",
            Self::Forget => "sealed.forget",
            Self::Health => "server.health",
            Self::Ready => "server.ready",
            Self::Metrics => "server.metrics",
            Self::OpenApi => "server.openapi",
            Self::ExplainProblem => "server.problem",
            Self::ListApprovals => "approvals.list",
            Self::DecideApproval => "approvals.decide",
            Self::ListHalts => "halts.list",
            Self::Halt => "halts.set",
            Self::Resume => "halts.lift",
            Self::ListAlerts => "alerts.list",
            Self::ShowAlert => "alerts.show",
            Self::AcknowledgeAlert => "alerts.acknowledge",
            Self::CloseAlert => "alerts.close",
            Self::ListSilences => "silences.list",
            Self::Silence => "silences.set",
            Self::Unsilence => "silences.end",
            Self::ListReceivers => "receivers.list",
            Self::TestReceiver => "receivers.test",
            Self::ListRules => "rules.list",
            Self::Overview => "pages.overview",
            Self::ShowActor => "pages.actor",
            Self::ShowResource => "pages.resource",
            Self::ShowFlows => "pages.flows",
            Self::ShowSettings => "pages.settings",
            Self::SaveSearch => "searches.save",
            Self::SignInPage => "pages.sign-in",
            Self::SignIn => "sessions.begin",
            Self::SignInWithProvider => "sessions.ask-provider",
            Self::SignInFromProvider => "sessions.begin-by-provider",
            Self::SignOut => "sessions.end",
            Self::Preferences => "pages.preferences",
            Self::Asset => "pages.asset",
            Self::ShowExport => "exports.show",
            Self::Help => "pages.help",
            Self::CallGateway => "gateways.call",
            Self::Unknown => "unknown",
        }
    }
}

/// How the use of a route is recorded in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// What it records is the record.
    ItsOwnRecord,
    /// One event before each answer.
    EachBeforeAnswer,
    /// One event before the first answer to an actor in a minute, one with the sums after it.
    SummedPerMinute,
    /// Not recorded, and why.
    Not(&'static str),
}

/// Who a route is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Programs: JSON, problem documents, the OpenAPI document.
    Api,
    /// People: HTML, forms, a way to sign in.
    Page,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// What it does.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path as the router and the OpenAPI document write it.
    pub path: &'static str,
    /// What the caller must be allowed; `None` needs no token.
    pub action: Option<Action>,
    /// How its use is recorded.
    pub trace: Trace,
    /// Who it is made for.
    pub face: Face,
}

/// Every route there is.
pub fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(&pages::PAGES)
}

const fn route(
    operation: Operation,
    method: Method,
    path: &'static str,
    action: Option<Action>,
    trace: Trace,
) -> Route {
    faced(Face::Api, operation, method, path, action, trace)
}

const fn faced(
    face: Face,
    operation: Operation,
    method: Method,
    path: &'static str,
    action: Option<Action>,
    trace: Trace,
) -> Route {
    Route { operation, method, path, action, trace, face }
}

/// Says nothing about the log's content.
const ABOUT_THE_SERVER: Trace = Trace::Not("says nothing about what is in a log");

/// The table of what programs call; that of what people see stands in [`pages`].
#[rustfmt::skip]
pub static ROUTES: [Route; 41] = [
    route(Operation::Record, Method::POST, "/v1/events", Some(Action::Record), Trace::ItsOwnRecord),
    route(Operation::RecordRetrieval, Method::POST, "/v1/retrievals", Some(Action::Record), Trace::ItsOwnRecord),
    route(Operation::Search, Method::GET, "/v1/events", Some(Action::Search), Trace::EachBeforeAnswer),
    route(Operation::Follow, Method::GET, "/v1/events/stream", Some(Action::Search), Trace::EachBeforeAnswer),
    route(Operation::Count, Method::GET, "/v1/stats", Some(Action::Search), Trace::EachBeforeAnswer),
    route(Operation::ListSources, Method::GET, "/v1/sources", Some(Action::Search), Trace::EachBeforeAnswer),
    route(Operation::Sql, Method::POST, "/v1/sql", Some(Action::Sql), Trace::EachBeforeAnswer),
    route(Operation::Export, Method::GET, "/v1/export", Some(Action::Export), Trace::EachBeforeAnswer),
    route(Operation::ListLogs, Method::GET, "/v1/logs", Some(Action::DescribeLogs), Trace::EachBeforeAnswer),
    route(Operation::DescribeLog, Method::GET, "/v1/logs/{name}", Some(Action::DescribeLogs), Trace::EachBeforeAnswer),
    route(Operation::LogIntegrity, Method::GET, "/v1/logs/{name}/integrity", Some(Action::ReadPublished), Trace::EachBeforeAnswer),
    route(Operation::ReadEntry, Method::GET, "/v1/logs/{name}/entries/{index}", Some(Action::ReadEntry), Trace::EachBeforeAnswer),
    route(Operation::ProveEntry, Method::GET, "/v1/logs/{name}/entries/{index}/proof", Some(Action::ReadEntry), Trace::EachBeforeAnswer),
    route(Operation::Checkpoint, Method::GET, "/log/{name}/checkpoint", Some(Action::ReadPublished), Trace::SummedPerMinute),
    route(Operation::Tile, Method::GET, "/log/{name}/tile/{*tile}", Some(Action::ReadPublished), Trace::SummedPerMinute),
    route(Operation::VerifierKey, Method::GET, "/log/{name}/log.vkey", Some(Action::ReadPublished), Trace::SummedPerMinute),
    route(Operation::CreateToken, Method::POST, "/v1/tokens", Some(Action::ChangeTokens), Trace::EachBeforeAnswer),
    route(Operation::ListTokens, Method::GET, "/v1/tokens", Some(Action::ListTokens), Trace::EachBeforeAnswer),
    route(Operation::RevokeToken, Method::DELETE, "/v1/tokens/{id}", Some(Action::ChangeTokens), Trace::EachBeforeAnswer),
    route(Operation::Unseal, Method::GET, "/v1/sealed/{id}", Some(Action::Unseal), Trace::EachBeforeAnswer),
    route(Operation::Forget, Method::POST, "/v1/forget", Some(Action::Forget), Trace::EachBeforeAnswer),
    route(Operation::ListApprovals, Method::GET, "/v1/approvals", Some(Action::Approve), Trace::EachBeforeAnswer),
    route(Operation::DecideApproval, Method::POST, "/v1/approvals/{id}", Some(Action::Approve), Trace::EachBeforeAnswer),
    route(Operation::ListHalts, Method::GET, "/v1/halts", Some(Action::Halt), Trace::EachBeforeAnswer),
    route(Operation::Halt, Method::POST, "/v1/halts", Some(Action::Halt), Trace::EachBeforeAnswer),
    route(Operation::Resume, Method::DELETE, "/v1/halts", Some(Action::Halt), Trace::EachBeforeAnswer),
    route(Operation::ListAlerts, Method::GET, "/v1/alerts", Some(Action::ReadAlerts), Trace::EachBeforeAnswer),
    route(Operation::ShowAlert, Method::GET, "/v1/alerts/{id}", Some(Action::ReadAlerts), Trace::EachBeforeAnswer),
    route(Operation::AcknowledgeAlert, Method::POST, "/v1/alerts/{id}/acknowledge", Some(Action::HandleAlerts), Trace::EachBeforeAnswer),
    route(Operation::CloseAlert, Method::POST, "/v1/alerts/{id}/close", Some(Action::HandleAlerts), Trace::EachBeforeAnswer),
    route(Operation::ListSilences, Method::GET, "/v1/silences", Some(Action::ReadAlerts), Trace::EachBeforeAnswer),
    route(Operation::Silence, Method::POST, "/v1/silences", Some(Action::HandleAlerts), Trace::EachBeforeAnswer),
    route(Operation::Unsilence, Method::DELETE, "/v1/silences/{id}", Some(Action::HandleAlerts), Trace::EachBeforeAnswer),
    route(Operation::ListReceivers, Method::GET, "/v1/receivers", Some(Action::ReadAlerts), Trace::EachBeforeAnswer),
    route(Operation::TestReceiver, Method::POST, "/v1/receivers/{name}/test", Some(Action::HandleAlerts), Trace::EachBeforeAnswer),
    route(Operation::ListRules, Method::GET, "/v1/rules", Some(Action::ReadAlerts), Trace::EachBeforeAnswer),
    route(Operation::Health, Method::GET, "/healthz", None, ABOUT_THE_SERVER),
    route(Operation::Ready, Method::GET, "/readyz", None, ABOUT_THE_SERVER),
    route(Operation::Metrics, Method::GET, "/metrics", None, ABOUT_THE_SERVER),
    route(Operation::OpenApi, Method::GET, "/openapi.json", None, ABOUT_THE_SERVER),
    route(Operation::ExplainProblem, Method::GET, "/problems/{code}", None, ABOUT_THE_SERVER),
];

/// What all paths below the mounts of gateways are taken for. What a call does is recorded by its gateway.
pub static GATEWAY: Route =
    route(Operation::CallGateway, Method::POST, "", Some(Action::UseGateway), Trace::ItsOwnRecord);

/// What a request on no route is taken for.
pub static NO_ROUTE: Route = route(Operation::Unknown, Method::GET, "", None, ABOUT_THE_SERVER);

#[cfg(test)]
mod tests {
    use super::*;
    use indelible_access::Role;

    #[test]
    #[allow(clippy::too_many_lines, reason = "one table")]
    fn who_may_use_which_route_is_as_agreed() {
        let mut table = String::new();
        for route in all() {
            let may: Vec<&str> = match route.action {
                None => vec!["anyone"],
                Some(action) => Role::ALL.into_iter().filter(|role| role.may(action)).map(Role::word).collect(),
            };
            table.push_str(&format!("{} {} -> {}\n", route.method, route.path, may.join(" ")));
        }
        assert_eq!(
            table,
            "POST /v1/events -> admin ingest\n\
             POST /v1/retrievals -> admin ingest\n\
             GET /v1/events -> admin read responder\n\
             GET /v1/events/stream -> admin read responder\n\
             GET /v1/stats -> admin read responder\n\
             GET /v1/sources -> admin read responder\n\
             POST /v1/sql -> admin read responder\n\
             GET /v1/export -> admin read\n\
             GET /v1/logs -> admin ingest read responder\n\
             GET /v1/logs/{name} -> admin ingest read responder\n\
             GET /v1/logs/{name}/integrity -> admin read responder\n\
             GET /v1/logs/{name}/entries/{index} -> admin read responder\n\
             GET /v1/logs/{name}/entries/{index}/proof -> admin read responder\n\
             GET /log/{name}/checkpoint -> admin read responder\n\
             GET /log/{name}/tile/{*tile} -> admin read responder\n\
             GET /log/{name}/log.vkey -> admin read responder\n\
             POST /v1/tokens -> admin\n\
             GET /v1/tokens -> admin\n\
             DELETE /v1/tokens/{id} -> admin\n\
             GET /v1/sealed/{id} -> admin\n\
             POST /v1/forget -> admin\n\
             GET /v1/approvals -> admin approver\n\
             POST /v1/approvals/{id} -> admin approver\n\
             GET /v1/halts -> admin responder\n\
             POST /v1/halts -> admin responder\n\
             DELETE /v1/halts -> admin responder\n\
             GET /v1/alerts -> admin read responder\n\
             GET /v1/alerts/{id} -> admin read responder\n\
             POST /v1/alerts/{id}/acknowledge -> admin responder\n\
             POST /v1/alerts/{id}/close -> admin responder\n\
             GET /v1/silences -> admin read responder\n\
             POST /v1/silences -> admin responder\n\
             DELETE /v1/silences/{id} -> admin responder\n\
             GET /v1/receivers -> admin read responder\n\
             POST /v1/receivers/{name}/test -> admin responder\n\
             GET /v1/rules -> admin read responder\n\
             GET /healthz -> anyone\n\
             GET /readyz -> anyone\n\
             GET /metrics -> anyone\n\
             GET /openapi.json -> anyone\n\
             GET /problems/{code} -> anyone\n\
             GET / -> admin read responder\n\
             GET /search -> admin read responder\n\
             GET /search/counts -> admin read responder\n\
             POST /search/saved -> admin read responder\n\
             GET /events/{name}/{index} -> admin read responder\n\
             GET /actor -> admin read responder\n\
             GET /resource -> admin read responder\n\
             GET /flows -> admin read responder\n\
             GET /alerts -> admin read responder\n\
             GET /alerts/{id} -> admin read responder\n\
             POST /alerts/{id}/acknowledge -> admin responder\n\
             POST /alerts/{id}/close -> admin responder\n\
             POST /alerts/{id}/silence -> admin responder\n\
             POST /silences/{id}/end -> admin responder\n\
             GET /approvals -> admin approver\n\
             POST /approvals/{id} -> admin approver\n\
             GET /sources -> admin read responder\n\
             GET /integrity -> admin read responder\n\
             GET /access -> admin\n\
             GET /settings -> admin read responder\n\
             POST /settings/receivers/{name}/test -> admin responder\n\
             GET /export -> admin read\n\
             POST /exports -> admin read\n\
             GET /exports/{id} -> admin read\n\
             GET /exports/{id}/file -> admin read\n\
             GET /sign-in -> anyone\n\
             POST /sign-in -> anyone\n\
             GET /sign-in/oidc -> anyone\n\
             GET /sign-in/callback -> anyone\n\
             POST /sign-out -> anyone\n\
             POST /preferences -> anyone\n\
             GET /help -> anyone\n\
             GET /assets/{file} -> anyone\n\
             GET /assets/{room}/{file} -> anyone\n\
             GET /favicon.ico -> anyone\n"
        );
    }

    #[test]
    fn whatever_needs_a_token_is_recorded() {
        for route in all().filter(|route| route.operation != Operation::ShowExport) {
            assert_eq!(route.action.is_none(), matches!(route.trace, Trace::Not(_)), "{} {}", route.method, route.path);
        }
    }
}
