//! `indelible policy check|test|schema`: policies without a server.

use std::io::Write;
use std::path::Path;

use indelible_access::door::{Ask, AskContext, Principal, ResourceAsk};
use indelible_access::policy::{Judgement, Policies, PolicyError, SCHEMA};
use indelible_event::time::{EventTime, RecordedTime};
use indelible_event::words::{Action, ActorType};
use serde::Deserialize;
use serde_json::json;

use super::read_text;
use crate::cli::PolicyCommand;
use crate::exit::{CliError, Exit};
use crate::output::{Format, print, stdout};

/// The time of a case that names none: a Monday morning.
const TIME: &str = "2026-11-23T10:00:00Z";

/// A table of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// One question and the answer it should get.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    principal: CasePrincipal,
    #[serde(default)]
    chain: Vec<CasePrincipal>,
    action: String,
    #[serde(default)]
    operation: String,
    resource: CaseResource,
    #[serde(default)]
    context: CaseContext,
    /// `permit`, `forbid` or `hold`.
    expect: String,
    /// The policy that should decide it; any when missing.
    policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasePrincipal {
    id: String,
    #[serde(default = "service")]
    r#type: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
}

fn service() -> String {
    ActorType::Service.as_str().to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseResource {
    r#type: String,
    id: String,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CaseContext {
    route: String,
    application: Option<String>,
    purpose: Option<String>,
    tokens_asked: Option<u64>,
    arguments: Option<serde_json::Value>,
    labels_found: Vec<String>,
    /// RFC 3339.
    time: Option<String>,
}

pub(crate) fn run(command: &PolicyCommand) -> Result<Exit, CliError> {
    match command {
        PolicyCommand::Check { folder, format } => check(folder, *format),
        PolicyCommand::Test { table, folder, format } => test(table, folder, *format),
        PolicyCommand::Schema => {
            print(format_args!("{SCHEMA}"))?;
            Ok(Exit::Ok)
        }
    }
}

fn check(folder: &Path, format: Format) -> Result<Exit, CliError> {
    let loaded = Policies::load(folder);
    let mut out = stdout();
    let exit = match (&loaded, format) {
        (Ok(policies), Format::Text) => {
            writeln!(out, "{} policies in {} files hold together", policies.len(), policies.files())?;
            Exit::Ok
        }
        (Ok(policies), Format::Json) => {
            let answer = json!({"policies": policies.len(), "files": policies.files(), "faults": []});
            writeln!(out, "{answer:#}")?;
            Exit::Ok
        }
        (Err(PolicyError(faults)), Format::Text) => {
            for fault in faults {
                writeln!(out, "{fault}")?;
            }
            Exit::Finding
        }
        (Err(PolicyError(faults)), Format::Json) => {
            let faults: Vec<_> = faults
                .iter()
                .map(|fault| {
                    json!({
                        "file": fault.file, "line": fault.at.map(|at| at.0), "column": fault.at.map(|at| at.1),
                        "reason": fault.reason,
                    })
                })
                .collect();
            writeln!(out, "{:#}", json!({ "faults": faults }))?;
            Exit::Finding
        }
    };
    out.flush()?;
    Ok(exit)
}

fn test(table: &Path, folder: &Path, format: Format) -> Result<Exit, CliError> {
    let policies = Policies::load(folder).map_err(|error| CliError::new(error.to_string()).exit(Exit::Finding))?;
    let cases: Table = toml::from_str(&read_text(table)?)
        .map_err(|error| CliError::new(format!("{} is not a table of cases: {error}", table.display())))?;
    let mut out = stdout();
    let mut wrong = 0;
    let mut lines = Vec::new();
    for case in &cases.cases {
        let (ask, now) = case.ask().map_err(|reason| CliError::new(format!("the case `{}`: {reason}", case.name)))?;
        let (got, policy) = match policies.judge(&ask, now) {
            Judgement::Permit { policy } => ("permit", policy),
            Judgement::Forbid { policy, .. } => ("forbid", policy),
            Judgement::Hold { policy, .. } => ("hold", policy),
        };
        let right = got == case.expect && case.policy.as_ref().is_none_or(|expected| *expected == policy);
        wrong += usize::from(!right);
        match format {
            Format::Json => lines.push(json!({
                "case": case.name, "right": right, "expected": case.expect, "expected_policy": case.policy,
                "decision": got, "policy": policy,
            })),
            Format::Text => {
                let mark = if right { "ok   " } else { "WRONG" };
                write!(out, "{mark} {}: {got} by {policy}", case.name)?;
                if !right {
                    let by = case.policy.as_ref().map(|policy| format!(" by {policy}")).unwrap_or_default();
                    write!(out, ", expected {}{by}", case.expect)?;
                }
                writeln!(out)?;
            }
        }
    }
    match format {
        Format::Json => writeln!(out, "{:#}", json!({"cases": lines, "wrong": wrong}))?,
        Format::Text => writeln!(out, "{} cases, {wrong} wrong", cases.cases.len())?,
    }
    out.flush()?;
    Ok(if wrong == 0 { Exit::Ok } else { Exit::Finding })
}

impl Case {
    fn ask(&self) -> Result<(Ask, RecordedTime), String> {
        if !["permit", "forbid", "hold"].contains(&self.expect.as_str()) {
            return Err(format!("`expect` is `permit`, `forbid` or `hold`, not `{}`", self.expect));
        }
        let action = Action::parse(&self.action).ok_or_else(|| format!("there is no action `{}`", self.action))?;
        let time = self.context.time.as_deref().unwrap_or(TIME);
        let time = EventTime::parse(time).map_err(|_| format!("`{time}` is not a time such as {TIME}"))?;
        let context = AskContext {
            route: self.context.route.clone(),
            application: self.context.application.clone(),
            purpose: self.context.purpose.clone(),
            tokens_asked: self.context.tokens_asked,
            tool_arguments: self.context.arguments.clone(),
            labels_found: self.context.labels_found.clone(),
        };
        let resource = ResourceAsk {
            kind: self.resource.r#type.clone(),
            id: self.resource.id.clone(),
            labels: self.resource.labels.clone(),
        };
        let chain = self.chain.iter().map(CasePrincipal::principal).collect::<Result<_, _>>()?;
        let operation = self.operation.clone();
        let principal = self.principal.principal()?;
        Ok((Ask { principal, chain, action, operation, resource, context }, RecordedTime(time.unix_ns)))
    }
}

impl CasePrincipal {
    fn principal(&self) -> Result<Principal, String> {
        let actor_type = ActorType::parse(&self.r#type).ok_or_else(|| format!("there is no type `{}`", self.r#type))?;
        Ok(Principal { id: self.id.clone(), actor_type, roles: self.roles.clone(), groups: self.groups.clone() })
    }
}
