//! What detectors have counted, kept in files beside the book, so that a start need not read the whole log again.
//!
//! Promises: a file is whole or it is not used; it is written after the findings of all entries before its place are durable. A
//! file that is missing, torn or of another version costs a look at history, nothing else. Never: anything that is not in the log.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use indelible_event::doors::EntryIndex;
use sha2::{Digest as _, Sha256};

/// The first bytes of a file; the digit is its version.
const MAGIC: &[u8] = b"indelible detector state 1\n";
const PLACE_BYTES: usize = 8;
const HASH_BYTES: usize = 32;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// The folder of a log's detectors: `detect/<log>`.
#[derive(Clone, Debug)]
pub(super) struct StateFolder(PathBuf);

impl StateFolder {
    /// Makes the folder (0700) when it is not there.
    pub(super) fn open(data: &Path, log: &str) -> io::Result<Self> {
        let folder = data.join("detect").join(log);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    fn file(&self, detector: &str) -> PathBuf {
        self.0.join(format!("{detector}.state"))
    }

    /// The state of a detector, and the entry it is to see next. `None` when there is none that can be used; a reason is told.
    pub(super) fn read(&self, detector: &str) -> Option<(EntryIndex, Vec<u8>)> {
        let path = self.file(detector);
        let told = |reason: String| {
            tracing::warn!(file = %path.display(), reason, "the state of a detector cannot be used; the log is read again");
        };
        let read = fs::metadata(&path).and_then(|metadata| {
            if metadata.len() > FILE_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            fs::read(&path)
        });
        match read {
            Ok(bytes) => {
                let parsed = parse(&bytes);
                if parsed.is_none() {
                    told("it is torn, or of another version".to_owned());
                }
                parsed
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                told(error.to_string());
                None
            }
        }
    }

    /// Puts a state in the place of the one before; durable when this returns.
    pub(super) fn write(&self, detector: &str, next: EntryIndex, state: &[u8]) -> io::Result<()> {
        let path = self.file(detector);
        let beside = path.with_extension("new");
        let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&next.0.to_be_bytes())?;
        file.write_all(&digest(next.0, state))?;
        file.write_all(state)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        fs::File::open(&self.0)?.sync_all()
    }
}

fn parse(bytes: &[u8]) -> Option<(EntryIndex, Vec<u8>)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (place, rest) = rest.split_first_chunk::<PLACE_BYTES>()?;
    let (hash, state) = rest.split_first_chunk::<HASH_BYTES>()?;
    let next = u64::from_be_bytes(*place);
    (digest(next, state) == *hash).then(|| (EntryIndex(next), state.to_vec()))
}

fn digest(next: u64, state: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::new().chain_update(next.to_be_bytes()).chain_update(state).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_or_not_at_all() {
        let data = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(data.path(), "main").unwrap();
        assert_eq!(folder.read("rules"), None);
        folder.write("rules", EntryIndex(7), b"counted").unwrap();
        folder.write("rules", EntryIndex(9), b"counted more").unwrap();
        assert_eq!(folder.read("rules"), Some((EntryIndex(9), b"counted more".to_vec())));
        let path = data.path().join("detect/main/rules.state");
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(folder.read("rules"), None, "{cut} bytes");
        }
        let mut other = whole;
        other[MAGIC.len() + 7] ^= 1;
        fs::write(&path, &other).unwrap();
        assert_eq!(folder.read("rules"), None);
    }
}
