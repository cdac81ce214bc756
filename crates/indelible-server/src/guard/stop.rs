//! Signing that was stopped stays stopped over starts, until a person has looked: a file with the reason says so.
//!
//! `guard/<log>/stopped` (JSON) is written before anything else is told; [`lift`] turns it into `guard/<log>/lifted`, which the
//! next start records as an event and removes. Never: lifts by itself.

use std::io;
use std::path::Path;

use indelible_event::time::RecordedTime;
use serde::{Deserialize, Serialize};

use super::files;

/// Longest marker that is read.
const MARKER_BYTES_MAX: u64 = 64 * 1024;
const STOPPED: &str = "stopped";
const LIFTED: &str = "lifted";

/// Why and since when a log signs no checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stopped {
    /// When it was found (RFC 3339).
    pub time: String,
    /// Which check: `integrity/leaf`, `integrity/tile`, `integrity/checkpoint` or `integrity/rollback`.
    pub rule: String,
    /// What was found: file and first entry.
    pub reason: String,
}

/// A stop that a person lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// What had been found.
    pub stopped: Stopped,
    /// Why it was lifted, in the person's words.
    pub reason: String,
    /// When (RFC 3339).
    pub time: String,
    /// The file that the kept checkpoints were set aside to, if they were.
    pub set_aside: Option<String>,
}

/// Why a stop could not be lifted.
#[derive(Debug, thiserror::Error)]
pub enum LiftError {
    /// There is none.
    #[error("the log `{log}` has not stopped signing")]
    NotStopped {
        /// Which log.
        log: String,
    },
    /// A file of the guard could not be written.
    #[error("the files of the guard in {folder} cannot be changed")]
    File {
        /// The folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
}

/// The stop that stands for a log. A marker that cannot be read is one.
pub(super) fn standing(folder: &Path) -> Option<Stopped> {
    match files::read(&folder.join(STOPPED), MARKER_BYTES_MAX) {
        Ok(None) => None,
        Ok(Some(bytes)) => Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| unreadable(folder))),
        Err(_) => Some(unreadable(folder)),
    }
}

fn unreadable(folder: &Path) -> Stopped {
    Stopped {
        time: String::new(),
        rule: String::new(),
        reason: format!("{} is there and cannot be read", folder.join(STOPPED).display()),
    }
}

/// Makes a stop stand over starts. The first one stays.
pub(super) fn write(folder: &Path, stopped: &Stopped) -> io::Result<()> {
    if standing(folder).is_some() {
        return Ok(());
    }
    let mut text = serde_json::to_vec_pretty(stopped)?;
    text.push(b'\n');
    files::replace(&folder.join(STOPPED), &text)
}

/// Lifts a stop, so that the next start signs again. To be called while no server uses the data folder. With `set_aside` the kept
/// checkpoints are put aside as well: a log that was put back from a backup contradicts them for good.
///
/// # Errors
/// [`LiftError`]
pub fn lift(data: &Path, log: &str, reason: &str, set_aside: bool, now: RecordedTime) -> Result<Lifted, LiftError> {
    let folder = files::folder(data, log);
    let failed = |source| LiftError::File { folder: folder.display().to_string(), source };
    let stopped = standing(&folder).ok_or_else(|| LiftError::NotStopped { log: log.to_owned() })?;
    let checkpoints = folder.join("checkpoints");
    let aside = format!("checkpoints.until-{}", now.whole_seconds().replace(':', ""));
    let set_aside = set_aside && checkpoints.exists();
    if set_aside {
        std::fs::rename(&checkpoints, folder.join(&aside)).map_err(failed)?;
    }
    let lifted =
        Lifted { stopped, reason: reason.to_owned(), time: now.whole_seconds(), set_aside: set_aside.then_some(aside) };
    let text = serde_json::to_vec_pretty(&lifted).map_err(|error| failed(error.into()))?;
    // recorded at the next start even if this ends between the two
    files::replace(&folder.join(LIFTED), &text).map_err(failed)?;
    files::remove(&folder.join(STOPPED)).map_err(failed)?;
    Ok(lifted)
}

/// A lifting that is not on record yet.
pub(crate) fn lifted(data: &Path, log: &str) -> Option<Lifted> {
    let folder = files::folder(data, log);
    let bytes = files::read(&folder.join(LIFTED), MARKER_BYTES_MAX).ok()??;
    // a stop that still stands was not lifted
    if standing(&folder).is_some() { None } else { serde_json::from_slice(&bytes).ok() }
}

/// The lifting is on record.
pub(crate) fn forget_lifted(data: &Path, log: &str) -> io::Result<()> {
    files::remove(&files::folder(data, log).join(LIFTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_stands_until_it_is_lifted_and_a_broken_marker_is_a_stop() {
        let data = tempfile::tempdir().unwrap();
        let folder = files::folder(data.path(), "main");
        files::make_folder(&folder).unwrap();
        assert!(matches!(lift(data.path(), "main", "x", false, RecordedTime(0)), Err(LiftError::NotStopped { .. })));
        let stop = |rule: &str| Stopped { time: "t".to_owned(), rule: rule.to_owned(), reason: "r".to_owned() };
        write(&folder, &stop("integrity/tile")).unwrap();
        write(&folder, &stop("integrity/leaf")).unwrap();
        assert_eq!(standing(&folder), Some(stop("integrity/tile")));
        std::fs::write(folder.join("checkpoints"), "kept").unwrap();
        let done = lift(data.path(), "main", "restored from the backup of Monday", true, RecordedTime(0)).unwrap();
        assert_eq!((standing(&folder), lifted(data.path(), "main")), (None, Some(done.clone())));
        assert!(!folder.join("checkpoints").exists() && folder.join(done.set_aside.unwrap()).exists());
        forget_lifted(data.path(), "main").unwrap();
        assert_eq!(lifted(data.path(), "main"), None);
        std::fs::write(folder.join(STOPPED), "{").unwrap();
        assert!(standing(&folder).unwrap().reason.contains("cannot be read"));
    }
}
