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
        /// A file of lists for rules that name one (`approved_models: [gpt-4o]`); those whose list is missing wait.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        lists: Option<PathBuf>,
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
        /// A file of lists for rules that name one (`approved_models: [gpt-4o]`); those whose list is missing wait.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        lists: Option<PathBuf>,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// `alerts`
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts, the newest finding first.
    #[command(
        after_help = "Examples:\n  indelible alerts list\n  indelible alerts list --state any --severity high --format json"
    )]
    List(AlertsListArguments),
    /// Show an alert with its findings, their events, and who was told.
    #[command(after_help = "Example:\n  indelible alerts show 5be2f3c8d0a94e7f8f1d2c3b4a596877")]
    Show {
        /// The alert's id.
        id: String,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Take an alert: you look after it, and it is not told again.
    Ack {
        /// The alert's id.
        id: String,
        /// Who looks after it; the token's name when missing.
        #[arg(long, value_name = "WHO")]
        owner: Option<String>,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Close an alert; a later finding opens another one.
    #[command(
        after_help = "Example:\n  indelible alerts close 5be2f3c8d0a94e7f8f1d2c3b4a596877 --reason 'agreed migration'"
    )]
    Close {
        /// The alert's id.
        id: String,
        /// Why; on record.
        #[arg(long)]
        reason: String,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Tell nobody of a rule's or an entity's alerts for a while; those still open at the end are told then.
    Silence(SilenceArguments),
    /// List silences that have not ended.
    Silences {
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// End a silence now.
    Unsilence {
        /// The silence's id.
        id: String,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// List receivers and how they do: delivered, waiting, given up, failing since when and why.
    Receivers {
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Send a receiver a notice that says it is a test.
    #[command(after_help = "Example:\n  indelible alerts test on-call")]
    Test {
        /// The receiver's name.
        receiver: String,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// `alerts list`
#[derive(Debug, Args)]
pub(crate) struct AlertsListArguments {
    /// `open`, `acknowledged`, `closed`, several by commas, or `any`; those that are not closed when missing.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// At least so bad: informational, low, medium, high, critical.
    #[arg(long)]
    pub(crate) severity: Option<String>,
    /// Of one log.
    #[arg(long)]
    pub(crate) log: Option<String>,
    /// Of one rule: its id.
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// About one entity: its id.
    #[arg(long)]
    pub(crate) entity: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u64,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `alerts silence`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible alerts silence --entity nightly-export --for 2h --reason 'agreed migration'"
)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["rule", "entity"]))]
#[command(group = clap::ArgGroup::new("end").required(true).args(["lasts", "until"]))]
pub(crate) struct SilenceArguments {
    /// Alerts of this rule: its id.
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// Alerts about this entity: its id.
    #[arg(long)]
    pub(crate) entity: Option<String>,
    /// In one log only.
    #[arg(long)]
    pub(crate) log: Option<String>,
    /// For how long: `90s`, `30m`, `2h`, `7d`.
    #[arg(long = "for", id = "lasts", value_name = "TIME")]
    pub(crate) lasts: Option<String>,
    /// Until when, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Why; on record.
    #[arg(long)]
    pub(crate) reason: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
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
    /// A file of lists for rules that name one (`approved_models: [gpt-4o]`); those whose list is missing wait.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) lists: Option<PathBuf>,
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
