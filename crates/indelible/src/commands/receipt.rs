//! `indelible receipt verify` and `indelible proof`.

use std::io::Write;

use indelible_verify::{Verdict, VerifyOptions, verify_receipt};
use serde_json::Value;

use crate::cli::{ProofArguments, ReceiptCommand, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout};

use super::verify::{exit, source};
use super::{key_text, read_text};

pub(crate) fn run(server: &ServerArguments, command: &ReceiptCommand) -> Result<Exit, CliError> {
    let ReceiptCommand::Verify(arguments) = command;
    let text = read_text(&arguments.receipt)?;
    let options = VerifyOptions { key: key_text(arguments.key.as_deref())?, ..VerifyOptions::default() };
    let source = source(server, &arguments.log)?;
    let report = verify_receipt(&note_in(&text), source.as_ref(), &options);
    match arguments.format {
        Format::Text => {
            let verdict = if report.verdict == Verdict::Intact { "HOLDS" } else { "DOES NOT HOLD" };
            writeln!(stdout(), "Receipt: {verdict}: {}", report.reason)?;
            report.remarks.iter().try_for_each(|remark| writeln!(stdout(), "note: {remark}"))?;
        }
        Format::Json => {
            let text = serde_json::to_string_pretty(&report).map_err(|error| CliError::because("the report", &error))?;
            writeln!(stdout(), "{text}")?;
        }
    }
    Ok(exit(report.verdict.exit()))
}

/// The receipt itself, or the one in a saved answer of `POST /v1/events`.
fn note_in(text: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(text).ok();
    match answer.as_ref().and_then(|answer| answer.get("receipt")).and_then(Value::as_str) {
        Some(receipt) => receipt.to_owned(),
        None => text.to_owned(),
    }
}

pub(crate) fn proof(server: &ServerArguments, arguments: &ProofArguments) -> Result<Exit, CliError> {
    let path = format!("/v1/logs/{}/entries/{}/proof", arguments.log, arguments.index);
    write!(stdout(), "{}", Client::new(server)?.get_text(&path)?)?;
    Ok(Exit::Ok)
}
