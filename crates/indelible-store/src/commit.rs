//! Group commit: many requests' batches become one journal record and share one sync.
//!
//! Promises: a batch is recorded whole or not at all; an id that the log remembers is never recorded twice; `recorded` never
//! decreases. Never: answers before the sync. This is plain, single-threaded code: the thread around it is in `worker`.

use std::sync::Arc;

use hashbrown::HashMap;
use indelible_event::batch::{EventBatch, same_content};
use indelible_event::doors::{Conflict, EntryIndex, EntryReader, RecordError};
use indelible_event::env::Clock;
use indelible_event::time::RecordedTime;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::tree::root_of;

use crate::ids::Ids;
use crate::journal::{FRAME_BYTES, Journal, JournalError, PAYLOAD_BYTES_MAX};

/// Bytes of entries that one record takes together; a single larger batch still gets one of its own.
pub const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most bytes of one batch with its framing: it is one record, whole or not at all.
pub const BATCH_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - GROUP_BYTES_MAX - 1024 * 1024;

/// What became of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Index of the first entry added; where none was added, of the first event already there.
    pub first_index: u64,
    /// How many entries were added.
    pub count: u64,
    /// Every event's index, when some were known before.
    pub indexes: Option<Vec<EntryIndex>>,
    /// When they were recorded.
    pub recorded: RecordedTime,
    /// Root of the added entries' leaf hashes.
    pub root: Hash,
}

/// What a slot of a batch turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    New,
    Known(u64),
    /// The same event again, further up in the same batch.
    SameAs(usize),
}

/// A batch that is to be part of the record.
struct Planned {
    request: usize,
    batch: EventBatch,
    places: Vec<Place>,
}

enum Plan {
    Join(Vec<Place>),
    /// Another batch of this group carries one of its ids: decide when that one is durable.
    Wait,
    Refuse(RecordError),
}

type GroupIds = HashMap<[u8; 16], (usize, usize)>;

/// The single writer of a log.
pub struct Committer {
    log: String,
    journal: Journal,
    ids: Ids,
    entries: Arc<dyn EntryReader>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer").field("log", &self.log).field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl Committer {
    /// `entries` reads what is already durable, to compare repeated ids.
    #[must_use]
    pub fn new(log: &str, journal: Journal, ids: Ids, entries: Arc<dyn EntryReader>, clock: Arc<dyn Clock>) -> Self {
        Self { log: log.to_owned(), journal, ids, entries, clock }
    }

    /// Why nothing can be recorded any more, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.journal.stopped()
    }

    /// How many entries are durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.journal.next_index()
    }

    /// Removes journal segments that nobody needs before `index`.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn trim(&mut self, index: u64) -> Result<(), JournalError> {
        self.ids.release();
        self.journal.trim(index)
    }

    /// Records batches; the answers come in the same order.
    pub fn commit(&mut self, batches: Vec<EventBatch>) -> Vec<Result<Committed, RecordError>> {
        let mut answers: Vec<Option<Result<Committed, RecordError>>> = batches.iter().map(|_| None).collect();
        let mut waiting: Vec<(usize, EventBatch)> = batches.into_iter().enumerate().collect();
        // each round settles at least its first batch, so this ends
        while !waiting.is_empty() {
            let mut group: Vec<Planned> = Vec::new();
            let mut group_ids = GroupIds::new();
            let mut group_bytes = 0;
            let mut later = Vec::new();
            for (request, batch) in waiting {
                let fits = group.is_empty() || group_bytes + batch.byte_len() <= GROUP_BYTES_MAX;
                let plan = if fits { self.plan(request, &batch, &mut group_ids) } else { Plan::Wait };
                match plan {
                    Plan::Join(places) => {
                        group_bytes += batch.byte_len();
                        group.push(Planned { request, batch, places });
                    }
                    Plan::Wait => later.push((request, batch)),
                    Plan::Refuse(error) => answers[request] = Some(Err(error)),
                }
            }
            waiting = later;
            self.commit_group(group, &mut answers);
        }
        let unanswered = || Err(RecordError::Stopped { log: self.log.clone(), reason: "no answer was made".to_owned() });
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    /// Decides for each event of a batch whether it is new, known, or in conflict. Leaves no trace in `group_ids` unless the
    /// batch joins.
    fn plan(&self, request: usize, batch: &EventBatch, group_ids: &mut GroupIds) -> Plan {
        let bytes = batch.byte_len() + batch.len() * FRAME_BYTES;
        if bytes > BATCH_BYTES_MAX {
            return Plan::Refuse(RecordError::TooLarge { bytes, max: BATCH_BYTES_MAX });
        }
        let mut places = Vec::with_capacity(batch.len());
        let mut conflicts = Vec::new();
        let mut entries: Vec<&[u8]> = Vec::with_capacity(batch.len());
        let mut outcome = None;
        for (position, (slot, entry)) in batch.entries().enumerate() {
            entries.push(entry);
            let recorded_at = usize::from(slot.recorded_at);
            match group_ids.get(&slot.id.0) {
                Some((other, _)) if *other != request => {
                    outcome = Some(Plan::Wait);
                    break;
                }
                Some((_, earlier)) => {
                    if !same_content(entry, recorded_at, entries[*earlier]) {
                        conflicts.push(Conflict { position, id: slot.id, index: None });
                    }
                    places.push(match places[*earlier] {
                        Place::New => Place::SameAs(*earlier),
                        known => known,
                    });
                    continue;
                }
                None => {
                    group_ids.insert(slot.id.0, (request, position));
                }
            }
            match self.look_up(&slot.id.0, entry, recorded_at) {
                Ok(None) => places.push(Place::New),
                Ok(Some((index, same))) => {
                    places.push(Place::Known(index));
                    if !same {
                        conflicts.push(Conflict { position, id: slot.id, index: Some(EntryIndex(index)) });
                    }
                }
                Err(reason) => {
                    outcome = Some(Plan::Refuse(RecordError::Stopped { log: self.log.clone(), reason }));
                    break;
                }
            }
        }
        if outcome.is_none() && !conflicts.is_empty() {
            outcome = Some(Plan::Refuse(RecordError::Conflict(conflicts)));
        }
        let Some(outcome) = outcome else { return Plan::Join(places) };
        for (slot, _) in batch.entries() {
            if group_ids.get(&slot.id.0).is_some_and(|(holder, _)| *holder == request) {
                group_ids.remove(&slot.id.0);
            }
        }
        outcome
    }

    /// Where an id stands in the log, and whether the event there says the same.
    fn look_up(&self, id: &[u8; 16], entry: &[u8], recorded_at: usize) -> Result<Option<(u64, bool)>, String> {
        let Some(index) = self.ids.find(id).map_err(|error| error.to_string())? else { return Ok(None) };
        let stored = self.entries.read(EntryIndex(index), 1, 0).map_err(|error| error.to_string())?;
        let same = stored.iter().next().is_some_and(|(_, stored)| same_content(entry, recorded_at, stored));
        Ok(Some((index, same)))
    }

    fn commit_group(&mut self, mut group: Vec<Planned>, answers: &mut [Option<Result<Committed, RecordError>>]) {
        let recorded = RecordedTime(self.clock.now().0.max(self.journal.last_recorded()));
        self.journal.begin();
        let mut leaves: Vec<Vec<Hash>> = Vec::with_capacity(group.len());
        for planned in &mut group {
            planned.batch.stamp(recorded);
            let mut new = Vec::with_capacity(planned.places.len());
            for ((slot, entry), place) in planned.batch.entries().zip(&planned.places) {
                if *place == Place::New {
                    let leaf = leaf_hash(entry);
                    new.push(leaf);
                    let framed = self.journal.frame(&slot.id.0, &leaf, entry);
                    assert!(framed, "`plan` lets no batch into the group that does not fit a record");
                }
            }
            leaves.push(new);
        }
        let appended = match self.journal.commit(recorded.0) {
            Ok(appended) => appended,
            Err(error) => {
                let error = self.refusal(&error);
                for planned in &group {
                    answers[planned.request] = Some(Err(error.clone()));
                }
                return;
            }
        };
        let mut next = appended.first_index;
        for (planned, leaves) in group.iter().zip(&leaves) {
            let committed = self.settle(planned, leaves, next, recorded);
            next += committed.count;
            answers[planned.request] = Some(Ok(committed));
        }
        self.ids.release();
    }

    /// Gives a durable batch its indexes and remembers its ids.
    fn settle(&mut self, planned: &Planned, leaves: &[Hash], first_new: u64, recorded: RecordedTime) -> Committed {
        let mut next = first_new;
        let mut indexes = Vec::with_capacity(planned.places.len());
        for ((slot, _), place) in planned.batch.entries().zip(&planned.places) {
            let index = match place {
                Place::New => {
                    self.ids.insert(slot.id.0, next);
                    next += 1;
                    next - 1
                }
                Place::Known(index) => *index,
                Place::SameAs(earlier) => indexes.get(*earlier).map_or(next, |index: &EntryIndex| index.0),
            };
            indexes.push(EntryIndex(index));
        }
        let all_new = planned.places.iter().all(|place| *place == Place::New);
        let first_index = if leaves.is_empty() { indexes.first().map_or(first_new, |index| index.0) } else { first_new };
        Committed {
            first_index,
            count: leaves.len() as u64,
            indexes: (!all_new).then_some(indexes),
            recorded,
            root: root_of(leaves),
        }
    }

    fn refusal(&self, error: &JournalError) -> RecordError {
        match error {
            JournalError::Full { .. } => RecordError::Full,
            other => {
                let reason = self.journal.stopped().map_or_else(|| other.to_string(), str::to_owned);
                RecordError::Stopped { log: self.log.clone(), reason }
            }
        }
    }
}
