//! Events of gateways are numbered (`source.seq`, for each gateway from 1, going on over starts), so that one that is missing
//! shows. A way into the log that stands before another one: all events go in a line, and those that wait go in as one batch.
//!
//! Promises: a number is used up only by an event that is durable, and events become durable in the order of their numbers,
//! whatever fails and however many come at once; the numbers are known to whoever waited before anything follows from it. Never:
//! numbers an event twice, or one of a source that numbers its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indelible_event::batch::EventBatch;
use indelible_event::doors::{BoxFuture, EntryIndex, RecordError, Recorded, Recorder};
use indelible_event::number::NumberPlace;
use tokio::sync::{mpsc, oneshot};

/// Batches that may stand in line; who comes then waits before it.
const LINE_MAX: usize = 1_024;
/// Most batches, and about how many bytes, recorded at once.
const JOINED_MAX: usize = 256;
const JOINED_BYTES: usize = 4 * 1024 * 1024;
/// Most sources that are numbered: more than there can be gateways. Events of further ones pass without numbers.
const SOURCES_MAX: usize = 1_024;

/// The last number of each gateway's source. Shared with who keeps them over a restart.
#[derive(Debug, Default)]
pub struct Numbers(Mutex<BTreeMap<String, Last>>);

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    at: Instant,
}

impl Numbers {
    /// The source has reached this number: as the log says, or who kept it.
    pub fn at_least(&self, source: &str, number: u64) {
        let mut sources = self.lock();
        let room = sources.len() < SOURCES_MAX;
        match sources.get_mut(source) {
            Some(last) => last.number = last.number.max(number),
            None if room => drop(sources.insert(source.to_owned(), Last { number, at: Instant::now() })),
            None => {}
        }
    }

    /// Each source with its last number. To be kept together with a low-water mark that was read *before*: an event that is not
    /// counted here then stands behind the mark.
    #[must_use]
    pub fn all(&self) -> Vec<(String, u64)> {
        self.lock().iter().map(|(source, last)| (source.clone(), last.number)).collect()
    }

    /// How long ago the last event of a source became durable; `None` when none did in this run.
    #[must_use]
    pub fn quiet_for(&self, source: &str) -> Option<Duration> {
        self.lock().get(source).map(|last| last.at.elapsed())
    }

    fn next(&self, source: &str) -> Option<u64> {
        let sources = self.lock();
        match sources.get(source) {
            Some(last) => last.number.checked_add(1),
            None => (sources.len() < SOURCES_MAX).then_some(1),
        }
    }

    fn used(&self, used: BTreeMap<String, u64>) {
        let at = Instant::now();
        self.lock().extend(used.into_iter().map(|(source, number)| (source, Last { number, at })));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recorder that numbers what has no number yet.
pub struct NumberedRecorder {
    inner: Arc<dyn Recorder>,
    numbers: Arc<Numbers>,
    line: OnceLock<mpsc::Sender<Waiting>>,
}

/// Events that wait for their numbers, and who waits for them to be durable.
struct Waiting {
    batch: EventBatch,
    answer: oneshot::Sender<Result<Recorded, RecordError>>,
}

impl std::fmt::Debug for NumberedRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NumberedRecorder").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

impl NumberedRecorder {
    /// Stands before `inner`, and goes on from `numbers`.
    #[must_use]
    pub fn new(inner: Arc<dyn Recorder>, numbers: Arc<Numbers>) -> Self {
        Self { inner, numbers, line: OnceLock::new() }
    }

    /// The line; its task is started by who comes first, for only then there is a runtime for certain.
    fn line(&self) -> &mpsc::Sender<Waiting> {
        self.line.get_or_init(|| {
            let (line, comers) = mpsc::channel(LINE_MAX);
            let writer = Writer { inner: Arc::clone(&self.inner), numbers: Arc::clone(&self.numbers) };
            drop(tokio::spawn(writer.run(comers)));
            line
        })
    }
}

impl Recorder for NumberedRecorder {
    fn record(&self, batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>> {
        Box::pin(async move {
            let gone = || RecordError::Stopped {
                log: "of the gateways".to_owned(),
                reason: "the line of their events has ended".to_owned(),
            };
            let (answer, answered) = oneshot::channel();
            self.line().send(Waiting { batch, answer }).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        })
    }
}

struct Writer {
    inner: Arc<dyn Recorder>,
    numbers: Arc<Numbers>,
}

impl Writer {
    async fn run(self, mut comers: mpsc::Receiver<Waiting>) {
        let mut waiting = Vec::with_capacity(JOINED_MAX);
        while comers.recv_many(&mut waiting, JOINED_MAX).await > 0 {
            let mut rest = std::mem::take(&mut waiting);
            while !rest.is_empty() {
                let after = rest.split_off(fitting(&rest));
                self.write(rest).await;
                rest = after;
            }
        }
    }

    /// Records what has come together. When some of it cannot be recorded at all, each is tried for itself: nobody is refused for
    /// another's event.
    async fn write(&self, waiting: Vec<Waiting>) {
        let (batch, used) = self.join(&waiting);
        match self.inner.record(batch).await {
            Ok(recorded) => {
                self.numbers.used(used);
                let mut done = 0;
                for Waiting { batch, answer } in waiting {
                    answered(answer, Ok(part(&recorded, done, batch.len())));
                    done += batch.len();
                }
            }
            Err(RecordError::Conflict(_) | RecordError::TooLarge { .. }) if waiting.len() > 1 => {
                for one in waiting {
                    Box::pin(self.write(vec![one])).await;
                }
            }
            Err(error) => waiting.into_iter().for_each(|Waiting { answer, .. }| answered(answer, Err(error.clone()))),
        }
    }

    /// All events in one batch with their numbers, and the last number of each source then.
    fn join(&self, waiting: &[Waiting]) -> (EventBatch, BTreeMap<String, u64>) {
        let mut joined = EventBatch::new();
        let mut used: BTreeMap<String, u64> = BTreeMap::new();
        for (slot, entry) in waiting.iter().flat_map(|waiting| waiting.batch.entries()) {
            let place = NumberPlace::find(entry);
            let numbered = place.and_then(|place| {
                let source = text(place.source)?;
                let next = match used.get(&source) {
                    Some(last) => last.checked_add(1)?,
                    None => self.numbers.next(&source)?,
                };
                joined.push_numbered(slot, entry, &place, next).ok()?;
                used.insert(source, next);
                Some(())
            });
            // an event that is too long with a number passes without
            if numbered.is_none()
                && let Err(error) = joined.push_copy(slot, entry)
            {
                tracing::error!(%error, "an event of a gateway does not fit into a batch");
            }
        }
        (joined, used)
    }
}

/// How many of those that wait go in at once; at least one.
fn fitting(waiting: &[Waiting]) -> usize {
    let mut bytes = 0usize;
    let fits = |waiting: &&Waiting| {
        bytes = bytes.saturating_add(waiting.batch.byte_len());
        bytes <= JOINED_BYTES
    };
    waiting.iter().take_while(fits).count().max(1)
}

/// What was recorded of one batch that went in with others: `count` events after `before` ones.
fn part(recorded: &Recorded, before: usize, count: usize) -> Recorded {
    let of_part = |indexes: &Vec<EntryIndex>| indexes.get(before..before + count).unwrap_or_default().to_vec();
    let indexes = recorded.indexes.as_ref().map(of_part);
    let first = indexes.as_ref().and_then(|indexes| indexes.first()).copied();
    let own =
        |index: &&EntryIndex| index.0.checked_sub(recorded.first_index.0).is_some_and(|place| place < recorded.count);
    let added = indexes.as_ref().map_or(count, |indexes| indexes.iter().filter(own).count());
    Recorded {
        first_index: first.unwrap_or(EntryIndex(recorded.first_index.0.saturating_add(before as u64))),
        count: added as u64,
        indexes,
        recorded: recorded.recorded,
        receipt: Arc::clone(&recorded.receipt),
    }
}

fn answered(answer: oneshot::Sender<Result<Recorded, RecordError>>, said: Result<Recorded, RecordError>) {
    if answer.send(said).is_err() {
        tracing::trace!("who recorded an event has gone; it stands");
    }
}

/// A JSON text read.
fn text(json: &[u8]) -> Option<String> {
    serde_json::from_slice(json).ok()
}

/// The number of an event of a gateway that was read from the log.
pub(crate) fn number_of(view: &indelible_event::view::EventView<'_>) -> Option<(String, u64)> {
    Some((view.source.id.as_deref()?.to_owned(), view.source.seq?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use indelible_event::id::EventId;
    use indelible_event::prepare::{Defaults, prepare};
    use indelible_event::time::RecordedTime;
    use indelible_event::view::EventView;

    use super::*;

    /// A log that takes about two batches of three.
    #[derive(Default)]
    struct Moody {
        entries: Mutex<Vec<Vec<u8>>>,
        asked: AtomicU64,
    }

    impl Recorder for Moody {
        fn record(&self, batch: EventBatch) -> BoxFuture<'_, Result<Recorded, RecordError>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                let error = match self.asked.fetch_add(1, Ordering::Relaxed) % 9 {
                    2 => Some(RecordError::Busy { retry_after_ms: 1 }),
                    5 => Some(RecordError::Full),
                    7 if batch.len() > 1 => Some(RecordError::TooLarge { bytes: 2, max: 1 }),
                    _ => None,
                };
                if let Some(error) = error {
                    return Err(error);
                }
                let mut entries = self.entries.lock().unwrap();
                let first_index = EntryIndex(entries.len() as u64);
                entries.extend(batch.entries().map(|(_, entry)| entry.to_vec()));
                let (count, recorded) = (batch.len() as u64, RecordedTime(0));
                Ok(Recorded { first_index, count, indexes: None, recorded, receipt: Arc::from("") })
            })
        }
    }

    fn batch(sources: &[&str], id: u64) -> EventBatch {
        let mut batch = EventBatch::new();
        for (place, source) in (0u8..).zip(sources) {
            let json = r#"{"time":"2026-11-23T10:15:30Z","actor":{"id":"a","type":"agent"},"action":"infer","outcome":{"result":"allowed"}}"#;
            let defaults = Defaults { source_id: source, source_kind: "gateway" };
            prepare(json.as_bytes(), &defaults, &mut || EventId::version_7(id, [place; 10]), &mut batch).unwrap();
        }
        batch
    }

    /// The numbers of each source, in the order of the log.
    fn numbers(log: &Moody) -> BTreeMap<String, Vec<u64>> {
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for entry in log.entries.lock().unwrap().iter() {
            let view = EventView::parse(entry).unwrap();
            found.entry(view.source.id.as_deref().unwrap().to_owned()).or_default().push(view.source.seq.unwrap());
        }
        found
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn numbers_have_no_gap_and_no_repeat_however_many_record_at_once_and_whatever_fails() {
        let log = Arc::new(Moody::default());
        let counted = Arc::new(Numbers::default());
        counted.at_least("gateway/b", 41);
        let recorder = Arc::new(NumberedRecorder::new(Arc::clone(&log) as _, Arc::clone(&counted)));
        let tasks = (0..400u64).map(|n| {
            let (recorder, log) = (Arc::clone(&recorder), Arc::clone(&log));
            tokio::spawn(async move {
                let sources = [&["gateway/a"][..], &["gateway/b"], &["gateway/a", "gateway/b", "gateway/a"]];
                let batch = batch(sources[usize::try_from(n % 3).unwrap()], n);
                // one in five goes away before its answer
                if n % 5 == 4 {
                    let gone = tokio::time::timeout(Duration::ZERO, recorder.record(batch)).await;
                    return usize::from(matches!(gone, Ok(Ok(_))));
                }
                match recorder.record(batch.clone()).await {
                    Ok(recorded) => {
                        assert_eq!(recorded.count, batch.len() as u64);
                        let entries = log.entries.lock().unwrap();
                        let first = usize::try_from(recorded.first_index.0).unwrap();
                        for ((slot, _), entry) in batch.entries().zip(&entries[first..]) {
                            assert_eq!(EventView::parse(entry).unwrap().event_id(), Some(slot.id));
                        }
                        batch.len()
                    }
                    Err(_) => 0,
                }
            })
        });
        let mut recorded = 0;
        for task in tasks.collect::<Vec<_>>() {
            recorded += task.await.unwrap();
        }
        // behind it stands whatever was given up
        while recorder.record(batch(&["gateway/c"], 1_000)).await.is_err() {}
        let found = numbers(&log);
        let (a, b) = (&found["gateway/a"], &found["gateway/b"]);
        assert!(a.len() + b.len() >= recorded && recorded > 100, "{} {} {recorded}", a.len(), b.len());
        assert_eq!(*a, (1..=a.len() as u64).collect::<Vec<_>>());
        assert_eq!(*b, (42..42 + b.len() as u64).collect::<Vec<_>>());
        let last = |source: &str| counted.all().iter().find(|(name, _)| name == source).unwrap().1;
        assert_eq!((last("gateway/a"), last("gateway/b")), (a.len() as u64, 41 + b.len() as u64));
        assert!(counted.quiet_for("gateway/a").is_some() && counted.quiet_for("gateway/d").is_none());
    }
}
