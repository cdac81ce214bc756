//! The vault itself: contents in, contents out again for who may, keys destroyed for good.
//!
//! Promises: only one thread writes; after an outcome that is not known nothing is taken and nothing is said to be erased. Never:
//! asks who reads, or records that somebody did: that is the server's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use indelible_event::env::{Randomness, RandomnessError};
use indelible_event::vault::{ContentAbout, ContentWriter, Vault, VaultError};

use super::contents::{ContentFiles, PackWriter};
use super::erase::{Erase, Erased, Wanted, erase_in};
use super::intake::Intake;
use super::large;
use super::master::{MasterKeys, SubjectKey, SubjectKeyFault, id_text};
use super::read::SealedReader;
use super::recover::{SealedOpened, recover};
use super::rewrap::{all_needed_are_given, keep_subject_key, rewrap_all};
use super::slots::{SlotReader, SlotWriter, numbers};
use super::sync::Together;
use super::writer::{Job, Message, Stopped, Writer};
use crate::disk::{Disk, DiskError, read_optional};

/// Long contents that may wait for their sync.
const LARGE_WAITING: usize = 64;

/// What an operator, or a test, may set.
#[derive(Clone, Copy, Debug)]
pub struct SealedSettings {
    /// Bytes that contents leave free, so that events can still be recorded when the disk runs full.
    pub reserve_bytes: u64,
    /// Whether the files of contents and of slots are synced at the same time. Otherwise one after the other, slots first: then
    /// a test knows which operation comes when.
    pub sync_together: bool,
    /// Bytes reserved for a pack at once.
    pub pack_bytes: u64,
    /// Slots of one file of slots.
    pub file_slots: u64,
    /// Longest content, encrypted, that is held in memory and put into a pack.
    pub packed_bytes_max: usize,
}

impl Default for SealedSettings {
    fn default() -> Self {
        Self {
            reserve_bytes: 256 * 1024 * 1024,
            sync_together: true,
            pack_bytes: 64 * 1024 * 1024,
            file_slots: 65_536,
            packed_bytes_max: 1024 * 1024,
        }
    }
}

/// What intake and store share.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) files: ContentFiles,
    pub(super) masters: Arc<MasterKeys>,
    pub(super) subjects: SubjectKey,
    pub(super) randomness: Arc<dyn Randomness>,
    pub(super) settings: SealedSettings,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) stopped: Stopped,
    // Bounded by the bytes that may wait.
    messages: mpsc::Sender<Message>,
    large: Mutex<Option<mpsc::SyncSender<Box<Job>>>>,
}

impl Shared {
    pub(super) fn send(&self, message: Message) -> Result<(), ()> {
        self.messages.send(message).map_err(|_| ())
    }

    /// Hands a long content on to be synced; it is given back when too many wait.
    pub(super) fn send_large(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(large) = large.as_ref() else { return Err(job) };
        large.try_send(job).map_err(|error| match error {
            mpsc::TrySendError::Full(job) | mpsc::TrySendError::Disconnected(job) => job,
        })
    }
}

/// The vault in `sealed/`.
pub struct SealedStore {
    shared: Arc<Shared>,
    reader: SealedReader,
    slots: Arc<SlotReader>,
    opened: SealedOpened,
    erasing: Mutex<()>,
    threads: Mutex<Option<[JoinHandle<()>; 2]>>,
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore").field("masters", &self.shared.masters).finish_non_exhaustive()
    }
}

/// The vault cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealedOpenError {
    /// Contents are sealed under a master key that was not given.
    #[error(
        "contents in {} are sealed under the master key {needed}; the one given is {ours}. give that key, or both: the new one \
         first, then the old one, and contents are wrapped anew", path.display()
    )]
    OtherMaster {
        /// The folder.
        path: PathBuf,
        /// Id of the key that is needed.
        needed: String,
        /// Id of the key that was given.
        ours: String,
    },
    /// The key that hides subjects is gone or damaged while slots need it.
    #[error(
        "{} is gone or damaged: without it nobody can tell whose content is whose, so that none could be erased for a person. \
         restore it from a copy", path.display()
    )]
    SubjectKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("the sealed contents cannot be opened")]
    Disk(#[from] DiskError),
    /// There is no randomness.
    #[error("the sealed contents cannot be opened")]
    Randomness(#[from] RandomnessError),
}

/// The subject key, and whether it is a new one.
fn subject_key(
    disk: &dyn Disk,
    keys: &Path,
    masters: &MasterKeys,
    randomness: &dyn Randomness,
) -> Result<(SubjectKey, bool), SealedOpenError> {
    let path = keys.join("subjects.key");
    let begun = !numbers(disk, keys)?.is_empty();
    let read = read_optional(disk, &path)?.map(|bytes| SubjectKey::unwrap(&bytes, masters));
    match read {
        Some(Ok(key)) => Ok((key, false)),
        None | Some(Err(_)) if !begun => Ok((SubjectKey::make(randomness)?, true)),
        Some(Err(SubjectKeyFault::Master(needed))) => Err(SealedOpenError::OtherMaster {
            path: keys.to_owned(),
            needed: id_text(needed),
            ours: masters.id_text(),
        }),
        None | Some(Err(SubjectKeyFault::Damaged)) => Err(SealedOpenError::SubjectKey { path }),
    }
}

impl SealedStore {
    /// Opens the vault in the folder `sealed`, making it. This is recovery too.
    ///
    /// # Errors
    /// [`SealedOpenError`]. Nothing was lost by it.
    pub fn open(
        disk: Arc<dyn Disk>,
        sealed: &Path,
        masters: MasterKeys,
        randomness: Arc<dyn Randomness>,
        settings: SealedSettings,
    ) -> Result<Arc<Self>, SealedOpenError> {
        let files = ContentFiles::below(sealed);
        let keys = sealed.join("keys");
        for folder in [&files.packs, &files.large, &keys] {
            disk.create_dir_all(folder)?;
            // The process that died may not have come to it.
            disk.sync_dir(folder)?;
        }
        disk.sync_dir(sealed)?;
        disk.sync_dir(sealed.parent().unwrap_or(Path::new(".")))?;
        let mut opened = SealedOpened::default();
        all_needed_are_given(disk.as_ref(), &keys, &masters)?;
        let (subjects, is_new) = subject_key(disk.as_ref(), &keys, &masters, randomness.as_ref())?;
        files.settle(disk.as_ref())?;
        let tail = recover(disk.as_ref(), &keys, &files, &settings, &mut opened)?;
        if masters.has_old() {
            opened.rewrapped = rewrap_all(disk.as_ref(), &keys, &masters, &subjects, randomness.as_ref())?;
        } else if is_new {
            let path = keys.join("subjects.key");
            keep_subject_key(disk.as_ref(), &path, &subjects, &masters, randomness.as_ref())?;
        }
        let packs = PackWriter::open(Arc::clone(&disk), &files, settings, tail.pack)?;
        let reader = Arc::new(SlotReader::on(Arc::clone(&disk), sealed)?);
        let slots = SlotWriter::new(Arc::clone(&disk), Arc::clone(&reader), settings, tail.next)?;
        let failed = |source| DiskError { call: "start the threads of", path: sealed.to_owned(), source };
        let together = settings.sync_together.then(Together::start).transpose().map_err(failed)?;
        let stopped = Stopped::default();
        let (messages, received) = mpsc::channel();
        let writer = Writer {
            disk: Arc::clone(&disk),
            files: files.clone(),
            packs,
            slots,
            reader: Arc::clone(&reader),
            stopped: stopped.clone(),
            together,
        };
        let (large, long) = mpsc::sync_channel(LARGE_WAITING);
        let finisher = large::Finisher {
            disk: Arc::clone(&disk),
            files: files.clone(),
            stopped: stopped.clone(),
            messages: messages.clone(),
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let threads = [
            thread("vault-large").spawn(move || finisher.run(&long)).map_err(failed)?,
            thread("vault").spawn(move || writer.run(&received)).map_err(failed)?,
        ];
        let masters = Arc::new(masters);
        let sealed_reader =
            SealedReader::of(Arc::clone(&disk), files.clone(), Arc::clone(&masters), Arc::clone(&reader));
        let shared = Shared {
            disk,
            files,
            masters,
            subjects,
            randomness,
            settings,
            waiting: Arc::default(),
            stopped,
            messages,
            large: Mutex::new(Some(large)),
        };
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
            reader: sealed_reader,
            slots: reader,
            opened,
            erasing: Mutex::new(()),
            threads: Mutex::new(Some(threads)),
        }))
    }

    /// Whether a vault in `sealed` has kept anything: then its master key must not be made anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn is_begun(disk: &dyn Disk, sealed: &Path) -> Result<bool, DiskError> {
        Ok(!numbers(disk, &sealed.join("keys"))?.is_empty())
    }

    /// What the start found.
    #[must_use]
    pub fn opened(&self) -> &SealedOpened {
        &self.opened
    }

    /// The master key's id.
    #[must_use]
    pub fn master_id(&self) -> String {
        self.shared.masters.id_text()
    }

    /// Why it takes nothing more, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.shared.stopped.reason()
    }

    /// The states of contents.
    #[must_use]
    pub fn slots(&self) -> &SlotReader {
        &self.slots
    }

    /// The way out: contents, for who may see them.
    #[must_use]
    pub fn reader(&self) -> &SealedReader {
        &self.reader
    }

    /// Destroys keys, durably. What comes in while this runs is not covered. Blocks on the disk; reads every slot there is.
    ///
    /// # Errors
    /// When the disk refuses: then some keys may be destroyed and others not, and the vault has stopped; a restart finds out,
    /// then call it again.
    pub fn erase(&self, what: &Erase) -> Result<Erased, DiskError> {
        let _one_at_a_time = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |reason: String| DiskError {
            call: "erase in",
            path: self.shared.files.packs.with_file_name("keys"),
            source: std::io::Error::other(reason),
        };
        // After a sync that failed nobody knows what is durable: an erasure that finds nothing to do would be a lie.
        if let Some(reason) = self.stopped() {
            return Err(failed(reason.to_owned()));
        }
        let wanted = match what {
            Erase::Subject(subject) => Wanted::Subject(self.shared.subjects.tag(subject)),
            Erase::Event(event) => Wanted::Event(*event),
            Erase::Content(commitment) => Wanted::Content(*commitment),
        };
        let closed = || failed("the vault is closed".to_owned());
        let judged = |outcome: Result<Erased, DiskError>| {
            outcome.inspect_err(|error| {
                let _told = self.shared.stopped.stop(error);
            })
        };
        // The file being filled belongs to the writer's thread; full ones to nobody.
        let (answer, answered) = mpsc::sync_channel(1);
        self.shared.send(Message::Erase { wanted: wanted.clone(), answer }).map_err(|()| closed())?;
        let (filling, outcome) = match answered.recv().map_err(|_| closed())? {
            Ok((filling, erased)) => (filling, Ok(erased)),
            Err(error) => (0, Err(error)),
        };
        let mut erased = judged(outcome)?;
        for number in self.slots.numbers().into_iter().filter(|number| *number < filling) {
            let (disk, files) = (self.shared.disk.as_ref(), &self.shared.files);
            erased.add(judged(erase_in(disk, &self.slots, files, number, &wanted))?);
        }
        Ok(erased)
    }

    /// Ends the threads after what is waiting. Called by `drop` too.
    pub fn close(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some([large, writer]) = threads else { return };
        // What it still has goes to the writer, which therefore ends after it.
        drop(self.shared.large.lock().unwrap_or_else(PoisonError::into_inner).take());
        let finished = large.join().is_ok();
        let asked = self.shared.send(Message::Close).is_ok();
        let ended = writer.join().is_ok();
        tracing::debug!(finished, asked, ended, "the vault is closed");
    }
}

impl Drop for SealedStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Vault for SealedStore {
    fn begin(&self, about: ContentAbout) -> Result<Box<dyn ContentWriter>, VaultError> {
        Ok(Box::new(Intake::begin(&self.shared, about)?))
    }
}
