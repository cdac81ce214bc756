//! One entry bundle beside its level-0 tile: every leaf recomputed and compared, every entry looked into. The work that is
//! done on several threads; it knows nothing of the tree above.

use std::collections::HashMap;

use indelible_event::time::RECORDED_BYTES;
use indelible_tlog::bundle::{BUNDLE_BYTES_MAX, BundleError, entries};
use indelible_tlog::hash::{HASH_BYTES, Hash, leaf_hashes};
use indelible_tlog::tile::{BundleId, TILE_BYTES, TileId};
use indelible_tlog::tree::root_of;

use crate::scan::{EntryFields, ScanFault, scan};
use crate::source::{LogSource, SourceError};

/// A time of recording as it stands in the entry; byte order is time order.
pub(crate) type Recorded = [u8; RECORDED_BYTES];

/// What stood in a file.
#[derive(Debug)]
pub(crate) enum FileState {
    /// All that should be there.
    Whole,
    /// Not there.
    Missing,
    /// There, but not of the right form.
    Malformed(String),
    /// Could not be read.
    Unreadable(SourceError),
}

/// What one bundle and its tile came to.
#[derive(Debug)]
pub(crate) struct BundleOutcome {
    pub(crate) id: BundleId,
    pub(crate) bundle: FileState,
    pub(crate) tile: FileState,
    /// Recomputed leaf hashes of all entries; kept only when asked for.
    pub(crate) leaves: Option<Vec<Hash>>,
    /// Root over the recomputed leaves, when the bundle is whole.
    pub(crate) entries_root: Option<Hash>,
    /// Root over the tile's hashes, when the tile is whole.
    pub(crate) tile_root: Option<Hash>,
    /// First entry whose hash is not the tile's, counted in the bundle, and how many such there are.
    pub(crate) differing: Option<(u64, u64)>,
    /// How many entries were hashed.
    pub(crate) hashed: u64,
    /// Bytes of the bundle.
    pub(crate) bytes: u64,
    pub(crate) contents: Contents,
}

/// What the entries of a bundle say of themselves, in their order.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) first_recorded: Option<Recorded>,
    pub(crate) last_recorded: Option<Recorded>,
    /// Entries, by index, recorded before the one before them: the first, and how many.
    pub(crate) time_decreases: Option<(u64, u64)>,
    /// Entries that are no events: the first with what is wrong, and how many.
    pub(crate) not_events: Option<(u64, ScanFault, u64)>,
    pub(crate) sources: Vec<SourceRuns>,
}

/// Numbers of one source in one bundle, in order, put together where they follow on each other.
#[derive(Debug)]
pub(crate) struct SourceRuns {
    /// The id as JSON.
    pub(crate) id: Box<[u8]>,
    pub(crate) events: u64,
    pub(crate) unnumbered: u64,
    /// First number and how many.
    pub(crate) runs: Vec<(u64, u64)>,
}

/// Buffers that one worker uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    bundle: Vec<u8>,
    tile: Vec<u8>,
    leaves: Vec<Hash>,
}

/// What is wanted of a bundle besides its hashes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Recomputed leaf hashes.
    pub(crate) leaves: bool,
    /// What the entries say of themselves.
    pub(crate) contents: bool,
}

/// Reads one bundle and its tile and compares them.
pub(crate) fn check(source: &dyn LogSource, id: BundleId, wanted: Wanted, buffers: &mut Buffers) -> BundleOutcome {
    let Buffers { bundle, tile, leaves } = buffers;
    let width = usize::from(id.width);
    let tile_id = TileId { level: 0, index: id.index, width: id.width };
    let mut bundle_state = read_or_fuller(source, &id.path(), &id.full().path(), BUNDLE_BYTES_MAX, bundle);
    let mut tile_state = read_or_fuller(source, &tile_id.path(), &tile_id.full().path(), TILE_BYTES, tile);
    if let Read::Exact | Read::Fuller = tile_state
        && (tile.len() < width * HASH_BYTES || (matches!(tile_state, Read::Exact) && tile.len() != width * HASH_BYTES))
    {
        tile_state = Read::Failed(FileState::Malformed(format!(
            "the tile has {} bytes instead of {}",
            tile.len(),
            width * HASH_BYTES
        )));
    }
    let tile_hashes: &[u8] = match tile_state {
        Read::Exact | Read::Fuller => tile.get(..width * HASH_BYTES).unwrap_or_default(),
        Read::Failed(_) => &[],
    };

    let mut look = Look { first_index: id.first_entry(), into_entries: wanted.contents, ..Look::default() };
    leaves.clear();
    let mut bytes = 0;
    if let Read::Exact | Read::Fuller = bundle_state {
        bytes = bundle.len() as u64;
        let surplus_allowed = matches!(bundle_state, Read::Fuller);
        if let Err(problem) = look.read(bundle, tile_hashes, width, surplus_allowed, leaves) {
            bundle_state = Read::Failed(FileState::Malformed(problem));
        }
    }
    let whole = leaves.len() == width;
    let entries_root = whole.then(|| root_of(leaves));
    let tile_root = if whole && look.differing.is_none() && !tile_hashes.is_empty() {
        entries_root
    } else {
        tile_root(tile_hashes)
    };
    BundleOutcome {
        id,
        bundle: bundle_state.into_state(),
        tile: tile_state.into_state(),
        leaves: wanted.leaves.then(|| leaves.clone()),
        entries_root,
        tile_root,
        differing: look.differing,
        hashed: leaves.len() as u64,
        bytes,
        contents: look.into_contents(),
    }
}

fn tile_root(bytes: &[u8]) -> Option<Hash> {
    let hashes: Vec<Hash> = bytes.chunks_exact(HASH_BYTES).filter_map(Hash::from_slice).collect();
    (!hashes.is_empty()).then(|| root_of(&hashes))
}

enum Read {
    Exact,
    Fuller,
    Failed(FileState),
}

impl Read {
    fn into_state(self) -> FileState {
        match self {
            Self::Exact | Self::Fuller => FileState::Whole,
            Self::Failed(state) => state,
        }
    }
}

/// A log may drop a partial file once the full one is there (tlog-tiles, section Partial Tiles), or, while it is written to, for
/// a wider one.
fn read_or_fuller(source: &dyn LogSource, path: &str, fuller: &str, bytes_max: usize, into: &mut Vec<u8>) -> Read {
    match source.read(path, bytes_max, into) {
        Ok(true) => return Read::Exact,
        Ok(false) if path == fuller => return Read::Failed(FileState::Missing),
        Ok(false) => {}
        Err(SourceError::TooLong { bytes_max, .. }) => {
            return Read::Failed(FileState::Malformed(format!("the file is longer than {bytes_max} bytes")));
        }
        Err(error) => return Read::Failed(FileState::Unreadable(error)),
    }
    // looked for first: once the full file is there, the partial ones may go at any moment
    let fuller_one = match source.wider(path) {
        Ok(Some(wider)) => source.read(&wider, bytes_max, into),
        Ok(None) => Ok(false),
        Err(error) => Err(error),
    };
    match fuller_one.and_then(|found| if found { Ok(true) } else { source.read(fuller, bytes_max, into) }) {
        Ok(true) => Read::Fuller,
        Ok(false) => Read::Failed(FileState::Missing),
        Err(error) => Read::Failed(FileState::Unreadable(error)),
    }
}

/// A look through the entries of one bundle.
#[derive(Default)]
struct Look<'a> {
    first_index: u64,
    /// Whether entries are read, not only hashed.
    into_entries: bool,
    differing: Option<(u64, u64)>,
    contents: Contents,
    sources: HashMap<&'a [u8], usize>,
    last_source: Option<(&'a [u8], usize)>,
}

impl<'a> Look<'a> {
    /// Hashes and reads each entry. The error says how the bundle is malformed; what was read before it counts.
    fn read(
        &mut self,
        bundle: &'a [u8],
        tile: &[u8],
        width: usize,
        surplus_allowed: bool,
        leaves: &mut Vec<Hash>,
    ) -> Result<(), String> {
        let mut found = Vec::with_capacity(width);
        let mut end = Ok(());
        for entry in entries(bundle) {
            if found.len() == width {
                let more = format!("something follows the last of its {width} entries");
                end = if surplus_allowed { Ok(()) } else { Err(more) };
                break;
            }
            match entry {
                Ok(entry) => found.push(entry),
                Err(BundleError { offset, .. }) => {
                    let place = self.first_index + found.len() as u64;
                    end = Err(format!("it ends inside entry {place}, which begins at byte {offset}"));
                    break;
                }
            }
        }
        if end.is_ok() && found.len() < width {
            end = Err(format!("it has {} entries instead of {width}", found.len()));
        }
        *leaves = leaf_hashes(&found);
        for (place, (entry, leaf)) in (0u64..).zip(found.iter().zip(leaves.iter())) {
            let at = usize::try_from(place).unwrap_or(usize::MAX).saturating_mul(HASH_BYTES);
            let differs = tile.get(at..at.saturating_add(HASH_BYTES)).is_some_and(|hash| hash != leaf.0);
            if differs {
                let (first, count) = self.differing.unwrap_or((place, 0));
                self.differing = Some((first, count + 1));
            } else if self.into_entries {
                // Altered entries are findings already; what they say does not count.
                self.take(self.first_index + place, scan(entry));
            }
        }
        end
    }

    fn take(&mut self, index: u64, fields: Result<EntryFields<'a>, ScanFault>) {
        let contents = &mut self.contents;
        let fields = match fields {
            Ok(fields) => fields,
            Err(fault) => {
                let (first, fault, count) = contents.not_events.unwrap_or((index, fault, 0));
                contents.not_events = Some((first, fault, count + 1));
                return;
            }
        };
        if contents.last_recorded.as_ref().is_some_and(|last| fields.recorded < last) {
            let (first, count) = contents.time_decreases.unwrap_or((index, 0));
            contents.time_decreases = Some((first, count + 1));
        }
        contents.first_recorded.get_or_insert(*fields.recorded);
        contents.last_recorded = Some(*fields.recorded);

        let at = match self.last_source {
            Some((id, at)) if id == fields.source => at,
            _ => *self.sources.entry(fields.source).or_insert_with(|| {
                contents.sources.push(SourceRuns {
                    id: fields.source.into(),
                    events: 0,
                    unnumbered: 0,
                    runs: Vec::new(),
                });
                contents.sources.len() - 1
            }),
        };
        self.last_source = Some((fields.source, at));
        if let Some(source) = contents.sources.get_mut(at) {
            source.take(fields.seq);
        }
    }

    fn into_contents(self) -> Contents {
        self.contents
    }
}

impl SourceRuns {
    fn take(&mut self, seq: Option<u64>) {
        self.events += 1;
        let Some(seq) = seq else {
            self.unnumbered += 1;
            return;
        };
        match self.runs.last_mut() {
            Some((first, count)) if *first + *count == seq => *count += 1,
            _ => self.runs.push((seq, 1)),
        }
    }
}
