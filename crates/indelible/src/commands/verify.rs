//! `indelible verify`: a folder or a URL, with exit code 0 intact, 1 tampered, 2 could not check.

use std::io::Read;
use std::path::{Path, PathBuf};

use indelible_verify::{Exit as Checked, FolderSource, LogSource, SourceError, VerifyOptions, verify};

use crate::cli::{ServerArguments, VerifyArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, print};
use crate::progress;

use super::sealed_content::{self, SealedReport};
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
    let mut exit = exit(report.exit());
    // Of a log that is not intact nobody knows which entries are its own.
    let sealed = match folder(&arguments.log) {
        Some(folder) if exit == Exit::Ok => sealed_content::check(&folder)?,
        _ => None,
    };
    if sealed.as_ref().is_some_and(SealedReport::has_findings) {
        exit = Exit::Finding;
    }
    match arguments.format {
        Format::Text => {
            let sealed = sealed.as_ref().map(SealedReport::to_text).unwrap_or_default();
            print(format_args!("{}{sealed}", report.to_text()))?;
        }
        Format::Json => {
            let failed = |error| CliError::because("the report", &error);
            let mut shown = serde_json::to_value(&report).map_err(failed)?;
            if let Some(sealed) = &sealed {
                shown["sealed"] = serde_json::to_value(sealed).map_err(failed)?;
            }
            print(format_args!("{shown:#}\n"))?;
        }
    }
    Ok(exit)
}

/// A log behind HTTP, read with the client of all commands: its retries, its certificates, its care for the token.
struct RemoteLog(Client);

impl LogSource for RemoteLog {
    fn name(&self) -> String {
        self.0.url().to_owned()
    }

    fn read(&self, path: &str, bytes_max: usize, into: &mut Vec<u8>) -> Result<bool, SourceError> {
        let transport = |reason: String| SourceError::Transport { path: path.to_owned(), reason };
        let response = match self.0.get_stream(&format!("/{path}"), &[]) {
            Ok(response) => response,
            Err(error) => {
                let Some(status) = error.status() else { return Err(transport(error.to_string())) };
                let advice = match status {
                    404 | 410 => return Ok(false),
                    401 | 403 => {
                        "set INDELIBLE_TOKEN to a token that may read this log, and INDELIBLE_URL to its server"
                    }
                    429 => "wait and try again",
                    _ => "try again, or check the address",
                };
                return Err(SourceError::Status { path: path.to_owned(), status, advice });
            }
        };
        if response.headers().contains_key("content-encoding") {
            return Err(transport("the body is compressed, which was not asked for".to_owned()));
        }
        into.clear();
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        let body = response.into_body().into_reader();
        body.take(most).read_to_end(into).map_err(|error| transport(error.to_string()))?;
        if into.len() > bytes_max {
            return Err(SourceError::TooLong { path: path.to_owned(), bytes_max });
        }
        Ok(true)
    }

    fn list(&self, _each: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        Ok(false)
    }
}

/// A folder or a URL.
pub(crate) fn source(server: &ServerArguments, log: &str) -> Result<Box<dyn LogSource>, CliError> {
    if log.contains("://") {
        return Ok(Box::new(RemoteLog(Client::at(server, log)?)));
    }
    Ok(Box::new(FolderSource::new(folder(log).unwrap_or_default())))
}

/// The log's folder; `None` for a URL.
fn folder(log: &str) -> Option<PathBuf> {
    if log.contains("://") {
        return None;
    }
    let folder = Path::new(log);
    // whoever names the data folder means its main log
    let inner = folder.join("logs").join("main");
    let is_data = !folder.join("checkpoint").exists() && inner.join("checkpoint").exists();
    Some(if is_data { inner } else { folder.to_owned() })
}

/// The verifier's exit codes are ours.
pub(crate) fn exit(checked: Checked) -> Exit {
    match checked {
        Checked::Intact => Exit::Ok,
        Checked::Tampered => Exit::Finding,
        Checked::CouldNotCheck => Exit::CouldNot,
    }
}
