//! `indelible verify`: a folder or a URL, with exit code 0 intact, 1 tampered, 2 could not check.

use std::io::Write;
use std::path::Path;

use indelible_verify::{Exit as Checked, FolderSource, LogSource, UrlSource, VerifyOptions, verify};

use crate::cli::{ServerArguments, VerifyArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout};
use crate::progress;

use super::{key_text, read_text};

pub(crate) fn run(server: &ServerArguments, arguments: &VerifyArguments) -> Result<Exit, CliError> {
    let source = source(server, &arguments.log)?;
    let from = arguments.from.as_deref().map(read_text).transpose()?;
    let options = VerifyOptions { from, key: key_text(arguments.key.as_deref())?, ..VerifyOptions::default() };
    let bar = progress::bar(0, "entries");
    let report = verify(source.as_ref(), &options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    match arguments.format {
        Format::Text => write!(stdout(), "{}", report.to_text())?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&report).map_err(|error| CliError::because("the report", &error))?;
            writeln!(stdout(), "{text}")?;
        }
    }
    Ok(exit(report.exit()))
}

/// A folder, or a URL read with the token of this environment.
pub(crate) fn source(server: &ServerArguments, log: &str) -> Result<Box<dyn LogSource>, CliError> {
    if log.contains("://") {
        let client = Client::new(server)?;
        let source = UrlSource::new(log, client.token()).map_err(|error| CliError::new(error.to_string()))?;
        return Ok(Box::new(source));
    }
    let folder = Path::new(log);
    // whoever names the data folder means its main log
    let inner = folder.join("logs").join("main");
    let folder = if !folder.join("checkpoint").exists() && inner.join("checkpoint").exists() { inner } else { folder.to_owned() };
    Ok(Box::new(FolderSource::new(folder)))
}

/// The verifier's exit codes are ours.
pub(crate) fn exit(checked: Checked) -> Exit {
    match checked {
        Checked::Intact => Exit::Ok,
        Checked::Tampered => Exit::Finding,
        Checked::CouldNotCheck => Exit::CouldNot,
    }
}
