//! Opening a data folder and the logs in it: which parts must be there together, and in which order they are trusted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::env::{Clock, Randomness};
use indelible_event::id::EventId;
use indelible_event::view::EventView;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::hash::EMPTY_ROOT;
use indelible_tlog::tree::TreeSize;

use crate::commit::Committer;
use crate::disk::{Disk, DiskError, make_folder, read_optional, replace_file};
use crate::ids::{IdRuns, IdSettings, Ids, IdsError};
use crate::journal::{Cut, Journal, JournalError, JournalReader, JournalSettings};
use crate::log::key::{LogKey, write_vkey};
use crate::log::{LogError, Sealer, load};
use crate::name::LogName;
use crate::read::{BundleReader, LogReader, Published};
use crate::storage::{CHECKPOINT_PATH, FolderStorage, LogStorage};

/// Entries and bytes read at once when ids are put back.
const REBUILD_ENTRIES: usize = 4_096;
const REBUILD_BYTES: usize = 4 * 1024 * 1024;

/// What an operator sets for a log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Its short name.
    pub name: LogName,
    /// Its origin: the name in its checkpoints. Never changes.
    pub origin: Origin,
    /// How often new entries get a checkpoint.
    pub checkpoint_interval: Duration,
    /// How often the published checkpoint is confirmed while there are none.
    pub idle_checkpoint_interval: Duration,
    /// Segment size and reserve of the journal.
    pub journal: JournalSettings,
    /// How many ids are remembered.
    pub ids: IdSettings,
    /// What may wait for the committing thread.
    pub queue: QueueSettings,
}

/// What may wait for a log's committing thread: bounds memory whatever clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Bytes of events, framing included, that may wait. A larger batch waits alone.
    pub bytes: usize,
    /// How long a request waits for room in the queue before it is told to come back.
    pub wait: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { bytes: 48 * 1024 * 1024, wait: Duration::from_secs(5) }
    }
}

impl LogSettings {
    /// Default settings for a log.
    #[must_use]
    pub fn new(name: LogName, origin: Origin) -> Self {
        Self {
            name,
            origin,
            checkpoint_interval: Duration::from_millis(500),
            idle_checkpoint_interval: Duration::from_secs(300),
            journal: JournalSettings::default(),
            ids: IdSettings::default(),
            queue: QueueSettings::default(),
        }
    }
}

/// Why a data folder or log could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused.
    #[error("the data folder could not be used")]
    Disk(#[from] DiskError),
    /// Another process has the folder.
    #[error("{} is in use by another process; stop that server first", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// Parts of the log are there and others are not.
    #[error(
        "log `{log}`: {there} is there but {missing} is not; a log is its key, its journal and its tiles together. restore \
         the missing part, or move the rest away to begin a new log"
    )]
    Incomplete {
        /// Which log.
        log: String,
        /// What was found.
        there: String,
        /// What is missing.
        missing: String,
    },
    /// The journal cannot be used.
    #[error("log `{log}` cannot be opened")]
    Journal {
        /// Which log.
        log: String,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// The stored log cannot be used.
    #[error("log `{log}` cannot be opened")]
    Log {
        /// Which log.
        log: String,
        /// Why.
        #[source]
        source: LogError,
    },
    /// The id index cannot be used.
    #[error("log `{log}` cannot be opened")]
    Ids {
        /// Which log.
        log: String,
        /// Why.
        #[source]
        source: IdsError,
    },
    /// The journal ends before what was signed, or before what the id index holds.
    #[error(
        "log `{log}`: the journal ends at entry {journal}, but {what} up to entry {signed}: the journal folder was put back to \
         an older state. restore the newer one; continuing would sign a second history"
    )]
    JournalBehind {
        /// Which log.
        log: String,
        /// Where the journal ends.
        journal: u64,
        /// What went further.
        what: &'static str,
        /// How far that went.
        signed: u64,
    },
    /// No randomness for a new key.
    #[error("no key can be made for log `{log}`: the operating system gave no random bytes")]
    NoRandomness {
        /// Which log.
        log: String,
    },
}

/// Where the parts of one log are.
#[derive(Clone, Debug)]
struct Places {
    root: PathBuf,
    key: PathBuf,
    journal: PathBuf,
    ids: PathBuf,
    memory: PathBuf,
    log: PathBuf,
}

impl Places {
    fn new(root: &Path, name: &LogName) -> Self {
        let journal = root.join("journal").join(name.as_str());
        Self {
            root: root.to_owned(),
            key: root.join("keys").join(format!("{name}.key")),
            ids: journal.join("ids"),
            memory: journal.join("signed-checkpoint"),
            journal,
            log: root.join("logs").join(name.as_str()),
        }
    }

    /// Makes the folders, and what a process that died may have left in the first of them, durable: a start goes by what it
    /// finds there.
    fn make_folders(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        let keys = self.key.parent().unwrap_or(&self.root);
        for folder in [keys, &self.log, &self.ids] {
            make_folder(disk, &self.root, folder)?;
        }
        disk.sync_dir(keys)
    }
}

/// The parts of an opened log, before threads run them.
#[derive(Debug)]
pub struct OpenedParts {
    /// Records.
    pub committer: Committer,
    /// Seals.
    pub sealer: Sealer,
    /// Moves ids into runs.
    pub id_runs: IdRuns,
    /// Where runs begin when there is none yet.
    pub ids_begin: u64,
    /// Reads the journal.
    pub journal: JournalReader,
    /// Reads everything acknowledged.
    pub reader: LogReader,
    /// The published checkpoint, shared with readers; whoever seals keeps it up to date.
    pub published: Published,
    /// The log's resources.
    pub storage: Arc<dyn LogStorage>,
    /// The log's key.
    pub key: Arc<LogKey>,
    /// What the start found.
    pub opened: Opened,
}

/// What a start found, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The log was made by this start.
    pub created: bool,
    /// Entries found in the journal and bundles.
    pub size: u64,
    /// Entries that the published checkpoint covers.
    pub published: u64,
    /// A torn tail that was cut off.
    pub cut: Option<Cut>,
}

/// Opens, or makes, one log below `root` on any disk. The order: key, stored log, journal, ids.
///
/// # Errors
/// [`OpenError`]; nothing was changed, but for what a crash had left half done.
pub fn open_parts(
    disk: &Arc<dyn Disk>,
    root: &Path,
    settings: &LogSettings,
    clock: Arc<dyn Clock>,
    randomness: &dyn Randomness,
) -> Result<OpenedParts, OpenError> {
    let log = settings.name.to_string();
    let places = Places::new(root, &settings.name);
    let in_log = |source| OpenError::Log { log: log.clone(), source };
    let in_journal = |source| OpenError::Journal { log: log.clone(), source };
    let in_ids = |source| OpenError::Ids { log: log.clone(), source };
    places.make_folders(disk.as_ref())?;
    let (key, created) = open_key(disk.as_ref(), &places, settings, randomness)?;
    let key = Arc::new(key);

    let storage = FolderStorage::open(Arc::clone(disk), places.log.clone()).map_err(|error| in_log(error.into()))?;
    let storage: Arc<dyn LogStorage> = Arc::new(storage);
    let loaded = load(Arc::clone(disk), Arc::clone(&storage), Arc::clone(&key), &places.memory).map_err(in_log)?;
    let published: Published = Arc::new(RwLock::new(loaded.published().cloned()));
    let bundles = BundleReader::new(Arc::clone(&storage), Arc::clone(&published));

    let id_runs = IdRuns::open(Arc::clone(disk), places.ids.clone(), settings.ids).map_err(in_ids)?;
    let needed_from = loaded.size();
    let keep_from = needed_from.min(id_runs.end().unwrap_or(0));
    let (journal, cut) = Journal::open(Arc::clone(disk), places.journal, settings.journal, needed_from, keep_from)
        .map_err(in_journal)?;
    let known = [("a checkpoint was signed", Some(needed_from)), ("ids were kept", id_runs.end())];
    for (what, end) in known {
        if end.is_some_and(|end| journal.next_index() < end) {
            let (journal, signed) = (journal.next_index(), end.unwrap_or_default());
            return Err(OpenError::JournalBehind { log, journal, what, signed });
        }
    }
    let opened = Opened { created, size: journal.next_index(), published: loaded.size(), cut };
    let journal_reader = journal.reader();
    let reader = LogReader::new(journal_reader.clone(), bundles);
    let ids_begin = fill_ids(&id_runs, &reader, journal_reader.bounds(), settings, &log)?;
    let ids = Ids::load(id_runs.clone(), &journal_reader, ids_begin).map_err(in_ids)?;
    let committer = Committer::new(&log, journal, ids, Arc::new(reader.clone()), clock);
    let sealer = loaded.into_sealer(journal_reader.clone());
    Ok(OpenedParts {
        committer,
        sealer,
        id_runs,
        ids_begin,
        journal: journal_reader,
        reader,
        published,
        storage,
        key,
        opened,
    })
}

/// The key, if the log is there; a new one, if nothing of it is.
fn open_key(
    disk: &dyn Disk,
    places: &Places,
    settings: &LogSettings,
    randomness: &dyn Randomness,
) -> Result<(LogKey, bool), OpenError> {
    let log = settings.name.to_string();
    let in_log = |source| OpenError::Log { log: log.clone(), source };
    let incomplete = |there: &Path, missing: &Path| OpenError::Incomplete {
        log: log.clone(),
        there: there.display().to_string(),
        missing: missing.display().to_string(),
    };
    match LogKey::load(disk, &places.key, &settings.origin) {
        Ok(key) => {
            if read_optional(disk, &places.memory)?.is_none() {
                return Err(incomplete(&places.key, &places.memory));
            }
            Ok((key, false))
        }
        Err(LogError::Disk(error)) if error.is_not_found() => {
            let entries = disk.list(&places.journal)?.iter().any(|name| name.ends_with(".journal"));
            let there = if entries { Some(&places.journal) } else { None };
            let tiles = disk.list(&places.log)?.iter().any(|name| name == CHECKPOINT_PATH || name == "tile");
            if let Some(there) = there.or(tiles.then_some(&places.log)) {
                return Err(incomplete(there, &places.key));
            }
            Ok((create_key(disk, places, settings, randomness)?, true))
        }
        Err(error) => Err(in_log(error)),
    }
}

/// Makes a log's key. The signed empty checkpoint is remembered before the key is written, and the key comes last: so a key
/// without a memory means that somebody removed the log, and a crash in here leaves nothing that the next start minds.
fn create_key(
    disk: &dyn Disk,
    places: &Places,
    settings: &LogSettings,
    randomness: &dyn Randomness,
) -> Result<LogKey, OpenError> {
    let log = settings.name.to_string();
    let in_log = |source| OpenError::Log { log: log.clone(), source };
    let mut seed = [0u8; 32];
    randomness.fill(&mut seed).map_err(|_| OpenError::NoRandomness { log: log.clone() })?;
    let key = LogKey::from_seed(&settings.origin, &seed).map_err(in_log)?;
    write_vkey(disk, &places.log.join("log.vkey"), key.verifier()).map_err(in_log)?;
    let empty = Checkpoint { origin: settings.origin.clone(), size: TreeSize(0), root: EMPTY_ROOT };
    let note = key.sign_checkpoint(&empty).map_err(in_log)?;
    replace_file(disk, &places.memory, note.as_bytes())?;
    LogKey::write(disk, &places.key, &settings.origin, &seed).map_err(in_log)?;
    Ok(key)
}

/// Puts back into runs what neither they nor the journal hold any more but the window asks for: the id index was removed, or
/// a crash or a lost file left it incomplete. Returns where the ids begin that only the journal holds.
fn fill_ids(
    runs: &IdRuns,
    reader: &LogReader,
    (journal_first, next): (u64, u64),
    settings: &LogSettings,
    log: &str,
) -> Result<u64, OpenError> {
    let window_begins = next.saturating_sub(settings.ids.window);
    if let Some(first) = runs.first() {
        // from the end to the beginning, so that a crash leaves no gap
        let mut end = first;
        while window_begins < end {
            let begin = end.saturating_sub(settings.ids.run_ids.max(1)).max(window_begins);
            rebuild_run(runs, reader, begin, end, log)?;
            end = begin;
        }
    }
    let mut begin = runs.end().unwrap_or(window_begins);
    while begin < journal_first {
        let end = begin.saturating_add(settings.ids.run_ids.max(1)).min(journal_first);
        rebuild_run(runs, reader, begin, end, log)?;
        begin = end;
    }
    Ok(runs.end().unwrap_or(journal_first))
}

fn rebuild_run(runs: &IdRuns, reader: &LogReader, begin: u64, end: u64, log: &str) -> Result<(), OpenError> {
    let mut pairs = Vec::new();
    let mut at = begin;
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(REBUILD_ENTRIES);
        let entries = reader.read(EntryIndex(at), most, REBUILD_BYTES).map_err(|error| OpenError::Log {
            log: log.to_owned(),
            source: LogError::Diverged { origin: log.to_owned(), what: error.to_string() },
        })?;
        for (index, entry) in entries.iter() {
            let id = EventView::parse(entry).ok().and_then(|view| EventId::parse(view.id.as_bytes()));
            pairs.extend(id.map(|id| (id.0, index.0)));
        }
        at = entries.next_index().0;
    }
    runs.add(begin, end, pairs).map_err(|source| OpenError::Ids { log: log.to_owned(), source })
}
