//! `[detect]`: what watching looks for, and when people are told again.

use std::path::PathBuf;
use std::time::Duration;

use indelible_detect::finding::Severity;

use super::Period;
use super::values::{put, time};

/// What watching looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectConfig {
    /// Whether rules and baselines are put to the logs. Sources are followed either way.
    pub enabled: bool,
    /// Whether the pack of rules that is part of the program is used.
    pub built_in: bool,
    /// Files and folders of further rules; of two with the same id the later one counts.
    pub rules: Vec<PathBuf>,
    /// The file of lists that rules name (`|expand`).
    pub lists: Option<PathBuf>,
    /// Whether it is learned what is usual.
    pub baselines: bool,
    /// Findings below this open no alert.
    pub severity: Severity,
    /// How long an alert may stay untaken before it is told again; nought for ever.
    pub escalate_after: Period,
    /// Alerts below this are not told again.
    pub escalate_severity: Severity,
    /// The receivers to tell then; those that were told before when empty.
    pub escalate_to: Vec<String>,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            built_in: true,
            rules: Vec::new(),
            lists: None,
            baselines: true,
            severity: Severity::Low,
            escalate_after: Period::seconds(3_600),
            escalate_severity: Severity::High,
            escalate_to: Vec::new(),
        }
    }
}

impl DetectConfig {
    /// How long an alert may stay untaken.
    pub(crate) fn escalate_after(&self) -> Option<Duration> {
        Some(self.escalate_after.duration()).filter(|after| !after.is_zero())
    }
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    Severity::from_word(text)
        .ok_or_else(|| format!("`{text}` is none of {}", Severity::ALL.map(Severity::as_str).join(", ")))
}

pub(super) fn texts(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

pub(super) fn paths(text: &str) -> Vec<PathBuf> {
    texts(text).into_iter().map(PathBuf::from).collect()
}

pub(super) fn shown_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
}

pub(super) fn set_escalate_after(config: &mut DetectConfig, text: &str) -> Result<(), String> {
    put(&mut config.escalate_after, time(text, 0, 30 * 86_400_000))
}
