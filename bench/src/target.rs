//! Where the server is and how it is spoken to. Never: prints the token.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use crate::process::Process;

/// The server under measurement.
#[derive(Args, Clone)]
pub struct Target {
    /// Address of the server.
    #[arg(long, default_value = "127.0.0.1:7411", value_name = "HOST:PORT")]
    pub address: String,
    /// A token that may record, read and query.
    #[arg(long, env = "INDELIBLE_TOKEN", default_value = "", hide_env_values = true, hide_default_value = true)]
    pub token: String,
    /// The log that takes the events.
    #[arg(long, default_value = "main")]
    pub log: String,
    /// Data folder of the server, if it is on this machine: what it takes on disk is measured.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Process id of the server. Without it: the process that listens at the address.
    #[arg(long)]
    pub pid: Option<u32>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("address", &self.address).field("log", &self.log).finish_non_exhaustive()
    }
}

impl Target {
    /// The server's process, when it is on this machine.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        if let Some(pid) = self.pid {
            return Some(Process(pid));
        }
        let port = self.address.rsplit_once(':')?.1.parse().ok()?;
        Process::listening_on(port).ok()
    }

    /// Path and query that record events.
    #[must_use]
    pub fn record_path(&self) -> String {
        format!("/v1/events?log={}", self.log)
    }
}
