//! Cedar policies: loaded from a folder, held against the schema, asked.
//!
//! Promises: a set that does not hold together is refused whole, each fault with file, line and column; what no policy permits is
//! forbidden; an error while a policy is judged forbids. Never: a decision without the policy that made it.

mod question;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use cedar_policy::{
    Authorizer, Decision as Verdict, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use indelible_event::time::RecordedTime;

use crate::door::Ask;

/// The schema that policies are held against.
pub const SCHEMA: &str = include_str!("policy/indelible.cedarschema");
/// Most files, and most bytes of one.
const FILES_MAX: usize = 1_000;
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long a person has to answer, unless the policy says otherwise (`@hold_time("90s")`).
pub const HOLD_TIME: Duration = Duration::from_secs(300);
/// Longest such time.
pub const HOLD_TIME_MAX: Duration = Duration::from_secs(3_600);

/// One thing wrong with the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// The file; the folder when it is none in particular.
    pub file: PathBuf,
    /// Line and column, from 1, where known.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The policies cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the policies are wrong:\n{}", .0.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct PolicyError(pub Vec<PolicyFault>);

/// What the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Permitted, by this policy.
    Permit {
        /// Its id.
        policy: String,
    },
    /// Forbidden, by this policy, or because none permits it.
    Forbid {
        /// Its id; `default` when none permits it, `error` when one could not be judged.
        policy: String,
        /// Its `@reason`, or what happened.
        reason: String,
    },
    /// Permitted once a person approves.
    Hold {
        /// The policy that asks for it.
        policy: String,
        /// What the person is told.
        message: String,
        /// How long the person has.
        time: Duration,
    },
}

/// A set of policies that holds together.
pub struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
    names: question::Names,
    /// How many files they came from, and a mark of their state.
    files: usize,
    stamp: Stamp,
}

/// What the files looked like: path, length and time of each.
pub(crate) type Stamp = Vec<(PathBuf, u64, Option<std::time::SystemTime>)>;

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("policies", &self.len()).field("files", &self.files).finish_non_exhaustive()
    }
}

impl Policies {
    /// Reads every `*.cedar` file of a folder.
    ///
    /// # Errors
    /// [`PolicyError`] with every fault found.
    pub fn load(folder: &Path) -> Result<Self, PolicyError> {
        let stamp = stamp(folder).map_err(|fault| PolicyError(vec![fault]))?;
        let mut texts = Vec::new();
        let mut faults = Vec::new();
        for (path, _, _) in &stamp {
            match std::fs::read_to_string(path) {
                Ok(text) => texts.push((path.clone(), text)),
                Err(error) => {
                    faults.push(PolicyFault {
                        file: path.clone(),
                        at: None,
                        reason: format!("cannot be read: {error}"),
                    });
                }
            }
        }
        if !faults.is_empty() {
            return Err(PolicyError(faults));
        }
        let mut policies = Self::parse(&texts)?;
        policies.stamp = stamp;
        Ok(policies)
    }

    /// The policies of these files.
    ///
    /// # Errors
    /// [`PolicyError`] with every fault found.
    pub fn parse(texts: &[(PathBuf, String)]) -> Result<Self, PolicyError> {
        let mut faults = Vec::new();
        let mut named: Vec<(Policy, PathBuf)> = Vec::new();
        for (path, text) in texts {
            match PolicySet::from_str(text) {
                // A template decides nothing until it is linked, and nothing here links any.
                Ok(set) if set.templates().next().is_some() => {
                    let reason = "it has a template (`?principal` or `?resource`); write policies".to_owned();
                    faults.push(PolicyFault { file: path.clone(), at: None, reason });
                }
                Ok(set) => named.extend(name_all(&set, path).into_iter().map(|policy| (policy, path.clone()))),
                Err(error) => faults.extend(error.iter().map(|error| parse_fault(path, text, error))),
            }
        }
        let mut set = PolicySet::new();
        for (policy, path) in &named {
            if let Some(text) = policy.annotation("hold_time")
                && hold_time(text).is_none()
            {
                let reason =
                    format!("`@hold_time(\"{text}\")` of `{}` is not a time such as 90s, 5m or 1h", policy.id());
                faults.push(PolicyFault { file: path.clone(), at: None, reason });
            }
            if policy.annotation("hold").is_some() && policy.effect() == Effect::Forbid {
                let reason = format!("`{}` forbids; only a permit can wait for an approval", policy.id());
                faults.push(PolicyFault { file: path.clone(), at: None, reason });
            }
            if let Err(error) = set.add(policy.clone()) {
                faults.push(PolicyFault { file: path.clone(), at: None, reason: error.to_string() });
            }
        }
        let (schema, _warnings) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| {
            PolicyError(vec![PolicyFault {
                file: PathBuf::from("indelible.cedarschema"),
                at: None,
                reason: error.to_string(),
            }])
        })?;
        let result = Validator::new(schema).validate(&set, ValidationMode::default());
        for error in result.validation_errors() {
            let id = error.policy_id();
            let file = named.iter().find(|(policy, _)| policy.id() == id).map(|(_, path)| path.clone());
            // The same fault comes once for each action that the policy is about.
            let text = error.to_string();
            let reason = text.split(" for Action::").next().unwrap_or(&text).trim_end_matches(" in context").to_owned();
            let fault = PolicyFault { file: file.unwrap_or_default(), at: None, reason };
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        if !faults.is_empty() {
            return Err(PolicyError(faults));
        }
        let names = question::Names::new();
        Ok(Self { set, authorizer: Authorizer::new(), names, files: texts.len(), stamp: Stamp::new() })
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.policies().count()
    }

    /// Whether there is none: then everything is forbidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many files they came from.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files
    }

    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// What the policies say to an ask at `now`.
    #[must_use]
    pub fn judge(&self, ask: &Ask, now: RecordedTime) -> Judgement {
        let error = |reason: String| Judgement::Forbid { policy: "error".to_owned(), reason };
        let (request, entities) = match self.names.put(ask, now) {
            Ok(question) => question,
            Err(reason) => return error(format!("the call cannot be put to the policies: {reason}")),
        };
        let response = self.authorizer.is_authorized(&request, &self.set, &entities);
        if let Some(fault) = response.diagnostics().errors().next() {
            return error(format!("a policy cannot be judged: {fault}"));
        }
        let mut decided: Vec<&Policy> = response.diagnostics().reason().filter_map(|id| self.set.policy(id)).collect();
        decided.sort_by_key(|policy| policy.id().clone());
        match response.decision() {
            Verdict::Allow => permitted(&decided),
            Verdict::Deny => forbidden(&decided),
        }
    }
}

/// A permit without a hold lets through at once; with nothing but holds, a person is asked.
fn permitted(decided: &[&Policy]) -> Judgement {
    let at_once = decided.iter().find(|policy| policy.annotation("hold").is_none());
    match (at_once, decided.first()) {
        (Some(policy), _) => Judgement::Permit { policy: policy.id().to_string() },
        (None, Some(policy)) => {
            let message = policy.annotation("hold").filter(|text| !text.is_empty()).unwrap_or("approval is needed");
            let time = policy.annotation("hold_time").and_then(hold_time).unwrap_or(HOLD_TIME);
            Judgement::Hold { policy: policy.id().to_string(), message: message.to_owned(), time }
        }
        (None, None) => Judgement::Permit { policy: String::new() },
    }
}

fn forbidden(decided: &[&Policy]) -> Judgement {
    match decided.first() {
        Some(policy) => {
            let id = policy.id().to_string();
            let given = policy.annotation("reason").filter(|text| !text.is_empty());
            let reason = given.map_or_else(|| format!("the policy `{id}` forbids it"), str::to_owned);
            Judgement::Forbid { policy: id, reason }
        }
        None => Judgement::Forbid { policy: "default".to_owned(), reason: "no policy permits it".to_owned() },
    }
}

/// Gives each policy the name of its `@id`, or one by its file and place.
fn name_all(set: &PolicySet, path: &Path) -> Vec<Policy> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut policies: Vec<&Policy> = set.policies().collect();
    // The parser numbers them in their order (`policy0`, …).
    policies.sort_by_key(|policy| policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(0));
    let named = policies.into_iter().enumerate().map(|(place, policy)| {
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id = id.map_or_else(|| format!("{stem}#{}", place + 1), str::to_owned);
        policy.new_id(PolicyId::new(id))
    });
    named.collect()
}

fn parse_fault(path: &Path, text: &str, error: &cedar_policy::ParseError) -> PolicyFault {
    use miette::Diagnostic as _;
    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let at = offset.map(|offset| {
        let before = text.get(..offset).unwrap_or_default();
        let line_begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before.get(line_begin..).unwrap_or_default().chars().count() + 1)
    });
    PolicyFault { file: path.to_owned(), at, reason: error.to_string() }
}

/// The files as they are now.
pub(crate) fn stamp(folder: &Path) -> Result<Stamp, PolicyFault> {
    let fault = |reason: String| PolicyFault { file: folder.to_owned(), at: None, reason };
    let listed = std::fs::read_dir(folder).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let mut files = Stamp::new();
    for entry in listed {
        let path = entry.map_err(|error| fault(format!("cannot be read: {error}")))?.path();
        if path.extension().is_none_or(|extension| extension != "cedar") {
            continue;
        }
        let about = std::fs::metadata(&path).map_err(|error| fault(format!("{}: {error}", path.display())))?;
        if about.len() > FILE_BYTES_MAX {
            return Err(fault(format!("{} is longer than {FILE_BYTES_MAX} bytes", path.display())));
        }
        files.push((path, about.len(), about.modified().ok()));
    }
    if files.len() > FILES_MAX {
        return Err(fault(format!("has more than {FILES_MAX} policy files")));
    }
    files.sort();
    Ok(files)
}

/// `90s`, `5m`, `1h`.
fn hold_time(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let count: u64 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    let time = Duration::from_secs(count.checked_mul(seconds)?);
    (time > Duration::ZERO && time <= HOLD_TIME_MAX).then_some(time)
}

#[cfg(test)]
mod tests;
