//! A log checked a piece at a time, from the signed root down: what a guard does that looks at a log while it grows.
//!
//! The root vouches for the tiles at the right edge, each tile for the tiles below its hashes, the lowest for the bundles. So one
//! bundle is checked by reading at most one tile a level, and a pass over all bundles in turn reads every full tile once. Promises:
//! holds one tile a level; a hash that the root does not vouch for is never used. Never: reads more than what one piece needs, unless
//! something is wrong and the place is to be named.

use std::fmt;

use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::Hash;
use indelible_tlog::note::{NOTE_BYTES_MAX, VerifierKey};
use indelible_tlog::proof::{TileError, consistency_proof, verify_consistency};
use indelible_tlog::tile::{BundleId, TILE_WIDTH, TileId, hashes_at};
use indelible_tlog::tree::root_of;

use crate::bundle::{self, Buffers, Wanted};
use crate::climb::{Expected, TileTrouble, entries_of_child, read_tile};
use crate::findings::Findings;
use crate::judge::judge;
use crate::report::{Finding, FindingKind};
use crate::source::LogSource;

/// Reads the log's checkpoint and checks its signature. The note comes back as it stands there.
///
/// # Errors
/// What is wrong with it, or that it could not be read.
pub fn open_checkpoint(source: &dyn LogSource, key: &VerifierKey) -> Result<(Checkpoint, Vec<u8>), Finding> {
    let finding = |kind, reason: String| Finding {
        kind,
        first_index: None,
        last_index: None,
        file: Some("checkpoint".to_owned()),
        reason,
    };
    let mut note = Vec::new();
    match source.read("checkpoint", NOTE_BYTES_MAX, &mut note) {
        Ok(true) => {}
        Ok(false) => return Err(finding(FindingKind::MissingFile, "there is no checkpoint".to_owned())),
        Err(error) => return Err(finding(FindingKind::Unreadable, error.to_string())),
    }
    match Checkpoint::open(&note, key) {
        Ok(checkpoint) => Ok((checkpoint, note)),
        Err(error) => {
            let reason = format!("the checkpoint does not hold under the log's key: {error}");
            Err(finding(FindingKind::CheckpointInvalid, reason))
        }
    }
}

/// What one bundle came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Entries whose leaf hash was recomputed.
    pub entries: u64,
    /// Bytes of the bundle.
    pub bytes: u64,
}

/// A way from a verified checkpoint down to any bundle of its log.
pub struct Descent<'s> {
    source: &'s dyn LogSource,
    checkpoint: Checkpoint,
    /// The partial tile of each level; empty where the level ends with a full one. They lead to the signed root.
    edge: Vec<Vec<Hash>>,
    /// The full tile of each level that was read last; the root vouches for it.
    rows: Vec<Option<(u64, Vec<Hash>)>>,
    buffers: Buffers,
    buffer: Vec<u8>,
}

impl fmt::Debug for Descent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descent").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}

impl<'s> Descent<'s> {
    /// Begins at a checkpoint whose signature the caller has checked: reads the right edge and holds it against the signed root.
    ///
    /// # Errors
    /// Which file of the right edge is wrong.
    pub fn begin(source: &'s dyn LogSource, checkpoint: Checkpoint) -> Result<Self, Finding> {
        let mut descent = Self {
            source,
            checkpoint,
            edge: Vec::new(),
            rows: Vec::new(),
            buffers: Buffers::default(),
            buffer: Vec::new(),
        };
        let size = descent.checkpoint.size;
        for level in 0..=u8::MAX {
            if hashes_at(level, size) == 0 {
                break;
            }
            let hashes = match TileId::partial(level, size) {
                Some(tile) => descent.read(tile)?,
                None => Vec::new(),
            };
            descent.edge.push(hashes);
            descent.rows.push(None);
        }
        let edge = Edge::load(size, |tile| descent.edge.get(usize::from(tile.level)).cloned().ok_or(()));
        if edge.is_ok_and(|edge| edge.root() == descent.checkpoint.root) {
            return Ok(descent);
        }
        Err(descent.name_edge())
    }

    /// The checkpoint that it goes by.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How many bundles the log has, the last one partial or not.
    #[must_use]
    pub fn bundles(&self) -> u64 {
        self.checkpoint.size.0.div_ceil(u64::from(TILE_WIDTH))
    }

    /// Checks one bundle, its level-0 tile and every tile on the way to them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_bundle(&mut self, index: u64) -> Result<Piece, Finding> {
        let Some(id) = BundleId::at(index, self.checkpoint.size) else {
            return Ok(Piece { entries: 0, bytes: 0 });
        };
        let hash = if id.is_full() {
            let (above, place) = (index / u64::from(TILE_WIDTH), index % u64::from(TILE_WIDTH));
            let tile = self.tile(1, above)?;
            usize::try_from(place).ok().and_then(|place| tile.get(place)).copied()
        } else {
            self.edge.first().map(|hashes| root_of(hashes))
        };
        let wanted = Wanted { leaves: false, contents: false };
        let outcome = bundle::check(self.source, id, wanted, &mut self.buffers);
        let mut findings = Findings::default();
        judge(&outcome, Expected { hash, authentic: hash.is_some() }, &mut findings);
        match findings.into_report(0, 0, 0).first {
            Some(first) => Err(first),
            None => Ok(Piece { entries: outcome.hashed, bytes: outcome.bytes }),
        }
    }

    /// Shows that an older checkpoint, whose signature the caller has checked, is a prefix of this log.
    ///
    /// # Errors
    /// That the log is shorter, or its past another one; or the tile that is wrong on the way.
    pub fn check_prefix(&mut self, older: &Checkpoint) -> Result<(), Finding> {
        let (from, to) = (older.size, self.checkpoint.size);
        let finding = |kind, first_index, last_index, reason| Finding {
            kind,
            first_index,
            last_index,
            file: Some("checkpoint".to_owned()),
            reason,
        };
        if from > to {
            let reason = format!(
                "a checkpoint of {from} entries was published, the log now has {to}: it was cut or rolled back"
            );
            return Err(finding(FindingKind::ShorterThanKept, Some(to.0), from.0.checked_sub(1), reason));
        }
        let root = self.checkpoint.root;
        let proof = consistency_proof(from, to, &mut |id| match TileId::partial(id.level, to) {
            Some(partial) if partial.index == id.index => {
                Ok(self.edge.get(usize::from(id.level)).cloned().unwrap_or_default())
            }
            _ => self.tile(id.level, id.index).cloned(),
        });
        let held = match proof {
            Ok(proof) => verify_consistency(from, &older.root, to, &root, &proof).is_ok(),
            Err(TileError::Read { source, .. }) => return Err(source),
            Err(TileError::Short { .. } | TileError::Outside { .. }) => false,
        };
        if held {
            return Ok(());
        }
        let reason = format!(
            "a checkpoint of {from} entries with root {} was published, and the log's first {from} entries no longer lead to \
             it: the log's past was rewritten",
            older.root
        );
        Err(finding(FindingKind::HistoryRewritten, None, from.0.checked_sub(1), reason))
    }

    /// A full tile that the root vouches for.
    fn tile(&mut self, level: u8, index: u64) -> Result<&Vec<Hash>, Finding> {
        let at = usize::from(level);
        if self.rows.get(at).and_then(Option::as_ref).is_none_or(|(held, _)| *held != index) {
            let size = self.checkpoint.size;
            let partial = TileId::partial(level, size).filter(|tile| tile.index == index);
            let hashes = match partial {
                Some(_) => self.edge.get(at).cloned().unwrap_or_default(),
                None => self.full_tile(TileId { level, index, width: TILE_WIDTH })?,
            };
            if let Some(row) = self.rows.get_mut(at) {
                *row = Some((index, hashes));
            }
        }
        match self.rows.get(at).and_then(Option::as_ref) {
            Some((_, hashes)) => Ok(hashes),
            // only for a level that the tree does not have, which nobody asks for
            None => Err(missing_level(level)),
        }
    }

    fn full_tile(&mut self, tile: TileId) -> Result<Vec<Hash>, Finding> {
        let place = usize::try_from(tile.index % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        let expected = self.tile(tile.level + 1, tile.index / u64::from(TILE_WIDTH))?.get(place).copied();
        let hashes = self.read(tile)?;
        if Some(root_of(&hashes)) == expected { Ok(hashes) } else { Err(self.name_tile(tile, &hashes)) }
    }

    fn read(&mut self, tile: TileId) -> Result<Vec<Hash>, Finding> {
        read_tile(self.source, tile, &mut self.buffer).map_err(|trouble| {
            let (kind, reason) = match trouble {
                TileTrouble::Missing => (FindingKind::MissingFile, "the tile is missing".to_owned()),
                TileTrouble::Malformed(reason) => (FindingKind::MalformedFile, reason),
                TileTrouble::Unreadable(error) => (FindingKind::Unreadable, error.to_string()),
            };
            let (first_index, _) = entries_of_child(tile, 0, self.checkpoint.size);
            let (_, last_index) = entries_of_child(tile, u64::from(tile.width) - 1, self.checkpoint.size);
            Finding { kind, first_index, last_index, file: Some(tile.path()), reason }
        })
    }

    /// What to say of a right edge that does not lead to the signed root: its first tile that is not what lies below it, or, when
    /// all agree with each other, that they are not of this checkpoint.
    fn name_edge(&mut self) -> Finding {
        let size = self.checkpoint.size;
        for (level, stored) in (0u8..).zip(self.edge.clone()) {
            let Some(tile) = TileId::partial(level, size) else { continue };
            if let Some(place) = self.first_differing(tile, &stored) {
                return self.altered(tile, place);
            }
        }
        Finding {
            kind: FindingKind::RootDiffers,
            first_index: None,
            last_index: None,
            file: Some("checkpoint".to_owned()),
            reason: format!("the tiles of the right edge do not lead to the root that was signed for {size} entries"),
        }
    }

    /// What to say of a full tile that the tree above does not vouch for.
    fn name_tile(&mut self, tile: TileId, stored: &[Hash]) -> Finding {
        if let Some(place) = self.first_differing(tile, stored) {
            return self.altered(tile, place);
        }
        let (first_index, _) = entries_of_child(tile, 0, self.checkpoint.size);
        let (_, last_index) = entries_of_child(tile, u64::from(TILE_WIDTH) - 1, self.checkpoint.size);
        Finding {
            kind: FindingKind::Replaced,
            first_index,
            last_index,
            file: Some(tile.path()),
            reason: "the tile agrees with what lies below it but not with the tree above: they were replaced"
                .to_owned(),
        }
    }

    fn altered(&self, tile: TileId, place: usize) -> Finding {
        let (first_index, last_index) = entries_of_child(tile, place as u64, self.checkpoint.size);
        Finding {
            kind: FindingKind::TileAltered,
            first_index,
            last_index,
            file: Some(tile.path()),
            reason: format!(
                "hash {place} of the tile is not that of what lies below it: the tile was altered, or that was"
            ),
        }
    }

    /// The first hash of a tile that is not what its child has now.
    fn first_differing(&mut self, tile: TileId, stored: &[Hash]) -> Option<usize> {
        if tile.level == 0 {
            let id = BundleId { index: tile.index, width: tile.width };
            let wanted = Wanted { leaves: true, contents: false };
            let leaves = bundle::check(self.source, id, wanted, &mut self.buffers).leaves?;
            return stored.iter().zip(&leaves).position(|(stored, leaf)| stored != leaf);
        }
        let first = tile.index * u64::from(TILE_WIDTH);
        (first..).zip(stored).position(|(index, hash)| {
            let child = TileId { level: tile.level - 1, index, width: TILE_WIDTH };
            self.read(child).is_ok_and(|hashes| root_of(&hashes) != *hash)
        })
    }
}

fn missing_level(level: u8) -> Finding {
    Finding {
        kind: FindingKind::RootDiffers,
        first_index: None,
        last_index: None,
        file: Some("checkpoint".to_owned()),
        reason: format!("the tree has no tiles of level {level}; this is a fault of the verifier, please report it"),
    }
}
