//! Where a log's published bytes come from: a folder, or whatever a caller puts behind [`LogSource`] (the binary: a URL, with the
//! client of all its commands).
//!
//! Promises: reads are capped; a file that is not there is told apart from one that cannot be read, because the first is a
//! finding about the log and the second is not. Never: writes, or follows anything but the paths that tlog-tiles names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use indelible_tlog::tile::TILE_WIDTH;

/// Deepest folder below the log that is listed: `tile/entries/x…/x…/x…/x…/x….p/width`.
const FOLDER_DEPTH_MAX: usize = 10;

/// Why bytes could not be had. Says nothing about the log's integrity.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system would not let us read it.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// Path below the log.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a file stands there.
    #[error("`{path}` is no file")]
    NoFile {
        /// Path below the log.
        path: String,
    },
    /// More bytes than such a resource can have.
    #[error("`{path}` is longer than {bytes_max} bytes, the most that such a file can have")]
    TooLong {
        /// Path below the log.
        path: String,
        /// The cap.
        bytes_max: usize,
    },
    /// The server answered with something else than the resource or 404.
    #[error("`{path}`: the server answered {status}; {advice}")]
    Status {
        /// Path below the log.
        path: String,
        /// The HTTP status.
        status: u16,
        /// What to do.
        advice: &'static str,
    },
    /// No answer.
    #[error("`{path}` could not be fetched: {reason}")]
    Transport {
        /// Path below the log.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

/// Published bytes of one log.
///
/// Contract: `read` gives a resource whole or not at all, the same bytes at each call for tiles and bundles; `Ok(false)`
/// means that the log does not have it; `list` names every file, or says that it cannot.
pub trait LogSource: Sync {
    /// What to call it in the report.
    fn name(&self) -> String;

    /// Reads the resource at `path` below the log into `into`, whose old content is dropped. `false` when it is not there.
    ///
    /// # Errors
    /// [`SourceError`]
    fn read(&self, path: &str, bytes_max: usize, into: &mut Vec<u8>) -> Result<bool, SourceError>;

    /// The widest partial version of the partial resource at `path`, if the source can look and has one that is wider: a log
    /// that is written to may have replaced the one that its earlier checkpoint needs. Over HTTP nothing is looked for:
    /// clients must not fetch partial resources that no checkpoint names (tlog-tiles, section Partial Tiles).
    ///
    /// # Errors
    /// [`SourceError`]
    fn wider(&self, _path: &str) -> Result<Option<String>, SourceError> {
        Ok(None)
    }

    /// Names every file of the log, if the source can; `false` when it cannot.
    ///
    /// # Errors
    /// [`SourceError`]
    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, SourceError>;
}

/// A log in a folder: `checkpoint`, `log.vkey`, `tile/…`.
#[derive(Clone, Debug)]
pub struct FolderSource {
    root: PathBuf,
}

impl FolderSource {
    /// A folder that holds a `checkpoint` and a `tile` tree.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn list_folder(&self, below: &Path, depth: usize, each: &mut dyn FnMut(&str)) -> Result<(), SourceError> {
        let path = || below.to_string_lossy().into_owned();
        let error = |source| SourceError::Io { path: path(), source };
        for item in fs::read_dir(self.root.join(below)).map_err(error)? {
            let item = item.map_err(error)?;
            let below = below.join(item.file_name());
            let folder = item.file_type().map_err(error)?.is_dir();
            if folder && depth < FOLDER_DEPTH_MAX {
                self.list_folder(&below, depth + 1, each)?;
            } else {
                each(&below.to_string_lossy());
            }
        }
        Ok(())
    }
}

impl LogSource for FolderSource {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn read(&self, path: &str, bytes_max: usize, into: &mut Vec<u8>) -> Result<bool, SourceError> {
        let file = self.root.join(path);
        let error = |source| SourceError::Io { path: path.to_owned(), source };
        // Looked at before it is opened: opening a pipe would wait for ever.
        let length = match fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Err(SourceError::NoFile { path: path.to_owned() }),
            Err(error) if absent(&error) => return Ok(false),
            Err(source) => return Err(error(source)),
        };
        let too_long = || SourceError::TooLong { path: path.to_owned(), bytes_max };
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max).ok_or_else(too_long)?;
        let mut file = match File::open(&file) {
            Ok(file) => file,
            Err(error) if absent(&error) => return Ok(false),
            Err(source) => return Err(error(source)),
        };
        // One byte of room more than the file has: the read that fills it and the one that sees the end are two calls.
        into.resize(length + 1, 0);
        let mut got = 0;
        loop {
            match file.read(into.get_mut(got..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(error(source)),
            }
        }
        if got > bytes_max {
            return Err(too_long());
        }
        into.truncate(got);
        Ok(true)
    }

    fn wider(&self, path: &str) -> Result<Option<String>, SourceError> {
        let width_of = |name: &str| name.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width));
        let Some((folder, width)) = path.rsplit_once('/').and_then(|(folder, name)| Some((folder, width_of(name)?)))
        else {
            return Ok(None);
        };
        let error = |source| SourceError::Io { path: folder.to_owned(), source };
        let items = match fs::read_dir(self.root.join(folder)) {
            Ok(items) => items,
            Err(error) if absent(&error) => return Ok(None),
            Err(source) => return Err(error(source)),
        };
        let mut widest = width;
        for item in items {
            let name = item.map_err(error)?.file_name();
            widest = name.to_str().and_then(width_of).unwrap_or(widest).max(widest);
        }
        Ok((widest > width).then(|| format!("{folder}/{widest}")))
    }

    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        self.list_folder(Path::new(""), 0, each)?;
        Ok(true)
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
