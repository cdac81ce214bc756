//! Rules in Sigma (specification 2.0): read, compiled, put to every entry of a log, and tested against cases beside them.
//!
//! Promises: a rule that cannot be used is named and skipped, the others run; a rule's cost before it matches is a few bytes
//! looked up (`prefilter`), and nothing a rule file holds makes reading or matching take more than time linear in its size.
//! The same entries give the same findings. Correlations go by the time of recording, which never runs back; so a source's
//! clock cannot stretch a window. Never: shows content in a finding, or lets a rule file read another file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rsigma_eval::CompiledRule;
use rsigma_parser::SigmaCollection;

use crate::finding::Severity;

pub mod cases;
mod correlate;
mod event;
mod files;
mod guard;
mod lists;
mod load;
mod pack;
mod prefilter;
mod run;
mod source;
mod tree;

pub use files::{FILES_MAX, RULES_MAX};
pub use guard::{DOCUMENTS_MAX, FILE_BYTES_MAX, NODES_MAX};
pub use lists::{LIST_VALUE_BYTES_MAX, LIST_VALUES_MAX, LISTS_BYTES_MAX, LISTS_MAX, ListError, Lists};
pub use run::{RestoreError, Rules};

/// Where rules come from. Later ones replace earlier ones with the same `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// The pack that is part of the program.
    BuiltIn,
    /// A file, or a folder with all below it: `*.yml` and `*.yaml`, but not `*.test.yml`, and no name that begins with a dot.
    Path(PathBuf),
    /// A text under a name.
    Text {
        /// What it is called in reasons.
        name: String,
        /// The YAML.
        yaml: String,
    },
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The rules that can be used.
    pub set: Arc<RuleSet>,
    /// Those that cannot.
    pub skipped: Vec<Skipped>,
}

/// A rule or file that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// The line in it, from 1, when known.
    pub line: Option<usize>,
    /// The rule's title, when one was read.
    pub rule: Option<String>,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, ": `{rule}`")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// A rule that waits for a list of the operator, see [`Lists`]. It is in order, and not in force.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Inactive {
    /// Its `id`; of a rule without one, its file and name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it was read.
    pub file: String,
    /// The lists that are not given.
    pub lists: Vec<String>,
}

/// What is known of a rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RuleInfo {
    /// Its `id`; of a rule without one, its file and name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it finds.
    pub description: String,
    /// How bad that is (`level`; medium when it says nothing).
    pub severity: Severity,
    /// `attack.t1078`, `atlas.aml-t0051`, …
    pub tags: Vec<String>,
    /// What else looks like this.
    pub false_positives: Vec<String>,
    /// Where it was read.
    pub file: String,
    /// Whether it looks at several events.
    pub correlation: bool,
    /// Whether it makes findings itself, rather than only feeding a correlation.
    pub alerts: bool,
}

/// Rules that can be used, compiled. Shared between logs.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    infos: HashMap<String, RuleInfo>,
    correlations: SigmaCollection,
    /// The most events that a correlation's condition counts to.
    threshold: usize,
    prefilter: prefilter::Prefilter,
    stamps: files::Stamps,
    inactive: Vec<Inactive>,
}

/// A rule on one event.
#[derive(Debug)]
struct Rule {
    compiled: CompiledRule,
    source: source::Source,
    key: String,
    alerts: bool,
    feeds: bool,
}

impl RuleSet {
    /// Reads and compiles rules, without lists: those that need one are [inactive](Self::inactive).
    #[must_use]
    pub fn load(sources: &[RuleSource]) -> Loaded {
        load::load(sources, &Lists::default())
    }

    /// Reads and compiles rules, with values from lists.
    #[must_use]
    pub fn load_with(sources: &[RuleSource], lists: &Lists) -> Loaded {
        load::load(sources, lists)
    }

    /// Rules that are not in force because a list is not given, by file and title.
    #[must_use]
    pub fn inactive(&self) -> &[Inactive] {
        &self.inactive
    }

    /// Whether a file among the sources, or the file of lists, was added, changed or removed since. Reads the folders, no file.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.stamps.changed()
    }

    /// All rules, by file and title.
    #[must_use]
    pub fn infos(&self) -> Vec<&RuleInfo> {
        let mut infos: Vec<&RuleInfo> = self.infos.values().collect();
        infos.sort_by(|a, b| (&a.file, &a.title, &a.id).cmp(&(&b.file, &b.title, &b.id)));
        infos
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.infos.is_empty()
    }
}

/// The pack that is part of the program, as files: name and YAML. The tests beside the rules are left out.
#[must_use]
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    pack::FILES
}

#[cfg(test)]
mod tests;
