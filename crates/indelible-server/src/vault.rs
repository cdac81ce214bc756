//! The vault for sealed content: opened where gateways need it or content is there already, with the master key that the settings
//! name. Never: prints a key, or makes a new one while content is sealed under another.
//!
//! A vault that cannot be opened (a wrong master key) is told and takes nothing; recording, finding and proving go on without it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use indelible_event::env::Randomness;
use indelible_event::vault::{ContentAbout, ContentWriter, Vault, VaultError};
use indelible_store::disk::{Disk, DiskError, RealDisk};
use indelible_store::sealed::{MasterKeyError, MasterKeys, SealedOpenError, SealedSettings, SealedStore};

use crate::config::Config;
use crate::telemetry::chain;

/// The variable that stands over the settings.
pub const MASTER_KEY_VARIABLE: &str = "INDELIBLE_MASTER_KEY";

/// The vault cannot be opened.
#[derive(Debug, thiserror::Error)]
enum VaultOpenError {
    /// Its files cannot be used, or need another master key.
    #[error("cannot open the vault in {}", path.display())]
    Open {
        /// Where it is.
        path: std::path::PathBuf,
        /// Why.
        source: SealedOpenError,
    },
    /// It cannot be seen whether there is one.
    #[error("cannot look for a vault")]
    Look(#[from] DiskError),
    /// The master key cannot be used.
    #[error("cannot use the master key")]
    Key(#[from] MasterKeyError),
    /// The command that should print the master key failed.
    #[error("`sealed.master_key_command` {reason}")]
    Command {
        /// What went wrong; never what the command printed.
        reason: String,
    },
}

/// The vault, or why there is none.
#[derive(Debug, Default)]
pub(crate) enum OpenVault {
    /// Nothing asks for one.
    #[default]
    None,
    /// It is open.
    Open(Arc<SealedStore>),
    /// It is needed and cannot be opened.
    Unusable(String),
}

impl OpenVault {
    /// Opens the vault in `root/sealed`, if `wanted` or if there is one. Blocks on the disk and on the command.
    pub(crate) fn open(config: &Config, root: &Path, wanted: bool, randomness: Arc<dyn Randomness>) -> Self {
        match open(config, root, wanted, randomness) {
            Ok(store) => store.map_or(Self::None, Self::Open),
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(reason, "sealed content can be neither kept nor shown; recording goes on without it");
                Self::Unusable(reason)
            }
        }
    }

    /// The way in for gateways.
    pub(crate) fn door(&self) -> Arc<dyn Vault> {
        match self {
            Self::Open(store) => Arc::<SealedStore>::clone(store),
            Self::None => Arc::new(Refusing("there is none".to_owned())),
            // The reason names files of this machine; who may see them finds it in the server's log lines.
            Self::Unusable(_) => Arc::new(Refusing("it could not be opened at the start".to_owned())),
        }
    }
}

/// Takes nothing.
struct Refusing(String);

impl Vault for Refusing {
    fn begin(&self, _: ContentAbout) -> Result<Box<dyn ContentWriter>, VaultError> {
        Err(VaultError::Stopped { reason: self.0.clone() })
    }
}

fn open(
    config: &Config,
    root: &Path,
    wanted: bool,
    randomness: Arc<dyn Randomness>,
) -> Result<Option<Arc<SealedStore>>, VaultOpenError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let path = root.join("sealed");
    let begun = SealedStore::is_begun(disk.as_ref(), &path)?;
    if !wanted && !begun {
        return Ok(None);
    }
    let masters = master_keys(config, root, !begun, &*randomness)?;
    let failed = |source| VaultOpenError::Open { path: path.clone(), source };
    let store = SealedStore::open(disk, &path, masters, randomness, SealedSettings::default()).map_err(failed)?;
    let found = store.opened();
    if found.rewrapped > 0 {
        tracing::info!(
            contents = found.rewrapped,
            "contents were wrapped anew; the older master keys are no longer needed"
        );
    }
    tracing::info!(master_key = store.master_id(), dropped = found.dropped, "the vault is open");
    Ok(Some(store))
}

fn master_keys(
    config: &Config,
    root: &Path,
    may_make: bool,
    randomness: &dyn Randomness,
) -> Result<MasterKeys, VaultOpenError> {
    if let Ok(text) = std::env::var(MASTER_KEY_VARIABLE) {
        return Ok(MasterKeys::parse(&text, &format!("the variable {MASTER_KEY_VARIABLE}"))?);
    }
    if let Some(command) = &config.sealed.master_key_command {
        return Ok(MasterKeys::parse(&printed_by(command)?, "`sealed.master_key_command`")?);
    }
    let (path, may_make) = match &config.sealed.master_key_file {
        // One that the operator names is the operator's to make.
        Some(path) => (path.clone(), false),
        // No log can have this name: a log's key is `keys/<log>.key`.
        None => (root.join("keys").join("sealed.master"), may_make),
    };
    Ok(MasterKeys::from_file(&RealDisk, &path, may_make, randomness)?)
}

fn printed_by(command: &str) -> Result<String, VaultOpenError> {
    let failed = |reason: String| VaultOpenError::Command { reason };
    let output = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("printed something that is not text".to_owned()))
}
