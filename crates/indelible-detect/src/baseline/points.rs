//! How strange something is, in points: about the binary logarithm of how seldom it should come, bounded, so that no single
//! oddity drowns the others.

use super::profile::{Dimension, Profile, Volume, day_of, log2, row_of};
use super::{BaselineSettings, hash::Key};

/// What can be strange. The order is that of [`SIGNALS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Signal {
    Resource,
    Address,
    Model,
    Tool,
    Peer,
    Role,
    Hour,
    Rate,
    Volume,
    Dormant,
}

/// How many there are.
pub(super) const SIGNALS: usize = 10;

impl Signal {
    pub(super) const ALL: [Self; SIGNALS] = [
        Self::Resource,
        Self::Address,
        Self::Model,
        Self::Tool,
        Self::Peer,
        Self::Role,
        Self::Hour,
        Self::Rate,
        Self::Volume,
        Self::Dormant,
    ];

    pub(super) const fn at(self) -> usize {
        self as usize
    }

    pub(super) const fn of(dimension: Dimension) -> Self {
        match dimension {
            Dimension::Resource => Self::Resource,
            Dimension::Network => Self::Address,
            Dimension::Model => Self::Model,
            Dimension::Tool => Self::Tool,
            Dimension::Peer => Self::Peer,
        }
    }
}

/// Points of each signal.
pub(super) type Points = [f32; SIGNALS];

/// Most points of one signal.
const MOST: f32 = 16.0;
/// Fewer events in an hour, in a day are never too many.
const HOUR_EVENTS_MIN: u32 = 30;
const DAY_EVENTS_MIN: u32 = 60;
/// Less is never too much: rows, KiB, tokens.
const VOLUMES_MIN: [u32; 3] = [1_000, 50 * 1_024, 100_000];
/// Points for each doubling beyond what is usual.
const DOUBLING: f32 = 3.0;
/// So many spreads above the mean are still usual.
const SPREADS: f32 = 2.0;

/// How well known something new is elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elsewhere {
    /// Somebody with the same role used it.
    pub(super) role: bool,
    /// Somebody used it.
    pub(super) log: bool,
}

/// How much one new thing counts.
pub(super) fn weight(dimension: Dimension, elsewhere: Elsewhere, sensitive: bool) -> f32 {
    let weight = match (dimension, elsewhere.role, elsewhere.log) {
        (Dimension::Network, _, true) => 0.3,
        (Dimension::Network, _, false) => 1.5,
        (Dimension::Peer, true, _) => 0.2,
        (Dimension::Peer, false, true) => 0.4,
        // Somebody new, or a document just made, is seldom a danger by itself.
        (Dimension::Peer, false, false) | (Dimension::Resource, _, false) => 0.4,
        (Dimension::Resource, true, true) => 0.3,
        (Dimension::Resource, false, true) => 1.0,
        (Dimension::Model | Dimension::Tool, true, _) => 0.25,
        (Dimension::Model | Dimension::Tool, false, true) => 0.8,
        (Dimension::Model | Dimension::Tool, false, false) => 1.2,
    };
    if sensitive { weight * 1.5 } else { weight }
}

/// Points for so much that is new on a day on which `usual` is usual, after so many days: how unlikely that much or more is when
/// it comes at random, held down by half because work comes in bursts.
pub(super) fn novelty(new: f32, usual: f32, days: u16) -> f32 {
    let usual = usual + 1.0 / (f32::from(days) + 1.0);
    if new <= usual {
        return 0.0;
    }
    let bits = new * (new / usual).log2() - (new - usual) * std::f32::consts::LOG2_E;
    // A first thing counts fully, a burst of them half.
    let bursts = if new > 1.5 { 0.5 + 0.75 / new } else { 1.0 };
    (bits * bursts).clamp(0.0, MOST)
}

/// Points for being active at this hour.
pub(super) fn hour(profile: &Profile) -> f32 {
    if profile.level_near(profile.hour) > 0 {
        return 0.0;
    }
    let rows = profile.active_rows();
    let (active, here) = (rows.iter().filter(|row| **row).count(), rows.get(row_of(profile.hour)) == Some(&true));
    let days = f32::from(profile.days) + 1.0;
    match (profile.rows_near(profile.hour), here) {
        (0, true) => days.log2().min(5.0),
        (0, false) => (days.log2() + 1.0).min(6.0),
        (_, false) => 2.0,
        (rows, true) if rows * 2 < active => 1.5,
        (_, true) => 0.5,
    }
}

/// Points for coming back after so many days.
pub(super) fn dormant(days: u32, settings: &BaselineSettings) -> f32 {
    let least = settings.dormant_days.max(1);
    if days < least {
        return 0.0;
    }
    6.0 + 4.0 * (days as f32 / least as f32).log2().min(2.0)
}

/// Points for how much happens in this hour and on this day.
pub(super) fn rate(profile: &Profile, refused: u32, least: u32) -> f32 {
    let hour = profile.hour_events.saturating_add(refused);
    let mut points = 0.0f32;
    if hour >= HOUR_EVENTS_MIN.saturating_mul(least) {
        let usual = f32::from(profile.level_near(profile.hour));
        points = beyond(hour, profile.hourly.mean(), profile.hourly.spread(), usual);
    }
    let day = profile.day_events.saturating_add(refused);
    if day >= DAY_EVENTS_MIN.saturating_mul(least) {
        points = points.max(beyond(day, profile.daily.mean(), profile.daily.spread(), 0.0));
    }
    points
}

/// Points for how much this day brings, and of what.
pub(super) fn volume(profile: &Profile) -> (f32, Volume) {
    let mut most = (0.0, Volume::Rows);
    for (volume, ((sum, stat), least)) in
        Volume::ALL.into_iter().zip(profile.sums.into_iter().zip(profile.volumes).zip(VOLUMES_MIN))
    {
        if sum >= least {
            // Who never had any of it: as if a tenth of the least were usual.
            let points = beyond(sum, stat.mean().max(log2(least / 10)), stat.spread(), 0.0);
            if points > most.0 {
                most = (points, volume);
            }
        }
    }
    most
}

fn beyond(count: u32, mean: f32, spread: f32, usual: f32) -> f32 {
    let bound = (mean + SPREADS * spread.max(0.6)).max(usual);
    (DOUBLING * (log2(count) - bound)).clamp(0.0, MOST)
}

/// Points for days in a row on each of which more resources are new than usual, though no day is strange by itself.
pub(super) fn slow(profile: &Profile) -> f32 {
    let (late, usual) = (profile.late_news(), profile.usual_news(Dimension::Resource));
    if late < 1.5 || profile.days < 20 {
        return 0.0;
    }
    (4.0 * ((late / (usual + 0.3)).log2() - 1.0)).clamp(0.0, MOST)
}

/// Whether enough is known of it.
pub(super) fn is_warm(profile: &Profile, settings: &BaselineSettings, hour: u32) -> bool {
    profile.events >= settings.warm_events
        && profile.days >= 5
        && day_of(hour).saturating_sub(day_of(profile.first_hour)) >= settings.warm_days
}

/// The key under which an actor's or role's use of something is kept in the filter.
pub(super) fn use_key(of: u64, dimension: Dimension, what: u64) -> u64 {
    Key(of).number(dimension as u64).number(what).0
}
