//! Every key, once: its name, the kind of its value, how it is read into and out of the settings. File, variables, flags,
//! `config show` and the tests of the example all walk these two tables. Never: a key that is read elsewhere.

use super::detect::{paths, set_escalate_after, severity, shown_paths, texts};
use super::sign_in::SIGN_IN_KEYS;
use super::values::{
    count, fields, flag, format_word, listen, log_format, log_level, log_name, origin, path, put, shown, size, time,
    time_within, url,
};
use super::{CHECKPOINT_INTERVAL_MAX, CHECKPOINT_INTERVAL_MIN, Config, LogConfig};

/// What a TOML value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string; sizes and times are strings too.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count,
    /// A list of strings; in a variable, separated by commas.
    Texts,
}

impl Kind {
    /// What to write, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "a string in quotes",
            Self::Flag => "`true` or `false`",
            Self::Count => "a whole number",
            Self::Texts => "a list of strings",
        }
    }
}

/// A key of the whole server.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its path, such as `limits.request_bytes`.
    pub path: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Its value as text; empty when it is not set.
    pub get: fn(&Config) -> String,
    /// Takes a value, or says why not.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

/// A key of one table in a list of them, such as a `[[log]]`.
#[derive(Debug)]
pub struct ItemKey<T: 'static> {
    /// Its name, such as `origin`.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Its value as text; empty when it is not set.
    pub get: fn(&T) -> String,
    /// Takes a value, or says why not.
    pub set: fn(&mut T, &str) -> Result<(), String>,
}

/// A key of one `[[log]]`.
pub type LogKey = ItemKey<LogConfig>;

pub(super) const fn key(
    path: &'static str,
    kind: Kind,
    get: fn(&Config) -> String,
    set: fn(&mut Config, &str) -> Result<(), String>,
) -> Key {
    Key { path, kind, get, set }
}

pub(super) const fn item_key<T>(
    name: &'static str,
    kind: Kind,
    get: fn(&T) -> String,
    set: fn(&mut T, &str) -> Result<(), String>,
) -> ItemKey<T> {
    ItemKey { name, kind, get, set }
}

const MIB: u64 = 1 << 20;

/// Every key outside `[[log]]`, in the order of the example file.
pub const KEYS: &[Key] = &[
    key("server.listen", Kind::Text, |c| c.server.listen.clone(), |c, t| put(&mut c.server.listen, listen(t))),
    key("server.data", Kind::Text, |c| c.server.data.display().to_string(), |c, t| put(&mut c.server.data, path(t))),
    key(
        "server.public_url",
        Kind::Text,
        |c| c.server.public_url.clone().unwrap_or_default(),
        |c, t| put(&mut c.server.public_url, url(t).map(Some)),
    ),
    key(
        "server.tls.certificate",
        Kind::Text,
        |c| shown(c.server.tls_certificate.as_ref()),
        |c, t| put(&mut c.server.tls_certificate, path(t).map(Some)),
    ),
    key(
        "server.tls.key",
        Kind::Text,
        |c| shown(c.server.tls_key.as_ref()),
        |c, t| put(&mut c.server.tls_key, path(t).map(Some)),
    ),
    key(
        "limits.request_bytes",
        Kind::Text,
        |c| c.limits.request_bytes.to_string(),
        |c, t| put(&mut c.limits.request_bytes, size(t, 64 * 1024, 256 * MIB)),
    ),
    key(
        "limits.request_events",
        Kind::Count,
        |c| c.limits.request_events.to_string(),
        |c, t| put(&mut c.limits.request_events, count(t, 1, 100_000)),
    ),
    key(
        "limits.body_memory",
        Kind::Text,
        |c| c.limits.body_memory.to_string(),
        |c, t| put(&mut c.limits.body_memory, size(t, 128 * 1024, 64 * 1024 * MIB)),
    ),
    key(
        "limits.body_time",
        Kind::Text,
        |c| c.limits.body_time.to_string(),
        |c, t| put(&mut c.limits.body_time, time(t, 1_000, 3_600_000)),
    ),
    key(
        "limits.header_bytes",
        Kind::Text,
        |c| c.limits.header_bytes.to_string(),
        |c, t| put(&mut c.limits.header_bytes, size(t, 8 * 1024, MIB)),
    ),
    key(
        "limits.header_time",
        Kind::Text,
        |c| c.limits.header_time.to_string(),
        |c, t| put(&mut c.limits.header_time, time(t, 1_000, 3_600_000)),
    ),
    key(
        "limits.connections",
        Kind::Count,
        |c| c.limits.connections.to_string(),
        |c, t| put(&mut c.limits.connections, count(t, 1, 100_000)),
    ),
    key(
        "limits.shutdown_time",
        Kind::Text,
        |c| c.limits.shutdown_time.to_string(),
        |c, t| put(&mut c.limits.shutdown_time, time(t, 0, 3_600_000)),
    ),
    key(
        "limits.queries",
        Kind::Count,
        |c| c.limits.queries.to_string(),
        |c, t| put(&mut c.limits.queries, count(t, 1, 1_000)),
    ),
    key(
        "limits.followers",
        Kind::Count,
        |c| c.limits.followers.to_string(),
        |c, t| put(&mut c.limits.followers, count(t, 0, 10_000)),
    ),
    key(
        "limits.query_rows",
        Kind::Count,
        |c| c.limits.query_rows.to_string(),
        |c, t| put(&mut c.limits.query_rows, count(t, 1, 10_000)),
    ),
    key(
        "limits.query_time",
        Kind::Text,
        |c| c.limits.query_time.to_string(),
        |c, t| put(&mut c.limits.query_time, time(t, 1, 3_600_000)),
    ),
    key(
        "limits.query_memory",
        Kind::Text,
        |c| c.limits.query_memory.to_string(),
        |c, t| put(&mut c.limits.query_memory, size(t, MIB, 1024 * 1024 * MIB)),
    ),
    key(
        "index.flush_interval",
        Kind::Text,
        |c| c.index.flush_interval.to_string(),
        |c, t| put(&mut c.index.flush_interval, time(t, 1_000, 86_400_000)),
    ),
    key(
        "index.footer_memory",
        Kind::Text,
        |c| c.index.footer_memory.to_string(),
        |c, t| put(&mut c.index.footer_memory, size(t, MIB, 64 * 1024 * MIB)),
    ),
    key(
        "sealed.master_key_file",
        Kind::Text,
        |c| shown(c.sealed.master_key_file.as_ref()),
        |c, t| put(&mut c.sealed.master_key_file, path(t).map(Some)),
    ),
    key(
        "sealed.master_key_command",
        Kind::Text,
        |c| c.sealed.master_key_command.clone().unwrap_or_default(),
        |c, t| put(&mut c.sealed.master_key_command, Ok(Some(t.to_owned()).filter(|text| !text.is_empty()))),
    ),
    key(
        "policy.folder",
        Kind::Text,
        |c| shown(c.policy.folder.as_ref()),
        |c, t| put(&mut c.policy.folder, path(t).map(Some)),
    ),
    key("detect.enabled", Kind::Flag, |c| c.detect.enabled.to_string(), |c, t| put(&mut c.detect.enabled, flag(t))),
    key("detect.built_in", Kind::Flag, |c| c.detect.built_in.to_string(), |c, t| put(&mut c.detect.built_in, flag(t))),
    key("detect.rules", Kind::Texts, |c| shown_paths(&c.detect.rules), |c, t| put(&mut c.detect.rules, Ok(paths(t)))),
    key(
        "detect.lists",
        Kind::Text,
        |c| shown(c.detect.lists.as_ref()),
        |c, t| put(&mut c.detect.lists, path(t).map(Some)),
    ),
    key(
        "detect.baselines",
        Kind::Flag,
        |c| c.detect.baselines.to_string(),
        |c, t| put(&mut c.detect.baselines, flag(t)),
    ),
    key(
        "detect.severity",
        Kind::Text,
        |c| c.detect.severity.to_string(),
        |c, t| put(&mut c.detect.severity, severity(t)),
    ),
    key(
        "detect.escalate_after",
        Kind::Text,
        |c| c.detect.escalate_after.to_string(),
        |c, t| set_escalate_after(&mut c.detect, t),
    ),
    key(
        "detect.escalate_severity",
        Kind::Text,
        |c| c.detect.escalate_severity.to_string(),
        |c, t| put(&mut c.detect.escalate_severity, severity(t)),
    ),
    key(
        "detect.escalate_to",
        Kind::Texts,
        |c| c.detect.escalate_to.join(","),
        |c, t| put(&mut c.detect.escalate_to, Ok(texts(t))),
    ),
    key(
        "gateway.heartbeat",
        Kind::Text,
        |c| c.gateway.heartbeat.to_string(),
        |c, t| put(&mut c.gateway.heartbeat, time(t, 0, 86_400_000)),
    ),
    key(
        "sources.gap_grace",
        Kind::Text,
        |c| c.sources.gap_grace.to_string(),
        |c, t| put(&mut c.sources.gap_grace, time(t, 0, 86_400_000)),
    ),
    key(
        "sources.late",
        Kind::Text,
        |c| c.sources.late.to_string(),
        |c, t| put(&mut c.sources.late, time(t, 1_000, 30 * 86_400_000)),
    ),
    key(
        "sources.skew",
        Kind::Text,
        |c| c.sources.skew.to_string(),
        |c, t| put(&mut c.sources.skew, time(t, 1_000, 86_400_000)),
    ),
    key("guard.enabled", Kind::Flag, |c| c.guard.enabled.to_string(), |c, t| put(&mut c.guard.enabled, flag(t))),
    key(
        "guard.sweep",
        Kind::Text,
        |c| c.guard.sweep.to_string(),
        |c, t| put(&mut c.guard.sweep, time(t, 1_000, 30 * 86_400_000)),
    ),
    SIGN_IN_KEYS[0],
    SIGN_IN_KEYS[1],
    SIGN_IN_KEYS[2],
    SIGN_IN_KEYS[3],
    SIGN_IN_KEYS[4],
    SIGN_IN_KEYS[5],
    SIGN_IN_KEYS[6],
    SIGN_IN_KEYS[7],
    SIGN_IN_KEYS[8],
    SIGN_IN_KEYS[9],
    SIGN_IN_KEYS[10],
    key(
        "telemetry.log_format",
        Kind::Text,
        |c| format_word(c.telemetry.log_format).to_owned(),
        |c, t| put(&mut c.telemetry.log_format, log_format(t)),
    ),
    key(
        "telemetry.log_level",
        Kind::Text,
        |c| c.telemetry.log_level.word().to_owned(),
        |c, t| put(&mut c.telemetry.log_level, log_level(t)),
    ),
];

/// Every key of a `[[log]]`.
pub const LOG_KEYS: &[LogKey] = &[
    item_key("name", Kind::Text, |l| l.name.clone(), |l, t| put(&mut l.name, log_name(t))),
    item_key(
        "origin",
        Kind::Text,
        |l| l.origin.clone().unwrap_or_default(),
        |l, t| put(&mut l.origin, origin(t).map(Some)),
    ),
    item_key("public", Kind::Flag, |l| l.public.to_string(), |l, t| put(&mut l.public, flag(t))),
    item_key(
        "checkpoint_interval",
        Kind::Text,
        |l| l.checkpoint_interval.to_string(),
        |l, t| {
            let within = (CHECKPOINT_INTERVAL_MIN, CHECKPOINT_INTERVAL_MAX);
            put(&mut l.checkpoint_interval, time_within(t, within.0, within.1))
        },
    ),
    item_key(
        "idle_checkpoint_interval",
        Kind::Text,
        |l| l.idle_checkpoint_interval.to_string(),
        |l, t| put(&mut l.idle_checkpoint_interval, time(t, 1_000, 86_400_000)),
    ),
    item_key("personal", Kind::Texts, |l| l.personal.join(","), |l, t| put(&mut l.personal, fields(t))),
];
