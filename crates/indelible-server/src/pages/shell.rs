//! What stands around every page: who is signed in, where they may go, which log, which zone, and the two verdicts.

use std::sync::Arc;

use indelible_access::{Action, Role};
use indelible_event::percent::encode;

use super::assets::link;
use super::cookies;
use super::verdicts::{Verdict, completeness, integrity};
use super::zone::Zone;
use crate::call::Call;
use crate::logs::LogHandle;
use crate::routes::Operation;

/// A place one can go to.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) word: &'static str,
    pub(super) href: String,
    pub(super) is_here: bool,
    /// Things that wait there.
    pub(super) waiting: u64,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) role: Role,
}

/// What stands around a page.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) who: Option<Who>,
    pub(super) places: Vec<Place>,
    /// The logs one may choose from.
    pub(super) logs: Vec<String>,
    pub(super) log: String,
    pub(super) zone: Zone,
    pub(super) theme: String,
    pub(super) verdicts: Option<(Verdict, Verdict)>,
    /// Where this page is, to come back to it.
    pub(super) path: String,
}

/// The places, in the order of a day's work.
#[rustfmt::skip]
const PLACES: [(&str, &str, Action, &[Operation]); 9] = [
    ("Overview", "/", Action::Search, &[Operation::Overview]),
    ("Search", "/search", Action::Search, &[Operation::Search, Operation::ReadEntry, Operation::ShowActor, Operation::ShowResource, Operation::Export, Operation::ShowExport]),
    ("Flows", "/flows", Action::Search, &[Operation::ShowFlows]),
    ("Alerts", "/alerts", Action::ReadAlerts, &[Operation::ListAlerts, Operation::ShowAlert]),
    ("Approvals", "/approvals", Action::Approve, &[Operation::ListApprovals]),
    ("Sources", "/sources", Action::Search, &[Operation::ListSources]),
    ("Integrity", "/integrity", Action::ReadPublished, &[Operation::LogIntegrity]),
    ("Access", "/access", Action::ListTokens, &[Operation::ListTokens]),
    ("Settings", "/settings", Action::ReadAlerts, &[Operation::ShowSettings]),
];

impl Shell {
    /// Around a page about `log`.
    pub(super) fn of(call: &Call, title: impl Into<String>, log: &Arc<LogHandle>) -> Self {
        let app = &call.app;
        let may = |action| call.identity.as_ref().is_some_and(|identity| identity.role.may(action));
        let may_use = |name: &str| call.identity.as_ref().is_none_or(|identity| identity.may_use_log(name));
        let first = app.logs.first().name();
        let place = |(word, path, _, here): &(&'static str, &str, Action, &[Operation])| Place {
            word,
            href: if log.name() == first { (*path).to_owned() } else { format!("{path}?log={}", encode(log.name())) },
            is_here: here.contains(&call.route.operation),
            waiting: if *word == "Approvals" { app.door.holds().list().len() as u64 } else { 0 },
        };
        let verdicts =
            may(Action::Search).then(|| (integrity(app, log), app.watched.look_at_sources(log.name(), completeness)));
        Self {
            who: call.identity.as_ref().map(|identity| Who { name: identity.name.to_string(), role: identity.role }),
            places: PLACES.iter().filter(|place| may(place.2)).map(place).collect(),
            logs: app.logs.iter().map(|log| log.name().to_owned()).filter(|name| may_use(name)).collect(),
            log: log.name().to_owned(),
            verdicts,
            ..Self::bare(call, title)
        }
    }

    /// Around a page that is about no log: nothing of a log is shown.
    pub(super) fn bare(call: &Call, title: impl Into<String>) -> Self {
        let preference = |name| cookies::get(&call.parts.headers, name).unwrap_or_default();
        let theme = match preference(cookies::THEME) {
            word @ ("light" | "dark") => word,
            _ => "auto",
        };
        Self {
            title: title.into(),
            who: None,
            places: Vec::new(),
            logs: Vec::new(),
            log: String::new(),
            zone: Zone::parse(preference(cookies::ZONE)).unwrap_or(Zone::Source),
            theme: theme.to_owned(),
            verdicts: None,
            path: call.parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        }
    }

    /// Adds how many alerts are open to the place where they are.
    pub(super) fn with_alerts(mut self, open: u64) -> Self {
        for place in self.places.iter_mut().filter(|place| place.word == "Alerts") {
            place.waiting = open;
        }
        self
    }

    /// Where a style or script is.
    pub(super) fn asset(&self, path: &str) -> String {
        link(path)
    }

    /// A link to a page of this log, with parameters.
    pub(super) fn to(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut link = path.to_owned();
        let log = [("log", self.log.as_str())];
        let log = if self.logs.first().is_none_or(|first| *first == self.log) { &[] } else { &log[..] };
        let given = parameters.iter().chain(log).filter(|(_, value)| !value.is_empty());
        for (place, (name, value)) in given.enumerate() {
            link.push(if place == 0 { '?' } else { '&' });
            link.push_str(name);
            link.push('=');
            link.push_str(&encode(value));
        }
        link
    }

    /// A link to a search.
    pub(super) fn search(&self, q: &str) -> String {
        self.to("/search", &[("q", q)])
    }

    /// A link to the search for a field's value.
    pub(super) fn search_for(&self, field: &str, value: &str) -> String {
        self.search(&term(field, value))
    }

    /// The same with another term before it, since a time.
    pub(super) fn search_since(&self, with: &str, field: &str, value: &str, from: &str) -> String {
        let q = format!("{with} {}", term(field, value));
        self.to("/search", &[("q", q.trim()), ("from", from)])
    }

    /// A link to the search for a query and a field's value.
    pub(super) fn search_with(&self, q: &str, field: &str, value: &str) -> String {
        self.search(&format!("{q} {}", term(field, value)))
    }

    /// A link to an event.
    pub(super) fn event(&self, index: impl std::borrow::Borrow<u64>) -> String {
        format!("/events/{}/{}", encode(&self.log), index.borrow())
    }

    /// Whether somebody is signed in who may do this.
    pub(super) fn may(&self, action: Action) -> bool {
        self.who.as_ref().is_some_and(|who| who.role.may(action))
    }
}

/// `field:value`, quoted where the query language needs it.
pub(super) fn term(field: &str, value: &str) -> String {
    let plain = !value.is_empty()
        && value.chars().all(|c| c.is_alphanumeric() || "-_@/.".contains(c))
        && !value.eq_ignore_ascii_case("or")
        && !value.contains("..");
    if plain {
        return format!("{field}:{value}");
    }
    format!("{field}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::term;

    #[test]
    fn whatever_a_value_holds_its_term_is_a_query_for_it() {
        for value in ["ana@example.com", "a b", "5..7", "\"", "\\", "or", "", "*", ">5", "größe", "(x)", "a:b"] {
            let query = indelible_search::filter(&term("actor", value), None, None);
            assert!(query.is_ok() || value.is_empty(), "{value}: {query:?}");
        }
        assert_eq!(term("actor", "svc/a-1"), "actor:svc/a-1");
        assert_eq!(term("actor", "a \"b\""), "actor:\"a \\\"b\\\"\"");
    }
}
