//! The right edge of a tree: all that is needed to append to it and to compute its root.
//!
//! Promises: holds at most 255 hashes a level, whatever the size; each full tile is handed out once, when it becomes full,
//! lower levels first; growing in any steps gives the same tiles. Never: reads or writes anything itself.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::proof::{Fetched, TileError, fetch_tile};
use crate::tile::{TILE_WIDTH, TileId, hashes_at};
use crate::tree::{TreeSize, root_of};

/// The partial tiles of a tree, level by level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// For each level from the leaves up, the hashes that do not fill a tile yet.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree without leaves.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: 0, levels: Vec::new() }
    }

    /// The edge of a tree of `size`, from its partial tiles. `fetch` is asked for at most one tile a level and may answer
    /// with more hashes than asked for (a fuller tile of the same place).
    ///
    /// # Errors
    /// [`TileError`] when `fetch` fails or gives fewer hashes than the tile has. Whether they are the right hashes shows
    /// when [`Self::root`] is compared with a checkpoint.
    pub fn load<E>(
        size: TreeSize,
        mut fetch: impl FnMut(TileId) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, TileError<E>> {
        let mut levels = Vec::new();
        for level in 0..=u8::MAX {
            if hashes_at(level, size) == 0 {
                break;
            }
            let hashes = match TileId::partial(level, size) {
                Some(tile) => fetch_tile(tile, &mut fetch)?,
                None => Fetched::new(),
            };
            levels.push(hashes);
        }
        Ok(Self { size: size.0, levels })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// Adds leaf hashes. Each tile that becomes full is given to `emit`, a tile always after the tiles below it.
    pub fn append(&mut self, leaves: &[Hash], emit: &mut dyn FnMut(TileId, &[Hash])) {
        let mut leaves = leaves;
        while !leaves.is_empty() {
            let room = usize::from(TILE_WIDTH) - self.level(0).len();
            let (now, later) = leaves.split_at(room.min(leaves.len()));
            self.level(0).extend_from_slice(now);
            self.size += now.len() as u64;
            leaves = later;
            self.close_full_tiles(emit);
        }
    }

    /// The partial tiles of the tree as it stands, lower levels first: what must be written beside the full tiles before a
    /// checkpoint of this size may be published.
    #[must_use]
    pub fn partial_tiles(&self) -> Vec<(TileId, Vec<Hash>)> {
        let mut tiles = Vec::new();
        for (level, hashes) in (0u8..).zip(&self.levels) {
            if let Some(tile) = TileId::partial(level, self.size()) {
                tiles.push((tile, hashes.clone()));
            }
        }
        tiles
    }

    /// The root of the tree as it stands. Costs at most 255 node hashes a level.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        for hashes in &self.levels {
            // A partial tile is a row of full subtrees, as wide as the bits of its length; the smallest stands rightmost.
            let mut rest = &hashes[..];
            while !rest.is_empty() {
                let subtree = 1usize << rest.len().trailing_zeros();
                let (before, last) = rest.split_at(rest.len() - subtree);
                let root = root_of(last);
                right = Some(right.map_or(root, |right| node_hash(&root, &right)));
                rest = before;
            }
        }
        right.unwrap_or(EMPTY_ROOT)
    }

    fn close_full_tiles(&mut self, emit: &mut dyn FnMut(TileId, &[Hash])) {
        let mut level = 0u8;
        while self.level(level).len() == usize::from(TILE_WIDTH) {
            let index = hashes_at(level, self.size()) / u64::from(TILE_WIDTH) - 1;
            let hashes = self.level(level);
            emit(TileId { level, index, width: TILE_WIDTH }, hashes);
            let root = root_of(hashes);
            hashes.clear();
            level += 1;
            self.level(level).push(root);
        }
    }

    fn level(&mut self, level: u8) -> &mut Vec<Hash> {
        let at = usize::from(level);
        if self.levels.len() <= at {
            self.levels.resize_with(at + 1, || Vec::with_capacity(usize::from(TILE_WIDTH)));
        }
        &mut self.levels[at]
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self::empty()
    }
}
