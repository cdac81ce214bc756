//! The state as bytes: magic, version, what was learned, and a CRC-32C over all before it. Numbers are little-endian.
//!
//! Promises: what is read back is what was written; anything else is an error, never a panic and never more memory than the
//! settings allow. Never: trusted beyond its checksum; it is our own file, and can be built anew from the log.

use datasketches::bloom::BloomFilter;

use super::Baselines;
use super::day::{Day, Days};
use super::known::Known;
use super::profile::{Profile, Stat};
use super::table::Table;

const MAGIC: &[u8; 8] = b"indlbase";
const VERSION: u32 = 1;
/// Bytes of a profile as written.
const PROFILE_BYTES: usize = 8 + 4 * 5 + 12 + 2 + 5 * 4 + 5 * 2 + 5 * 2 + 2 + 32 * 2 + 1 + 12 + 84;

/// Why a saved state cannot be gone on from.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The bytes are not what was saved.
    #[error("the saved baselines cannot be read: {reason}; they are learned anew from the log")]
    Damaged {
        /// What is wrong.
        reason: &'static str,
    },
    /// Another version of the program saved it.
    #[error(
        "the saved baselines have version {version}, this program reads version {VERSION}; they are learned anew from the log"
    )]
    Version {
        /// Its version.
        version: u32,
    },
}

const fn damaged(reason: &'static str) -> BaselineError {
    BaselineError::Damaged { reason }
}

pub(super) fn write(baselines: &Baselines) -> Vec<u8> {
    let profiles = baselines.actors.len() + baselines.others.len();
    let newer = baselines.known.newer.serialize();
    let older = baselines.known.older.serialize();
    let days = serde_json::to_vec(&baselines.days.in_order()).unwrap_or_default();
    let mut out = Vec::with_capacity(128 + profiles * PROFILE_BYTES + newer.len() + older.len() + days.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&baselines.first_hour.to_le_bytes());
    out.extend_from_slice(&baselines.seen.to_le_bytes());
    out.extend_from_slice(&baselines.known.items.to_le_bytes());
    for part in [&newer, &older, &days] {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    for table in [&baselines.actors, &baselines.others] {
        out.extend_from_slice(&table.left.to_le_bytes());
        out.extend_from_slice(&(table.len() as u64).to_le_bytes());
        for profile in table.profiles() {
            write_profile(profile, &mut out);
        }
    }
    let sum = crc32c::crc32c(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn write_profile(profile: &Profile, out: &mut Vec<u8>) {
    let mut bytes = [0; PROFILE_BYTES];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
        at += part.len();
    };
    put(&profile.key.to_le_bytes());
    let counts = [profile.first_hour, profile.hour, profile.events, profile.hour_events, profile.day_events];
    for number in counts.into_iter().chain(profile.sums) {
        put(&number.to_le_bytes());
    }
    put(&profile.days.to_le_bytes());
    for stat in [profile.hourly, profile.daily].into_iter().chain(profile.volumes) {
        put(&stat.mean.to_le_bytes());
        put(&stat.spread.to_le_bytes());
    }
    let news = profile.news.into_iter().chain(profile.usual_news).chain([profile.late_news]);
    for number in news.chain(profile.prints) {
        put(&number.to_le_bytes());
    }
    put(&[profile.wide]);
    put(&profile.today);
    put(&profile.week);
    out.extend_from_slice(&bytes);
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], BaselineError> {
        let (part, rest) = self.0.split_at_checked(len).ok_or(damaged("it ends too early"))?;
        self.0 = rest;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BaselineError> {
        let (part, rest) = self.0.split_first_chunk::<N>().ok_or(damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*part)
    }

    fn u16(&mut self) -> Result<u16, BaselineError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, BaselineError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, BaselineError> {
        self.array().map(u64::from_le_bytes)
    }

    fn part(&mut self) -> Result<&'a [u8], BaselineError> {
        let len = usize::try_from(self.u64()?).map_err(|_| damaged("a length is too large"))?;
        self.take(len)
    }

    fn numbers<const N: usize>(&mut self) -> Result<[u16; N], BaselineError> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.u16()?;
        }
        Ok(numbers)
    }

    fn stat(&mut self) -> Result<Stat, BaselineError> {
        Ok(Stat { mean: self.u16()?, spread: self.u16()? })
    }

    fn profile(&mut self) -> Result<Profile, BaselineError> {
        let key = self.u64()?;
        Ok(Profile {
            first_hour: self.u32()?,
            hour: self.u32()?,
            events: self.u32()?,
            hour_events: self.u32()?,
            day_events: self.u32()?,
            sums: [self.u32()?, self.u32()?, self.u32()?],
            days: self.u16()?,
            hourly: self.stat()?,
            daily: self.stat()?,
            volumes: [self.stat()?, self.stat()?, self.stat()?],
            news: self.numbers()?,
            usual_news: self.numbers()?,
            late_news: self.u16()?,
            prints: self.numbers()?,
            wide: u8::from_le_bytes(self.array()?),
            today: self.array()?,
            week: self.array()?,
            ..Profile::new(key, 0)
        })
    }

    fn table(&mut self, max: usize) -> Result<Table, BaselineError> {
        let mut table = Table::new(max);
        let left = self.u64()?;
        let len = usize::try_from(self.u64()?).map_err(|_| damaged("a length is too large"))?;
        if len > max {
            return Err(damaged("it holds more profiles than the settings allow"));
        }
        for _ in 0..len {
            let profile = self.profile()?;
            if table.find(profile.key).is_some() {
                return Err(damaged("a profile comes twice"));
            }
            table.add(profile);
        }
        table.left = left;
        Ok(table)
    }
}

pub(super) fn read(baselines: &mut Baselines, bytes: &[u8]) -> Result<(), BaselineError> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(damaged("it ends too early"))?;
    let mut reader = Reader(body);
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(damaged("it is something else"));
    }
    let version = reader.u32()?;
    if version != VERSION {
        return Err(BaselineError::Version { version });
    }
    if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
        return Err(damaged("its checksum differs"));
    }
    let first_hour = reader.u32()?;
    let seen = reader.u64()?;
    let items = reader.u32()?;
    let mut known = Known::new(baselines.settings.values_max);
    for filter in [&mut known.newer, &mut known.older] {
        let read = BloomFilter::deserialize(reader.part()?).map_err(|_| damaged("a filter cannot be read"))?;
        if !read.is_compatible(filter) {
            return Err(damaged("a filter is not of the size in the settings"));
        }
        *filter = read;
    }
    known.items = items;
    let days: Vec<(u64, Day)> = serde_json::from_slice(reader.part()?).map_err(|_| damaged("its strange days"))?;
    let days = Days::from_kept(days).ok_or(damaged("it holds more strange days than are kept"))?;
    let actors = reader.table(baselines.settings.actors_max)?;
    let others = reader.table(baselines.settings.others_max)?;
    if !reader.0.is_empty() {
        return Err(damaged("it goes on after its end"));
    }
    baselines.first_hour = first_hour;
    baselines.seen = seen;
    baselines.known = known;
    baselines.days = days;
    baselines.actors = actors;
    baselines.others = others;
    Ok(())
}
