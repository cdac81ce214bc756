//! The routes of what people see. A page that shows what a route of the API shows has the same operation, so that an event reads the
//! same whichever face somebody looked at.

use axum::http::Method;
use indelible_access::Action;

use super::{ABOUT_THE_SERVER, Face, Operation, Route, Trace, faced};

const fn look(operation: Operation, path: &'static str, action: Action) -> Route {
    faced(Face::Page, operation, Method::GET, path, Some(action), Trace::EachBeforeAnswer)
}

const fn deed(operation: Operation, path: &'static str, action: Action) -> Route {
    faced(Face::Page, operation, Method::POST, path, Some(action), Trace::EachBeforeAnswer)
}

/// Open to anybody; says nothing of a log.
const fn open(operation: Operation, method: Method, path: &'static str) -> Route {
    faced(Face::Page, operation, method, path, None, ABOUT_THE_SERVER)
}

/// How far an export is follows from its own two events; a page that asks each second would bury them.
const EXPORT_TOLD: Trace = Trace::Not("the export itself is on record, at its beginning and at its end");

/// The table.
#[rustfmt::skip]
pub static PAGES: [Route; 35] = [
    look(Operation::Overview, "/", Action::Search),
    look(Operation::Search, "/search", Action::Search),
    look(Operation::Count, "/search/counts", Action::Search),
    deed(Operation::SaveSearch, "/search/saved", Action::Search),
    look(Operation::ReadEntry, "/events/{name}/{index}", Action::ReadEntry),
    look(Operation::ShowActor, "/actor", Action::Search),
    look(Operation::ShowResource, "/resource", Action::Search),
    look(Operation::ShowFlows, "/flows", Action::Search),
    look(Operation::ListAlerts, "/alerts", Action::ReadAlerts),
    look(Operation::ShowAlert, "/alerts/{id}", Action::ReadAlerts),
    deed(Operation::AcknowledgeAlert, "/alerts/{id}/acknowledge", Action::HandleAlerts),
    deed(Operation::CloseAlert, "/alerts/{id}/close", Action::HandleAlerts),
    deed(Operation::Silence, "/alerts/{id}/silence", Action::HandleAlerts),
    deed(Operation::Unsilence, "/silences/{id}/end", Action::HandleAlerts),
    look(Operation::ListApprovals, "/approvals", Action::Approve),
    deed(Operation::DecideApproval, "/approvals/{id}", Action::Approve),
    look(Operation::ListSources, "/sources", Action::Search),
    look(Operation::LogIntegrity, "/integrity", Action::ReadPublished),
    look(Operation::ListTokens, "/access", Action::ListTokens),
    look(Operation::ShowSettings, "/settings", Action::ReadAlerts),
    deed(Operation::TestReceiver, "/settings/receivers/{name}/test", Action::HandleAlerts),
    look(Operation::Export, "/export", Action::Export),
    deed(Operation::Export, "/exports", Action::Export),
    faced(Face::Page, Operation::ShowExport, Method::GET, "/exports/{id}", Some(Action::Export), EXPORT_TOLD),
    look(Operation::Export, "/exports/{id}/file", Action::Export),
    open(Operation::SignInPage, Method::GET, "/sign-in"),
    open(Operation::SignIn, Method::POST, "/sign-in"),
    open(Operation::SignInWithProvider, Method::GET, "/sign-in/oidc"),
    open(Operation::SignInFromProvider, Method::GET, "/sign-in/callback"),
    open(Operation::SignOut, Method::POST, "/sign-out"),
    open(Operation::Preferences, Method::POST, "/preferences"),
    open(Operation::Help, Method::GET, "/help"),
    open(Operation::Asset, Method::GET, "/assets/{file}"),
    open(Operation::Asset, Method::GET, "/assets/{room}/{file}"),
    open(Operation::Asset, Method::GET, "/favicon.ico"),
];
