//! Names and bytes of tiles and entry bundles (C2SP tlog-tiles).
//! Promises: a path that parses is the only spelling of that tile. Never: touches a file.

use std::fmt::{self, Write as _};

use crate::hash::{HASH_BYTES, Hash};
use crate::tree::TreeSize;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Levels of a tree that one tile covers: 2^8 = 256.
pub const TILE_HEIGHT: u32 = 8;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = TILE_WIDTH as usize * HASH_BYTES;
/// Highest tile level that the specification names.
pub const LEVEL_MAX: u8 = 63;
/// Most three-digit groups in a path: 10^18 tiles, beyond what a 63-bit tree has.
const GROUPS_MAX: usize = 6;

/// A tile: up to 256 neighbouring hashes of one level. Level 0 holds leaf hashes, level n + 1 the roots of full tiles of n.
///
/// ```
/// use indelible_tlog::tile::TileId;
/// use indelible_tlog::tree::TreeSize;
///
/// // A tree of 70,000 leaves has 273 full tiles of leaf hashes, and one that is not full.
/// let last = TileId::at(0, 273, TreeSize(70_000)).unwrap();
/// assert_eq!((last.path().as_str(), last.width), ("tile/0/273.p/112", 112));
/// assert_eq!(TileId::at(1, 0, TreeSize(70_000)).unwrap().path(), "tile/1/000");
/// assert_eq!(TileId::parse("tile/0/x001/234").unwrap().index, 1_234);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Level, from 0 (leaves).
    pub level: u8,
    /// Place within the level, from 0.
    pub index: u64,
    /// How many hashes: 256 for a full tile, 1 to 255 for a partial one.
    pub width: u16,
}

/// An entry bundle: the entries whose leaf hashes stand in the level-0 tile of the same index and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// Place, from 0: the bundle begins with entry `256 * index`.
    pub index: u64,
    /// How many entries: 256 for a full bundle, 1 to 255 for a partial one.
    pub width: u16,
}

/// Why bytes are not the tile they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tile `{tile}` has {got} bytes instead of {want}")]
pub struct TileBytesError {
    /// Which tile.
    pub tile: TileId,
    /// Bytes it must have.
    pub want: usize,
    /// Bytes it has.
    pub got: usize,
}

impl TileId {
    /// The tile at `index` of `level` in a tree of this size; `None` when the tree has no hash there.
    #[must_use]
    pub fn at(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let width = width_at(level, index, size)?;
        Some(Self { level, index, width })
    }

    /// The partial tile of `level` in a tree of this size; `None` when that level ends with a full tile or is empty.
    #[must_use]
    pub fn partial(level: u8, size: TreeSize) -> Option<Self> {
        let hashes = hashes_at(level, size);
        let width = u16::try_from(hashes % u64::from(TILE_WIDTH)).ok()?;
        (width > 0).then_some(Self { level, index: hashes / u64::from(TILE_WIDTH), width })
    }

    /// Whether it has all 256 hashes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The same tile with all 256 hashes: where to look when a partial tile has been tidied away.
    #[must_use]
    pub fn full(&self) -> Self {
        Self { width: TILE_WIDTH, ..*self }
    }

    /// The path below the log's prefix: `tile/0/x001/x234/067.p/12`.
    #[must_use]
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// Reads a path; `None` for anything that [`Self::path`] does not write.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = small_decimal(level, LEVEL_MAX.into())?;
        let (index, width) = parse_place(rest)?;
        Some(Self { level: u8::try_from(level).ok()?, index, width })
    }
}

impl BundleId {
    /// The bundle at `index` in a tree of this size; `None` when the tree ends before it.
    #[must_use]
    pub fn at(index: u64, size: TreeSize) -> Option<Self> {
        let width = width_at(0, index, size)?;
        Some(Self { index, width })
    }

    /// The index of its first entry.
    #[must_use]
    pub fn first_entry(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// Whether it has all 256 entries.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The same bundle with all 256 entries: where to look when a partial bundle has been tidied away.
    #[must_use]
    pub fn full(&self) -> Self {
        Self { width: TILE_WIDTH, ..*self }
    }

    /// The path below the log's prefix: `tile/entries/x001/067`.
    #[must_use]
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// Reads a path; `None` for anything that [`Self::path`] does not write.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (index, width) = parse_place(path.strip_prefix("tile/entries/")?)?;
        Some(Self { index, width })
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

/// How many hashes a level has in a tree of this size.
#[must_use]
pub fn hashes_at(level: u8, size: TreeSize) -> u64 {
    size.0.checked_shr(TILE_HEIGHT * u32::from(level)).unwrap_or(0)
}

/// A tile's bytes: its hashes one after the other.
#[must_use]
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(&hash.0);
    }
    bytes
}

/// The hashes of a tile.
///
/// # Errors
/// [`TileBytesError`] when there are not exactly as many bytes as the tile's width asks for.
pub fn decode_hashes(tile: TileId, bytes: &[u8]) -> Result<Vec<Hash>, TileBytesError> {
    let want = usize::from(tile.width) * HASH_BYTES;
    if bytes.len() != want {
        return Err(TileBytesError { tile, want, got: bytes.len() });
    }
    Ok(bytes.chunks_exact(HASH_BYTES).filter_map(Hash::from_slice).collect())
}

fn width_at(level: u8, index: u64, size: TreeSize) -> Option<u16> {
    let before = index.checked_mul(u64::from(TILE_WIDTH))?;
    let width = hashes_at(level, size).checked_sub(before)?.min(u64::from(TILE_WIDTH));
    u16::try_from(width).ok().filter(|width| *width > 0)
}

fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut divisor = 1u64;
    while index / divisor >= 1000 {
        divisor *= 1000;
    }
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width < TILE_WIDTH {
        f.write_str(".p")?;
        f.write_char('/')?;
        write!(f, "{width}")?;
    }
    Ok(())
}

fn parse_place(text: &str) -> Option<(u64, u16)> {
    let (place, width) = match text.split_once(".p/") {
        Some((place, width)) => (place, u16::try_from(small_decimal(width, u32::from(TILE_WIDTH) - 1)?).ok()?),
        None => (text, TILE_WIDTH),
    };
    if width == 0 {
        return None;
    }
    let mut index = 0u64;
    let mut groups = place.split('/').peekable();
    let mut count = 0;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        let value = three_digits(digits)?;
        count += 1;
        // A leading group of zeros would be a second spelling of the same index.
        if count > GROUPS_MAX || (count == 1 && value == 0 && groups.peek().is_some()) {
            return None;
        }
        index = index * 1000 + value;
    }
    Some((index, width))
}

fn three_digits(text: &str) -> Option<u64> {
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn small_decimal(text: &str, max: u32) -> Option<u32> {
    let plain = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if !plain || leading_zero {
        return None;
    }
    text.parse().ok().filter(|value| *value <= max)
}
