//! The one binary. This file is its table of contents: read the command line, run the command, say what went wrong and what
//! to do about it. Never: a decision of a room.

mod cli;
mod client;
mod commands;
mod drill;
mod exit;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::CliError;

/// Allocation is a tenth of the server's work with the system's allocator, half that with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    match run(cli) {
        Ok(code) => code.into(),
        Err(error) => exit::report(&error),
    }
}

fn run(cli: Cli) -> Result<exit::Exit, CliError> {
    let server = &cli.server;
    match cli.command {
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Config(arguments) => commands::config::run(&arguments),
        Command::Record(arguments) => commands::record::run(server, &arguments),
        Command::Search(arguments) => commands::search::run(server, &arguments),
        Command::Tail(arguments) => commands::tail::run(server, &arguments),
        Command::Stats(arguments) => commands::stats::run(server, &arguments),
        Command::Sources(arguments) => commands::sources::run(server, &arguments),
        Command::Sql(arguments) => commands::sql::run(server, &arguments),
        Command::Export(arguments) => commands::export::run(server, &arguments),
        Command::Verify(arguments) => commands::verify::run(server, &arguments),
        Command::Receipt(arguments) => commands::receipt::run(server, &arguments),
        Command::Checkpoint(arguments) => commands::log::checkpoint(server, &arguments),
        Command::Proof(arguments) => commands::receipt::proof(server, &arguments),
        Command::Drill(arguments) => commands::drill::run(server, &arguments),
        Command::Log(arguments) => commands::log::run(server, &arguments),
        Command::Token(arguments) => commands::token::run(server, &arguments),
        Command::Unseal(arguments) => commands::unseal::run(server, &arguments),
        Command::Forget(arguments) => commands::forget::run(server, &arguments),
        Command::Index(arguments) => commands::index::run(&arguments),
        Command::Policy(arguments) => commands::policy::run(&arguments),
        Command::Approvals(arguments) => commands::guard::approvals(server, &arguments),
        Command::Halt(arguments) => commands::guard::halt(server, &arguments),
        Command::Resume(arguments) => commands::guard::resume(server, &arguments),
        Command::Mcp(arguments) => commands::mcp::run(server, &arguments),
        Command::Alerts(arguments) => commands::alerts::run(server, &arguments),
        Command::Rules(arguments) => commands::rules::run(&arguments),
        Command::Detect(arguments) => commands::detect::run(&arguments),
    }
}
