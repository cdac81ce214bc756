//! `indelible alerts …`: what was found, looked after at a server.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use indelible_event::percent;
use indelible_event::time::RecordedTime;
use indelible_server::config::Period;
use serde_json::{Value, json};

use super::guard::{rows, say};
use crate::cli::{AlertsCommand, AlertsListArguments, ServerArguments, SilenceArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, field, stdout, table};

const JSON: &str = "application/json";

pub(crate) fn run(server: &ServerArguments, command: &AlertsCommand) -> Result<Exit, CliError> {
    let client = Client::new(server)?;
    match command {
        AlertsCommand::List(arguments) => list(&client, arguments)?,
        AlertsCommand::Show { id, format } => show(&client, id, *format)?,
        AlertsCommand::Ack { id, owner, format } => {
            let body = owner.as_ref().map_or_else(|| json!({}), |owner| json!({"owner": owner}));
            let answer = post(&client, &format!("/v1/alerts/{}/acknowledge", percent::encode(id)), &body)?;
            say(&answer, *format, &format!("Acknowledged: {id} by {}", field(&answer, &["alert", "owner"])))?;
        }
        AlertsCommand::Close { id, reason, format } => {
            let path = format!("/v1/alerts/{}/close", percent::encode(id));
            let answer = post(&client, &path, &json!({"reason": reason}))?;
            say(&answer, *format, &format!("Closed: {id}"))?;
        }
        AlertsCommand::Silence(arguments) => silence(&client, arguments)?,
        AlertsCommand::Silences { format } => {
            let answer = client.get("/v1/silences", &[])?;
            rows(&answer, "silences", &["id", "rule", "entity", "log", "until", "by", "reason"], *format)?;
        }
        AlertsCommand::Unsilence { id, format } => {
            client.delete(&format!("/v1/silences/{}", percent::encode(id)), &[])?;
            say(&json!({"ended": id}), *format, &format!("Ended: {id}"))?;
        }
        AlertsCommand::Receivers { format } => {
            let answer = client.get("/v1/receivers", &[])?;
            let columns = ["name", "type", "delivered", "waiting", "dead", "last_delivered", "failing_since", "error"];
            rows(&answer, "receivers", &columns, *format)?;
        }
        AlertsCommand::Test { receiver, format } => {
            let path = format!("/v1/receivers/{}/test", percent::encode(receiver));
            let answer = post(&client, &path, &json!({}))?;
            say(&answer, *format, &format!("Delivered: {receiver} took the test"))?;
        }
    }
    Ok(Exit::Ok)
}

fn post(client: &Client, path: &str, body: &Value) -> Result<Value, CliError> {
    client.post(path, &[], JSON, body.to_string().as_bytes())
}

fn list(client: &Client, arguments: &AlertsListArguments) -> Result<(), CliError> {
    let given = [
        ("state", &arguments.state),
        ("severity", &arguments.severity),
        ("log", &arguments.log),
        ("rule", &arguments.rule),
        ("entity", &arguments.entity),
    ];
    let mut query: Vec<(&str, String)> =
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    query.push(("limit", arguments.limit.to_string()));
    let answer = client.get("/v1/alerts", &query)?;
    let mut out = stdout();
    if arguments.format == Format::Json {
        writeln!(out, "{answer:#}")?;
        return Ok(out.flush()?);
    }
    let alerts = items(&answer, "alerts");
    let header = ["id", "severity", "state", "last", "findings", "about", "what"];
    table(&mut out, &header, &alerts.iter().map(row).collect::<Vec<_>>())?;
    out.flush()?;
    if answer.get("cursor").is_some_and(Value::is_string) {
        eprintln!("There are more; raise --limit, or ask for less.");
    }
    Ok(())
}

fn items<'a>(answer: &'a Value, list: &str) -> &'a [Value] {
    answer.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn row(alert: &Value) -> Vec<String> {
    let mut state = field(alert, &["state"]);
    if alert.get("silenced") == Some(&Value::Bool(true)) {
        state.push_str(" (silenced)");
    }
    let owner = field(alert, &["owner"]);
    if !owner.is_empty() {
        state.push_str(&format!(" by {owner}"));
    }
    vec![
        field(alert, &["id"]),
        field(alert, &["severity"]),
        state,
        seconds(&field(alert, &["last"])),
        field(alert, &["findings"]),
        field(alert, &["entity", "id"]),
        field(alert, &["rule", "title"]),
    ]
}

/// A time without fractions.
fn seconds(time: &str) -> String {
    time.chars().take(19).collect::<String>().replace('T', " ")
}

fn show(client: &Client, id: &str, format: Format) -> Result<(), CliError> {
    let answer = client.get(&format!("/v1/alerts/{}", percent::encode(id)), &[])?;
    let mut out = stdout();
    if format == Format::Json {
        writeln!(out, "{answer:#}")?;
        return Ok(out.flush()?);
    }
    let alert = answer.get("alert").unwrap_or(&Value::Null);
    let lines = [
        ("alert", field(alert, &["id"])),
        ("rule", format!("{} ({})", field(alert, &["rule", "title"]), field(alert, &["rule", "id"]))),
        ("about", format!("{} {}", field(alert, &["entity", "kind"]), field(alert, &["entity", "id"]))),
        ("severity", field(alert, &["severity"])),
        ("state", row(alert).into_iter().nth(2).unwrap_or_default()),
        ("reason", field(alert, &["reason"])),
        ("log", field(alert, &["log"])),
        ("first", field(alert, &["opened"])),
        ("last", field(alert, &["last"])),
        ("findings", field(alert, &["findings"])),
        ("what", field(alert, &["latest", "summary"])),
        ("usual", field(alert, &["latest", "usual"])),
        ("seen", field(alert, &["latest", "seen"])),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<9} {value}")?;
    }
    let also = items(alert.get("latest").unwrap_or(&Value::Null), "false_positives");
    for text in also.iter().filter_map(Value::as_str) {
        writeln!(out, "{:<9} {text}", "or else")?;
    }
    let evidence: Vec<Vec<String>> = items(&answer, "findings")
        .iter()
        .flat_map(|finding| items(finding, "evidence"))
        .map(|event| vec![field(event, &["index"]), seconds(&field(event, &["time"])), field(event, &["event"])])
        .collect();
    writeln!(out, "\nEvents behind it:")?;
    table(&mut out, &["index", "recorded", "event"], &evidence)?;
    let notices: Vec<Vec<String>> = items(&answer, "notices")
        .iter()
        .map(|notice| ["receiver", "reason", "state", "attempts", "error"].map(|name| field(notice, &[name])).to_vec())
        .collect();
    if !notices.is_empty() {
        writeln!(out, "\nTold:")?;
        table(&mut out, &["receiver", "reason", "state", "attempts", "error"], &notices)?;
    }
    Ok(out.flush()?)
}

fn silence(client: &Client, arguments: &SilenceArguments) -> Result<(), CliError> {
    let until = match (&arguments.until, &arguments.lasts) {
        (Some(until), _) => until.clone(),
        (None, lasts) => after(lasts.as_deref().unwrap_or_default())?,
    };
    let mut body = json!({"reason": arguments.reason, "until": until});
    let named = [("rule", &arguments.rule), ("entity", &arguments.entity), ("log", &arguments.log)];
    if let Some(object) = body.as_object_mut() {
        for (name, value) in named {
            if let Some(value) = value {
                object.insert(name.to_owned(), json!(value));
            }
        }
    }
    let answer = post(client, "/v1/silences", &body)?;
    let (id, until) = (field(&answer, &["silence", "id"]), field(&answer, &["silence", "until"]));
    say(&answer, arguments.format, &format!("Silenced until {}: {id}", seconds(&until)))
}

/// The time so far from now.
fn after(lasts: &str) -> Result<String, CliError> {
    let wrong = |reason: String| CliError::new(format!("`{lasts}` is no time such as 2h: {reason}")).exit(Exit::Usage);
    let period: Period =
        lasts.parse().map_err(|error: indelible_server::config::UnitError| wrong(error.to_string()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let until = i64::try_from((now + period.duration()).as_nanos()).map_err(|_| wrong("it is too long".to_owned()))?;
    Ok(RecordedTime(until).to_string())
}
