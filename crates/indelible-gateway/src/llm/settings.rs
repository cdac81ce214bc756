//! How one gateway for model APIs is set up.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::route::{CaptureSettings, OnLogFailure};

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Holds a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Which API is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenAI's, which many servers speak.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// None that is understood: forwarded, recorded by method and path, sealed.
    Passthrough,
}

impl Format {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Passthrough => "passthrough",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::OpenAi, Self::Anthropic, Self::Passthrough].into_iter().find(|format| format.as_str() == word)
    }
}

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to upstream.
    pub connect: Duration,
    /// For the next sign of life of upstream: the answer's head, or more of its body.
    pub idle: Duration,
    /// For the next bytes of a request that is read before it is forwarded.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(600), request: Duration::from_secs(60) }
    }
}

/// What a model costs, in millionths of the currency for a million tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// The model's name; one that ends in `*` stands for all that begin so. The first that fits counts.
    pub model: String,
    /// For input tokens.
    pub input: u64,
    /// For input tokens that upstream had cached; as `input` when absent.
    pub cached_input: Option<u64>,
    /// For output tokens.
    pub output: u64,
}

/// How one gateway for model APIs is set up.
#[derive(Clone, Debug)]
pub struct LlmSettings {
    /// Its name; its events come from `gateway/<name>`.
    pub name: String,
    /// Where it is mounted, such as `/llm/openai`.
    pub mount: String,
    /// Where it forwards to, such as `https://api.openai.com`; a path is put before the rest of each request's.
    pub upstream: String,
    /// Which API is spoken.
    pub format: Format,
    /// The provider's name in events (`gen_ai.provider.name`); by the format when empty.
    pub provider: String,
    /// The provider's key, put in the place of the Indelible token.
    pub credential: Option<Secret>,
    /// The header for it when it is neither `authorization: Bearer` (openai) nor `x-api-key` (anthropic).
    pub credential_header: Option<String>,
    /// What is kept of the content.
    pub capture: CaptureSettings,
    /// What happens to calls that cannot be recorded.
    pub on_log_failure: OnLogFailure,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// Longest request that is read before it is forwarded; longer ones of that kind are refused.
    pub request_bytes_max: usize,
    /// A PEM file with the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether an `http://` upstream speaks HTTP/2 from the first byte.
    pub http2: bool,
    /// The key of the hash by which a changed system prompt is seen.
    pub salt: Secret,
    /// What models cost, for budgets.
    pub prices: Vec<Price>,
}

impl LlmSettings {
    /// Settings with defaults for everything that has one.
    #[must_use]
    pub fn new(name: impl Into<String>, mount: impl Into<String>, upstream: impl Into<String>, format: Format) -> Self {
        Self {
            name: name.into(),
            mount: mount.into(),
            upstream: upstream.into(),
            format,
            provider: String::new(),
            credential: None,
            credential_header: None,
            capture: CaptureSettings::default(),
            on_log_failure: OnLogFailure::default(),
            timeouts: Timeouts::default(),
            request_bytes_max: 64 * 1024 * 1024,
            ca_file: None,
            http2: false,
            salt: Secret::default(),
            prices: Vec::new(),
        }
    }
}

/// Why a gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
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
}

impl GatewayError {
    pub(crate) fn setting(gateway: &str, setting: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting { gateway: gateway.to_owned(), setting, reason: reason.into() }
    }
}
