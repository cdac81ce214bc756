//! Where the parts are put together: data folder, logs, tokens, index. The only file of the server that opens the store.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_access::door::{Door, DoorError};
use indelible_access::searches::{SavedSearches, SearchesError};
use indelible_access::{TokenBook, TokenError};
use indelible_event::doors::{EntryIndex, EntryReader, ReadError, Recorder};
use indelible_event::env::RandomnessError;
use indelible_search::{Access, Index, Settings};
use indelible_store::name::LogName;
use indelible_store::{DataFolder, Log, LogSettings, LogState, OpenError, Opened, SystemClock, SystemRandomness};
use indelible_tlog::checkpoint::Origin;
use indelible_tlog::note::VerifierKey;
use tokio::sync::watch;

use crate::alerts::{Alerts, AlertsError};
use crate::app::{App, Environment, Parts};
use crate::config::{Config, LogConfig};
use crate::gateways::{Gateways, GatewaysError};
use crate::guard;
use crate::logs::{LogHandle, LogSet, Published};
use crate::pages::sign_in_oidc::{OpenId, OpenIdError};
use crate::telemetry::chain;
use crate::trail::reserve::{RESERVE_BYTES, Reserve};
use crate::vault::OpenVault;
use crate::watch::rules::RulesInForce;

/// The server could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The saved searches cannot be opened.
    #[error("cannot open the saved searches")]
    Searches(#[from] SearchesError),
    /// The data folder or a log could not be opened.
    #[error("cannot open the data folder {}", path.display())]
    Open {
        /// The data folder.
        path: PathBuf,
        /// Why.
        source: Box<OpenError>,
    },
    /// A log's name or origin cannot be used.
    #[error("the log `{log}` cannot be opened: {reason}")]
    Log {
        /// Which log.
        log: String,
        /// Why.
        reason: String,
    },
    /// The settings name no log.
    #[error("the settings name no log")]
    NoLog,
    /// A gateway could not be set up.
    #[error("cannot set the gateways up")]
    Gateways(#[from] GatewaysError),
    /// Policies, halts or budgets could not be loaded.
    #[error("cannot say who may call what")]
    Door(#[from] DoorError),
    /// The tokens could not be loaded.
    #[error("cannot open the tokens")]
    Tokens(#[from] TokenError),
    /// The provider that people sign in with cannot be set up.
    #[error("cannot set up the sign-in with a provider")]
    OpenId(#[from] OpenIdError),
    /// Alerts cannot be looked after.
    #[error("cannot look after alerts")]
    Alerts(#[from] AlertsError),
    /// The operating system gave no randomness.
    #[error("cannot start")]
    Randomness(#[from] RandomnessError),
}

/// The server put together, before it listens.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) app: Arc<App>,
    /// What the start found, log by log.
    pub(crate) opened: Vec<(Arc<LogHandle>, Opened)>,
    /// Held so that no other process uses the folder.
    pub(crate) _folder: DataFolder,
}

/// Opens everything. Blocks on the disk.
pub(crate) fn assemble(config: Config, stopping: watch::Receiver<bool>) -> Result<Assembled, AssembleError> {
    let root = config.server.data.clone();
    let open = |source: OpenError| AssembleError::Open { path: root.clone(), source: Box::new(source) };
    let folder = DataFolder::open(&root).map_err(open)?;
    let randomness = Arc::new(SystemRandomness);
    let tokens = TokenBook::open(&root.join("state.sqlite"), randomness.clone())?;
    let mut opened = Vec::new();
    for log_config in &config.logs.0 {
        let (name, origin) = name_and_origin(&config, log_config, &root)?;
        let mut settings = LogSettings::new(name, origin.clone());
        settings.checkpoint_interval = log_config.checkpoint_interval.duration();
        settings.idle_checkpoint_interval = log_config.idle_checkpoint_interval.duration();
        let judge = |vkey: &str| guard::before_signing(&root, &log_config.name, vkey, config.guard.enabled);
        let log = Log::open_judged(&folder, &settings, judge).map_err(open)?;
        let found = log.opened().clone();
        let index = open_index(&config, &log_config.name, &root);
        opened.push((Arc::new(handle(log_config.clone(), &origin, log, index)), found));
    }
    let logs = LogSet::new(opened.iter().map(|(log, _)| Arc::clone(log)).collect()).ok_or(AssembleError::NoLog)?;
    let environment = Environment { clock: Arc::new(SystemClock), randomness };
    let reserve = match Reserve::open(&root.join("trail.reserve"), RESERVE_BYTES) {
        Ok(reserve) => Some(Arc::new(reserve)),
        Err(error) => {
            tracing::error!(%error, "without its reserve the trail, and with it every read, stops while the disk is full");
            None
        }
    };
    let any_gateway = !config.gateway.llm.is_empty() || !config.gateway.mcp.is_empty();
    let vault = OpenVault::open(&config, &root, any_gateway, Arc::clone(&environment.randomness));
    let policies = config.policy.folder.as_deref();
    let door = Arc::new(Door::open(&root.join("state.sqlite"), policies, config.budgets.clone())?);
    let gateways = if any_gateway {
        Gateways::new(&config, &root, &environment, logs.first(), vault.door(), Arc::clone(&door))?
    } else {
        Gateways::default()
    };
    let alerts = Alerts::open(&config, &root)?;
    let rules = RulesInForce::load(&config.detect);
    let searches = SavedSearches::open(&root.join("state.sqlite"))?;
    let open_id = OpenId::new(&config, &environment.randomness)?;
    let parts = Parts { open_id, tokens, searches, logs, vault, door, gateways, reserve, rules, alerts };
    let app = Arc::new(App::new(config, environment, parts, stopping)?);
    Ok(Assembled { app, opened, _folder: folder })
}

/// The index is a view: a damaged one is told and left as it is, and everything else goes on.
fn open_index(config: &Config, log: &str, root: &Path) -> Result<Arc<Index>, String> {
    let settings = Settings {
        access: Access::Owner,
        flush_age: config.index.flush_interval.duration(),
        footer_bytes: config.index.footer_memory.in_memory(),
    };
    let folder = root.join("index").join(log);
    let told = |error: String| {
        tracing::error!(log, error, "the search index cannot be used; recording and proving go on without it");
        error
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| told(error.to_string()))?;
    Index::open(&folder, log, settings).map(Arc::new).map_err(|error| told(error.to_string()))
}

fn handle(config: LogConfig, origin: &Origin, log: Arc<Log>, index: Result<Arc<Index>, String>) -> LogHandle {
    let recorder: Arc<dyn Recorder> = log.clone();
    let reader: Arc<dyn EntryReader> = log.clone();
    let published: Arc<dyn Published> = Arc::new(StoredLog(log));
    LogHandle::new(config, origin.as_str().to_owned(), recorder, reader, published, index)
}

/// The origin that the settings say; else the one the log has; else one out of the address clients use.
fn name_and_origin(config: &Config, log: &LogConfig, root: &Path) -> Result<(LogName, Origin), AssembleError> {
    let wrong = |reason: String| AssembleError::Log { log: log.name.clone(), reason };
    let name = LogName::new(&log.name).map_err(|error| wrong(error.to_string()))?;
    let text = match &log.origin {
        Some(origin) => origin.clone(),
        None => match std::fs::read_to_string(root.join("logs").join(name.as_str()).join("log.vkey")) {
            Ok(vkey) => {
                VerifierKey::parse(vkey.trim_end()).map_err(|error| wrong(error.to_string()))?.name().to_string()
            }
            Err(_) => derived_origin(config, &log.name),
        },
    };
    let origin = Origin::new(text).map_err(|error| wrong(error.to_string()))?;
    Ok((name, origin))
}

fn derived_origin(config: &Config, log: &str) -> String {
    let address = config.server.public_url.as_deref().unwrap_or(&config.server.listen);
    let without_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    format!("{without_scheme}/log/{log}")
}

/// A stored log as the rest of the server sees what it publishes.
struct StoredLog(Arc<Log>);

impl Published for StoredLog {
    fn checkpoint(&self) -> Option<Arc<str>> {
        self.0.checkpoint()
    }

    fn resource(&self, path: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.resource(path).map_err(|error| damaged(EntryIndex(0), &error))
    }

    fn proof(&self, index: EntryIndex) -> Result<Option<String>, ReadError> {
        self.0.proof(index).map_err(|error| damaged(index, &error))
    }

    fn vkey(&self) -> String {
        self.0.vkey()
    }

    fn stop_signing(&self, reason: &str) {
        self.0.stop_signing(reason.to_owned());
    }

    fn watch(&self) -> watch::Receiver<LogState> {
        self.0.watch()
    }

    fn close(&self) {
        self.0.close();
    }
}

fn damaged(index: EntryIndex, error: &dyn std::error::Error) -> ReadError {
    ReadError::Damaged { index, reason: chain(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_log_takes_its_origin_from_the_address_clients_use() {
        let mut config = Config::default();
        assert_eq!(derived_origin(&config, "main"), "127.0.0.1:7411/log/main");
        config.server.public_url = Some("https://audit.example.com/x".to_owned());
        assert_eq!(derived_origin(&config, "eu"), "audit.example.com/x/log/eu");
    }
}
