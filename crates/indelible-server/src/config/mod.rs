//! Configuration: defaults, then a TOML file, then `INDELIBLE_…` variables, then flags. Each key stands once, in `keys`,
//! which feeds all four, `config check` and `config show`.
//!
//! Promises: an unknown key or a wrong value is refused with its place and the nearest known one, and all faults of a file
//! are told at once. Never: a secret among the settings; a setting that is read from anywhere else.

mod budgets;
mod detect;
mod example;
mod gateways;
mod keys;
mod layers;
mod receivers;
mod secrets;
mod show;
mod sign_in;
mod sources;
mod units;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use indelible_access::budget::Budget;

pub use budgets::BUDGET_KEYS;
pub use detect::DetectConfig;
pub use gateways::{
    CaptureConfig, CredentialConfig, GATEWAYS_MAX, GatewayConfig, LLM_KEYS, LlmConfig, MCP_KEYS, McpConfig, PRICE_KEYS,
    PriceConfig, SealedConfig,
};
pub use keys::{ItemKey, KEYS, Key, Kind, LOG_KEYS, LogKey};
pub use layers::{ConfigError, ConfigFault, ConfigOverrides, FILE_NAME, Loaded, Origin, load};
pub use receivers::{RECEIVER_KEYS, RECEIVERS_MAX, ReceiverConfig, ReceiverConfigError, ReceiverType};
pub use secrets::SecretError;
pub use show::{in_force, show};
pub(crate) use sign_in::PROVIDER_TIME;
pub use sign_in::{
    OidcConfig, SIGN_IN_ROLE_KEYS, SIGN_IN_ROLES_MAX, SignInConfig, SignInConfigError, SignInRoleConfig,
};
pub use sources::{ExpectedConfig, SOURCE_KEYS, SOURCES_EXPECTED_MAX, SourcesConfig};
pub use units::{ByteSize, Period, UnitError};

/// Most logs one server keeps: each has a writer, an indexer and files of its own.
pub const LOGS_MAX: usize = 64;
/// Longest time between new entries and the checkpoint that covers them.
pub const CHECKPOINT_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// Shortest time between two checkpoints: one signature and three synced files each.
pub const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[[log]]`, at least one.
    pub logs: Logs,
    /// `[index]`
    pub index: IndexConfig,
    /// `[sealed]`
    pub sealed: SealedConfig,
    /// `[[gateway.…]]`
    pub gateway: GatewayConfig,
    /// `[policy]`
    pub policy: PolicyConfig,
    /// `[[budget]]`
    pub budgets: Vec<Budget>,
    /// `[detect]`
    pub detect: DetectConfig,
    /// `[[receiver]]`
    pub receivers: Vec<ReceiverConfig>,
    /// `[sources]`, `[[source]]`
    pub sources: SourcesConfig,
    /// `[guard]`
    pub guard: GuardSettings,
    /// `[sign_in]`
    pub sign_in: SignInConfig,
    /// `[telemetry]`
    pub telemetry: TelemetryConfig,
}

/// The logs; `main` alone by default. The first one also takes what concerns the whole server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs(pub Vec<LogConfig>);

impl Default for Logs {
    fn default() -> Self {
        Self(vec![LogConfig { name: "main".to_owned(), ..LogConfig::default() }])
    }
}

/// Where to listen and where data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// `HOST:PORT`; port 0 takes a free one.
    pub listen: String,
    /// The folder of all data.
    pub data: PathBuf,
    /// How clients reach the server, when that differs from `listen` (behind a proxy); gives new logs their origins.
    pub public_url: Option<String>,
    /// PEM file with the certificate chain; TLS is on when this and the key are set.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub tls_key: Option<PathBuf>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7411".to_owned(),
            data: PathBuf::from("indelible-data"),
            public_url: None,
            tls_certificate: None,
            tls_key: None,
        }
    }
}

/// The limits of requests and queries. Every queue and buffer of the server follows from one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Largest request body, before and after decompression.
    pub request_bytes: ByteSize,
    /// Most events in one request.
    pub request_events: u64,
    /// Memory for all request bodies over 64 KiB together; a request waits a little for its share, then gets 503.
    pub body_memory: ByteSize,
    /// How long a request body may take to arrive.
    pub body_time: Period,
    /// Largest request head; also the buffer of a connection.
    pub header_bytes: ByteSize,
    /// How long a request head may take to arrive; also how long an idle connection is kept.
    pub header_time: Period,
    /// Most connections at once; further ones wait in the listener's queue.
    pub connections: u64,
    /// How long requests may go on after a stop is asked for.
    pub shutdown_time: Period,
    /// Most queries, exports and SQL statements at once; further ones get 429.
    pub queries: u64,
    /// Most events followed live at once.
    pub followers: u64,
    /// Most rows an SQL statement or a page of events returns.
    pub query_rows: u64,
    /// How long a query may take.
    pub query_time: Period,
    /// Memory for one query.
    pub query_memory: ByteSize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            request_bytes: ByteSize(indelible_event::limits::REQUEST_BYTES_MAX as u64),
            request_events: indelible_event::limits::REQUEST_EVENTS_MAX as u64,
            body_memory: ByteSize::mebibytes(64),
            body_time: Period::seconds(60),
            header_bytes: ByteSize(64 * 1024),
            header_time: Period::seconds(30),
            connections: 1_024,
            shutdown_time: Period::seconds(20),
            queries: 8,
            followers: 64,
            query_rows: 10_000,
            query_time: Period::seconds(30),
            query_memory: ByteSize::mebibytes(256),
        }
    }
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Its short name, part of paths and URLs.
    pub name: String,
    /// The origin in its checkpoints and its key's name; `None` derives it from `public_url` when the log is made. It can
    /// never change afterwards.
    pub origin: Option<String>,
    /// Whether `/log/<name>/…` is readable without a token.
    pub public: bool,
    /// Longest time between new entries and their checkpoint.
    pub checkpoint_interval: Period,
    /// Longest time between checkpoints when nothing is new: the last one is then confirmed.
    pub idle_checkpoint_interval: Period,
    /// Fields that hold personal texts. Checked to be texts that an event may commit to, and told by `config show`; nothing
    /// else is done with them yet.
    pub personal: Vec<String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            origin: None,
            public: false,
            checkpoint_interval: Period::milliseconds(500),
            idle_checkpoint_interval: Period::seconds(300),
            personal: Vec::new(),
        }
    }
}

/// Who may what through gateways.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PolicyConfig {
    /// The folder of Cedar policies (`*.cedar`); without one everything is permitted, and recorded.
    pub folder: Option<PathBuf>,
}

/// The search index. Its sizes of files and of fresh rows in memory are fixed; these are what an operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexConfig {
    /// How long fresh events may stay in memory only before they are written to a file. They are found at once either way, and
    /// can always be read from the log again.
    pub flush_interval: Period,
    /// Memory for footers of index files, for each log.
    pub footer_memory: ByteSize,
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self { flush_interval: Period::seconds(300), footer_memory: ByteSize::mebibytes(64) }
    }
}

/// How the integrity of the logs is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Whether published files are checked while the server runs, and against kept checkpoints when it starts.
    pub enabled: bool,
    /// In what time every entry is checked once.
    pub sweep: Period,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { enabled: true, sweep: Period::seconds(86_400) }
    }
}

/// How the server tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TelemetryConfig {
    /// Form of log lines.
    pub log_format: LogFormat,
    /// Least important lines that are written.
    pub log_level: LogLevel,
}

/// Form of the server's own log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How much the server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Data at risk, or a person must act.
    Error,
    /// Unexpected, nothing lost.
    Warn,
    /// Changes of state.
    #[default]
    Info,
    /// Each request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, from quiet to loud.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Config {
    /// Whether TLS is on.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.server.tls_certificate.is_some() && self.server.tls_key.is_some()
    }

    /// What each key alone cannot tell: relations between keys. One line a fault.
    #[must_use]
    pub fn relations(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, reason: String| faults.push((key.to_owned(), reason));
        if self.server.tls_certificate.is_some() != self.server.tls_key.is_some() {
            fault(
                "server.tls.certificate",
                "needs `server.tls.key` to be set as well, and the other way round".to_owned(),
            );
        }
        if self.limits.body_memory.0 < self.limits.request_bytes.0.saturating_mul(2) {
            let least = ByteSize(self.limits.request_bytes.0.saturating_mul(2));
            fault("limits.body_memory", format!("must be at least twice `limits.request_bytes`, which makes {least}"));
        }
        if self.sealed.master_key_file.is_some() && self.sealed.master_key_command.is_some() {
            fault("sealed.master_key_command", "set one of `master_key_file` and `master_key_command`".to_owned());
        }
        self.gateway.relations(&mut fault);
        budgets::budget_relations(&self.budgets, &mut fault);
        receivers::receiver_relations(&self.receivers, &mut fault);
        for name in &self.detect.escalate_to {
            if !self.receivers.iter().any(|receiver| receiver.name == *name) {
                fault("detect.escalate_to", format!("no `[[receiver]]` is named `{name}`"));
            }
        }
        sources::source_relations(&self.sources.expected, &mut fault);
        sign_in::sign_in_relations(self, &mut fault);
        if self.logs.0.is_empty() {
            fault("log", "at least one `[[log]]` is needed".to_owned());
        }
        if self.logs.0.len() > LOGS_MAX {
            fault("log", format!("there are {} logs; one server keeps at most {LOGS_MAX}", self.logs.0.len()));
        }
        for (place, log) in self.logs.0.iter().enumerate() {
            if log.name.is_empty() {
                fault("log", format!("the `[[log]]` number {} has no `name`", place + 1));
            }
            if self.logs.0.iter().take(place).any(|earlier| earlier.name == log.name) {
                fault("log", format!("two logs are named `{}`", log.name));
            }
        }
        faults
    }
}
