//! `[sealed]` and `[gateway]`: the ways through which models and tools are reached, what of their content is kept, and prices.
//! Never: a credential; only where it is read.

use std::path::PathBuf;

use indelible_gateway::llm::settings::Format;
use indelible_gateway::mcp::action::Pattern;
use indelible_gateway::mcp::rules::DenialForm;
use indelible_gateway::route::{Capture, OnLogFailure, is_below};

use super::keys::{ItemKey, Kind, item_key};
use super::values::{path, put, size, time, url};
use super::{ByteSize, Period};

/// Most gateways of a kind, and most prices.
pub const GATEWAYS_MAX: usize = 256;
/// Parts of paths that are the server's own; a gateway cannot be mounted over them.
const OWN_PATHS: [&str; 7] = ["v1", "log", "healthz", "readyz", "metrics", "openapi.json", "problems"];
const MIB: u64 = 1 << 20;

/// Where the master key of sealed content comes from. Without the two it is the file `keys/sealed.master`, made at the first start.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SealedConfig {
    /// A file with 64 hex digits.
    pub master_key_file: Option<PathBuf>,
    /// A command that prints 64 hex digits, such as one that asks a key service.
    pub master_key_command: Option<String>,
}

/// What gateways have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// How long a gateway, or the server itself, records nothing before it says that it lives; nought for never.
    pub heartbeat: Period,
    /// `[[gateway.llm]]`
    pub llm: Vec<LlmConfig>,
    /// `[[gateway.mcp]]`
    pub mcp: Vec<McpConfig>,
    /// `[[gateway.price]]`
    pub prices: Vec<PriceConfig>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self { heartbeat: Period::seconds(60), llm: Vec::new(), mcp: Vec::new(), prices: Vec::new() }
    }
}

/// Where a credential is read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CredentialConfig {
    /// A file; white space around it does not count.
    pub file: Option<PathBuf>,
    /// A variable of the server's environment.
    pub variable: Option<String>,
    /// The header it is sent in, when it is another than the format's.
    pub header: Option<String>,
}

/// How much of each content is kept.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CaptureConfig {
    /// Of what is asked: prompts and requests; of tools the arguments.
    pub asked: Capture,
    /// Of what is answered; of tools the results.
    pub answered: Capture,
}

/// A gateway for a model API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmConfig {
    /// Its name.
    pub name: String,
    /// Where it is mounted.
    pub mount: String,
    /// Where it forwards to.
    pub upstream: String,
    /// Which API it speaks.
    pub format: Format,
    /// The provider's name in events.
    pub provider: Option<String>,
    /// The provider's key.
    pub credential: CredentialConfig,
    /// What is kept of the content.
    pub capture: CaptureConfig,
    /// What happens to calls that cannot be recorded.
    pub on_log_failure: OnLogFailure,
    /// How long is waited for a connection.
    pub connect_time: Period,
    /// How long is waited for more of an answer.
    pub idle_time: Period,
    /// Longest request that is read before it is forwarded.
    pub request_bytes: ByteSize,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether an `http://` upstream speaks HTTP/2.
    pub http2: bool,
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            mount: String::new(),
            upstream: String::new(),
            format: Format::Passthrough,
            provider: None,
            credential: CredentialConfig::default(),
            capture: CaptureConfig::default(),
            on_log_failure: OnLogFailure::default(),
            connect_time: Period::seconds(10),
            idle_time: Period::seconds(600),
            request_bytes: ByteSize::mebibytes(64),
            ca_file: None,
            http2: false,
        }
    }
}

/// A gateway for a tool server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpConfig {
    /// Its name.
    pub name: String,
    /// Where it is mounted.
    pub mount: String,
    /// The server's endpoint.
    pub upstream: String,
    /// What the server wants to be shown.
    pub credential: CredentialConfig,
    /// What is kept of the content.
    pub capture: CaptureConfig,
    /// What happens to calls that cannot be recorded.
    pub on_log_failure: OnLogFailure,
    /// Tools that read, by pattern, whatever the server says of them; the next four likewise.
    pub read: Vec<String>,
    /// Tools that modify.
    pub modify: Vec<String>,
    /// Tools that delete.
    pub delete: Vec<String>,
    /// Tools that execute.
    pub execute: Vec<String>,
    /// How a denied call is answered.
    pub denial: DenialForm,
    /// How long an answer may take.
    pub answer_time: Period,
    /// Web pages that may call.
    pub origins: Vec<String>,
    /// Longest message.
    pub message_bytes: ByteSize,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            mount: String::new(),
            upstream: String::new(),
            credential: CredentialConfig::default(),
            capture: CaptureConfig::default(),
            on_log_failure: OnLogFailure::default(),
            read: Vec::new(),
            modify: Vec::new(),
            delete: Vec::new(),
            execute: Vec::new(),
            denial: DenialForm::default(),
            answer_time: Period::seconds(600),
            origins: Vec::new(),
            message_bytes: ByteSize::mebibytes(16),
            ca_file: None,
        }
    }
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PriceConfig {
    /// The model; one that ends in `*` stands for all that begin so.
    pub model: String,
    /// A million input tokens, in millionths of the currency.
    pub input: u64,
    /// A million cached input tokens.
    pub cached_input: Option<u64>,
    /// A million output tokens.
    pub output: u64,
}

/// The keys of a gateway: those that all kinds have, and between them the kind's own.
macro_rules! gateway_keys {
    ([$($first:expr,)*], $asked:literal, $answered:literal, [$($rest:expr,)*]) => {
        &[
            item_key("name", Kind::Text, |g| g.name.clone(), |g, t| put(&mut g.name, name(t))),
            item_key("mount", Kind::Text, |g| g.mount.clone(), |g, t| put(&mut g.mount, mount(t))),
            item_key("upstream", Kind::Text, |g| g.upstream.clone(), |g, t| put(&mut g.upstream, url(t))),
            $($first,)*
            item_key(
                "credential_file",
                Kind::Text,
                |g| shown(&g.credential.file),
                |g, t| put(&mut g.credential.file, path(t).map(Some)),
            ),
            item_key(
                "credential_variable",
                Kind::Text,
                |g| text(&g.credential.variable),
                |g, t| put(&mut g.credential.variable, Ok(given(t))),
            ),
            item_key(
                "credential_header",
                Kind::Text,
                |g| text(&g.credential.header),
                |g, t| put(&mut g.credential.header, Ok(given(t))),
            ),
            item_key(
                $asked,
                Kind::Text,
                |g| g.capture.asked.as_str().to_owned(),
                |g, t| put(&mut g.capture.asked, capture(t)),
            ),
            item_key(
                $answered,
                Kind::Text,
                |g| g.capture.answered.as_str().to_owned(),
                |g, t| put(&mut g.capture.answered, capture(t)),
            ),
            item_key(
                "on_log_failure",
                Kind::Text,
                |g| g.on_log_failure.as_str().to_owned(),
                |g, t| put(&mut g.on_log_failure, on_log_failure(t)),
            ),
            $($rest,)*
        ]
    };
}

/// Every key of a `[[gateway.llm]]`.
pub const LLM_KEYS: &[ItemKey<LlmConfig>] = gateway_keys!(
    [
        item_key("format", Kind::Text, |g| g.format.as_str().to_owned(), |g, t| put(&mut g.format, format(t))),
        item_key("provider", Kind::Text, |g| text(&g.provider), |g, t| put(&mut g.provider, Ok(given(t)))),
    ],
    "capture_prompts",
    "capture_answers",
    [
        item_key(
            "connect_time",
            Kind::Text,
            |g| g.connect_time.to_string(),
            |g, t| put(&mut g.connect_time, time(t, 100, 600_000)),
        ),
        item_key(
            "idle_time",
            Kind::Text,
            |g| g.idle_time.to_string(),
            |g, t| put(&mut g.idle_time, time(t, 1_000, 86_400_000)),
        ),
        item_key(
            "request_bytes",
            Kind::Text,
            |g| g.request_bytes.to_string(),
            |g, t| put(&mut g.request_bytes, size(t, 64 * 1024, 1024 * MIB)),
        ),
        item_key("ca_file", Kind::Text, |g| shown(&g.ca_file), |g, t| put(&mut g.ca_file, path(t).map(Some))),
        item_key("http2", Kind::Flag, |g| g.http2.to_string(), |g, t| put(&mut g.http2, super::values::flag(t))),
    ]
);

/// Every key of a `[[gateway.mcp]]`.
pub const MCP_KEYS: &[ItemKey<McpConfig>] = gateway_keys!(
    [],
    "capture_arguments",
    "capture_results",
    [
        item_key("read", Kind::Texts, |g| g.read.join(","), |g, t| put(&mut g.read, patterns(t))),
        item_key("modify", Kind::Texts, |g| g.modify.join(","), |g, t| put(&mut g.modify, patterns(t))),
        item_key("delete", Kind::Texts, |g| g.delete.join(","), |g, t| put(&mut g.delete, patterns(t))),
        item_key("execute", Kind::Texts, |g| g.execute.join(","), |g, t| put(&mut g.execute, patterns(t))),
        item_key("denial", Kind::Text, |g| g.denial.as_str().to_owned(), |g, t| put(&mut g.denial, denial(t))),
        item_key(
            "answer_time",
            Kind::Text,
            |g| g.answer_time.to_string(),
            |g, t| put(&mut g.answer_time, time(t, 1_000, 86_400_000)),
        ),
        item_key("origins", Kind::Texts, |g| g.origins.join(","), |g, t| put(&mut g.origins, Ok(list(t)))),
        item_key(
            "message_bytes",
            Kind::Text,
            |g| g.message_bytes.to_string(),
            |g, t| put(&mut g.message_bytes, size(t, 64 * 1024, 256 * MIB)),
        ),
        item_key("ca_file", Kind::Text, |g| shown(&g.ca_file), |g, t| put(&mut g.ca_file, path(t).map(Some))),
    ]
);

/// Every key of a `[[gateway.price]]`.
pub const PRICE_KEYS: &[ItemKey<PriceConfig>] = &[
    item_key("model", Kind::Text, |p| p.model.clone(), |p, t| put(&mut p.model, name(t))),
    item_key("input", Kind::Text, |p| amount_text(p.input), |p, t| put(&mut p.input, amount(t))),
    item_key(
        "cached_input",
        Kind::Text,
        |p| p.cached_input.map(amount_text).unwrap_or_default(),
        |p, t| put(&mut p.cached_input, amount(t).map(Some)),
    ),
    item_key("output", Kind::Text, |p| amount_text(p.output), |p, t| put(&mut p.output, amount(t))),
];

impl GatewayConfig {
    /// What each key alone cannot tell. One line a fault.
    pub(super) fn relations(&self, fault: &mut dyn FnMut(&str, String)) {
        let llm = self.llm.iter().map(|one| ("llm", &one.name, &one.mount, &one.upstream));
        let mcp = self.mcp.iter().map(|one| ("mcp", &one.name, &one.mount, &one.upstream));
        let all: Vec<_> = llm.chain(mcp).collect();
        for (place, (kind, name, mount, upstream)) in all.iter().enumerate() {
            let key = format!("gateway.{kind}.{name}");
            for (what, value) in [("name", name), ("mount", mount), ("upstream", upstream)] {
                if value.is_empty() {
                    fault(&key, format!("`{what}` is missing"));
                }
            }
            for (_, other, its_mount, _) in all.iter().take(place) {
                if other == name {
                    fault(&key, format!("the name `{name}` is taken"));
                }
                if !mount.is_empty() && (is_below(its_mount, mount) || is_below(mount, its_mount)) {
                    fault(&key, format!("the mount `{mount}` and the mount `{its_mount}` of `{other}` overlap"));
                }
            }
        }
        let credentials = self.llm.iter().map(|one| ("llm", &one.name, &one.credential));
        for (kind, name, credential) in
            credentials.chain(self.mcp.iter().map(|one| ("mcp", &one.name, &one.credential)))
        {
            if credential.file.is_some() && credential.variable.is_some() {
                fault(
                    &format!("gateway.{kind}.{name}"),
                    "set one of `credential_file` and `credential_variable`".to_owned(),
                );
            }
        }
    }
}

fn shown(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
}

fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        return Err(format!("`{text}` is not a name of 1 to 64 characters without white space"));
    }
    Ok(text.to_owned())
}

fn mount(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let parts: Vec<&str> = text.strip_prefix('/').unwrap_or_default().split('/').collect();
    if parts.iter().any(|part| part.is_empty() || *part == "." || *part == ".." || !part.chars().all(plain)) {
        return Err(format!("`{text}` is not a path such as `/llm/openai`"));
    }
    if parts.first().is_some_and(|first| OWN_PATHS.contains(first)) {
        return Err(format!("`{text}` is the server's own path; use one such as `/llm/openai`"));
    }
    Ok(text.to_owned())
}

pub(super) fn word<T: Copy>(text: &str, words: &[(T, &str)]) -> Result<T, String> {
    let found = words.iter().find(|(_, word)| *word == text);
    let known: Vec<String> = words.iter().map(|(_, word)| format!("`{word}`")).collect();
    found.map(|(value, _)| *value).ok_or_else(|| format!("`{text}` is none of {}", known.join(", ")))
}

fn format(text: &str) -> Result<Format, String> {
    word(text, &[Format::OpenAi, Format::Anthropic, Format::Passthrough].map(|format| (format, format.as_str())))
}

fn capture(text: &str) -> Result<Capture, String> {
    word(text, &[Capture::Sealed, Capture::Hash, Capture::None].map(|capture| (capture, capture.as_str())))
}

fn on_log_failure(text: &str) -> Result<OnLogFailure, String> {
    word(text, &[OnLogFailure::Refuse, OnLogFailure::Allow].map(|what| (what, what.as_str())))
}

fn denial(text: &str) -> Result<DenialForm, String> {
    word(text, &[DenialForm::Error, DenialForm::ToolResult].map(|form| (form, form.as_str())))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn patterns(text: &str) -> Result<Vec<String>, String> {
    let patterns = list(text);
    match patterns.iter().find(|pattern| Pattern::new(pattern).is_none()) {
        Some(pattern) => Err(format!("`{pattern}` is not a pattern such as `search*`")),
        None => Ok(patterns),
    }
}

/// An amount with up to six decimals, in millionths.
pub(super) fn amount(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not an amount such as \"2.50\"");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let decimals: u64 = format!("{decimals:0<6}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(decimals)).ok_or_else(wrong)
}

pub(super) fn amount_text(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(amount("2.50"), Ok(2_500_000));
        assert_eq!(amount("0.000001"), Ok(1));
        assert_eq!(amount_text(2_500_000), "2.500000");
        for wrong in ["", ".", "-1", "1e3", "0.0000001", "99999999999999999999"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn mounts_stay_clear_of_the_servers_own_paths_and_of_each_other() {
        assert!(mount("/llm/openai").is_ok());
        for wrong in ["llm", "/", "/llm/", "/v1/x", "/log", "/a/../v1", "/a b", "/%76"] {
            assert!(mount(wrong).is_err(), "{wrong}");
        }
        let one = |name: &str, mount: &str| LlmConfig {
            name: name.to_owned(),
            mount: mount.to_owned(),
            upstream: "http://u".to_owned(),
            ..LlmConfig::default()
        };
        let config = GatewayConfig {
            llm: vec![one("a", "/llm/a"), one("a", "/llm/a/b"), one("c", "/llm/ab")],
            ..GatewayConfig::default()
        };
        let mut faults = Vec::new();
        config.relations(&mut |key, reason| faults.push(format!("{key}: {reason}")));
        assert_eq!(
            faults,
            [
                "gateway.llm.a: the name `a` is taken",
                "gateway.llm.a: the mount `/llm/a/b` and the mount `/llm/a` of `a` overlap",
            ]
        );
    }
}
