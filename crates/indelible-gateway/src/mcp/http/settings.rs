//! How one gateway for a tool server is set up.

use std::path::PathBuf;
use std::time::Duration;

use crate::headers::Credential;
use crate::mcp::definitions::MemoryError;
use crate::mcp::rules::Rules;
use crate::route::{CaptureSettings, OnLogFailure};

/// How one gateway for a tool server is set up.
#[derive(Clone, Debug)]
pub struct McpSettings {
    /// Its name: of its route, of its server in the ids of tools, of its source (`gateway/<name>`).
    pub name: String,
    /// Where it is mounted, such as `/mcp/everything`.
    pub mount: String,
    /// The server's endpoint, such as `https://tools.example.com/mcp`; for the older HTTP+SSE that of its event stream.
    pub upstream: String,
    /// What the server wants to be shown in place of the Indelible token.
    pub credential: Option<Credential>,
    /// What is kept of the content.
    pub capture: CaptureSettings,
    /// What happens to calls that cannot be recorded.
    pub on_log_failure: OnLogFailure,
    /// What is said of the server's tools, and how long they may take.
    pub rules: Rules,
    /// Where the definitions of its tools are remembered; in this process alone when there is no file.
    pub memory: Option<PathBuf>,
    /// Origins of web pages that may call, such as `https://chat.example.com`; the server's own always may.
    pub origins: Vec<String>,
    /// A PEM file with the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long is waited for a connection.
    pub connect_timeout: Duration,
    /// Longest message, either way.
    pub message_bytes_max: usize,
}

impl McpSettings {
    /// Settings with defaults for everything that has one.
    #[must_use]
    pub fn new(name: &str, mount: &str, upstream: &str) -> Self {
        Self {
            name: name.to_owned(),
            mount: mount.to_owned(),
            upstream: upstream.to_owned(),
            credential: None,
            capture: CaptureSettings::default(),
            on_log_failure: OnLogFailure::default(),
            rules: Rules::new(name),
            memory: None,
            origins: Vec::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            message_bytes_max: 16 * 1024 * 1024,
        }
    }
}

/// Why a gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// A setting cannot be used.
    #[error("the gateway `{gateway}` cannot use its `{setting}`: {reason}")]
    Setting {
        /// Which gateway.
        gateway: String,
        /// Which setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// What was remembered of its tools cannot be used.
    #[error("the gateway `{gateway}` cannot begin: {source}")]
    Memory {
        /// Which gateway.
        gateway: String,
        /// Why.
        source: MemoryError,
    },
}
