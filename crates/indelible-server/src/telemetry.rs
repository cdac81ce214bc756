//! The server's own log lines: on standard error, fixed messages with fields, as text or JSON. Never: content of events.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel, TelemetryConfig};

/// Switches log lines on for the whole process; a second call changes nothing. What the libraries underneath have to say is
/// shown from warnings on.
pub fn init(settings: &TelemetryConfig) {
    let level = match settings.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = level.min(LevelFilter::WARN);
    let filter = EnvFilter::new(format!("{others},{}", OURS.map(|name| format!("{name}={level}")).join(",")));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match settings.log_format {
        LogFormat::Text => lines.finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    if set.is_err() {
        tracing::debug!("log lines were switched on before");
    }
}

/// The crates whose lines are shown at the chosen level.
const OURS: [&str; 8] = [
    "indelible",
    "indelible_access",
    "indelible_event",
    "indelible_gateway",
    "indelible_search",
    "indelible_server",
    "indelible_store",
    "indelible_tlog",
];

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
