//! `indelible-upstream`: a scripted provider of model APIs and agent tools, for tests and load. It answers at once, or misbehaves as
//! it is told. Prints its address; port 0 lets the system choose. Never: meant for anything but loopback.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indelible_bench::upstream::{Upstream, serve};
use tokio::net::TcpListener;

/// A scripted provider of model APIs and agent tools.
#[derive(Parser)]
#[command(name = "indelible-upstream", version)]
struct Cli {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The key that calls must show (`Authorization: Bearer` or `x-api-key`); without it any will do.
    #[arg(long)]
    key: Option<String>,
    /// How many pieces of text a stream has.
    #[arg(long, default_value_t = 8)]
    pieces: u32,
    /// Milliseconds between two pieces.
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    /// Milliseconds before each answer.
    #[arg(long, default_value_t = 0)]
    think_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let upstream =
        Upstream::new(cli.key, cli.pieces, Duration::from_millis(cli.pause_ms), Duration::from_millis(cli.think_ms));
    match run(cli.listen, upstream).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(listen: SocketAddr, upstream: Upstream) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let mut out = io::stdout();
    writeln!(out, "http://{}", listener.local_addr()?)?;
    out.flush()?;
    serve(listener, upstream).await
}
