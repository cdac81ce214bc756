//! `indelible-crash`: kills a server at random moments and holds it to what it acknowledged. Exit status: 0 everything held, 1
//! something did not, 2 could not run.

use std::process::ExitCode;

use clap::Parser;
use indelible_bench::crash::{self, Options, start};
use indelible_bench::latency::Latencies;
use indelible_bench::report::Format;

/// Kills a server with SIGKILL at random moments under load and checks every acknowledged event after each start.
#[derive(Parser)]
#[command(name = "indelible-crash", version)]
struct Cli {
    #[command(flatten)]
    options: Options,
    /// How figures are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let held = if cli.options.start_time.is_some() {
        start::run(&cli.options).map(|report| {
            report.print(cli.format);
            report.is_clean()
        })
    } else {
        crash::run(&cli.options).map(|outcome| {
            println!("{} acknowledged events checked", outcome.events);
            println!("from start to ready: {}", in_words(&outcome.ready));
            println!("from ready to a checkpoint over everything acknowledged: {}", in_words(&outcome.converged));
            println!("{} passed, {} failed", outcome.passed, outcome.failed);
            outcome.failed == 0
        })
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn in_words(latencies: &Latencies) -> String {
    let ms = |per_mille| latencies.quantile_us(per_mille) / 1000;
    format!("half within {} ms, 99 % within {} ms, all within {} ms", ms(500), ms(990), ms(1000))
}
