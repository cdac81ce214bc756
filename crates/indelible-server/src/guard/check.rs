//! The checks themselves: the newest checkpoint, and a pass over all entries in pieces. Reads the published files as anybody could,
//! by the verifier's code. Never: asks the store; tells anybody; decides what follows.

use std::io;
use std::path::{Path, PathBuf};

use indelible_event::time::RecordedTime;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::note::VerifierKey;
use indelible_tlog::tile::{TILE_WIDTH, TileId};
use indelible_verify::report::{Finding, FindingKind};
use indelible_verify::{Descent, FolderSource, open_checkpoint};

use super::files;
use super::kept::{Kept, KeptFile};
use super::status::{KeptCheckpoints, Sweep};

/// Longest place of a sweep that is read.
const PLACE_BYTES_MAX: u64 = 4_096;
/// The file of the place, in the guard's folder.
const PLACE: &str = "sweep";

/// Why a checker could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckerError {
    /// The guard's own files.
    #[error("the files of the guard in {} cannot be used", folder.display())]
    Files {
        /// Their folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log's key.
    #[error("the key of the log cannot be used: {0}")]
    Key(String),
}

/// Checks one log.
#[derive(Debug)]
pub(super) struct Checker {
    source: FolderSource,
    key: VerifierKey,
    folder: PathBuf,
    kept: KeptFile,
    /// The newest checkpoint that was verified, at first the newest that was kept.
    verified: Option<Checkpoint>,
    place: Sweep,
    /// Whether the log was seen without entries: all that came since is new.
    seen_empty: bool,
    /// Bundles of the running pass that were skipped because something was wrong with them.
    skipped: u64,
}

impl Checker {
    /// Takes up where the last one of this log left off. The second number is how many bytes of the kept checkpoints were lost.
    pub(super) fn open(data: &Path, log: &str, vkey: &str) -> Result<(Self, usize), CheckerError> {
        let folder = files::folder(data, log);
        let key = VerifierKey::parse(vkey.trim()).map_err(|error| CheckerError::Key(error.to_string()))?;
        let open = || {
            files::make_folder(&folder)?;
            let place = files::read(&folder.join(PLACE), PLACE_BYTES_MAX)?;
            Ok((KeptFile::open(&folder)?, place))
        };
        let ((kept, lost), place) = open().map_err(|source| CheckerError::Files { folder: folder.clone(), source })?;
        // the place is a convenience: without it the pass begins anew
        let place = place.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let source = FolderSource::new(data.join("logs").join(log));
        Ok((Self { source, key, folder, kept, verified: None, place, seen_empty: false, skipped: 0 }, lost))
    }

    pub(super) fn verified(&self) -> Option<&Checkpoint> {
        self.verified.as_ref()
    }

    /// The log has no entries yet.
    pub(super) fn is_empty_now(&mut self) {
        self.seen_empty = true;
    }

    pub(super) fn place(&self) -> &Sweep {
        &self.place
    }

    /// Bundles of the log as it was verified last.
    pub(super) fn bundles(&self) -> u64 {
        self.verified.as_ref().map_or(0, |checkpoint| checkpoint.size.0.div_ceil(u64::from(TILE_WIDTH)))
    }

    pub(super) fn kept_checkpoints(&self) -> KeptCheckpoints {
        let time = |kept: Option<&Kept>| kept.map(|kept| RecordedTime::from_unix_seconds(kept.seconds).whole_seconds());
        let all = self.kept.all();
        KeptCheckpoints { count: all.len(), oldest: time(all.first()), newest: time(all.last()) }
    }

    /// Shows that the newest checkpoint that was kept is a prefix of what is published now. Quick: a few tiles.
    pub(super) fn compare_newest_kept(&mut self) -> Result<(), Finding> {
        let Some(newest) = self.kept.all().last() else { return Ok(()) };
        let newest = self.open_kept(newest)?;
        self.verified = Some(newest.clone());
        let (now, _) = open_checkpoint(&self.source, &self.key)?;
        let mut descent = Descent::begin(&self.source, now)?;
        let compared = descent.check_prefix(&newest);
        drop(descent);
        compared.map_err(|finding| self.narrowed(finding))
    }

    /// Shows that every checkpoint that was kept is a prefix of what was verified last, as long as `go_on` says so.
    pub(super) fn compare_all_kept(&self, go_on: &dyn Fn() -> bool) -> Result<(), Finding> {
        let Some(now) = self.verified.clone() else { return Ok(()) };
        let mut descent = Descent::begin(&self.source, now)?;
        for kept in self.kept.all() {
            if !go_on() {
                break;
            }
            descent.check_prefix(&self.open_kept(kept)?)?;
        }
        Ok(())
    }

    /// Verifies the checkpoint that is published now: signature, the one before it as its prefix, every leaf that is new. Keeps it.
    /// The number is how many entries were recomputed; `None` when `go_on` broke it off.
    pub(super) fn check_newest(&mut self, seconds: i64, go_on: &dyn Fn() -> bool) -> Result<Option<u64>, Finding> {
        let (now, note) = open_checkpoint(&self.source, &self.key)?;
        if self.verified.as_ref() == Some(&now) {
            return Ok(Some(0));
        }
        let mut descent = Descent::begin(&self.source, now.clone())?;
        // without one that was verified before, what is there already is left to the passes
        let mut first = if self.seen_empty { 0 } else { descent.bundles() };
        if let Some(before) = &self.verified {
            let prefix = descent.check_prefix(before);
            first = before.size.0 / u64::from(TILE_WIDTH);
            if let Err(finding) = prefix {
                drop(descent);
                return Err(self.narrowed(finding));
            }
        }
        let mut entries = 0;
        for index in first..descent.bundles() {
            if !go_on() {
                return Ok(None);
            }
            entries += descent.check_bundle(index)?.entries;
        }
        let note = String::from_utf8_lossy(&note);
        if let Err(source) = self.kept.keep(seconds, &note) {
            tracing::error!(error = %source, "a verified checkpoint could not be kept; it is tried again with the next");
        }
        self.place.entries_checked = self.place.entries_checked.saturating_add(entries);
        self.verified = Some(now);
        Ok(Some(entries))
    }

    /// Goes on with the pass over all entries, by at most so many bundles. Whether a pass ended.
    ///
    /// # Errors
    /// What is wrong; [`Self::skip`] goes beyond it, otherwise the same place is looked at again.
    pub(super) fn sweep(&mut self, bundles: u64, now: RecordedTime) -> Result<bool, Finding> {
        let Some(checkpoint) = self.verified.clone().filter(|checkpoint| checkpoint.size.0 > 0) else {
            return Ok(false);
        };
        let width = u64::from(TILE_WIDTH);
        let size = checkpoint.size.0;
        let mut descent = Descent::begin(&self.source, checkpoint)?;
        if self.place.began.is_none() {
            self.place.began = Some(now.whole_seconds());
            self.skipped = 0;
        }
        self.place.of = size;
        let first = self.place.next / width;
        for index in first..descent.bundles().min(first.saturating_add(bundles)) {
            let piece = descent.check_bundle(index)?;
            self.place.entries_checked = self.place.entries_checked.saturating_add(piece.entries);
            self.place.next = (index + 1).saturating_mul(width).min(size);
        }
        if self.place.next < size {
            return Ok(false);
        }
        if self.skipped == 0 {
            self.place.completed = Some(now.whole_seconds());
        }
        (self.place.next, self.place.began) = (0, None);
        self.save_place();
        Ok(true)
    }

    /// Goes beyond what is wrong: the bundle, or all that lies below a tile.
    pub(super) fn skip(&mut self, finding: &Finding) {
        let width = u64::from(TILE_WIDTH);
        let bundle = self.place.next / width;
        let tile = finding.file.as_deref().and_then(TileId::parse).filter(|tile| tile.level > 0);
        let below = tile.and_then(|tile| {
            let bundles = width.checked_pow(u32::from(tile.level))?;
            tile.index.checked_add(1)?.checked_mul(bundles)
        });
        self.place.next = below.unwrap_or(0).max(bundle.saturating_add(1)).saturating_mul(width);
        self.skipped += 1;
    }

    /// Writes down how far the pass is. It is no loss when that fails.
    pub(super) fn save_place(&self) {
        let written = serde_json::to_vec(&self.place).map_err(io::Error::from);
        if let Err(error) = written.and_then(|bytes| files::replace(&self.folder.join(PLACE), &bytes)) {
            tracing::warn!(%error, "how far the guard is could not be written; after a start it begins further back");
        }
    }

    fn open_kept(&self, kept: &Kept) -> Result<Checkpoint, Finding> {
        Checkpoint::open(&kept.note, &self.key).map_err(|error| Finding {
            kind: FindingKind::CheckpointInvalid,
            first_index: None,
            last_index: None,
            file: Some("checkpoint".to_owned()),
            reason: format!(
                "a checkpoint that was kept ({}) does not hold under the log's key: the key was exchanged, or the kept \
                 checkpoint altered: {error}",
                RecordedTime::from_unix_seconds(kept.seconds).whole_seconds()
            ),
        })
    }

    /// Says of a past that was rewritten which kept checkpoint still holds: what changed lies behind it.
    fn narrowed(&self, finding: Finding) -> Finding {
        if finding.kind != FindingKind::HistoryRewritten {
            return finding;
        }
        let Ok((now, _)) = open_checkpoint(&self.source, &self.key) else { return finding };
        let Ok(mut descent) = Descent::begin(&self.source, now) else { return finding };
        let holds = |kept: &&Kept| self.open_kept(kept).is_ok_and(|older| descent.check_prefix(&older).is_ok());
        match self.kept.all().iter().rev().find(holds) {
            Some(kept) => {
                let size = self.open_kept(kept).map(|checkpoint| checkpoint.size.0).unwrap_or_default();
                let time = RecordedTime::from_unix_seconds(kept.seconds).whole_seconds();
                let reason = format!("{}; the checkpoint of {size} entries kept at {time} still holds", finding.reason);
                Finding { first_index: Some(size), reason, ..finding }
            }
            None => Finding { first_index: Some(0), ..finding },
        }
    }
}
