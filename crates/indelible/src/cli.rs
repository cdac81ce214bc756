//! The command line: names, help and examples. Never: what a command does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

mod guard;
mod log;
mod watch;

pub(crate) use guard::{
    ApprovalsCommand, DecisionArguments, ForgetArguments, HaltArguments, PolicyCommand, ResumeArguments, RoleArgument,
    TokenCommand, UnsealArguments,
};
pub(crate) use log::{LogCommand, LogResumeArguments};
pub(crate) use watch::{
    AlertsCommand, AlertsListArguments, DetectArguments, RulesCommand, SilenceArguments, SourcesArguments,
};

use crate::output::{EventFormat, Format};

const EXIT_CODES: &str = "Exit codes: 0 done and nothing is wrong; 1 done and something is wrong (tampered, an attack was missed, \
events were refused); 2 it could not be done or checked; 64 wrong command line; 78 wrong configuration.";

/// Audit-ready access logs for AI systems.
///
/// Start with `indelible serve`. Client commands read the server's address from INDELIBLE_URL and the token from
/// INDELIBLE_TOKEN.
#[derive(Debug, Parser)]
#[command(name = "indelible", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server a command talks to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// The server's address.
    #[arg(long, global = true, env = "INDELIBLE_URL", default_value = "http://127.0.0.1:7411", value_hint = ValueHint::Url)]
    pub(crate) url: String,
    /// A file that holds the token (otherwise INDELIBLE_TOKEN).
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate authorities to trust, a PEM file (otherwise the system's).
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArguments),
    /// Check or show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Send events, one JSON object a line, from a file or standard input.
    Record(RecordArguments),
    /// Find events.
    Search(SearchArguments),
    /// Print new events as they are recorded.
    Tail(TailArguments),
    /// Count events by field and time.
    Stats(StatsArguments),
    /// Show which sources there are, and whether all that they sent is there.
    Sources(SourcesArguments),
    /// Ask in SQL; the table is `events`.
    Sql(SqlArguments),
    /// Write events to a file: CSV, NDJSON, Parquet or OCSF.
    Export(ExportArguments),
    /// Check a log: a folder (no server needed) or a URL.
    Verify(VerifyArguments),
    /// Check a receipt against a log.
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Print the newest checkpoint: keep it somewhere else, and verify against it later.
    Checkpoint(CheckpointArguments),
    /// Print the proof of one entry (C2SP tlog-proof), or check one.
    Proof(ProofArguments),
    /// Attack a copy of a log and show what catches each attack.
    Drill(DrillArguments),
    /// List the server's logs.
    #[command(subcommand)]
    Log(LogCommand),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show a sealed content: a prompt, an answer, what a tool was given or gave. The reading is recorded.
    Unseal(UnsealArguments),
    /// Erase sealed content by destroying its keys. Events and proofs stand.
    Forget(ForgetArguments),
    /// Rebuild or check the search index of a data folder.
    #[command(subcommand)]
    Index(IndexCommand),
    /// Check and test the policies that say who may call what.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// See which calls wait for a person, and decide.
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Halt a route, actor, model or tool at once.
    Halt(HaltArguments),
    /// Let it go on.
    Resume(ResumeArguments),
    /// Put a tool server (MCP) on record.
    #[command(subcommand)]
    Mcp(McpCommand),
    /// See what was found, look after it, and say who is not to be told.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Check, test and list the rules that watch over the log.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Put rules to what a log holds, and show what they would have found.
    Detect(DetectArguments),
}

/// `serve`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible serve\n  indelible serve --demo\n  indelible serve --data /var/lib/indelible \
--listen 0.0.0.0:7411 --config /etc/indelible.toml"
)]
pub(crate) struct ServeArguments {
    /// Where everything is kept; made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// The configuration file (otherwise `indelible.toml`, if there is one).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// How others reach the server; part of the origin of new logs.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) public_url: Option<String>,
    /// Log level: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Also send a stream of sample traffic through the API, marked as demo.
    #[arg(long)]
    pub(crate) demo: bool,
}

/// `config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the configuration can be used, and what is wrong with it.
    #[command(after_help = "Example:\n  indelible config check --config /etc/indelible.toml")]
    Check(ConfigArguments),
    /// Print every value in force and where it came from.
    #[command(after_help = "Example:\n  INDELIBLE_SERVER_LISTEN=0.0.0.0:7411 indelible config show")]
    Show(ConfigArguments),
}

/// `config check|show`
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// The configuration file (otherwise `indelible.toml`, if there is one).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `record`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible record events.ndjson\n  cat events.ndjson | indelible record -\n  indelible \
record events.ndjson --receipts receipts/\n\nAn interrupted run of a file goes on where it stopped: the place is kept in \
FILE.indelible-state. Events without an id get one from the file's path, their place in it and their content, so that sending them again changes \
nothing. Standard input goes on in the same way if --state names a file; without one its events get new ids each time."
)]
pub(crate) struct RecordArguments {
    /// The file; `-` is standard input.
    #[arg(default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Which log.
    #[arg(long)]
    pub(crate) log: Option<String>,
    /// Events in one request.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) batch: u16,
    /// Record the good events of a request and list the others.
    #[arg(long)]
    pub(crate) partial: bool,
    /// Where to keep the place reached (for a file: FILE.indelible-state).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) state: Option<PathBuf>,
    /// Keep each receipt in this folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) receipts: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Newest or oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OrderArgument {
    /// Newest first.
    Desc,
    /// Oldest first.
    Asc,
}

/// What to look for, and where.
#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// The query; empty finds everything.
    #[arg(default_value = "", allow_hyphen_values = true)]
    pub(crate) query: String,
    /// Not before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Not after this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Which log.
    #[arg(long)]
    pub(crate) log: Option<String>,
    /// Look into this data folder instead of asking a server.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
}

/// `search`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible search 'actor:ana@example.com action:read,infer outcome:denied'\n  indelible \
search 'resource:customers* time:>2026-11-01 -source:batch \"free text\"'\n  indelible search 'model:gpt-5 (outcome:denied or \
outcome:failed)' --format ndjson --limit 5000"
)]
pub(crate) struct SearchArguments {
    #[command(flatten)]
    pub(crate) query: QueryArguments,
    /// Most events.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
    /// Newest or oldest first.
    #[arg(long, value_enum, default_value = "desc")]
    pub(crate) order: OrderArgument,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: EventFormat,
}

/// `tail`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  indelible tail -f 'outcome:denied'\n  indelible tail -n 20")]
pub(crate) struct TailArguments {
    #[command(flatten)]
    pub(crate) query: QueryArguments,
    /// Go on as new events are recorded.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many of the last events to print first.
    #[arg(short = 'n', long, default_value_t = 10)]
    pub(crate) lines: usize,
    /// Print events as stored, one JSON object a line.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: EventFormat,
}

/// `stats`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible stats --by model\n  indelible stats 'outcome:denied' --by actor,action \
--interval 1h"
)]
pub(crate) struct StatsArguments {
    #[command(flatten)]
    pub(crate) query: QueryArguments,
    /// Fields to count by.
    #[arg(long, value_name = "FIELDS")]
    pub(crate) by: Option<String>,
    /// Width of a time step, such as 5m, 1h, 1d.
    #[arg(long)]
    pub(crate) interval: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `sql`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible sql 'select actor_id, count(*) from events group by 1 order by 2 desc limit \
10'\n  indelible sql 'select * from events limit 3' --format json"
)]
pub(crate) struct SqlArguments {
    /// One SELECT; the table is `events`.
    pub(crate) query: String,
    /// Which log.
    #[arg(long)]
    pub(crate) log: Option<String>,
    /// Look into this data folder instead of asking a server.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// How to print: table, json, ndjson or csv.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: EventFormat,
}

/// Forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Comma-separated values, safe to open in a spreadsheet.
    Csv,
    /// The entries as stored, one a line.
    Ndjson,
    /// Columns, for any engine.
    Parquet,
    /// OCSF API Activity, one a line.
    Ocsf,
}

/// `export`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible export 'resource:customers' --format csv -o customers.csv\n  indelible export '' \
--from 2026-11-01 --to 2026-11-30 --format parquet -o november.parquet"
)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(crate) query: QueryArguments,
    /// In which form.
    #[arg(long, value_enum, default_value = "ndjson")]
    pub(crate) format: ExportFormat,
    /// Where to; `-` is standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

/// `verify`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible verify indelible-data/logs/main\n  indelible verify indelible-data/logs/main \
--from kept-checkpoint --key pinned.vkey\n  indelible verify https://logs.example.com/log/main --format json\n\nA key found \
beside the log proves less than one you keep elsewhere; a checkpoint you keep elsewhere is what shows a rewritten history."
)]
pub(crate) struct VerifyArguments {
    /// The log's folder (`DATA/logs/NAME`) or URL (`…/log/NAME`). Sealed content beside it is looked at too.
    #[arg(value_name = "PATH|URL", value_hint = ValueHint::AnyPath)]
    pub(crate) log: String,
    /// A checkpoint kept elsewhere, which the log must extend.
    #[arg(long, value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub(crate) from: Option<PathBuf>,
    /// The log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Option<String>,
    /// How to print the report.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `receipt`
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Check that what a receipt promises stands in the log.
    Verify(ReceiptArguments),
}

/// `receipt verify`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible receipt verify receipt.txt indelible-data/logs/main --key pinned.vkey")]
pub(crate) struct ReceiptArguments {
    /// The receipt: a signed note, or the JSON answer that holds it.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) receipt: PathBuf,
    /// The log's folder or URL.
    #[arg(value_name = "PATH|URL")]
    pub(crate) log: String,
    /// The log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `checkpoint`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible checkpoint > kept-checkpoint\n  indelible verify indelible-data/logs/main --from kept-checkpoint"
)]
pub(crate) struct CheckpointArguments {
    /// Which log.
    #[arg(long, default_value = "main")]
    pub(crate) log: String,
    /// How to print: the signed note itself, or JSON that holds it.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `proof`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(
    after_help = "Examples:\n  indelible proof 17 > 17.tlog-proof\n  indelible search 'id:018f…' --format ndjson > entry.json\n  \
indelible proof verify 17.tlog-proof entry.json --key pinned.vkey"
)]
pub(crate) struct ProofArguments {
    #[command(subcommand)]
    pub(crate) command: Option<ProofCommand>,
    /// The entry's index.
    #[arg(required = true)]
    pub(crate) index: Option<u64>,
    /// Which log.
    #[arg(long, default_value = "main")]
    pub(crate) log: String,
    /// How to print: the proof itself, or JSON that holds it.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `proof verify`
#[derive(Debug, Subcommand)]
pub(crate) enum ProofCommand {
    /// Check that a proof holds for an entry. Needs no server and no log: only the key.
    #[command(after_help = "Example:\n  indelible proof verify 17.tlog-proof entry.json --key pinned.vkey")]
    Verify {
        /// The proof.
        #[arg(value_hint = ValueHint::FilePath)]
        proof: PathBuf,
        /// The entry, byte for byte as stored; one line end after it is left out.
        #[arg(value_hint = ValueHint::FilePath)]
        entry: PathBuf,
        /// The log's verifier key, or a file that holds it.
        #[arg(long, value_name = "VKEY")]
        key: String,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// `drill`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible drill\n  indelible drill --data /var/lib/indelible --log main --entries \
20000\n\nThe log itself is only read. The result is recorded in the log: through the server if INDELIBLE_TOKEN is set \
and it answers, otherwise directly when no server runs on the data folder."
)]
pub(crate) struct DrillArguments {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "indelible-data", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// Which log.
    #[arg(long, default_value = "main")]
    pub(crate) log: String,
    /// Most entries to copy.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) entries: usize,
    /// Where to put the copies; they are removed afterwards.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) scratch: Option<PathBuf>,
    /// Do not record the result.
    #[arg(long)]
    pub(crate) no_record: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `index`
#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Delete the index and write it anew from the log. Stop the server first.
    #[command(after_help = "Example:\n  indelible index rebuild --data /var/lib/indelible --log main")]
    Rebuild(IndexArguments),
    /// Rebuild the index beside the old one and compare: rows that differ or are missing.
    #[command(after_help = "Example:\n  indelible index check --data /var/lib/indelible --log main")]
    Check(IndexArguments),
}

/// `index rebuild|check`
#[derive(Debug, Args)]
pub(crate) struct IndexArguments {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "indelible-data", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// Which log.
    #[arg(long, default_value = "main")]
    pub(crate) log: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// How much of a content is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CaptureArgument {
    /// The content, encrypted.
    Sealed,
    /// Only a commitment to it.
    Hash,
    /// Nothing but its size.
    None,
}

/// `mcp`
#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// Run a tool server that talks over pipes, and record everything that passes.
    #[command(
        after_help = "Examples:\n  indelible mcp wrap -- npx -y @modelcontextprotocol/server-everything\n  indelible mcp wrap \
--name files --data ~/.local/share/indelible-files -- npx -y @modelcontextprotocol/server-filesystem /srv\n\nPut it where an agent's \
configuration names the command. Events go to the server of INDELIBLE_URL with INDELIBLE_TOKEN (role ingest), each durable before \
anything passes; content is then not kept. With --data the wrapper keeps a log of its own, and seals content into it."
    )]
    Wrap(McpWrapArguments),
}

/// `mcp wrap`
#[derive(Debug, Args)]
pub(crate) struct McpWrapArguments {
    /// The tool server's name in events (otherwise the program's).
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Who calls, such as `agent:planner` (otherwise `agent:mcp-client`).
    #[arg(long, value_name = "TYPE:ID")]
    pub(crate) actor: Option<String>,
    /// For whom, nearest first, such as `agent:planner, human:ana@example.com` (otherwise the user who runs it).
    #[arg(long, value_name = "CHAIN")]
    pub(crate) on_behalf_of: Option<String>,
    /// How much of arguments and results is kept (with --data `sealed`, otherwise `none`).
    #[arg(long, value_enum)]
    pub(crate) capture: Option<CaptureArgument>,
    /// Keep a log in this folder instead of sending to a server.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// Which log of the server.
    #[arg(long, conflicts_with = "data")]
    pub(crate) log: Option<String>,
    /// The tool server: a program and its arguments.
    #[arg(required = true, last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
