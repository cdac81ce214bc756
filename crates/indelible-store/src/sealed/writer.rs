//! The thread that writes contents and slots: what has come together shares its syncs.
//!
//! Contents and slots of a group are written, then both files are synced, at the same time, then the group is answered. A crash
//! may leave slots without their contents: only of the last group, and a start finds that out (`slots.rs`). Promises: nothing is
//! answered before both syncs; after a sync whose outcome is unknown nothing more is taken until a restart.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};

use indelible_event::vault::VaultError;
use tokio::sync::oneshot;

use super::contents::{ContentFiles, PackWriter};
use super::erase::{Erased, Wanted, erase_in};
use super::slot::{Group, Place, Slot};
use super::slots::{SlotReader, SlotWriter};
use super::sync::Together;
use crate::disk::{Disk, DiskError, DiskFile};

/// Encrypted bytes that share one write.
const GROUP_BYTES: u64 = 8 * 1024 * 1024;
/// Slots that share one write.
const GROUP_SLOTS: usize = 4_096;

/// What the thread is asked for.
pub(super) enum Message {
    Keep(Box<Job>),
    /// Destroy what is wanted in the file being filled, and say which file that is.
    Erase {
        wanted: Wanted,
        answer: mpsc::SyncSender<Result<(u64, Erased), DiskError>>,
    },
    Close,
}

/// One content to be kept.
pub(super) struct Job {
    pub(super) slot: Slot,
    pub(super) content: JobContent,
    pub(super) answer: oneshot::Sender<Result<(), VaultError>>,
    pub(super) room: Room,
}

impl Job {
    pub(super) fn answer(self, outcome: Result<(), VaultError>) {
        drop(self.room);
        if self.answer.send(outcome).is_err() {
            tracing::trace!("a client left before its content was kept");
        }
    }
}

/// Its encrypted bytes.
pub(super) enum JobContent {
    None,
    Pack(Vec<u8>),
    /// In a file of its own.
    Large {
        file: Arc<dyn DiskFile>,
        number: u64,
    },
}

/// Memory that waits to be written; given back when dropped.
pub(super) struct Room {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes `bytes`, if not more than `most` wait then.
    pub(super) fn take(waiting: &Arc<AtomicUsize>, bytes: usize, most: usize) -> Option<Self> {
        let room = Self { waiting: Arc::clone(waiting), bytes };
        let before = waiting.fetch_add(bytes, Ordering::Relaxed);
        (before.saturating_add(bytes) <= most).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why the vault takes nothing more, once it does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopped(Arc<OnceLock<String>>);

impl Stopped {
    pub(super) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    pub(super) fn error(&self) -> Option<VaultError> {
        self.reason().map(|reason| VaultError::Stopped { reason: reason.to_owned() })
    }

    /// Stops; the first reason counts.
    pub(super) fn stop(&self, error: &DiskError) -> VaultError {
        let reason = self.0.get_or_init(|| format!("{error}: {}", error.source)).clone();
        tracing::error!(reason, "the vault has stopped; a restart finds out what is kept");
        VaultError::Stopped { reason }
    }

    /// What an error means before anything was synced: a full disk passes, anything else does not.
    pub(super) fn judge(&self, error: &DiskError) -> VaultError {
        if error.is_full() { VaultError::Full } else { self.stop(error) }
    }
}

/// What the thread works with.
pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) files: ContentFiles,
    pub(super) packs: PackWriter,
    pub(super) slots: SlotWriter,
    pub(super) reader: Arc<SlotReader>,
    pub(super) stopped: Stopped,
    pub(super) together: Option<Together>,
}

impl Writer {
    pub(super) fn run(mut self, messages: &mpsc::Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let mut jobs = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            let mut other = None;
            while let Some(message) = next {
                match message {
                    Message::Keep(job) => {
                        if let JobContent::Pack(content) = &job.content {
                            bytes += content.len() as u64;
                        }
                        jobs.push(*job);
                    }
                    message => {
                        other = Some(message);
                        break;
                    }
                }
                let more = bytes < GROUP_BYTES && jobs.len() < GROUP_SLOTS;
                next = if more { messages.try_recv().ok() } else { None };
            }
            self.keep(jobs);
            match other {
                Some(Message::Erase { wanted, answer }) => {
                    let erased = self.erase(&wanted);
                    if answer.send(erased).is_err() {
                        tracing::warn!("who asked for an erasure left before it was done");
                    }
                }
                Some(Message::Close) => return,
                Some(Message::Keep(_)) | None => {}
            }
        }
    }

    /// Keeps all jobs and answers them.
    fn keep(&mut self, mut jobs: Vec<Job>) {
        while !jobs.is_empty() {
            let grouped = match self.stopped.error() {
                Some(error) => Err(error),
                None => self.group(&mut jobs).map_err(|error| self.stopped.judge(&error)),
            };
            let later = jobs.split_off(*grouped.as_ref().unwrap_or(&jobs.len()));
            let outcome = grouped.and_then(|_| self.write(&jobs));
            for job in jobs {
                job.answer(outcome.clone());
            }
            jobs = later;
        }
    }

    /// Gives as many jobs their places as one pack and one file of slots take, and says how many.
    fn group(&mut self, jobs: &mut [Job]) -> Result<usize, DiskError> {
        let first = self.slots.make_room()?;
        let mut planned = 0;
        let mut count = 0;
        for job in jobs.iter_mut().take(self.slots.room()) {
            job.slot.place = match &job.content {
                JobContent::None => Place::None,
                JobContent::Large { number, .. } => Place::Large { number: *number },
                JobContent::Pack(content) => {
                    let bytes = content.len() as u64;
                    if planned == 0 {
                        self.packs.make_room(bytes)?;
                    } else if !self.packs.fits(planned, bytes) {
                        break;
                    }
                    let place = self.packs.place(planned);
                    planned += bytes;
                    place
                }
            };
            count += 1;
        }
        let group = Group { first, count: u32::try_from(count).unwrap_or(u32::MAX) };
        jobs.iter_mut().take(count).for_each(|job| job.slot.group = group);
        Ok(count)
    }

    /// Writes one group and makes it durable.
    fn write(&mut self, jobs: &[Job]) -> Result<(), VaultError> {
        let mut pack = Vec::new();
        for job in jobs {
            if let JobContent::Pack(bytes) = &job.content {
                pack.extend_from_slice(bytes);
            }
        }
        let slots: Vec<Slot> = jobs.iter().map(|job| job.slot).collect();
        let mut pack_file = None;
        if !pack.is_empty() {
            // A crash after this leaves bytes that no slot names.
            pack_file = self.packs.write(&pack).map_err(|error| self.stopped.judge(&error))?;
        }
        if let Err(error) = self.slots.write(&slots) {
            // A later, shorter group must not be taken for the rest of this one.
            return Err(match self.slots.blank(slots.len()) {
                Ok(()) => self.stopped.judge(&error),
                Err(error) => self.stopped.stop(&error),
            });
        }
        // A crash from here on, before both are synced, may leave any part of the group: a start keeps it whole or drops it.
        let synced = match (&self.together, pack_file) {
            (Some(together), Some(pack_file)) => together.sync(pack_file, || self.slots.sync()),
            (_, pack_file) => self.slots.sync().and_then(|()| pack_file.map_or(Ok(()), |file| file.sync())),
        };
        synced.map_err(|error| self.stopped.stop(&error))?;
        self.packs.advance(pack.len() as u64);
        self.slots.advance(&slots);
        Ok(())
    }

    fn erase(&self, wanted: &Wanted) -> Result<(u64, Erased), DiskError> {
        let filling = self.slots.filling();
        let numbers = self.reader.numbers();
        if !numbers.contains(&filling) {
            return Ok((filling, Erased::default()));
        }
        Ok((filling, erase_in(self.disk.as_ref(), &self.reader, &self.files, filling, wanted)?))
    }
}
