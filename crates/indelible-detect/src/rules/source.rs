//! Which events a rule's log source means, and what the fields of others are called here (Sigma specification 2, `logsource`;
//! taxonomy appendix).
//!
//! Promises: a rule sees only events of its log source; a rule for a log source that nobody reports never matches.

use rsigma_parser::LogSource;

/// Fields of Kubernetes audit events (audit.k8s.io/v1, `Event`), as rules name them, and where they stand in ours.
const KUBERNETES: &[(&str, &[&str])] = &[
    ("verb", &["attributes.verb", "operation"]),
    ("username", &["attributes.username", "actor.id"]),
    ("user.username", &["attributes.user.username", "actor.id"]),
    ("user.groups", &["attributes.user.groups", "actor.groups"]),
    ("sourceIPs", &["attributes.sourceIPs", "actor.ip"]),
    ("userAgent", &["attributes.userAgent", "actor.user_agent"]),
    ("resource", &["attributes.resource", "resources.type"]),
    ("objectRef.resource", &["attributes.objectRef.resource", "resources.type"]),
    ("objectRef.name", &["attributes.objectRef.name", "resources.name", "resources.id"]),
    ("name", &["attributes.name", "resources.name", "resources.id"]),
    ("responseStatus.code", &["attributes.responseStatus.code", "outcome.code"]),
    ("responseStatus.reason", &["attributes.responseStatus.reason", "outcome.reason"]),
];

/// Common names in rules for applications, and where they stand in ours.
const APPLICATION: &[(&str, &[&str])] = &[
    ("User", &["actor.id"]),
    ("user", &["actor.id"]),
    ("username", &["actor.id"]),
    ("c-ip", &["actor.ip"]),
    ("src_ip", &["actor.ip"]),
    ("SourceIp", &["actor.ip"]),
    ("c-useragent", &["actor.user_agent"]),
    ("EventType", &["operation", "action"]),
    ("eventName", &["operation"]),
    ("status", &["outcome.code", "outcome.result"]),
    ("sc-status", &["outcome.code"]),
    ("message", &["outcome.reason"]),
];

/// The kinds of source that are applications when a rule says `category: application`.
const APPLICATION_KINDS: &[&str] = &["api", "application", "app", "sdk", "otel", "file", "log"];

/// What a rule's log source means here.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// `source.kind`s that fit; `None`: all.
    kinds: Option<Vec<String>>,
    /// Other names for our fields.
    pub(super) fields: Fields,
}

/// Other names for our fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    /// Ours.
    Own,
    /// Of a log source of others: theirs first, then ours.
    Mapped(&'static [(&'static str, &'static [&'static str])]),
}

impl Source {
    /// What `source` means.
    pub(super) fn of(source: &LogSource) -> Self {
        let lower = |word: &Option<String>| word.as_deref().map(str::to_ascii_lowercase);
        let (product, service, category) = (lower(&source.product), lower(&source.service), lower(&source.category));
        match (product.as_deref(), service.as_deref(), category.as_deref()) {
            (None, None, None) => Self { kinds: None, fields: Fields::Own },
            (Some("indelible"), service, category) => {
                let kinds: Vec<String> = service.or(category).map(str::to_owned).into_iter().collect();
                Self { kinds: Some(kinds).filter(|kinds| !kinds.is_empty()), fields: Fields::Own }
            }
            (Some("kubernetes"), _, _) => {
                let kinds = ["kubernetes", "kubernetes-audit", "k8s"].map(str::to_owned).to_vec();
                Self { kinds: Some(kinds), fields: Fields::Mapped(KUBERNETES) }
            }
            (product, service, Some("application")) => {
                // the product of an application is what its source is called: `product: django`
                let mut kinds: Vec<String> = product.into_iter().chain(service).map(str::to_owned).collect();
                if kinds.is_empty() {
                    kinds = APPLICATION_KINDS.iter().map(|kind| (*kind).to_owned()).collect();
                }
                Self { kinds: Some(kinds), fields: Fields::Mapped(APPLICATION) }
            }
            (product, service, category) => {
                let mut kinds: Vec<String> = Vec::new();
                if let (Some(product), Some(service)) = (product, service) {
                    kinds.push(format!("{product}-{service}"));
                }
                kinds.extend(product.or(service).or(category).map(str::to_owned));
                Self { kinds: Some(kinds), fields: Fields::Mapped(&[]) }
            }
        }
    }

    /// Whether an event of a source of this kind is meant.
    pub(super) fn fits(&self, kind: Option<&str>) -> bool {
        let Some(kinds) = &self.kinds else { return true };
        kind.is_some_and(|kind| kinds.iter().any(|fit| fit.eq_ignore_ascii_case(kind)))
    }

    /// The first kind that fits, if not all do.
    pub(super) fn example_kind(&self) -> Option<&str> {
        self.kinds.as_ref()?.first().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(product: Option<&str>, service: Option<&str>, category: Option<&str>) -> Source {
        Source::of(&LogSource {
            product: product.map(str::to_owned),
            service: service.map(str::to_owned),
            category: category.map(str::to_owned),
            ..LogSource::default()
        })
    }

    #[test]
    fn rules_of_others_see_only_events_of_their_source() {
        assert!(source(Some("indelible"), None, None).fits(Some("gateway")));
        assert!(!source(Some("indelible"), Some("gateway"), None).fits(Some("api")));
        assert!(source(Some("kubernetes"), Some("audit"), None).fits(Some("kubernetes")));
        assert!(!source(Some("kubernetes"), Some("audit"), None).fits(Some("gateway")));
        assert!(source(None, None, Some("application")).fits(Some("api")));
        assert!(!source(Some("windows"), None, Some("process_creation")).fits(Some("api")));
    }
}
