//! The server's own figures for `/metrics`, in one struct. Names are `indelible_<room>_<noun>_<unit>[_total]`; labels come from
//! closed sets (operations, statuses, kinds of problem, configured logs). Never: an address, a token's name or a query.

use std::sync::atomic::AtomicU64;

use indelible_detect::finding::Severity;
use indelible_event::time::RecordedTime;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::guard::Integrity;
use crate::logs::{LogSet, takes_events};
use crate::routes::Operation;

/// What was asked for and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Answered {
    operation: &'static str,
    status: u16,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Asked {
    operation: &'static str,
}

/// Which log, out of the configured ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfLog {
    log: String,
}

/// How bad an alert is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfSeverity {
    severity: &'static str,
}

/// Seconds, from a group commit on a fast disk to a slow query.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.5, 1.0, 5.0, 15.0, 60.0];

type Histograms = Family<Asked, Histogram, fn() -> Histogram>;

/// All figures.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Histograms,
    /// Requests in work.
    pub(crate) in_work: Gauge,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Events added to logs by requests.
    pub(crate) events: Counter,
    /// Bytes of request bodies, decompressed.
    pub(crate) body_bytes: Counter,
    /// Events known before.
    pub(crate) duplicates: Counter,
    /// Faults found in events.
    pub(crate) faults: Counter,
    /// The server's own events.
    pub(crate) own_events: Counter,
    /// Requests refused, recorded one by one or in sums.
    pub(crate) refusals: Counter,
    /// Times that changed policies were refused because they were wrong.
    pub(crate) policy_failures: Counter,
    /// Own events that could not be recorded at the first try.
    pub(crate) own_event_failures: Counter,
    /// Notices of alerts that receivers took.
    pub(crate) notices_delivered: Counter,
    /// Times that a receiver did not take one.
    pub(crate) notice_failures: Counter,
    alerts: Family<OfSeverity, Gauge<u64, AtomicU64>>,
    durable: Family<OfLog, Gauge<u64, AtomicU64>>,
    published: Family<OfLog, Gauge<u64, AtomicU64>>,
    confirmed: Family<OfLog, Gauge<f64, AtomicU64>>,
    indexed: Family<OfLog, Gauge<u64, AtomicU64>>,
    recording: Family<OfLog, Gauge>,
    signing: Family<OfLog, Gauge>,
    guard_verified: Family<OfLog, Gauge<u64, AtomicU64>>,
    guard_checked: Family<OfLog, Gauge<u64, AtomicU64>>,
    guard_completed: Family<OfLog, Gauge<f64, AtomicU64>>,
    guard_findings: Family<OfLog, Gauge<u64, AtomicU64>>,
    /// Failures of the search index, which never touch recording.
    pub(crate) index_failures: Family<OfLog, Counter>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All figures at nought.
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Histograms::new_with_constructor(|| Histogram::new(SECONDS)),
            in_work: Gauge::default(),
            connections: Gauge::default(),
            events: Counter::default(),
            body_bytes: Counter::default(),
            duplicates: Counter::default(),
            faults: Counter::default(),
            own_events: Counter::default(),
            refusals: Counter::default(),
            policy_failures: Counter::default(),
            own_event_failures: Counter::default(),
            notices_delivered: Counter::default(),
            notice_failures: Counter::default(),
            alerts: Family::default(),
            durable: Family::default(),
            published: Family::default(),
            confirmed: Family::default(),
            indexed: Family::default(),
            recording: Family::default(),
            signing: Family::default(),
            guard_verified: Family::default(),
            guard_checked: Family::default(),
            guard_completed: Family::default(),
            guard_findings: Family::default(),
            index_failures: Family::default(),
        };
        metrics.register();
        metrics
    }

    /// How many alerts are not closed, by severity, least first.
    pub(crate) fn open_alerts(&self, counts: &[u64; 5]) {
        for (severity, count) in Severity::ALL.into_iter().zip(counts) {
            self.alerts.get_or_create(&OfSeverity { severity: severity.as_str() }).set(*count);
        }
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let name = |noun: &str| format!("indelible_{noun}");
        registry.register(name("http_requests"), "Requests answered", self.requests.clone());
        registry.register_with_unit(
            name("http_request_duration"),
            "Time from request head to answer head",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(name("http_requests_in_work"), "Requests being worked on", self.in_work.clone());
        registry.register(name("http_connections"), "Open connections", self.connections.clone());
        registry.register(name("events_recorded"), "Events added to logs by requests", self.events.clone());
        registry.register_with_unit(
            name("events_body"),
            "Request bodies of events, decompressed",
            Unit::Bytes,
            self.body_bytes.clone(),
        );
        registry.register(name("events_duplicates"), "Events that were known before", self.duplicates.clone());
        registry.register(name("events_faults"), "Faults found in events", self.faults.clone());
        registry.register(
            name("access_own_events"),
            "Events the server recorded about itself",
            self.own_events.clone(),
        );
        registry.register(
            name("access_refusals"),
            "Refused requests, recorded singly or in sums",
            self.refusals.clone(),
        );
        registry.register(
            name("access_policy_failures"),
            "Times that changed policies were wrong, so that the old ones stayed in force",
            self.policy_failures.clone(),
        );
        registry.register(
            name("access_own_event_failures"),
            "Own events that could not be recorded at once",
            self.own_event_failures.clone(),
        );
        registry.register(
            name("alerts_delivered_notices"),
            "Notices of alerts that receivers took",
            self.notices_delivered.clone(),
        );
        registry.register(
            name("alerts_delivery_failures"),
            "Times that a receiver did not take a notice",
            self.notice_failures.clone(),
        );
        registry.register(name("alerts_open"), "Alerts that are not closed", self.alerts.clone());
        registry.register(name("log_durable_entries"), "Entries that are durable", self.durable.clone());
        registry.register(name("log_published_entries"), "Entries in the newest checkpoint", self.published.clone());
        registry.register_with_unit(
            name("log_checkpoint_timestamp"),
            "When the newest checkpoint was signed or last confirmed, Unix time",
            Unit::Seconds,
            self.confirmed.clone(),
        );
        registry.register(name("log_recording"), "1 while the log takes events", self.recording.clone());
        self.register_guard();
        let registry = &mut self.registry;
        registry.register(name("search_indexed_entries"), "Entries that the search index holds", self.indexed.clone());
        registry.register(name("search_index_failures"), "Failures of the search index", self.index_failures.clone());
    }

    fn register_guard(&mut self) {
        let registry = &mut self.registry;
        let name = |noun: &str| format!("indelible_{noun}");
        registry.register(name("log_signing"), "1 while checkpoints are signed", self.signing.clone());
        registry.register(
            name("guard_verified_entries"),
            "Entries in the newest checkpoint that the guard verified",
            self.guard_verified.clone(),
        );
        registry.register(
            name("guard_checked_entries"),
            "Entries that the guard recomputed since it first ran",
            self.guard_checked.clone(),
        );
        registry.register_with_unit(
            name("guard_sweep_timestamp"),
            "When a pass over all entries last ended that found nothing wrong, Unix time",
            Unit::Seconds,
            self.guard_completed.clone(),
        );
        registry.register(
            name("guard_findings"),
            "What the guard found wrong since the start",
            self.guard_findings.clone(),
        );
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, operation: Operation, status: u16, seconds: f64) {
        let operation = operation.word();
        self.requests.get_or_create(&Answered { operation, status }).inc();
        self.seconds.get_or_create(&Asked { operation }).observe(seconds);
    }

    /// Counts a failure of a log's index.
    pub(crate) fn index_failed(&self, log: &str) {
        self.index_failures.get_or_create(&OfLog { log: log.to_owned() }).inc();
    }

    /// Takes over what the guard of a log says.
    pub(crate) fn guarded(&self, log: &str, integrity: &Integrity) {
        let label = OfLog { log: log.to_owned() };
        let verified = integrity.verified.as_ref().map_or(0, |verified| verified.size);
        self.guard_verified.get_or_create(&label).set(verified);
        self.guard_checked.get_or_create(&label).set(integrity.sweep.entries_checked);
        self.guard_findings.get_or_create(&label).set(integrity.findings_total);
        let completed = integrity.sweep.completed.as_ref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        if let Some(completed) = completed {
            let time = RecordedTime::from_unix_seconds(completed.as_second());
            self.guard_completed.get_or_create(&label).set(seconds(time));
        }
    }

    /// The text form (OpenMetrics), with the logs' sizes as they are now.
    pub(crate) fn text(&self, logs: &LogSet) -> String {
        for log in logs.iter() {
            let label = OfLog { log: log.name().to_owned() };
            let state = log.state();
            self.durable.get_or_create(&label).set(state.durable_size);
            self.published.get_or_create(&label).set(state.published_size);
            if let Some(confirmed) = state.confirmed {
                self.confirmed.get_or_create(&label).set(seconds(confirmed));
            }
            self.indexed.get_or_create(&label).set(log.indexed());
            self.signing.get_or_create(&label).set(i64::from(state.signing_stopped.is_none()));
            self.recording.get_or_create(&label).set(i64::from(takes_events(&state)));
        }
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}

/// Unix time in seconds, to the millisecond.
fn seconds(time: RecordedTime) -> f64 {
    std::time::Duration::from_millis(u64::try_from(time.0 / 1_000_000).unwrap_or_default()).as_secs_f64()
}
