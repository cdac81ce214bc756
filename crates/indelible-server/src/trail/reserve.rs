//! A reserve for the trail: a file with room taken in advance, for the server's own events while the disk is full. So reads go
//! on and are still on record before they are answered; when there is room again the events move into their logs.
//!
//! Layout, little-endian: records one after the other from the file's start, `u32` length of what follows, `u32` CRC32C of
//! it, then `u16` length of the log's name, the name, the event's id (16 bytes), `u16` place of the `recorded` slot, the
//! canonical event. A length of 0, or a record that is not whole, is the end. A crash while events move leaves them here and
//! in the log; they are recorded again under the same ids, which the log knows. Never: events of clients.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indelible_event::batch::EventBatch;
use indelible_event::id::EventId;

/// Room taken in advance: some 6,000 events of the server's own.
pub(crate) const RESERVE_BYTES: u64 = 4 * 1024 * 1024;
/// Length and checksum before each record.
const HEAD_BYTES: usize = 8;

/// The reserve.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    end: u64,
}

/// An event that waits in the reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The log it belongs to.
    pub(crate) log: String,
    /// The event.
    pub(crate) batch: EventBatch,
}

/// Why the reserve took no event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReserveError {
    /// It is full as well.
    #[error("the reserve of the trail is full; make room on the disk")]
    Full,
    /// It cannot be read or written.
    #[error("the reserve of the trail, {}, cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Reserve {
    /// Opens the file, or makes it (mode 0600) and takes `room` bytes on the disk for it.
    pub(crate) fn open(path: &Path, room: u64) -> Result<Self, ReserveError> {
        let fail = |source| ReserveError::File { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(fail)?;
        if file.metadata().map_err(fail)?.len() < room {
            // Without room now there is no reserve; the file is then only as long as it was.
            if let Err(error) = take_room(&file, room) {
                tracing::warn!(%error, "no room for the reserve of the trail: reads stop while the disk is full");
            }
        }
        let reserve = Self { path: path.to_owned(), state: Mutex::new(State { file, end: 0 }) };
        let end = reserve.read()?.1;
        reserve.state().end = end;
        Ok(reserve)
    }

    /// Makes one event durable here. Blocks on the disk.
    pub(crate) fn keep(&self, log: &str, batch: &EventBatch) -> Result<(), ReserveError> {
        let mut records = Vec::new();
        for (slot, entry) in batch.entries() {
            push_record(&mut records, log, slot.id, slot.recorded_at, entry);
        }
        let mut state = self.state();
        let after = state.end + records.len() as u64;
        let room = state.file.metadata().map_err(|source| self.error(source))?.len();
        // The next length must fit as well, so that the end stays marked.
        if after + HEAD_BYTES as u64 > room {
            return Err(ReserveError::Full);
        }
        records.extend_from_slice(&[0; HEAD_BYTES]);
        state.file.write_all_at(&records, state.end).map_err(|source| self.error(source))?;
        state.file.sync_data().map_err(|source| self.error(source))?;
        state.end = after;
        Ok(())
    }

    /// The events that wait, in order, and the mark up to which they reach.
    pub(crate) fn waiting(&self) -> Result<(Vec<Waiting>, u64), ReserveError> {
        if self.is_empty() { Ok((Vec::new(), 0)) } else { self.read() }
    }

    /// Whether no event waits. Touches memory only.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().end == 0
    }

    /// Forgets the events up to `mark`, which are in their logs now. If others came meanwhile, all stay and are recorded again.
    pub(crate) fn forget(&self, mark: u64) -> Result<(), ReserveError> {
        let mut state = self.state();
        if state.end != mark {
            return Ok(());
        }
        state.file.write_all_at(&[0; HEAD_BYTES], 0).map_err(|source| self.error(source))?;
        state.file.sync_data().map_err(|source| self.error(source))?;
        state.end = 0;
        Ok(())
    }

    fn read(&self) -> Result<(Vec<Waiting>, u64), ReserveError> {
        let state = self.state();
        let length = state.file.metadata().map_err(|source| self.error(source))?.len();
        let mut bytes = vec![0; usize::try_from(length.min(RESERVE_BYTES)).unwrap_or(0)];
        state.file.read_exact_at(&mut bytes, 0).map_err(|source| self.error(source))?;
        let mut rest = bytes.as_slice();
        let mut waiting = Vec::new();
        while let Some((one, after)) = read_record(rest) {
            waiting.push(one);
            rest = after;
        }
        Ok((waiting, (bytes.len() - rest.len()) as u64))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, source: io::Error) -> ReserveError {
        ReserveError::File { path: self.path.clone(), source }
    }
}

fn take_room(file: &File, room: u64) -> io::Result<()> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, room)?;
    file.sync_all()
}

fn push_record(records: &mut Vec<u8>, log: &str, id: EventId, recorded_at: u16, entry: &[u8]) {
    let mut body = Vec::with_capacity(entry.len() + log.len() + 20);
    body.extend_from_slice(&u16::try_from(log.len()).unwrap_or(0).to_le_bytes());
    body.extend_from_slice(log.as_bytes());
    body.extend_from_slice(&id.0);
    body.extend_from_slice(&recorded_at.to_le_bytes());
    body.extend_from_slice(entry);
    records.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    records.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    records.extend_from_slice(&body);
}

/// The first record and what follows it; `None` at the end.
fn read_record(bytes: &[u8]) -> Option<(Waiting, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length > 0)?;
    let (body, after) = rest.split_at_checked(length)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (name, body) = body.split_first_chunk::<2>()?;
    let (log, body) = body.split_at_checked(usize::from(u16::from_le_bytes(*name)))?;
    let (id, body) = body.split_first_chunk::<16>()?;
    let (recorded_at, entry) = body.split_first_chunk::<2>()?;
    let recorded_at = usize::from(u16::from_le_bytes(*recorded_at));
    let mut batch = EventBatch::new();
    let write = |bytes: &mut Vec<u8>| {
        let start = bytes.len();
        bytes.extend_from_slice(entry);
        start + recorded_at
    };
    batch.push(EventId(*id), write).ok()?;
    Some((Waiting { log: String::from_utf8(log.to_vec()).ok()?, batch }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u8) -> EventBatch {
        let mut batch = EventBatch::new();
        let entry = [vec![number; 40], vec![b'0'; 40]].concat();
        let write = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(&entry);
            45
        };
        batch.push(EventId([number; 16]), write).unwrap();
        batch
    }

    fn waiting(reserve: &Reserve) -> Vec<(String, EventBatch)> {
        reserve.waiting().unwrap().0.into_iter().map(|one| (one.log, one.batch)).collect()
    }

    #[test]
    fn events_wait_in_order_over_a_restart_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.reserve");
        let reserve = Reserve::open(&path, 64 * 1024).unwrap();
        assert!(reserve.is_empty());
        reserve.keep("main", &batch(1)).unwrap();
        reserve.keep("other", &batch(2)).unwrap();
        drop(reserve);
        let reserve = Reserve::open(&path, 64 * 1024).unwrap();
        assert_eq!(waiting(&reserve), [("main".to_owned(), batch(1)), ("other".to_owned(), batch(2))]);
        let mark = reserve.waiting().unwrap().1;
        reserve.keep("main", &batch(3)).unwrap();
        reserve.forget(mark).unwrap();
        assert_eq!(waiting(&reserve).len(), 3, "one came meanwhile: all stay");
        reserve.forget(reserve.waiting().unwrap().1).unwrap();
        assert!(reserve.is_empty());
        drop(reserve);
        let reserve = Reserve::open(&path, 64 * 1024).unwrap();
        assert_eq!(waiting(&reserve), []);
        reserve.keep("main", &batch(4)).unwrap();
        assert_eq!(waiting(&reserve), [("main".to_owned(), batch(4))]);
    }

    #[test]
    fn a_torn_record_is_the_end_and_the_next_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.reserve");
        let reserve = Reserve::open(&path, 64 * 1024).unwrap();
        reserve.keep("main", &batch(1)).unwrap();
        let whole = reserve.state().end;
        reserve.keep("main", &batch(2)).unwrap();
        reserve.state().file.write_all_at(&[0xff], whole + 20).unwrap();
        drop(reserve);
        let reserve = Reserve::open(&path, 64 * 1024).unwrap();
        assert_eq!(waiting(&reserve), [("main".to_owned(), batch(1))]);
        reserve.keep("main", &batch(3)).unwrap();
        assert_eq!(waiting(&reserve), [("main".to_owned(), batch(1)), ("main".to_owned(), batch(3))]);
    }

    #[test]
    fn a_full_reserve_says_so_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(&folder.path().join("trail.reserve"), 64 * 1024).unwrap();
        let mut kept = 0;
        let refused = loop {
            match reserve.keep("main", &batch(7)) {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, ReserveError::Full));
        assert_eq!(waiting(&reserve).len(), kept);
    }
}
