//! `indelible receipt verify` and `indelible proof`.

use indelible_verify::{Verdict, VerifyOptions, check_proof, verify_receipt};
use serde_json::{Value, json};

use crate::cli::{ProofArguments, ProofCommand, ReceiptCommand, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, print};

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
            print(format_args!("Receipt: {verdict}: {}\n", report.reason))?;
            report.remarks.iter().try_for_each(|remark| print(format_args!("note: {remark}\n")))?;
        }
        Format::Json => {
            let text =
                serde_json::to_string_pretty(&report).map_err(|error| CliError::because("the report", &error))?;
            print(format_args!("{text}\n"))?;
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
    if let Some(ProofCommand::Verify { proof, entry, key, format }) = &arguments.command {
        let key = key_text(Some(key))?.unwrap_or_default();
        let bytes = std::fs::read(entry)
            .map_err(|error| CliError::because(format!("cannot read {}", entry.display()), &error))?;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let report = check_proof(&read_text(proof)?, bytes, &key);
        match format {
            Format::Text => {
                let verdict = if report.verdict == Verdict::Intact { "HOLDS" } else { "DOES NOT HOLD" };
                print(format_args!("Proof: {verdict}: {}\n", report.reason))?;
            }
            Format::Json => {
                let text =
                    serde_json::to_string_pretty(&report).map_err(|error| CliError::because("the report", &error))?;
                print(format_args!("{text}\n"))?;
            }
        }
        return Ok(exit(report.verdict.exit()));
    }
    let path = format!("/v1/logs/{}/entries/{}/proof", arguments.log, arguments.index.unwrap_or_default());
    let proof = Client::new(server)?.get_text(&path)?;
    match arguments.format {
        Format::Text => print(format_args!("{proof}"))?,
        Format::Json => {
            let (log, index) = (&arguments.log, arguments.index);
            print(format_args!("{:#}\n", json!({"log": log, "index": index, "proof": proof})))?;
        }
    }
    Ok(Exit::Ok)
}
