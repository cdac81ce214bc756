//! A log of the wrapper's own in a data folder, as a server keeps it: other commands read and verify it, and a server that is started
//! on the folder later goes on with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible_event::doors::{EntryIndex, EntryReader, Recorder};
use indelible_event::vault::Vault;
use indelible_store::disk::{Disk, RealDisk};
use indelible_store::name::LogName;
use indelible_store::sealed::{MasterKeys, SealedSettings, SealedStore};
use indelible_store::{DataFolder, Log, LogSettings, SystemRandomness};
use indelible_tlog::checkpoint::Origin;
use indelible_tlog::note::VerifierKey;

use crate::exit::CliError;

use super::mcp_recorder::NoVault;
use super::write_whole;

/// The name of the log.
const LOG: &str = "main";
/// The master key, if it is not kept in the data folder; the server reads it too.
const MASTER_KEY_VARIABLE: &str = "INDELIBLE_MASTER_KEY";

/// A log of the wrapper's own.
pub(crate) struct OwnLog {
    log: Arc<Log>,
    vault: Option<Arc<SealedStore>>,
    mark_file: PathBuf,
    _folder: DataFolder,
}

impl OwnLog {
    /// Opens the folder, making it.
    pub(crate) fn open(folder: &Path, server: &str, with_vault: bool) -> Result<Self, CliError> {
        let failed = |error: &dyn std::error::Error| {
            CliError::because(format!("cannot keep a log in {}", folder.display()), error)
                .hint("each wrapped tool server needs a folder of its own, that no server uses")
        };
        let data = DataFolder::open(folder).map_err(|error| failed(&error))?;
        let name = LogName::new(LOG).map_err(|error| failed(&error))?;
        let origin = match std::fs::read_to_string(folder.join("logs").join(LOG).join("log.vkey")) {
            Ok(vkey) => VerifierKey::parse(vkey.trim_end()).map_err(|error| failed(&error))?.name().to_string(),
            Err(_) => format!("localhost/mcp/{server}"),
        };
        let origin = Origin::new(origin).map_err(|error| failed(&error))?;
        let log = Log::open(&data, &LogSettings::new(name, origin)).map_err(|error| failed(&error))?;
        let gateways = folder.join("gateway");
        std::fs::create_dir_all(&gateways).map_err(|error| failed(&error))?;
        let vault = if with_vault { Some(open_vault(folder)?) } else { None };
        Ok(Self { log, vault, mark_file: gateways.join(format!("{server}.mark")), _folder: data })
    }

    pub(crate) fn recorder(&self) -> Arc<dyn Recorder> {
        Arc::clone(&self.log) as _
    }

    pub(crate) fn reader(&self) -> Arc<dyn EntryReader> {
        Arc::clone(&self.log) as _
    }

    pub(crate) fn vault(&self) -> Arc<dyn Vault> {
        match &self.vault {
            Some(vault) => Arc::<SealedStore>::clone(vault),
            None => Arc::new(NoVault),
        }
    }

    /// The index that the next event will have.
    pub(crate) fn next(&self) -> EntryIndex {
        EntryIndex(EntryReader::size(&*self.log))
    }

    /// From where interrupted calls are looked for. Without a mark that can be read: from the beginning.
    pub(crate) fn mark(&self) -> EntryIndex {
        let kept = std::fs::read_to_string(&self.mark_file).ok().and_then(|text| text.trim().parse().ok());
        EntryIndex(kept.filter(|mark| *mark <= self.next().0).unwrap_or(0))
    }

    /// Keeps the mark and closes the log: what is recorded is sealed and published.
    pub(crate) fn close(self, mark: EntryIndex) {
        // An older mark, or none, only means that more is read at the next start.
        if let Err(error) = write_whole(&self.mark_file, format!("{mark}\n").as_bytes()) {
            tracing::debug!(%error, "the mark is not kept");
        }
        self.log.close();
    }
}

/// The vault in the folder, with the master key of the variable or of the folder's own file.
fn open_vault(folder: &Path) -> Result<Arc<SealedStore>, CliError> {
    let failed = |error: &dyn std::error::Error| {
        CliError::because(format!("cannot seal content in {}", folder.display()), error)
            .hint("add --capture none to keep no content")
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let path = folder.join("sealed");
    let begun = SealedStore::is_begun(disk.as_ref(), &path).map_err(|error| failed(&error))?;
    let masters = match std::env::var(MASTER_KEY_VARIABLE) {
        Ok(text) => MasterKeys::parse(&text, &format!("the variable {MASTER_KEY_VARIABLE}")),
        Err(_) => {
            MasterKeys::from_file(&RealDisk, &folder.join("keys").join("sealed.master"), !begun, &SystemRandomness)
        }
    };
    let masters = masters.map_err(|error| failed(&error))?;
    SealedStore::open(disk, &path, masters, Arc::new(SystemRandomness), SealedSettings::default())
        .map_err(|error| failed(&error))
}
