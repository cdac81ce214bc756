//! `indelible-load`: measures a running server, or its peer, under load. Exit status: 0 measured and every answer right, 1 an
//! answer was wrong, 2 could not measure.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use indelible_bench::postgres::{self, Peer};
use indelible_bench::random::Random;
use indelible_bench::report::{Format, Report};
use indelible_bench::scenario::closed::{self, Fill, Load};
use indelible_bench::scenario::gateway::{self, Calls};
use indelible_bench::scenario::probe::{self, Probe};
use indelible_bench::scenario::query::{self, Query};
use indelible_bench::scenario::rate::{self, Rate};
use indelible_bench::scenario::verify::{self, Verify};
use indelible_bench::summary::{self, Summary};
use indelible_bench::target::Target;
use indelible_bench::traffic::{Clock, Events, Request, Stamp};

/// Measures a running Indelible server under load.
#[derive(Parser)]
#[command(name = "indelible-load", version)]
struct Cli {
    #[command(flatten)]
    target: Target,
    /// How figures are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    /// Also keep the figures as JSON in this file.
    #[arg(long, global = true, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Lines of 500 events over 8 connections, as fast as they are acknowledged.
    Batch(Load),
    /// Single events over 64 connections, as fast as they are acknowledged.
    Single(Load),
    /// Single events at a fixed rate; latency is counted from when each was due.
    Rate(Rate),
    /// Millions of events spread over many days.
    Fill(Fill),
    /// Queries, warm.
    Query(Query),
    /// `indelible verify` on one core.
    Verify(Verify),
    /// What the disk can do: one small durable write after the other.
    Probe(Probe),
    /// Calls through a gateway, or past it: latency, throughput, memory of open streams.
    Calls(Calls),
    /// The same events into PostgreSQL with a hash chain (see peer-postgres.sh).
    Postgres(Peer),
    /// Prints events, a line each.
    Events {
        /// How many.
        #[arg(long, default_value_t = 10)]
        count: u64,
        /// Seed of all that is random but the time.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Puts reports beside targets and the peer.
    Summary(Summary),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match measure(&cli) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => {
            report.print(cli.format);
            if let Some(path) = &cli.save
                && let Err(error) = std::fs::write(path, format!("{}\n", report.to_json()))
            {
                eprintln!("error: writing {}: {error}", path.display());
                return ExitCode::from(2);
            }
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(cli: &Cli) -> io::Result<Option<Report>> {
    let target = &cli.target;
    match &cli.scenario {
        Scenario::Batch(load) => closed::run("batch", load, (8, 500), target),
        Scenario::Single(load) => closed::run("single", load, (64, 1), target),
        Scenario::Rate(rate) => rate::run(rate, target),
        Scenario::Fill(fill) => closed::fill(fill, target),
        Scenario::Query(query) => query::run(query, target),
        Scenario::Verify(verify) => verify::run(verify),
        Scenario::Probe(probe) => probe::run(probe),
        Scenario::Calls(calls) => gateway::run(calls, target),
        Scenario::Postgres(peer) => postgres::run(peer),
        Scenario::Events { count, seed } => return print_events(*count, *seed).map(|()| None),
        Scenario::Summary(summary) => return summary::run(summary, cli.format).map(|()| None),
    }
    .map(Some)
}

fn print_events(count: u64, seed: u64) -> io::Result<()> {
    let mut random = Random::new(seed);
    let mut request = Request::new(b"", &Events::lines(count, &mut random));
    let mut stamp = Stamp::new(random, Clock::Now);
    io::stdout().write_all(request.freshen(&mut stamp))
}
