//! The tree above the bundles: every node recomputed from below and every stored tile judged from above.
//!
//! The signed root vouches for the partial tiles at the right edge, they for the full tiles below them, and so on down to
//! the leaves: a hash reached that way is *authentic*. Going from both ends at once, a damaged file can be named, not only
//! noticed. Promises: holds two rows of 256 hashes a level. Never: lets a stored hash stand in for a recomputed one where no
//! authentic hash says that it is right.

use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{HASH_BYTES, Hash};
use indelible_tlog::tile::{TILE_BYTES, TILE_WIDTH, TileId, decode_hashes};
use indelible_tlog::tree::{TreeSize, root_of};

use crate::findings::Findings;
use crate::report::{Finding, FindingKind};
use crate::source::{LogSource, SourceError};

/// What the tile above says that a subtree's root should be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) hash: Option<Hash>,
    /// Whether the signed root vouches for it.
    pub(crate) authentic: bool,
}

impl Expected {
    /// The hash, if it is authentic.
    pub(crate) fn authentic(self) -> Option<Hash> {
        self.hash.filter(|_| self.authentic)
    }
}

/// A tile whose children are being recomputed.
struct Row {
    tile: TileId,
    stored: Option<Vec<Hash>>,
    authentic: bool,
    computed: Vec<Hash>,
    /// Whether a finding below already explains a difference.
    tainted: bool,
}

/// The rows of all levels above the leaves.
pub(crate) struct Climb<'s> {
    source: &'s dyn LogSource,
    size: TreeSize,
    /// The partial tile of each level as stored, where there is one.
    edge: Vec<Option<Vec<Hash>>>,
    edge_authentic: bool,
    /// By level, from 1.
    rows: Vec<Option<Row>>,
    buffer: Vec<u8>,
    pub(crate) tiles_checked: u64,
}

impl<'s> Climb<'s> {
    /// Reads the right edge and judges it by the signed root.
    pub(crate) fn new(source: &'s dyn LogSource, size: TreeSize, root: Hash, findings: &mut Findings) -> Self {
        let mut climb = Self {
            source,
            size,
            edge: Vec::new(),
            edge_authentic: false,
            rows: Vec::new(),
            buffer: Vec::new(),
            tiles_checked: 0,
        };
        let mut level = 0u8;
        while TileId::at(level, 0, size).is_some() {
            let tile = TileId::partial(level, size);
            // What is wrong with the lowest tile is said together with its bundle.
            let stored = tile.and_then(|tile| climb.read_tile(tile, (level > 0).then_some(&mut *findings)));
            climb.edge.push(stored);
            climb.rows.push(None);
            level += 1;
        }
        let edge = Edge::load(size, |tile| climb.edge.get(usize::from(tile.level)).cloned().flatten().ok_or(()));
        climb.edge_authentic = edge.is_ok_and(|edge| edge.root() == root);
        climb
    }

    /// What the root of the bundle at `index` (its leaf hashes) should be.
    pub(crate) fn expected_bundle(&mut self, index: u64, findings: &mut Findings) -> Expected {
        match TileId::partial(0, self.size) {
            Some(partial) if partial.index == index => {
                let stored = self.edge.first().and_then(Option::as_ref);
                Expected { hash: stored.map(|hashes| root_of(hashes)), authentic: self.edge_authentic }
            }
            _ => self.expected(1, index, findings),
        }
    }

    /// Takes the root of the next full bundle. `tainted`: a finding says already that it may be wrong.
    pub(crate) fn push_bundle(&mut self, root: Hash, tainted: bool, findings: &mut Findings) {
        self.tiles_checked += 1;
        self.push(1, root, tainted, findings);
    }

    /// The root of the whole tree as recomputed, `leaves` being the recomputed ones of the last, partial bundle. Judges the
    /// stored right edge where the signed root did not vouch for it.
    pub(crate) fn finish(mut self, leaves: &[Hash], root: Hash, findings: &mut Findings) -> u64 {
        let mut computed: Vec<Vec<Hash>> = vec![leaves.to_vec()];
        let mut tainted = false;
        for row in self.rows.iter_mut().skip(1) {
            let row = row.take().filter(|row| row.tile.width < TILE_WIDTH);
            tainted |= row.as_ref().is_some_and(|row| row.tainted);
            computed.push(row.map(|row| row.computed).unwrap_or_default());
        }
        let of_level = |tile: TileId| computed.get(usize::from(tile.level)).cloned().ok_or(());
        let computed_root = Edge::load(self.size, of_level).map(|edge| edge.root()).unwrap_or_default();
        self.tiles_checked += computed.iter().filter(|hashes| !hashes.is_empty()).count() as u64;
        let right = computed_root == root;
        if !self.edge_authentic {
            self.judge_edge(&computed, right, findings);
        }
        // The last word, whatever was said above: what was recomputed must be what was signed.
        if !right && !tainted && findings.is_empty() {
            findings.add(Finding {
                kind: FindingKind::RootDiffers,
                first_index: Some(0),
                last_index: self.size.0.checked_sub(1),
                file: Some("checkpoint".to_owned()),
                reason: format!(
                    "entries and tiles agree with each other, but lead to root {computed_root} instead of the signed {root}"
                ),
            });
        }
        self.tiles_checked
    }

    fn judge_edge(&self, computed: &[Vec<Hash>], right: bool, findings: &mut Findings) {
        for (level, stored) in (0u8..).zip(&self.edge) {
            let (Some(tile), Some(stored)) = (TileId::partial(level, self.size), stored) else { continue };
            let Some(computed) = computed.get(usize::from(level)).filter(|computed| *computed != stored) else {
                continue;
            };
            // Differences of the lowest tile were found entry by entry.
            if level == 0 && !right {
                continue;
            }
            let place = stored.iter().zip(computed).position(|(a, b)| a != b).unwrap_or_default();
            let (first_index, last_index) = entries_of_child(tile, place as u64, self.size);
            let meaning = if right { "; the entries below it are whole" } else { ", or the entries below it were" };
            findings.add(Finding {
                kind: FindingKind::TileAltered,
                first_index,
                last_index,
                file: Some(tile.path()),
                reason: format!("hash {place} of the tile is not the recomputed one: the tile was altered{meaning}"),
            });
        }
    }

    fn expected(&mut self, level: u8, index: u64, findings: &mut Findings) -> Expected {
        let width = u64::from(TILE_WIDTH);
        self.enter_row(level, index / width, findings);
        let Some(Some(row)) = self.rows.get(usize::from(level)) else { return Expected::default() };
        let place = usize::try_from(index % width).unwrap_or(usize::MAX);
        let hash = row.stored.as_ref().and_then(|stored| stored.get(place)).copied();
        Expected { hash, authentic: row.authentic }
    }

    /// Makes sure that the row of this tile is the current one of its level.
    fn enter_row(&mut self, level: u8, index: u64, findings: &mut Findings) {
        let at = usize::from(level);
        if self.rows.get(at).and_then(Option::as_ref).is_some_and(|row| row.tile.index == index) {
            return;
        }
        let Some(tile) = TileId::at(level, index, self.size) else { return };
        let (stored, authentic) = if tile.is_full() {
            let stored = self.read_tile(tile, Some(findings));
            let expected = self.expected(level + 1, index, findings);
            let authentic = stored.as_ref().is_some_and(|hashes| Some(root_of(hashes)) == expected.authentic());
            (stored, authentic)
        } else {
            let stored = self.edge.get(at).cloned().flatten();
            let authentic = self.edge_authentic && stored.is_some();
            (stored, authentic)
        };
        let computed = Vec::with_capacity(usize::from(tile.width));
        if let Some(row) = self.rows.get_mut(at) {
            *row = Some(Row { tile, stored, authentic, computed, tainted: false });
        }
    }

    fn push(&mut self, level: u8, hash: Hash, tainted: bool, findings: &mut Findings) {
        let Some(Some(row)) = self.rows.get_mut(usize::from(level)) else { return };
        row.computed.push(hash);
        row.tainted |= tainted;
        if row.computed.len() == usize::from(TILE_WIDTH) {
            self.close_row(level, findings);
        }
    }

    /// All children of a full tile are recomputed: judge the tile and hand its root up.
    fn close_row(&mut self, level: u8, findings: &mut Findings) {
        let Some(row) = self.rows.get_mut(usize::from(level)).and_then(Option::take) else { return };
        let root = root_of(&row.computed);
        let expected = self.expected(level + 1, row.tile.index, findings);
        let mut tainted = row.tainted;
        if !row.authentic
            && let Some(finding) = self.judge_row(&row, root, expected)
        {
            tainted = true;
            findings.add(finding);
        }
        self.tiles_checked += 1;
        match expected.authentic() {
            Some(hash) => self.push(level + 1, hash, false, findings),
            None => self.push(level + 1, root, tainted, findings),
        }
    }

    fn judge_row(&self, row: &Row, root: Hash, expected: Expected) -> Option<Finding> {
        let width = u64::from(TILE_WIDTH);
        let (first, last) =
            (entries_of_child(row.tile, 0, self.size).0, entries_of_child(row.tile, width - 1, self.size).1);
        let finding = |kind, (first_index, last_index), reason| {
            Some(Finding { kind, first_index, last_index, file: Some(row.tile.path()), reason })
        };
        let place = row.stored.as_ref().and_then(|stored| stored.iter().zip(&row.computed).position(|(a, b)| a != b));
        let child = place.map_or((first, last), |place| entries_of_child(row.tile, place as u64, self.size));
        let hash = place.unwrap_or_default();
        match (&row.stored, expected.authentic()) {
            (Some(_), Some(want)) if want == root => finding(
                FindingKind::TileAltered,
                child,
                format!("hash {hash} of the tile was altered; the entries below it are whole"),
            ),
            (_, Some(want)) if want == root || row.tainted => None,
            (_, Some(_)) => finding(
                FindingKind::Replaced,
                (first, last),
                "the tile and what lies below it are not what the tree commits to: they were replaced".to_owned(),
            ),
            (Some(_), None) if place.is_some() && !row.tainted => finding(
                FindingKind::TileAltered,
                child,
                format!(
                    "hash {hash} of the tile is not the recomputed one: the tile or the entries below it were altered"
                ),
            ),
            _ => None,
        }
    }

    fn read_tile(&mut self, tile: TileId, findings: Option<&mut Findings>) -> Option<Vec<Hash>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = read_tile(self.source, tile, &mut buffer);
        self.buffer = buffer;
        let (kind, reason) = match read {
            Ok(hashes) => return Some(hashes),
            Err(TileTrouble::Missing) => (FindingKind::MissingFile, "the tile is missing".to_owned()),
            Err(TileTrouble::Malformed(reason)) => (FindingKind::MalformedFile, reason),
            Err(TileTrouble::Unreadable(error)) => (FindingKind::Unreadable, error.to_string()),
        };
        let (first_index, _) = entries_of_child(tile, 0, self.size);
        let (_, last_index) = entries_of_child(tile, u64::from(tile.width) - 1, self.size);
        if let Some(findings) = findings {
            findings.add(Finding { kind, first_index, last_index, file: Some(tile.path()), reason });
        }
        None
    }
}

/// Why a tile could not be used.
pub(crate) enum TileTrouble {
    Missing,
    Malformed(String),
    Unreadable(SourceError),
}

/// A tile, or the hashes it should have out of the full tile that has taken its place.
pub(crate) fn read_tile(source: &dyn LogSource, tile: TileId, buffer: &mut Vec<u8>) -> Result<Vec<Hash>, TileTrouble> {
    let trouble = |error| match error {
        SourceError::TooLong { bytes_max, .. } => {
            TileTrouble::Malformed(format!("the tile is longer than {bytes_max} bytes"))
        }
        error => TileTrouble::Unreadable(error),
    };
    if source.read(&tile.path(), TILE_BYTES, buffer).map_err(trouble)? {
        return decode_hashes(tile, buffer).map_err(|error| TileTrouble::Malformed(error.to_string()));
    }
    if tile.is_full() || !source.read(&tile.full().path(), TILE_BYTES, buffer).map_err(trouble)? {
        return Err(TileTrouble::Missing);
    }
    buffer.truncate(usize::from(tile.width) * HASH_BYTES);
    decode_hashes(tile, buffer).map_err(|error| TileTrouble::Malformed(error.to_string()))
}

/// First and last entry below one hash of a tile.
pub(crate) fn entries_of_child(tile: TileId, place: u64, size: TreeSize) -> (Option<u64>, Option<u64>) {
    let leaves = u64::from(TILE_WIDTH).checked_pow(u32::from(tile.level));
    let child = tile.index.saturating_mul(u64::from(TILE_WIDTH)).saturating_add(place);
    let first = leaves.and_then(|leaves| leaves.checked_mul(child));
    let end = leaves.and_then(|leaves| leaves.checked_mul(child.saturating_add(1))).unwrap_or(u64::MAX);
    (first, end.min(size.0).checked_sub(1))
}
