//! Arguments of the commands about logs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::output::Format;

/// `log`
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// List the logs with their origins, sizes and keys.
    #[command(after_help = "Example:\n  indelible log list --format json")]
    List {
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Let a log sign checkpoints again that was stopped because it did not hold. Stop the server first.
    Resume(LogResumeArguments),
}

/// `log resume`
#[derive(Debug, Args)]
#[command(
    after_help = "Look first: `indelible verify` names what is wrong. Keep a copy of the folder, put back what was altered. The next \
start of the server records that signing goes on, and why; what is still wrong is found again.\n\nExamples:\n  indelible log resume \
--data /var/lib/indelible --reason \"tile/0/012 put back from the backup\"\n  indelible log resume --set-checkpoints-aside --reason \
\"the log was put back from Monday's backup\""
)]
pub(crate) struct LogResumeArguments {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "indelible-data", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// Which log.
    #[arg(long, default_value = "main")]
    pub(crate) log: String,
    /// What was done, in your words: it goes on record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Put the checkpoints aside that were kept so far: a log that was put back from a backup contradicts the later ones for ever.
    #[arg(long)]
    pub(crate) set_checkpoints_aside: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
