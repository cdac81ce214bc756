//! `indelible-crash`: kills a server at random moments and holds it to what it acknowledged. Exit status: 0 everything held, 1
//! something did not, 2 could not run.

use std::process::ExitCode;

use clap::Parser;
use indelible_bench::crash::{self, Options, start};
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
            println!("ready after start, ms: {}", outcome.ready.to_json());
            println!("checkpoint over everything acknowledged after ready, ms: {}", outcome.converged.to_json());
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
