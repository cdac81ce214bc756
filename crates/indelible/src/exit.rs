//! How a command ends: stable exit codes, and errors that say what failed, why, and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit codes. They never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and nothing is wrong.
    Ok,
    /// Done, and something is wrong with what was checked: tampered, an attack missed, events refused.
    Finding,
    /// It could not be done or checked.
    CouldNot,
    /// The command line is wrong (`EX_USAGE` of sysexits).
    Usage,
    /// The configuration is wrong (`EX_CONFIG` of sysexits).
    Config,
    /// What a wrapped command ended with: its code, not ours.
    Child(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0u8,
            Exit::Finding => 1,
            Exit::CouldNot => 2,
            Exit::Usage => 64,
            Exit::Config => 78,
            Exit::Child(code) => code,
        })
    }
}

/// An error as a person sees it.
#[derive(Debug)]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    details: Vec<Detail>,
    hint: Option<String>,
    status: Option<u16>,
    quiet: bool,
}

/// A single fault, and the line it stands in when there are lines.
#[derive(Debug)]
pub(crate) struct Detail {
    /// The line, from 1.
    pub(crate) line: Option<u64>,
    /// What is wrong.
    pub(crate) text: String,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl CliError {
    /// It could not be done.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::CouldNot,
            message: message.into(),
            details: Vec::new(),
            hint: None,
            status: None,
            quiet: false,
        }
    }

    /// It could not be done, because of `error` and its causes.
    pub(crate) fn because(message: impl Into<String>, error: &dyn Error) -> Self {
        Self::new(format!("{}: {}", message.into(), chain(error)))
    }

    /// Another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// What to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Single faults, one a line.
    pub(crate) fn details(mut self, details: Vec<Detail>) -> Self {
        self.details = details;
        self
    }

    /// The status with which the server refused.
    pub(crate) fn refused_with(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The status with which the server refused; `None` when it did not answer, or when it was no server.
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    /// Puts words before the message.
    pub(crate) fn context(mut self, words: &str) -> Self {
        self.message = format!("{words}: {}", self.message);
        self
    }

    /// The single faults, with their lines as `line_of` has them.
    pub(crate) fn map_lines(mut self, line_of: impl Fn(Option<u64>) -> Option<u64>) -> Self {
        for detail in &mut self.details {
            detail.line = line_of(detail.line);
        }
        self
    }

    /// The single faults.
    pub(crate) fn into_faults(self) -> Vec<Detail> {
        self.details
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for CliError {
    /// Writing to a pipe that nobody reads any more is no fault of ours.
    fn from(error: io::Error) -> Self {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if quiet { Exit::Ok } else { Exit::CouldNot };
        Self { exit, quiet, ..Self::new(format!("cannot read or write: {error}")) }
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Prints an error to standard error and gives its exit code.
pub(crate) fn report(error: &CliError) -> ExitCode {
    if !error.quiet {
        eprintln!("error: {}", error.message);
        for detail in &error.details {
            eprintln!("  {detail}");
        }
        if let Some(hint) = &error.hint {
            eprintln!("\nhint: {hint}");
        }
    }
    error.exit.into()
}

/// Prints what clap has to say; help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    if error.use_stderr() || shown.is_err() { Exit::Usage.into() } else { Exit::Ok.into() }
}
