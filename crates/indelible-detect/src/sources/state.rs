//! The state as bytes: JSON with a version. It is our own file, but a damaged one must do no harm.

use indelible_event::completeness::{GAPS_MAX, Gap, SOURCES_MAX, Sequence};
use serde::{Deserialize, Serialize};

use super::State;
use super::clock::DELAYS_MAX;

const VERSION: u32 = 1;

/// Why a saved state cannot be gone on from.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are not what was saved.
    #[error("the saved state of sources cannot be read: {reason}; it is built anew from the log")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// Another version of the program saved it.
    #[error(
        "the saved state of sources has version {version}, this program reads version {VERSION}; it is built anew from the log"
    )]
    Version {
        /// Its version.
        version: u32,
    },
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    state: &'a State,
}

#[derive(Deserialize)]
struct Read {
    state: State,
}

pub(super) fn write(state: &State) -> Vec<u8> {
    // Texts, numbers and lists always have a JSON form; nothing at all is read back as damaged.
    serde_json::to_vec(&Written { version: VERSION, state }).unwrap_or_default()
}

pub(super) fn read(bytes: &[u8]) -> Result<State, SnapshotError> {
    let damaged = |error: serde_json::Error| SnapshotError::Damaged { reason: error.to_string() };
    let Version { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(SnapshotError::Version { version });
    }
    let Read { state } = serde_json::from_slice(bytes).map_err(damaged)?;
    let fits = state.sources.len() <= SOURCES_MAX
        && state.sources.values().all(|source| {
            source.numbers.gaps.len() <= GAPS_MAX
                && source.numbers.gaps.iter().all(|gap| 0 < gap.first && gap.first <= gap.last)
                && source.clock.delays_ns.len() <= DELAYS_MAX
        });
    if !fits {
        return Err(SnapshotError::Damaged { reason: "it holds more than is ever kept".to_owned() });
    }
    Ok(state)
}

/// [`Gap`] as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Gap")]
pub(super) struct SavedGap {
    first: u64,
    last: u64,
}

/// [`Sequence`] as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Sequence")]
pub(super) struct SavedSequence {
    first_seq: Option<u64>,
    next: u64,
    #[serde(with = "gaps")]
    gaps: Vec<Gap>,
    open_from: usize,
    gaps_capped: bool,
    missing: u64,
    repeats: u64,
    restarts: u64,
}

mod gaps {
    use indelible_event::completeness::Gap;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(gaps: &[Gap], serializer: S) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(u64, u64)> = gaps.iter().map(|gap| (gap.first, gap.last)).collect();
        pairs.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Gap>, D::Error> {
        let pairs = Vec::<(u64, u64)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(first, last)| Gap { first, last }).collect())
    }
}
