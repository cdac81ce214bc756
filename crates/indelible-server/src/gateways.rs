//! The gateways of this server: made by the settings, found by path, entered with a token. What a dead process left open is
//! closed before the first call.
//!
//! Promises: no call reaches a gateway without a token whose role allows it; the low-water mark on the disk is never ahead of an
//! open intent. Never: looks into a body.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use axum::http::{Request, Response};
use indelible_access::door::Door;
use indelible_event::doors::{EntryIndex, RecordError};
use indelible_event::vault::Vault;
use indelible_event::words::Action;
use indelible_gateway::caller::Caller;
use indelible_gateway::exchange::{announce, heartbeat};
use indelible_gateway::labels::Scanner;
use indelible_gateway::llm::LlmGateway;
use indelible_gateway::llm::settings::{GatewayError, LlmSettings, Price, Secret, Timeouts};
use indelible_gateway::mcp::action::Pattern;
use indelible_gateway::mcp::rules::Rules;
use indelible_gateway::mcp::{Credential, McpError, McpGateway, McpSettings};
use indelible_gateway::numbered::{NumberedRecorder, Numbers};
use indelible_gateway::open::{OPEN_MAX, OpenExchanges};
use indelible_gateway::recover::recover;
use indelible_gateway::refusal::Refusal;
use indelible_gateway::route::CaptureSettings;
use indelible_gateway::surroundings::Surroundings;
use indelible_store::disk::{Disk as _, DiskError, RealDisk, replace_file, write_private};

use crate::app::{App, Environment};
use crate::call::{Call, Peer};
use crate::config::{CaptureConfig, Config, CredentialConfig, LlmConfig, McpConfig};
use crate::gate::{authorize, finish, refused};
use crate::logs::LogHandle;
use crate::problem::{Kind, Problem};
use crate::routes::GATEWAY;

/// Where the low-water mark is kept.
const MARK_FILE: &str = "gateway.mark";
/// Where the key of the hash of system prompts is kept.
const SALT_FILE: &str = "gateway-prompts.key";
/// Other headers in which clients of model APIs send their key.
const KEY_HEADERS: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];

/// A gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GatewaysError {
    /// A setting of a gateway for a model API.
    #[error(transparent)]
    Llm(#[from] GatewayError),
    /// A setting of a gateway for a tool server.
    #[error(transparent)]
    Mcp(#[from] McpError),
    /// A credential is not where the settings say.
    #[error("the gateway `{gateway}` has no credential: {reason}")]
    Credential {
        /// Which gateway.
        gateway: String,
        /// What is missing; never what was found.
        reason: String,
    },
    /// A file of the data folder.
    #[error("cannot use a file of the gateways")]
    Disk(#[from] DiskError),
    /// A file of the data folder holds something else than was written.
    #[error("{} is damaged; remove it if no call can have been under way at the last stop", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The operating system gave no randomness.
    #[error(transparent)]
    Randomness(#[from] indelible_event::env::RandomnessError),
    /// What was left open could not be closed, or the gateways could not be put on record.
    #[error("the gateways cannot begin: {0}")]
    Begin(Refusal),
}

/// All gateways.
#[derive(Default)]
pub(crate) struct Gateways {
    llm: Vec<LlmGateway>,
    mcp: Vec<McpGateway>,
    surroundings: Option<Arc<Surroundings>>,
    /// The numbers of their events.
    numbers: Arc<Numbers>,
    mark: PathBuf,
    /// Where the last start's open calls may begin.
    from: EntryIndex,
}

impl std::fmt::Debug for Gateways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateways").field("llm", &self.llm.len()).field("mcp", &self.mcp.len()).finish_non_exhaustive()
    }
}

/// A gateway that a path belongs to.
#[derive(Clone)]
pub(crate) enum Mounted {
    Llm(LlmGateway),
    Mcp(McpGateway),
}

impl Gateways {
    /// Makes the gateways that the settings name. Calls are recorded in `log`.
    pub(crate) fn new(
        config: &Config,
        root: &Path,
        environment: &Environment,
        log: &LogHandle,
        vault: Arc<dyn Vault>,
        door: Arc<Door>,
    ) -> Result<Self, GatewaysError> {
        let mark = root.join(MARK_FILE);
        let (from, counted) = read_mark(&mark)?.unwrap_or((EntryIndex(log.reader.size()), Vec::new()));
        let numbers = Arc::new(Numbers::default());
        for (source, number) in counted {
            numbers.at_least(&source, number);
        }
        let surroundings = Arc::new(Surroundings {
            recorder: Arc::new(NumberedRecorder::new(Arc::clone(&log.recorder), Arc::clone(&numbers))),
            vault,
            door,
            clock: Arc::clone(&environment.clock),
            randomness: Arc::clone(&environment.randomness),
            open: Arc::new(OpenExchanges::new(OPEN_MAX, EntryIndex(log.reader.size()))),
            labels: Arc::new(Scanner::new()),
        });
        let salt = salt(&root.join("keys").join(SALT_FILE), environment)?;
        let prices: Vec<Price> = config.gateway.prices.iter().map(price).collect();
        let mut gateways = Self { mark, from, numbers, ..Self::default() };
        for one in &config.gateway.llm {
            let settings = llm_settings(one, salt.clone(), prices.clone())?;
            gateways.llm.push(LlmGateway::new(settings, Arc::clone(&surroundings))?);
        }
        for one in &config.gateway.mcp {
            gateways.mcp.push(McpGateway::new(mcp_settings(one, root)?, Arc::clone(&surroundings))?);
        }
        gateways.surroundings = Some(surroundings);
        Ok(gateways)
    }

    /// Closes what a dead process left open and records how each gateway is set up. Nothing goes through before.
    pub(crate) async fn begin(&self, log: &LogHandle) -> Result<(), GatewaysError> {
        let Some(s) = &self.surroundings else { return Ok(()) };
        let numbers = Arc::clone(&self.numbers);
        let closed = recover(s, Arc::clone(&log.reader), self.from, numbers).await.map_err(GatewaysError::Begin)?;
        if closed > 0 {
            tracing::warn!(
                calls = closed,
                "calls were interrupted by the last stop; their outcome is on record as failed"
            );
        }
        self.save_mark()?;
        for gateway in &self.llm {
            gateway.announce().await.map_err(GatewaysError::Begin)?;
        }
        for gateway in &self.mcp {
            announce(s, gateway.route(), gateway.upstream()).await.map_err(GatewaysError::Begin)?;
        }
        Ok(())
    }

    /// Writes the low-water mark and the last number of each source. An older file on the disk only makes the next start read more:
    /// every event that is not counted in it stands behind its mark, because the mark is looked at first.
    fn save_mark(&self) -> Result<(), DiskError> {
        let Some(s) = &self.surroundings else { return Ok(()) };
        let mut text = format!("{}\n", s.open.low_water());
        for (source, number) in self.numbers.all() {
            text.push_str(&format!("{number} {source}\n"));
        }
        replace_file(&RealDisk, &self.mark, text.as_bytes())
    }

    /// Each gateway that recorded nothing for so long says that it lives. What the log does not take now is tried again.
    pub(crate) async fn say_alive(&self, silence: Duration) {
        let Some(s) = &self.surroundings else { return };
        if silence.is_zero() {
            return;
        }
        let routes = self.llm.iter().map(LlmGateway::route).chain(self.mcp.iter().map(McpGateway::route));
        for route in routes {
            if self.numbers.quiet_for(route.source()).is_none_or(|quiet| quiet < silence) {
                continue;
            }
            if let Err(error) = heartbeat(s, route).await {
                tracing::debug!(route = route.name(), %error, "a gateway could not say that it lives");
            }
        }
    }

    /// The gateway that `path` is mounted under.
    pub(crate) fn find(&self, path: &str) -> Option<Mounted> {
        let llm = self.llm.iter().find(|gateway| gateway.owns(path));
        let mcp = || self.mcp.iter().find(|gateway| gateway.owns(path));
        llm.cloned().map(Mounted::Llm).or_else(|| mcp().cloned().map(Mounted::Mcp))
    }

    /// Where they are mounted.
    pub(crate) fn mounts(&self) -> Vec<String> {
        let llm = self.llm.iter().map(|gateway| gateway.mount().to_owned());
        llm.chain(self.mcp.iter().map(|gateway| gateway.mount().to_owned())).collect()
    }
}

/// Writes the low-water mark when it is another than `last`, so that it stays near the oldest open call.
pub(crate) async fn keep_mark(app: &Arc<App>, last: &mut Option<EntryIndex>) {
    let Some(s) = &app.gateways.surroundings else { return };
    let mark = s.open.low_water();
    if *last == Some(mark) {
        return;
    }
    let writer = Arc::clone(app);
    match tokio::task::spawn_blocking(move || writer.gateways.save_mark()).await {
        Ok(Ok(())) => *last = Some(mark),
        Ok(Err(error)) => tracing::debug!(%error, "the mark of open calls could not be written"),
        Err(error) => tracing::error!(%error, "the mark of open calls could not be written"),
    }
}

/// Takes one request to its gateway.
pub(crate) async fn call(app: Arc<App>, gateway: Mounted, request: Request<Body>) -> Response<Body> {
    let began = Instant::now();
    let id = app.request_ids.next();
    let (parts, body) = request.into_parts();
    let ip = parts.extensions.get::<Peer>().map(|peer| peer.0);
    let mut seen = parts.clone();
    if !seen.headers.contains_key(AUTHORIZATION)
        && let Some(key) = KEY_HEADERS.iter().find_map(|name| parts.headers.get(name))
        && let Ok(bearer) = HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat())
    {
        seen.headers.insert(AUTHORIZATION, bearer);
    }
    let mut call = Call { app, route: &GATEWAY, id, began, identity: None, ip, parts: seen, path: Vec::new() };
    let known = authorize(&mut call).and_then(|()| {
        let log = call.app.logs.first().name();
        match &call.identity {
            Some(identity) if !identity.may_use_log(log) => {
                let detail = format!("calls are recorded in the log `{log}`, which the token may not use");
                Err(Problem::new(Kind::Forbidden, detail))
            }
            _ => Ok(()),
        }
    });
    let response = match known {
        Err(problem) => refused(&call, problem).await,
        Ok(()) => {
            let caller = caller(&call);
            let request = Request::from_parts(parts, body);
            forward(&call, gateway, request, caller).await
        }
    };
    call.app.metrics.answered(GATEWAY.operation, response.status().as_u16(), began.elapsed().as_secs_f64());
    finish(response, call.id.as_str())
}

async fn forward(call: &Call, gateway: Mounted, request: Request<Body>, caller: Caller) -> Response<Body> {
    if call.app.is_stopping() {
        let stopping = RecordError::Stopped {
            log: call.app.logs.first().name().to_owned(),
            reason: "the server is stopping".to_owned(),
        };
        if let Mounted::Llm(gateway) = &gateway {
            return gateway.refuse(&Refusal::NotRecorded(stopping), call.id.as_str()).map(Body::new);
        }
        return refused(call, Problem::new(Kind::Unavailable, "the server is stopping")).await;
    }
    match gateway {
        Mounted::Llm(gateway) => Box::pin(gateway.handle(request, caller)).await.map(Body::new),
        Mounted::Mcp(gateway) => Box::pin(gateway.handle(request, caller)).await.map(Body::new),
    }
}

/// The caller as the gateway records it.
fn caller(call: &Call) -> Caller {
    let (id, actor_type, roles, groups) = match &call.identity {
        Some(identity) => identity.as_actor(),
        None => ("anonymous", indelible_event::words::ActorType::Anonymous, Vec::new(), Vec::new()),
    };
    let mut caller = Caller::new(id, actor_type);
    (caller.roles, caller.groups) = (roles, groups);
    caller.ip = call.ip;
    let user_agent = call.parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    caller.user_agent = user_agent.unwrap_or_default().to_owned();
    caller.request = call.id.as_str().to_owned();
    caller.auth = "token";
    caller
}

fn llm_settings(config: &LlmConfig, salt: Secret, prices: Vec<Price>) -> Result<LlmSettings, GatewaysError> {
    let mut settings = LlmSettings::new(&config.name, &config.mount, &config.upstream, config.format);
    settings.provider = config.provider.clone().unwrap_or_default();
    settings.credential = credential(&config.name, &config.credential)?.map(Secret::new);
    settings.credential_header = config.credential.header.clone();
    settings.capture = captured(&config.capture);
    settings.on_log_failure = config.on_log_failure;
    settings.timeouts =
        Timeouts { connect: config.connect_time.duration(), idle: config.idle_time.duration(), ..Timeouts::default() };
    settings.request_bytes_max = config.request_bytes.in_memory();
    settings.ca_file = config.ca_file.clone();
    settings.http2 = config.http2;
    settings.salt = salt;
    settings.prices = prices;
    Ok(settings)
}

fn mcp_settings(config: &McpConfig, root: &Path) -> Result<McpSettings, GatewaysError> {
    let mut settings = McpSettings::new(&config.name, &config.mount, &config.upstream);
    if let Some(secret) = credential(&config.name, &config.credential)? {
        let made = match &config.credential.header {
            Some(header) => Credential::header(header, &secret),
            None => Credential::bearer(&secret),
        };
        let unfit = || GatewaysError::Credential {
            gateway: config.name.clone(),
            reason: "it cannot stand in a header".to_owned(),
        };
        settings.credential = Some(made.ok_or_else(unfit)?);
    }
    settings.capture = captured(&config.capture);
    settings.on_log_failure = config.on_log_failure;
    let mut rules = Rules::new(&config.name);
    let tables = [
        (&config.read, Action::Read),
        (&config.modify, Action::Modify),
        (&config.delete, Action::Delete),
        (&config.execute, Action::Execute),
    ];
    for (patterns, action) in tables {
        rules.actions.extend(patterns.iter().filter_map(|pattern| Some((Pattern::new(pattern)?, action))));
    }
    rules.denial = config.denial;
    rules.answer_timeout = config.answer_time.duration();
    settings.rules = rules;
    settings.memory = Some(root.join("tools").join(format!("{}.json", config.name.replace(['/', '.'], "_"))));
    settings.origins = config.origins.clone();
    settings.ca_file = config.ca_file.clone();
    settings.message_bytes_max = config.message_bytes.in_memory();
    Ok(settings)
}

fn captured(config: &CaptureConfig) -> CaptureSettings {
    CaptureSettings { prompt: config.asked, arguments: config.asked, answer: config.answered, result: config.answered }
}

fn price(config: &crate::config::PriceConfig) -> Price {
    Price { model: config.model.clone(), input: config.input, cached_input: config.cached_input, output: config.output }
}

/// A credential from where the settings say it is.
fn credential(gateway: &str, config: &CredentialConfig) -> Result<Option<String>, GatewaysError> {
    let missing = |reason: String| GatewaysError::Credential { gateway: gateway.to_owned(), reason };
    let text = match (&config.file, &config.variable) {
        (Some(file), _) => std::fs::read_to_string(file)
            .map_err(|error| missing(format!("{} cannot be read: {error}", file.display())))?,
        (None, Some(variable)) => {
            std::env::var(variable).map_err(|_| missing(format!("the variable {variable} is not set")))?
        }
        (None, None) => return Ok(None),
    };
    let text = text.trim();
    if text.is_empty() { Err(missing("it is empty".to_owned())) } else { Ok(Some(text.to_owned())) }
}

/// The mark, and the last number of each source.
type Mark = (EntryIndex, Vec<(String, u64)>);

fn read_mark(path: &Path) -> Result<Option<Mark>, GatewaysError> {
    let parse = |bytes: &[u8]| {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let index = lines.next()?.trim().parse().ok()?;
        let counted = lines.map(|line| {
            let (number, source) = line.split_once(' ')?;
            Some((source.to_owned(), number.parse().ok()?))
        });
        Some((EntryIndex(index), counted.collect::<Option<_>>()?))
    };
    match RealDisk.read(path) {
        Ok(bytes) => parse(&bytes).map(Some).ok_or_else(|| GatewaysError::Damaged { path: path.to_owned() }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The key of the hash by which a changed system prompt is seen; made once.
fn salt(path: &Path, environment: &Environment) -> Result<Secret, GatewaysError> {
    match RealDisk.read(path) {
        Ok(bytes) => Ok(Secret::new(String::from_utf8_lossy(&bytes).trim())),
        Err(error) if error.is_not_found() => {
            let mut bytes = [0; 32];
            environment.randomness.fill(&mut bytes)?;
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            write_private(&RealDisk, path, text.as_bytes())?;
            Ok(Secret::new(text))
        }
        Err(error) => Err(error.into()),
    }
}
