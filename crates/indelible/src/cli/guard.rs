//! Arguments of the commands that say who may what: tokens, policies, approvals, halts, sealed content.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::output::Format;

/// Roles of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArgument {
    /// Everything.
    Admin,
    /// Recording only.
    Ingest,
    /// Reading only.
    Read,
    /// Calling models and tools through gateways only.
    Gateway,
    /// Deciding approvals only.
    Approver,
    /// Looking after alerts: seeing what is behind them, taking, closing and silencing them, halting.
    Responder,
}

/// `token`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown once.
    #[command(
        after_help = "Examples:\n  indelible token create checkout-service --role ingest\n  indelible token create auditor --role read --logs main --expires 2027-01-01T00:00:00Z\n  indelible token create claims-bot --role gateway --actor-type agent --as-role analyst --group fraud"
    )]
    Create {
        /// A name, which will stand in the log as the actor.
        name: String,
        /// What it allows.
        #[arg(long, value_enum)]
        role: RoleArgument,
        /// Who will hold it: human, service or agent. Policies and events see it.
        #[arg(long, value_name = "TYPE")]
        actor_type: Option<String>,
        /// A role of its holder, for policies and budgets; may be repeated. What the token may do here is `--role`.
        #[arg(long = "as-role", value_name = "ROLE")]
        as_roles: Vec<String>,
        /// A group of its holder; may be repeated.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Only for these logs (comma-separated).
        #[arg(long)]
        logs: Option<String>,
        /// When it ends, RFC 3339.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// List tokens; never the tokens themselves.
    #[command(after_help = "Example:\n  indelible token list --format json")]
    List {
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Revoke a token by its id.
    #[command(after_help = "Example:\n  indelible token revoke tok_23ed13c2b9256742")]
    Revoke {
        /// The token's id.
        id: String,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// `policy`
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Hold policies against the schema; names file, line and column of each fault.
    #[command(after_help = "Example:\n  indelible policy check policies/")]
    Check {
        /// The folder of `*.cedar` files.
        #[arg(default_value = "policies", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Put a table of cases to policies; each says what should come out.
    #[command(after_help = "Example:\n  indelible policy test policies/cases.toml --folder policies/")]
    Test {
        /// The table, TOML (docs/policy.md).
        #[arg(value_hint = ValueHint::FilePath)]
        table: PathBuf,
        /// The folder of `*.cedar` files.
        #[arg(long, default_value = "policies", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Print the schema that policies are held against.
    Schema,
}

/// `approvals`
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List the calls that wait for a person.
    List {
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Let a call go on.
    #[command(after_help = "Example:\n  indelible approvals approve apr_19d3f2_1 --reason 'checked with the owner'")]
    Approve(DecisionArguments),
    /// Refuse a call.
    Deny(DecisionArguments),
}

/// `approvals approve|deny`
#[derive(Debug, Args)]
pub(crate) struct DecisionArguments {
    /// The approval's id.
    pub(crate) id: String,
    /// Why; on record, and told to the caller when denied.
    #[arg(long)]
    pub(crate) reason: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// What is halted or resumed: one of the four.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct HaltScopeArguments {
    /// All calls through a gateway.
    #[arg(long, value_name = "NAME")]
    pub(crate) route: Option<String>,
    /// All calls of an actor, or on its behalf.
    #[arg(long, value_name = "ID")]
    pub(crate) actor: Option<String>,
    /// All calls to a model.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// All calls of a tool: `<gateway>/<tool>`.
    #[arg(long, value_name = "TOOL")]
    pub(crate) tool: Option<String>,
}

impl HaltScopeArguments {
    /// Scope and value, when one was given.
    pub(crate) fn chosen(&self) -> Option<(&'static str, &str)> {
        let all = [("route", &self.route), ("actor", &self.actor), ("model", &self.model), ("tool", &self.tool)];
        all.into_iter().find_map(|(scope, value)| Some((scope, value.as_deref()?)))
    }
}

/// `halt`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible halt --tool orders/refund --reason 'incident 7'\n  indelible halt --list"
)]
pub(crate) struct HaltArguments {
    #[command(flatten)]
    pub(crate) what: HaltScopeArguments,
    /// Why; callers read it.
    #[arg(long, required_unless_present = "list")]
    pub(crate) reason: Option<String>,
    /// List what is halted.
    #[arg(long, conflicts_with_all = ["reason", "route", "actor", "model", "tool"])]
    pub(crate) list: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `resume`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible resume --tool orders/refund --reason 'mended'")]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    pub(crate) what: HaltScopeArguments,
    /// Why; on record.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `unseal`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible unseal 'lM1…=' --purpose 'incident 4711' -o prompt.json\n\nThe id is the commitment in \
the event's `sealed` list, in base64 as it stands there or in hexadecimal digits."
)]
pub(crate) struct UnsealArguments {
    /// The content's commitment.
    pub(crate) id: String,
    /// What it is read for; recorded.
    #[arg(long)]
    pub(crate) purpose: String,
    /// Where to; standard output otherwise.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// How to print: the content itself, or JSON that says what it is.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `forget`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible forget --subject ana@example.com --reason 'request 2026-118'\n  indelible forget --event \
018f… --reason 'sent by mistake' --yes\n\nKeys are overwritten; copies of the data folder that were made before still hold them."
)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["subject", "event", "sealed"]))]
pub(crate) struct ForgetArguments {
    /// All content about this subject: an actor's id.
    #[arg(long, value_name = "ID")]
    pub(crate) subject: Option<String>,
    /// All content of this event: its id.
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// One content: its commitment.
    #[arg(long, value_name = "ID")]
    pub(crate) sealed: Option<String>,
    /// Why; recorded.
    #[arg(long)]
    pub(crate) reason: String,
    /// Do not ask first.
    #[arg(long)]
    pub(crate) yes: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
