//! Arguments of the commands that watch: rules, and what they would have found.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::output::Format;

/// `rules`
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Say which rules can be used; names file, line and reason of the others.
    #[command(after_help = "Example:\n  indelible rules check rules/")]
    Check {
        /// The folder, or one file.
        #[arg(default_value = "rules", value_hint = ValueHint::AnyPath)]
        folder: PathBuf,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Run the cases beside the rules (`*.test.yml`): what must be found and what must not.
    #[command(after_help = "Example:\n  indelible rules test rules/")]
    Test {
        /// The folder, or one rule file.
        #[arg(default_value = "rules", value_hint = ValueHint::AnyPath)]
        folder: PathBuf,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// List the built-in rules and those of a folder.
    #[command(after_help = "Example:\n  indelible rules list --folder rules/ --format json")]
    List {
        /// A folder of rules besides the built-in ones; a rule replaces the built-in one with its id.
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::AnyPath)]
        folder: Option<PathBuf>,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// `detect`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible detect --data indelible-data --from 2026-11-01 --to 2026-11-30\n  indelible detect --log \
indelible-data/logs/main --rules my-rules/ --no-built-in --format json\n\nOnly reads, and tells nobody. Times are those of recording. \
Exit code 1 when something was found."
)]
pub(crate) struct DetectArguments {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "indelible-data", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// Which log of it.
    #[arg(long, default_value = "main")]
    pub(crate) name: String,
    /// A log's folder (`DATA/logs/NAME`, or a copy of one) instead.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with = "data")]
    pub(crate) log: Option<PathBuf>,
    /// Not recorded before this time or day.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Not recorded after this time or day.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Folders or files of rules besides the built-in ones.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::AnyPath)]
    pub(crate) rules: Vec<PathBuf>,
    /// Without the built-in rules.
    #[arg(long)]
    pub(crate) no_built_in: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `sources`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 complete, 1 gaps or silent, 2 it cannot be told.\n\nExamples:\n  indelible sources\n  indelible \
sources --data ./data --format json"
)]
pub(crate) struct SourcesArguments {
    /// Which log.
    #[arg(long)]
    pub(crate) log: Option<String>,
    /// Look into this data folder instead of asking a server.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
