//! Checkpoints that the guard verified and kept, apart from the log's own folders: what shows a log that was rolled back or
//! rewritten, even with its own key.
//!
//! `guard/<log>/checkpoints`, one record after the other: a line `kept <unix seconds> <bytes of the note> <CRC-32C of both, hex>`,
//! the signed note, an empty line. Appended and synced; what a crash left half written at the end is cut off. Promises: bounded: all
//! of the last day, then one a day. Never: judges a checkpoint; a note is believed by its signature, not by lying here.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::files;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest note that is kept: a checkpoint has some 200 bytes.
const NOTE_BYTES_MAX: usize = 16 * 1024;
/// Most checkpoints kept: a day of one every five seconds, and 40 years of days. Beyond it every other one of the last day goes.
const KEPT_MAX: usize = 32_768;
/// How long all of them are kept, and what they are thinned to after that, in seconds.
const DAY: i64 = 86_400;

/// One checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// When it was verified, in seconds since 1970.
    pub(super) seconds: i64,
    /// The signed note.
    pub(super) note: String,
}

/// The file of kept checkpoints, oldest first.
#[derive(Debug)]
pub(super) struct KeptFile {
    path: PathBuf,
    file: File,
    kept: Vec<Kept>,
    /// When it was thinned last, in seconds since 1970.
    thinned: i64,
}

impl KeptFile {
    /// Reads the file, or makes it. Gives besides it how many bytes at its end were no records; they are cut off.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, usize)> {
        let path = folder.join("checkpoints");
        let bytes = files::read(&path, FILE_BYTES_MAX)?.unwrap_or_default();
        let (kept, good) = parse(&bytes);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        if good < bytes.len() {
            file.set_len(good as u64)?;
            file.sync_all()?;
        }
        files::sync_folder(folder)?;
        Ok((Self { path, file, kept, thinned: 0 }, bytes.len() - good))
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> &[Kept] {
        &self.kept
    }

    /// Keeps one more, durably, unless it is the one that was kept last.
    pub(super) fn keep(&mut self, seconds: i64, note: &str) -> io::Result<()> {
        if note.len() > NOTE_BYTES_MAX || self.kept.last().is_some_and(|last| last.note == note) {
            return Ok(());
        }
        let kept = Kept { seconds, note: note.to_owned() };
        self.file.write_all(&record(&kept))?;
        self.file.sync_data()?;
        self.kept.push(kept);
        if self.kept.len() > KEPT_MAX || seconds - self.thinned >= DAY / 4 {
            self.thin(seconds)?;
        }
        Ok(())
    }

    fn thin(&mut self, now: i64) -> io::Result<()> {
        self.thinned = now;
        let thinned = thinned(&self.kept, now);
        if thinned.len() == self.kept.len() {
            return Ok(());
        }
        let bytes: Vec<u8> = thinned.iter().flat_map(record).collect();
        files::replace(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.kept = thinned;
        Ok(())
    }
}

/// All of the last day and the last of each day before it; of too many of the last day every other one.
fn thinned(kept: &[Kept], now: i64) -> Vec<Kept> {
    let day = |kept: &Kept| kept.seconds.div_euclid(DAY);
    let mut result: Vec<Kept> = Vec::with_capacity(kept.len());
    for (place, one) in kept.iter().enumerate() {
        let recent = now.saturating_sub(one.seconds) < DAY;
        let last_of_its_day = kept.get(place + 1).is_none_or(|next| day(next) != day(one));
        if recent || last_of_its_day {
            result.push(one.clone());
        }
    }
    if result.len() > KEPT_MAX {
        let last = result.len() - 1;
        let mut place = 0;
        result.retain(|one| {
            let stays = place == last || place % 2 == 0 || now.saturating_sub(one.seconds) >= DAY;
            place += 1;
            stays
        });
        // a clock that jumps could still make too many days of it
        let too_many = result.len().saturating_sub(KEPT_MAX);
        result.drain(..too_many);
    }
    result
}

fn record(kept: &Kept) -> Vec<u8> {
    let Kept { seconds, note } = kept;
    format!("kept {seconds} {} {:08x}\n{note}\n", note.len(), checksum(*seconds, note.as_bytes())).into_bytes()
}

fn checksum(seconds: i64, note: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&seconds.to_be_bytes()), note)
}

/// The records of a file, and how many bytes they take.
fn parse(bytes: &[u8]) -> (Vec<Kept>, usize) {
    let mut kept = Vec::new();
    let mut good = 0;
    while kept.len() < KEPT_MAX * 2
        && let Some((one, len)) = bytes.get(good..).and_then(parse_one)
    {
        kept.push(one);
        good += len;
    }
    (kept, good)
}

fn parse_one(bytes: &[u8]) -> Option<(Kept, usize)> {
    let line_end = bytes.iter().take(96).position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(bytes.get(..line_end)?).ok()?;
    let mut words = line.strip_prefix("kept ")?.split(' ');
    let seconds: i64 = words.next()?.parse().ok()?;
    let len: usize = words.next()?.parse().ok().filter(|len| *len <= NOTE_BYTES_MAX)?;
    let sum = u32::from_str_radix(words.next()?, 16).ok()?;
    let begin = line_end + 1;
    let note = bytes.get(begin..begin + len)?;
    if words.next().is_some() || bytes.get(begin + len) != Some(&b'\n') || checksum(seconds, note) != sum {
        return None;
    }
    let note = std::str::from_utf8(note).ok()?.to_owned();
    Some((Kept { seconds, note }, begin + len + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_again_and_a_torn_or_altered_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = KeptFile::open(folder.path()).unwrap();
        for n in 0..5 {
            file.keep(1_000 + n, &format!("note {n}\n\n— signed\n")).unwrap();
            file.keep(1_000 + n, &format!("note {n}\n\n— signed\n")).unwrap();
        }
        assert_eq!(file.all().len(), 5);
        drop(file);
        let path = folder.path().join("checkpoints");
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut file, cut_off) = KeptFile::open(folder.path()).unwrap();
            assert_eq!(file.all().len(), whole[..cut].windows(8).filter(|bytes| *bytes == b"signed\n\n").count());
            assert!(cut_off < whole.len() / 5);
            file.keep(2_000, "next\n").unwrap();
            let (again, cut_off) = KeptFile::open(folder.path()).unwrap();
            assert_eq!((again.all(), cut_off), (file.all(), 0));
        }
        let mut altered = whole.clone();
        altered[30] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        assert_eq!(KeptFile::open(folder.path()).unwrap().1, whole.len());
    }

    #[test]
    fn a_day_is_kept_whole_and_of_each_day_before_it_the_last() {
        let kept: Vec<Kept> = (0..10 * 24).map(|hour| Kept { seconds: hour * 3_600, note: hour.to_string() }).collect();
        let left = thinned(&kept, 10 * DAY);
        let hours: Vec<i64> = left.iter().map(|kept| kept.seconds / 3_600).collect();
        assert_eq!(hours, [&[23, 47, 71, 95, 119, 143, 167, 191, 215][..], &(217..240).collect::<Vec<_>>()].concat());
        let many: Vec<Kept> = (0..80_000).map(|second| Kept { seconds: second, note: String::new() }).collect();
        assert_eq!(thinned(&many, 80_000).len(), KEPT_MAX);
    }
}
