//! `indelible drill`: attack a copy, print the table, record the result.

use std::io::Write;
use std::sync::Arc;

use indelible_event::batch::EventBatch;
use indelible_event::build::EventBuilder;
use indelible_event::doors::Recorder;
use indelible_event::env::{Clock, Randomness};
use indelible_event::id::EventId;
use indelible_event::words::{Action, ActorType, OutcomeResult};
use indelible_store::name::LogName;
use indelible_store::{DataFolder, Log, LogSettings, SystemClock, SystemRandomness};
use indelible_tlog::checkpoint::Origin;
use indelible_tlog::note::VerifierKey;
use serde_json::json;

use crate::cli::{DrillArguments, ServerArguments};
use crate::client::Client;
use crate::drill::{self, Row, Verdict, Workbench, missed};
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout};
use crate::progress;

use super::read_text;

pub(crate) fn run(server: &ServerArguments, arguments: &DrillArguments) -> Result<Exit, CliError> {
    let folder = arguments.data.join("logs").join(&arguments.log);
    let scratch = arguments.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let failed = |error: &dyn std::error::Error| CliError::because("the drill could not be carried out", error);
    let workbench = Workbench::new(&folder, &scratch, arguments.entries).map_err(|error| failed(&error))?;
    let bar = progress::bar(0, "attacks");
    let rows = drill::run(&workbench, |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })
    .map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    let mut out = stdout();
    match arguments.format {
        Format::Text => drill::print_text(&mut out, &rows, workbench.len())?,
        Format::Json => drill::print_json(&mut out, &rows, workbench.len())?,
    }
    out.flush()?;
    drop(out);
    if !arguments.no_record {
        let place = record(server, arguments, &rows)?;
        eprintln!("Recorded in log `{}` {place}.", arguments.log);
    }
    Ok(if missed(&rows) > 0 { Exit::Finding } else { Exit::Ok })
}

/// Records the result: through the server, or directly when no server has the folder.
fn record(server: &ServerArguments, arguments: &DrillArguments, rows: &[Row]) -> Result<String, CliError> {
    let client = Client::new(server)?;
    if client.token().is_some() {
        match record_by_server(&client, arguments, rows) {
            Ok(()) => return Ok(format!("through {}", client.url())),
            // no server there: then the folder may be free
            Err(error) if error.status().is_none() => tracing::info!(%error, "the result is recorded directly"),
            Err(error) => return Err(error.context("the drill's result could not be recorded")),
        }
    }
    let unrecorded = |error: &dyn std::error::Error| {
        CliError::because("the drill's result could not be recorded", error)
            .hint("if a server runs on the folder, set INDELIBLE_URL and INDELIBLE_TOKEN, or give --no-record")
    };
    let data = DataFolder::open(&arguments.data).map_err(|error| unrecorded(&error))?;
    let name = LogName::new(&arguments.log).map_err(|error| unrecorded(&error))?;
    let vkey = read_text(&arguments.data.join("logs").join(&arguments.log).join("log.vkey"))?;
    let vkey = VerifierKey::parse(vkey.trim()).map_err(|error| unrecorded(&error))?;
    let origin = Origin::new(vkey.name().as_str()).map_err(|error| unrecorded(&error))?;
    let log = Log::open(&data, &LogSettings::new(name, origin)).map_err(|error| unrecorded(&error))?;
    let recorded = record_directly(&log, rows)
        .map_err(|reason| CliError::new(format!("the drill's result could not be recorded: {reason}")));
    log.close();
    recorded.map(|()| "directly".to_owned())
}

fn counts(rows: &[Row]) -> (i64, i64, i64) {
    let count = |which: fn(&Verdict) -> bool| {
        i64::try_from(rows.iter().filter(|row| which(&row.verdict)).count()).unwrap_or(i64::MAX)
    };
    (
        count(|verdict| matches!(verdict, Verdict::Caught { .. })),
        count(|verdict| matches!(verdict, Verdict::Missed { .. })),
        count(|verdict| matches!(verdict, Verdict::NotYetGuarded { .. })),
    )
}

fn record_by_server(client: &Client, arguments: &DrillArguments, rows: &[Row]) -> Result<(), CliError> {
    let (detected, missed, waiting) = counts(rows);
    let event = json!({
        "time": jiff::Timestamp::now().to_string(),
        "actor": {"id": "indelible drill", "type": "system"},
        "action": "execute",
        "operation": "drill",
        "resources": [{"type": "log", "id": arguments.log}],
        "outcome": {"result": if missed > 0 { "failed" } else { "allowed" }},
        "attributes": {"detected": detected, "missed": missed, "not_guarded_yet": waiting},
    });
    client.post("/v1/events", &[("log", arguments.log.clone())], "application/json", event.to_string().as_bytes())?;
    Ok(())
}

fn record_directly(log: &Arc<Log>, rows: &[Row]) -> Result<(), String> {
    let (detected, missed, waiting) = counts(rows);
    let now = SystemClock.now();
    let mut random = [0u8; 10];
    SystemRandomness.fill(&mut random).map_err(|error| error.to_string())?;
    let id = EventId::version_7(u64::try_from(now.0 / 1_000_000).unwrap_or_default(), random);
    let result = if missed > 0 { OutcomeResult::Failed } else { OutcomeResult::Allowed };
    let mut batch = EventBatch::new();
    EventBuilder::new(now, Action::Execute, "drill", ActorType::System, "indelible drill")
        .result(result)
        .resource("log", log.name())
        .attribute("detected", detected)
        .attribute("missed", missed)
        .attribute("not_guarded_yet", waiting)
        .push(id, "indelible-cli", &mut batch)
        .map_err(|error| format!("{error:?}"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    runtime.block_on(log.record(batch)).map(|_| ()).map_err(|error| error.to_string())
}
