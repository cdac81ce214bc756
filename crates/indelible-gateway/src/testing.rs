//! A log and a vault in memory that fail on demand, for the tests of this crate (also included by path in `tests/it`).

#![allow(dead_code, reason = "each user needs some of it")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, Entries, EntryIndex, EntryReader, ReadError, RecordError, Recorded, Recorder};
use indelible_event::time::RecordedTime;
use indelible_event::vault::{Commitment, ContentAbout, ContentWriter, SealedContent, Vault, VaultError};

/// What the log does with the next batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Fine,
    Full,
    Busy,
    Stopped,
}

/// A log in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryLog {
    entries: Mutex<Vec<Vec<u8>>>,
    mood: Mutex<Mood>,
    /// How many more batches are taken before the mood counts.
    pub(crate) fine_first: AtomicUsize,
    /// Milliseconds before a batch is durable.
    pub(crate) delay_ms: AtomicU64,
}

impl MemoryLog {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|entry| serde_json::from_slice(entry).expect("an entry is JSON")).collect()
    }

    /// `phase/result/code` of all events so far.
    pub(crate) fn endings(&self) -> Vec<String> {
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        self.events()
            .iter()
            .map(|event| &event["outcome"])
            .map(|outcome| {
                format!("{}/{}/{}", word(&outcome["phase"]), word(&outcome["result"]), word(&outcome["code"]))
            })
            .collect()
    }

    /// Waits until there are `count` events.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<serde_json::Value> {
        for _ in 0..500 {
            let events = self.events();
            if events.len() >= count {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} events did not come: {:?}", self.endings());
    }

    fn take(&self, batch: &EventBatch) -> Result<Recorded, RecordError> {
        let spare = self.fine_first.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        match mood {
            Mood::Full if spare.is_err() => return Err(RecordError::Full),
            Mood::Busy if spare.is_err() => return Err(RecordError::Busy { retry_after_ms: 1 }),
            Mood::Stopped if spare.is_err() => {
                return Err(RecordError::Stopped { log: "main".to_owned(), reason: "a test".to_owned() });
            }
            Mood::Fine | Mood::Full | Mood::Busy | Mood::Stopped => {}
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let first_index = EntryIndex(entries.len() as u64);
        let mut batch = batch.clone();
        batch.stamp(RecordedTime(1));
        entries.extend(batch.entries().map(|(_, entry)| entry.to_vec()));
        Ok(Recorded {
            first_index,
            count: batch.len() as u64,
            indexes: None,
            recorded: RecordedTime(1),
            receipt: Arc::from(""),
        })
    }
}

impl Recorder for MemoryLog {
    fn record(&self, batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>> {
        Box::pin(async move {
            let delay = self.delay_ms.load(Ordering::SeqCst);
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            self.take(&batch)
        })
    }
}

impl EntryReader for MemoryLog {
    fn size(&self) -> u64 {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn read(&self, first: EntryIndex, max_entries: usize, _max_bytes: usize) -> Result<Entries, ReadError> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = Entries::starting_at(first);
        let skip = usize::try_from(first.0).unwrap_or(usize::MAX);
        entries.iter().skip(skip).take(max_entries).for_each(|entry| read.push(entry));
        Ok(read)
    }
}

/// A vault in memory. The commitment of a content is its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryVault(Arc<VaultState>);

type Kept = (ContentAbout, Vec<u8>);

#[derive(Debug, Default)]
struct VaultState {
    contents: Mutex<BTreeMap<[u8; 32], Kept>>,
    numbers: AtomicU64,
    mood: Mutex<VaultMood>,
}

/// Where the vault fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum VaultMood {
    #[default]
    Fine,
    FullAtBegin,
    FullAtWrite,
    FullWhenDurable,
}

impl MemoryVault {
    pub(crate) fn set(&self, mood: VaultMood) {
        *self.0.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    fn mood(&self) -> VaultMood {
        *self.0.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All contents in the order in which they were begun.
    pub(crate) fn contents(&self) -> Vec<(ContentAbout, Vec<u8>)> {
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Vault for MemoryVault {
    fn begin(&self, about: ContentAbout) -> Result<Box<dyn ContentWriter>, VaultError> {
        if self.mood() == VaultMood::FullAtBegin {
            return Err(VaultError::Full);
        }
        let number = self.0.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        let mut commitment = [0; 32];
        commitment[..8].copy_from_slice(&number.to_be_bytes());
        Ok(Box::new(MemoryWriter { vault: self.clone(), about, commitment, content: Vec::new() }))
    }
}

struct MemoryWriter {
    vault: MemoryVault,
    about: ContentAbout,
    commitment: [u8; 32],
    content: Vec<u8>,
}

impl fmt::Debug for MemoryWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryWriter").finish_non_exhaustive()
    }
}

impl ContentWriter for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        if self.vault.mood() == VaultMood::FullAtWrite {
            return Err(VaultError::Full);
        }
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<SealedContent, VaultError> {
        let bytes = self.content.len() as u64;
        let fails = self.vault.mood() == VaultMood::FullWhenDurable;
        let mut contents = self.vault.0.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.insert(self.commitment, (self.about, self.content));
        drop(contents);
        Ok(SealedContent {
            commitment: Commitment(self.commitment),
            bytes,
            durable: Box::pin(async move { if fails { Err(VaultError::Full) } else { Ok(()) } }),
        })
    }
}
