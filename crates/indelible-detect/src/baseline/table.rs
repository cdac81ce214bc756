//! Profiles by key, at most so many: the coldest of a few drawn ones makes room.

use hashbrown::HashTable;

use super::hash::Key;
use super::profile::Profile;

/// Profiles that are set aside at a time, so that growing never copies them.
const BLOCK: usize = 1_024;
/// Out of so many drawn ones, the coldest leaves.
const DRAWN: u64 = 8;
/// A profile with fewer events leaves before one with more.
const FEW_EVENTS: u32 = 50;

/// Profiles.
#[derive(Debug)]
pub(super) struct Table {
    places: HashTable<u32>,
    blocks: Vec<Vec<Profile>>,
    max: usize,
    /// How many had to leave.
    pub(super) left: u64,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self { places: HashTable::new(), blocks: Vec::new(), max: max.max(1), left: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.blocks.iter().flatten()
    }

    pub(super) fn find(&mut self, key: u64) -> Option<&mut Profile> {
        let blocks = &self.blocks;
        let place = *self.places.find(key, |&place| key_at(blocks, place) == key)?;
        at_mut(&mut self.blocks, place)
    }

    /// The profile of this key; a new one when there is none.
    pub(super) fn find_or_new(&mut self, key: u64, hour: u32) -> Option<&mut Profile> {
        let blocks = &self.blocks;
        let found = self.places.find(key, |&place| key_at(blocks, place) == key).copied();
        let place = match found {
            Some(place) => place,
            None => self.add(Profile::new(key, hour))?,
        };
        at_mut(&mut self.blocks, place)
    }

    /// Adds a profile whose key is not there yet.
    pub(super) fn add(&mut self, profile: Profile) -> Option<u32> {
        let key = profile.key;
        let place = if self.len() < self.max {
            if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
                self.blocks.push(Vec::with_capacity(BLOCK));
            }
            self.blocks.last_mut()?.push(profile);
            u32::try_from((self.blocks.len() - 1) * BLOCK + self.blocks.last()?.len() - 1).ok()?
        } else {
            let place = self.coldest()?;
            let old = key_at(&self.blocks, place);
            if let Ok(entry) = self.places.find_entry(old, |&held| held == place) {
                entry.remove();
            }
            *at_mut(&mut self.blocks, place)? = profile;
            self.left = self.left.saturating_add(1);
            place
        };
        let blocks = &self.blocks;
        self.places.insert_unique(key, place, |&place| key_at(blocks, place));
        Some(place)
    }

    fn coldest(&self) -> Option<u32> {
        let draw = Key(self.left);
        let drawn = (0..DRAWN).filter_map(|n| u32::try_from(draw.number(n).0 % self.len() as u64).ok());
        drawn.min_by_key(|&place| {
            let profile = at(&self.blocks, place);
            profile.map_or((false, 0), |profile| (profile.events >= FEW_EVENTS, profile.hour))
        })
    }
}

fn at(blocks: &[Vec<Profile>], place: u32) -> Option<&Profile> {
    blocks.get(place as usize / BLOCK)?.get(place as usize % BLOCK)
}

fn at_mut(blocks: &mut [Vec<Profile>], place: u32) -> Option<&mut Profile> {
    blocks.get_mut(place as usize / BLOCK)?.get_mut(place as usize % BLOCK)
}

fn key_at(blocks: &[Vec<Profile>], place: u32) -> u64 {
    at(blocks, place).map_or(0, |profile| profile.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_bounded_and_who_is_busy_stays() {
        let mut table = Table::new(3_000);
        for n in 0..10_000 {
            let hour = u32::try_from(n / 100).unwrap();
            table.find_or_new(Key::of(n).0, hour).unwrap();
            let busy = table.find_or_new(Key::of(1_000_000).0, hour).unwrap();
            busy.events += 1;
            busy.hour = hour;
        }
        assert_eq!(table.len(), 3_000);
        assert_eq!(table.profiles().count(), 3_000);
        assert_eq!(table.left, 7_001);
        assert_eq!(table.find(Key::of(1_000_000).0).unwrap().events, 10_000);
        let keys: Vec<u64> = table.profiles().map(|profile| profile.key).collect();
        for key in keys {
            assert_eq!(table.find(key).unwrap().key, key);
        }
    }
}
