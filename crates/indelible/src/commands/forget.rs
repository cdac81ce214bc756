//! `indelible forget`: destroys the keys of sealed content, after asking.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};

use super::unseal::commitment;
use crate::cli::{ForgetArguments, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, print};

pub(crate) fn run(server: &ServerArguments, arguments: &ForgetArguments) -> Result<Exit, CliError> {
    let (kind, id) = match (&arguments.subject, &arguments.event, &arguments.sealed) {
        (Some(subject), None, None) => ("subject", subject.clone()),
        (None, Some(event), None) => ("event", event.clone()),
        (None, None, Some(sealed)) => ("sealed", commitment(sealed)?.to_string()),
        _ => return Err(CliError::new("name one of --subject, --event and --sealed").exit(Exit::Usage)),
    };
    if !arguments.yes && !agreed(kind, &id)? {
        return Err(CliError::new("nothing was erased"));
    }
    let body = json!({kind: id, "reason": arguments.reason}).to_string();
    // Asked once: a repeated request would count what the first one erased as erased before.
    let answer = Client::new(server)?.impatient().post("/v1/forget", &[], "application/json", body.as_bytes())?;
    let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    match arguments.format {
        Format::Json => print(format_args!("{answer:#}\n"))?,
        Format::Text => {
            print(format_args!("Erased {} contents ({} bytes)\n", count("contents"), count("bytes")))?;
            if count("already") > 0 {
                print(format_args!("{} had been erased before\n", count("already")))?;
            }
        }
    }
    if count("unreadable") > 0 {
        eprintln!("warning: {} key slots are damaged; nobody can read their contents", count("unreadable"));
    }
    Ok(Exit::Ok)
}

fn agreed(kind: &str, id: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new("erasing cannot be undone, and nobody is here to be asked")
            .hint("add --yes")
            .exit(Exit::Usage));
    }
    let what = if kind == "sealed" { "the content" } else { "all content of the" };
    let kind = if kind == "sealed" { "" } else { kind };
    eprint!("Erase {what} {kind} `{id}` for good? Type yes: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
