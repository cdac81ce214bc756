//! `indelible approvals list|approve|deny`, `halt`, `resume`.

use std::io::Write;

use indelible_event::percent;
use serde_json::{Value, json};

use crate::cli::{ApprovalsCommand, DecisionArguments, HaltArguments, ResumeArguments, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, field, stdout, table};

/// `approvals`
pub(crate) fn approvals(server: &ServerArguments, command: &ApprovalsCommand) -> Result<Exit, CliError> {
    let client = Client::new(server)?;
    match command {
        ApprovalsCommand::List { format } => {
            let answer = client.get("/v1/approvals", &[])?;
            let columns = ["id", "actor", "on_behalf_of", "operation", "resource", "policy", "message", "until"];
            rows(&answer, "approvals", &columns, *format)?;
        }
        ApprovalsCommand::Approve(arguments) => decide(&client, arguments, "approve", "Approved")?,
        ApprovalsCommand::Deny(arguments) => decide(&client, arguments, "deny", "Denied")?,
    }
    Ok(Exit::Ok)
}

fn decide(client: &Client, arguments: &DecisionArguments, decision: &str, done: &str) -> Result<(), CliError> {
    let body = json!({"decision": decision, "reason": arguments.reason}).to_string();
    let path = format!("/v1/approvals/{}", percent::encode(&arguments.id));
    let answer = client.post(&path, &[], "application/json", body.as_bytes())?;
    let words = format!("{done}: {} by {}", field(&answer, &["operation"]), field(&answer, &["actor"]));
    say(&answer, arguments.format, &words)
}

/// `halt`
pub(crate) fn halt(server: &ServerArguments, arguments: &HaltArguments) -> Result<Exit, CliError> {
    let client = Client::new(server)?;
    if arguments.list {
        let answer = client.get("/v1/halts", &[])?;
        rows(&answer, "halts", &["scope", "value", "reason", "by", "since"], arguments.format)?;
        return Ok(Exit::Ok);
    }
    let (scope, value) = chosen(arguments.what.chosen())?;
    let body = json!({"scope": scope, "value": value, "reason": arguments.reason}).to_string();
    let answer = client.post("/v1/halts", &[], "application/json", body.as_bytes())?;
    say(&answer, arguments.format, &format!("Halted: {scope} {value}"))?;
    Ok(Exit::Ok)
}

/// `resume`
pub(crate) fn resume(server: &ServerArguments, arguments: &ResumeArguments) -> Result<Exit, CliError> {
    let client = Client::new(server)?;
    let (scope, value) = chosen(arguments.what.chosen())?;
    let reason = arguments.reason.clone().unwrap_or_default();
    client.delete("/v1/halts", &[("scope", scope.to_owned()), ("value", value.to_owned()), ("reason", reason)])?;
    let answer = json!({"resumed": {"scope": scope, "value": value}});
    say(&answer, arguments.format, &format!("Resumed: {scope} {value}"))?;
    Ok(Exit::Ok)
}

fn chosen<'a>(chosen: Option<(&'static str, &'a str)>) -> Result<(&'static str, &'a str), CliError> {
    let missing = || CliError::new("say what: --route, --actor, --model or --tool").exit(Exit::Usage);
    chosen.ok_or_else(missing)
}

pub(super) fn say(answer: &Value, format: Format, words: &str) -> Result<(), CliError> {
    let mut out = stdout();
    match format {
        Format::Json => writeln!(out, "{answer:#}")?,
        Format::Text => writeln!(out, "{words}")?,
    }
    Ok(out.flush()?)
}

pub(super) fn rows(answer: &Value, list: &str, columns: &[&str], format: Format) -> Result<(), CliError> {
    let mut out = stdout();
    if format == Format::Json {
        writeln!(out, "{answer:#}")?;
        return Ok(out.flush()?);
    }
    let empty = Vec::new();
    let items = answer.get(list).and_then(Value::as_array).unwrap_or(&empty);
    let cell = |item: &Value, column: &str| match item.get(column) {
        Some(Value::Array(parts)) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        _ => field(item, &[column]),
    };
    let rows: Vec<Vec<String>> =
        items.iter().map(|item| columns.iter().map(|column| cell(item, column)).collect()).collect();
    table(&mut out, columns, &rows)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_parts_of_a_path() {
        assert_eq!(percent::encode("orders/refund a&b=ü"), "orders%2Frefund%20a%26b%3D%C3%BC");
    }
}
