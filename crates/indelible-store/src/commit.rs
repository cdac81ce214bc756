//! Group commit: many requests' batches become one journal record and share one sync.
//!
//! Promises: a batch is recorded whole or not at all; an id that the log remembers is never recorded twice; `recorded` never
//! decreases. Never: answers before the sync. This is plain, single-threaded code: the thread around it is in `handle`.

use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use indelible_event::batch::{EntrySlot, EventBatch, same_content};
use indelible_event::doors::{Conflict, EntryIndex, EntryReader, ReadError, RecordError};
use indelible_event::env::Clock;
use indelible_event::time::RecordedTime;
use indelible_tlog::hash::{Hash, leaf_hashes};
use indelible_tlog::tree::root_of;

use crate::ids::Ids;
use crate::journal::{FRAME_BYTES, Journal, JournalError, PAYLOAD_BYTES_MAX};

/// Bytes of entries that one record takes together; a single larger batch still gets one of its own.
pub const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most bytes of one batch with its framing: it is one record, whole or not at all.
pub const BATCH_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - GROUP_BYTES_MAX - 1024 * 1024;

/// Entries and bytes read at once to compare repeated ids, and how far apart they may stand for that.
const COMPARE_ENTRIES: u64 = 4_096;
const COMPARE_BYTES: usize = 4 * 1024 * 1024;
const COMPARE_GAP: u64 = 256;
/// What a request is told while the ids in memory cannot be moved to the disk.
const RETRY_AFTER_MS: u64 = 1_000;

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

    /// Whether a disk that was full has room again for more than the last segment holds.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.journal.has_room()
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
        if self.ids.is_full() {
            let busy = || Err(RecordError::Busy { retry_after_ms: RETRY_AFTER_MS });
            return batches.iter().map(|_| busy()).collect();
        }
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
        let unanswered =
            || Err(RecordError::Stopped { log: self.log.clone(), reason: "no answer was made".to_owned() });
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    /// Decides for each event of a batch whether it is new, known, or in conflict. Leaves no trace in `group_ids` unless the
    /// batch joins.
    fn plan(&self, request: usize, batch: &EventBatch, group_ids: &mut GroupIds) -> Plan {
        let bytes = batch.byte_len() + batch.len() * FRAME_BYTES;
        if bytes > BATCH_BYTES_MAX {
            return Plan::Refuse(RecordError::TooLarge { bytes, max: BATCH_BYTES_MAX });
        }
        let entries: Vec<(&EntrySlot, &[u8])> = batch.entries().collect();
        let mut places = Vec::with_capacity(batch.len());
        let mut known = Vec::new();
        let mut conflicts = Vec::new();
        let mut outcome = None;
        for (position, (slot, entry)) in entries.iter().enumerate() {
            let free = match group_ids.entry(slot.id.0) {
                Entry::Occupied(held) if held.get().0 != request => {
                    outcome = Some(Plan::Wait);
                    break;
                }
                Entry::Occupied(held) => {
                    let earlier = held.get().1;
                    if !same_content(entry, usize::from(slot.recorded_at), entries[earlier].1) {
                        conflicts.push(Conflict { position, id: slot.id, index: None });
                    }
                    places.push(Place::SameAs(earlier));
                    continue;
                }
                Entry::Vacant(free) => free,
            };
            match self.ids.find(&slot.id.0) {
                Ok(None) => {
                    free.insert((request, position));
                    places.push(Place::New);
                }
                // nobody has to wait for one that is durable already
                Ok(Some(index)) => {
                    known.push((index, position));
                    places.push(Place::Known(index));
                }
                Err(error) => {
                    outcome = Some(self.refuse(error.to_string()));
                    break;
                }
            }
        }
        if outcome.is_none() && !known.is_empty() {
            outcome = self.compare(&entries, known, &mut conflicts).err().map(|error| self.refuse(error.to_string()));
        }
        if outcome.is_none() && !conflicts.is_empty() {
            conflicts.sort_by_key(|conflict| conflict.position);
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

    fn refuse(&self, reason: String) -> Plan {
        Plan::Refuse(RecordError::Stopped { log: self.log.clone(), reason })
    }

    /// Compares events whose ids stand in the log (index, position in the batch) with what stands there. In the order of the
    /// log and many at a time, so that a request repeated as a whole costs no more than reading it once.
    fn compare(
        &self,
        entries: &[(&EntrySlot, &[u8])],
        mut known: Vec<(u64, usize)>,
        conflicts: &mut Vec<Conflict>,
    ) -> Result<(), ReadError> {
        known.sort_unstable();
        let mut rest = &known[..];
        while let Some((first, _)) = rest.first() {
            let near =
                |pair: &[(u64, usize)]| pair[1].0 - pair[0].0 <= COMPARE_GAP && pair[1].0 - first < COMPARE_ENTRIES;
            let together = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
            let (now, later) = rest.split_at(together);
            let count = now.last().map_or(1, |(last, _)| last - first + 1);
            let read = self.entries.read(EntryIndex(*first), usize::try_from(count).unwrap_or(1), COMPARE_BYTES)?;
            let mut stored = read.iter().peekable();
            let mut compared = 0;
            for (index, position) in now {
                if *index >= read.next_index().0 {
                    break;
                }
                while stored.next_if(|(at, _)| at.0 < *index).is_some() {}
                let (slot, entry) = entries[*position];
                let same = |(_, stored): (_, &[u8])| same_content(entry, usize::from(slot.recorded_at), stored);
                if !stored.peek().copied().is_some_and(same) {
                    conflicts.push(Conflict { position: *position, id: slot.id, index: Some(EntryIndex(*index)) });
                }
                compared += 1;
            }
            if compared == 0 {
                return Err(ReadError::Beyond { index: EntryIndex(*first), size: self.entries.size() });
            }
            rest = if compared == now.len() { later } else { &rest[compared..] };
        }
        Ok(())
    }

    fn commit_group(&mut self, mut group: Vec<Planned>, answers: &mut [Option<Result<Committed, RecordError>>]) {
        let recorded = RecordedTime(self.clock.now().0.max(self.journal.last_recorded()));
        self.journal.begin();
        let mut leaves: Vec<Vec<Hash>> = Vec::with_capacity(group.len());
        for planned in &mut group {
            planned.batch.stamp(recorded);
            let new: Vec<(&EntrySlot, &[u8])> = planned
                .batch
                .entries()
                .zip(&planned.places)
                .filter_map(|(entry, place)| (*place == Place::New).then_some(entry))
                .collect();
            let hashes = leaf_hashes(&new.iter().map(|(_, entry)| *entry).collect::<Vec<_>>());
            for ((slot, entry), leaf) in new.iter().zip(&hashes) {
                let framed = self.journal.frame(&slot.id.0, leaf, entry);
                assert!(framed, "`plan` lets no batch into the group that does not fit a record");
            }
            leaves.push(hashes);
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
        let first_index =
            if leaves.is_empty() { indexes.first().map_or(first_new, |index| index.0) } else { first_new };
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
