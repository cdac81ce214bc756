//! A strange day of somebody: what was odd about it so far, with the events behind it. Kept only for those who have one.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::points::{Points, SIGNALS, Signal};
use crate::finding::Evidence;

/// Most strange days at a time; the one that began first makes room.
const DAYS_MAX: usize = 4_096;
/// Most events kept of a day.
const EVIDENCE_KEPT: usize = 16;
/// Most refused things told apart.
const TRIED_MAX: usize = 512;
/// Points must grow by so much before they are put in words again.
const STEP: f32 = 0.5;

/// One strange day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) points: Points,
    pub(super) words: [String; SIGNALS],
    /// Signals that were told, bit by bit.
    pub(super) told: u16,
    /// Which dimensions had something refused that was new, and how much, weighted.
    pub(super) refused_news: [f32; 5],
    pub(super) tried: Vec<u16>,
    pub(super) refused_in_hour: u32,
    pub(super) sensitive: bool,
    pub(super) evidence: VecDeque<Evidence>,
    pub(super) evidence_total: u64,
}

impl Day {
    /// Takes points of a signal; true when they have grown enough to be put in words.
    pub(super) fn raise(&mut self, signal: Signal, points: f32) -> bool {
        let held = &mut self.points[signal.at()];
        if points < *held + STEP {
            return false;
        }
        *held = points;
        true
    }

    pub(super) fn add_evidence(&mut self, evidence: Evidence) {
        self.evidence_total = self.evidence_total.saturating_add(1);
        if self.evidence.len() == EVIDENCE_KEPT {
            self.evidence.pop_front();
        }
        self.evidence.push_back(evidence);
    }

    /// Whether this was refused for the first time today.
    pub(super) fn first_try(&mut self, print: u16) -> bool {
        if self.tried.contains(&print) || self.tried.len() >= TRIED_MAX {
            return false;
        }
        self.tried.push(print);
        true
    }

    /// All points together.
    pub(super) fn total(&self) -> f32 {
        self.points.iter().sum()
    }

    /// The signal to be told now: the strongest when all together reach the threshold for the first time, later one that reaches
    /// it alone.
    pub(super) fn due(&self, threshold: f32) -> Option<Signal> {
        let untold = Signal::ALL.into_iter().filter(|signal| self.told & (1 << *signal as u16) == 0);
        let strongest = untold.max_by(|a, b| self.points[a.at()].total_cmp(&self.points[b.at()]))?;
        let reached = if self.told == 0 { self.total() } else { self.points[strongest.at()] };
        (reached >= threshold).then_some(strongest)
    }
}

/// Strange days by profile.
#[derive(Debug, Default)]
pub(super) struct Days {
    days: HashMap<u64, Day>,
    order: VecDeque<u64>,
}

impl Days {
    /// All of them, the one that began first first.
    pub(super) fn in_order(&self) -> Vec<(u64, &Day)> {
        self.order.iter().filter_map(|key| Some((*key, self.days.get(key)?))).collect()
    }

    /// Those that were kept. `None` when they are more than are ever kept, or one comes twice.
    pub(super) fn from_kept(kept: Vec<(u64, Day)>) -> Option<Self> {
        let order: VecDeque<u64> = kept.iter().map(|(key, _)| *key).collect();
        let fits = kept.iter().all(|(_, day)| day.evidence.len() <= EVIDENCE_KEPT && day.tried.len() <= TRIED_MAX);
        let days: HashMap<u64, Day> = kept.into_iter().collect();
        (fits && days.len() == order.len() && days.len() <= DAYS_MAX).then_some(Self { days, order })
    }

    /// The strange day of this one, if it has one.
    pub(super) fn find(&mut self, key: u64, hour: u32) -> Option<&mut Day> {
        if self.days.is_empty() {
            return None;
        }
        let day = self.days.get_mut(&key)?;
        renew(day, hour);
        Some(day)
    }

    /// The strange day of this one.
    pub(super) fn find_or_new(&mut self, key: u64, hour: u32) -> &mut Day {
        if !self.days.contains_key(&key) {
            if self.days.len() >= DAYS_MAX
                && let Some(first) = self.order.pop_front()
            {
                self.days.remove(&first);
            }
            self.order.push_back(key);
        }
        let day = self.days.entry(key).or_default();
        renew(day, hour);
        day
    }
}

/// A day that is over begins anew; refused events are counted by the hour.
fn renew(day: &mut Day, hour: u32) {
    if day.day != hour / 24 {
        *day = Day { day: hour / 24, hour, ..Day::default() };
    } else if day.hour != hour {
        day.hour = hour;
        day.refused_in_hour = 0;
    }
}
