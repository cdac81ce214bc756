//! Names of index files. They are the manifest: `date=YYYY-MM-DD/<first>-<end>.parquet`, twenty digits each, holds the entries
//! from `first` up to, not including, `end`, all recorded on that day (UTC).
//!
//! Promises: a listing is either a run of entries from 0 without gap or overlap, or an error that says what to do. Never:
//! removes a file that another file does not wholly cover.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::disk;
use crate::error::IndexError;

/// One index file by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    /// UTC day on which its entries were recorded.
    pub(crate) date: Date,
    /// Its first entry.
    pub(crate) first: u64,
    /// The entry after its last.
    pub(crate) end: u64,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The files in force, in order of their entries.
    pub(crate) files: Vec<FileName>,
    /// Unfinished files, and files that another one covers: left by a crash, to be removed.
    pub(crate) leftovers: Vec<PathBuf>,
}

/// The UTC day of a time in nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) fn day_of(unix_ns: i64) -> Date {
    Offset::UTC.to_datetime(Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or_default()).date()
}

impl FileName {
    /// Its path below the folder of the index.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("date={}", self.date)).join(format!("{:020}-{:020}.parquet", self.first, self.end))
    }

    /// Where it is written before it is whole.
    pub(crate) fn unfinished(&self, folder: &Path) -> PathBuf {
        self.path(folder).with_extension("parquet.tmp")
    }

    /// How many entries it holds.
    pub(crate) fn rows(&self) -> u64 {
        self.end - self.first
    }

    fn parse(date: Date, name: &str) -> Option<Self> {
        let (first, end) = name.strip_suffix(".parquet")?.split_once('-')?;
        let number = |text: &str| {
            let digits = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten()
        };
        let (first, end) = (number(first)?, number(end)?);
        (first < end).then_some(Self { date, first, end })
    }
}

/// Lists the folder of an index. A folder that is not there is an empty index.
pub(crate) fn list(folder: &Path, log: &str) -> Result<Listing, IndexError> {
    let mut listing = Listing::default();
    for (day, name) in entries(folder)? {
        let date = name.strip_prefix("date=").and_then(|date| date.parse::<Date>().ok());
        let Some(date) = date.filter(|date| format!("date={date}") == name) else {
            return Err(IndexError::Name { path: day });
        };
        for (path, name) in entries(&day)? {
            if name.ends_with(".tmp") {
                listing.leftovers.push(path);
                continue;
            }
            let Some(file) = FileName::parse(date, &name) else { return Err(IndexError::Name { path }) };
            listing.files.push(file);
        }
    }
    listing.files = in_force(std::mem::take(&mut listing.files), log, folder, &mut listing.leftovers)?;
    Ok(listing)
}

/// Removes every index file and leftover of `folder`, whatever state they are in. What is no index file stays.
pub(crate) fn remove_all(folder: &Path) -> Result<(), IndexError> {
    for (day, name) in entries(folder)? {
        if !name.starts_with("date=") {
            continue;
        }
        for (path, name) in entries(&day)? {
            if name.ends_with(".parquet") || name.ends_with(".tmp") {
                disk::remove(&path)?;
            }
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, IndexError> {
    let list = match fs::read_dir(folder) {
        Ok(list) => list,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(fault) => return Err(IndexError::file(folder, "listing")(fault)),
    };
    let mut found = Vec::new();
    for entry in list {
        let entry = entry.map_err(IndexError::file(folder, "listing"))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Err(IndexError::Name { path: entry.path() }) };
        found.push((entry.path(), name.to_owned()));
    }
    Ok(found)
}

/// The files in force in order; those covered by a larger one go to `covered`.
fn in_force(
    mut files: Vec<FileName>,
    log: &str,
    folder: &Path,
    covered: &mut Vec<PathBuf>,
) -> Result<Vec<FileName>, IndexError> {
    // Of files that begin alike, the larger comes first and covers the others.
    files.sort_by(|a, b| a.first.cmp(&b.first).then(b.end.cmp(&a.end)).then(a.date.cmp(&b.date)));
    let mut end = 0;
    let mut kept: Vec<FileName> = Vec::new();
    for file in files {
        if file.first == end {
            end = file.end;
            kept.push(file);
        } else if file.end <= end && kept.last().is_some_and(|over| over.date == file.date && over.first <= file.first)
        {
            covered.push(file.path(folder));
        } else if file.first < end {
            return Err(IndexError::Overlap { log: log.to_owned(), from: file.first, to: end.min(file.end) - 1 });
        } else {
            return Err(IndexError::Gap { log: log.to_owned(), from: end, to: file.first - 1 });
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Result<(Vec<(u64, u64)>, usize), String> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let listing = list(folder.path(), "main")
            .map_err(|fault| fault.to_string().replace(&folder.path().display().to_string(), ""))?;
        Ok((listing.files.iter().map(|file| (file.first, file.end)).collect(), listing.leftovers.len()))
    }

    fn name(date: &str, first: u64, end: u64) -> String {
        FileName { date: date.parse().unwrap(), first, end }.path(Path::new("")).display().to_string()
    }

    #[test]
    fn names_are_the_manifest() {
        let (a, b) = (name("2026-11-23", 0, 10), name("2026-11-24", 10, 20));
        assert_eq!(a, "date=2026-11-23/00000000000000000000-00000000000000000010.parquet");
        assert_eq!(listing(&[]), Ok((vec![], 0)));
        assert_eq!(listing(&[&b, &a]), Ok((vec![(0, 10), (10, 20)], 0)));
        assert_eq!(listing(&[&a, &format!("{b}.tmp")]), Ok((vec![(0, 10)], 1)));
    }

    #[test]
    fn a_file_covered_by_a_larger_one_is_a_leftover() {
        let (whole, half, rest) = (name("2026-11-23", 0, 10), name("2026-11-23", 0, 5), name("2026-11-23", 5, 10));
        assert_eq!(listing(&[&half, &whole, &rest]), Ok((vec![(0, 10)], 2)));
        assert_eq!(listing(&[&half, &rest]), Ok((vec![(0, 5), (5, 10)], 0)));
    }

    #[test]
    fn gaps_overlaps_and_strangers_say_what_to_do() {
        let fault = |names: &[&str]| listing(names).unwrap_err();
        assert_eq!(
            fault(&[&name("2026-11-23", 3, 10)]),
            "the index of log `main` lacks entries 0 to 2; run `indelible index rebuild`"
        );
        let overlap = [name("2026-11-23", 0, 10), name("2026-11-23", 5, 12)];
        assert_eq!(
            fault(&[&overlap[0], &overlap[1]]),
            "the index of log `main` holds entries 5 to 9 in two files; run `indelible index rebuild`"
        );
        for stranger in [
            "date=2026-11-23/x.parquet",
            "date=2026-11-31/x",
            "notes.txt",
            "date=2026-11-23/00000000000000000005-00000000000000000005.parquet",
        ] {
            assert_eq!(
                fault(&[stranger]),
                format!(
                    "/{}: not a name of an index file; move it away, or run `indelible index rebuild`",
                    if stranger.starts_with("date=2026-11-31") { "date=2026-11-31" } else { stranger }
                )
            );
        }
    }
}
