//! Baselines: what is usual for each actor, role and resource, learned from the log itself, and findings on what is unlike it.
//!
//! Promises: time is the log's own (`recorded`), so the same entries give the same findings with the same ids; memory is bounded
//! by the settings, whatever the entries hold; nothing is told of an actor before its warm-up is over. What was refused or failed
//! teaches nothing, and what one day can teach is limited. Never: keeps content, or names of what was used (fingerprints only).

mod day;
mod facts;
mod hash;
mod known;
mod points;
mod profile;
mod state;
mod table;
mod told;

use crate::finding::{Entity, Finding};
use crate::seen::Seen;

use day::{Day, Days};
use facts::{Facts, Item, Place, resource_text, text_at};

use known::Known;
use points::{Elsewhere, Points, SIGNALS, Signal, use_key};
use profile::{Dimension, Profile, day_of};
pub use state::BaselineError;
use table::Table;

/// Signals with fewer points do not make a day strange.
const NOTICED: f32 = 0.75;
/// A resource is used by many: only so many times as many events as of an actor are too many.
const RESOURCE_EVENTS: u32 = 10;
/// Of so many uses of something known, one renews it in the filter.
const RENEWED: u64 = 64;

/// How baselines learn and when they tell. [`Default`] is what the documentation's figures were measured with.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineSettings {
    /// Days from an actor's first event, in recorded time, before anything is told of it.
    pub warm_days: u32,
    /// Events of an actor before anything is told of it.
    pub warm_events: u32,
    /// Points at which a day is told: the sum over its signals. Higher tells less.
    pub threshold: f32,
    /// Days without an event after which an actor counts as dormant.
    pub dormant_days: u32,
    /// Minutes east of UTC of the clock by which days and hours of the week are counted.
    pub utc_offset_minutes: i32,
    /// Labels of resources that weigh more; each also stands for those that begin with it and a `.`, `-` or `:`.
    pub sensitive_labels: Vec<String>,
    /// Most actors known at a time; about 250 bytes each.
    pub actors_max: usize,
    /// Most roles and resources known at a time; about 250 bytes each.
    pub others_max: usize,
    /// Most uses (of something by somebody, by a role, in the log) that are remembered beyond the profiles, twice; 10 bits each.
    pub values_max: u32,
}

impl Default for BaselineSettings {
    fn default() -> Self {
        let labels = ["pii", "phi", "secret", "confidential", "restricted", "financial", "credentials"];
        Self {
            warm_days: 14,
            warm_events: 50,
            threshold: 10.0,
            dormant_days: 45,
            utc_offset_minutes: 0,
            sensitive_labels: labels.map(str::to_owned).to_vec(),
            actors_max: 1_000_000,
            others_max: 50_000,
            values_max: 4_000_000,
        }
    }
}

impl BaselineSettings {
    fn is_sensitive(&self, label: &str) -> bool {
        self.sensitive_labels.iter().any(|sensitive| {
            label
                .strip_prefix(sensitive.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', ':']))
        })
    }
}

/// How much is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaselineReport {
    /// Actors.
    pub actors: usize,
    /// Roles and resources.
    pub others: usize,
    /// Actors, roles and resources that had to make room for others.
    pub forgotten: u64,
    /// Events that counted.
    pub events: u64,
}

/// What is usual in one log.
#[derive(Debug)]
pub struct Baselines {
    log: String,
    settings: BaselineSettings,
    actors: Table,
    others: Table,
    known: Known,
    days: Days,
    /// Hour of the first event of the log.
    first_hour: u32,
    seen: u64,
    facts: Facts,
}

impl Baselines {
    /// Nothing learned yet.
    #[must_use]
    pub fn new(log: &str, settings: BaselineSettings) -> Self {
        Self {
            log: log.to_owned(),
            actors: Table::new(settings.actors_max),
            others: Table::new(settings.others_max),
            known: Known::new(settings.values_max),
            days: Days::default(),
            first_hour: 0,
            seen: 0,
            facts: Facts::default(),
            settings,
        }
    }

    /// Takes the next entry.
    pub fn see(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) {
        let mut facts = std::mem::take(&mut self.facts);
        if facts.read(seen, &self.settings) {
            if self.seen == 0 {
                self.first_hour = facts.hour;
            }
            self.seen = self.seen.saturating_add(1);
            let mut turn = Turn { all: self, seen, facts: &facts, findings };
            turn.actor();
            turn.roles();
            turn.resources();
        }
        self.facts = facts;
    }

    /// What time alone shows: nothing. That somebody does less than usual is no reason to wake anybody, and a source that falls
    /// silent is told by [`crate::sources`].
    pub fn tick(&mut self, _now_unix_ns: i64, _findings: &mut Vec<Finding>) {}

    /// The state, to be kept with the cursor.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        state::write(self)
    }

    /// Goes on from a kept state. The settings of size must be those it was kept with.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version or of other settings; then nothing has changed.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), BaselineError> {
        state::read(self, bytes)
    }

    /// How much is known.
    #[must_use]
    pub fn report(&self) -> BaselineReport {
        BaselineReport {
            actors: self.actors.len(),
            others: self.others.len(),
            forgotten: self.actors.left.saturating_add(self.others.left),
            events: self.seen,
        }
    }
}

/// One event before the baselines.
struct Turn<'t, 's> {
    all: &'t mut Baselines,
    seen: &'t Seen<'s>,
    facts: &'t Facts,
    findings: &'t mut Vec<Finding>,
}

/// What an event showed of its actor.
struct Odd {
    points: Points,
    /// The last thing of each signal that was new.
    places: [Option<Place>; SIGNALS],
    volume: profile::Volume,
    dormant_days: u32,
    sensitive: bool,
}

impl Odd {
    fn nothing() -> Self {
        Self {
            points: [0.0; SIGNALS],
            places: [None; SIGNALS],
            volume: profile::Volume::Rows,
            dormant_days: 0,
            sensitive: false,
        }
    }

    fn raise(&mut self, signal: Signal, points: f32) {
        let held = &mut self.points[signal.at()];
        *held = held.max(points);
    }
}

impl Turn<'_, '_> {
    fn actor(&mut self) {
        let Self { all, facts, .. } = self;
        let (hour, settings) = (facts.hour, &all.settings);
        let Some(profile) = all.actors.find_or_new(facts.actor, hour) else { return };
        let warm = points::is_warm(profile, settings, hour);
        let away = day_of(hour).saturating_sub(day_of(profile.hour));
        profile.advance(hour, warm);
        let first_in_hour = profile.hour_events == 0;
        if !facts.refused {
            count(profile, facts);
        }
        let refused = match all.days.find(facts.actor, hour) {
            Some(day) if facts.refused => {
                day.refused_in_hour = day.refused_in_hour.saturating_add(1);
                day.refused_in_hour
            }
            Some(day) => day.refused_in_hour,
            None => 0,
        };
        let mut odd = Odd::nothing();
        let news = self.news(warm, &mut odd);
        let Self { all, facts, .. } = self;
        let Some(profile) = all.actors.find(facts.actor) else { return };
        if !warm {
            return;
        }
        odd.raise(Signal::Rate, points::rate(profile, refused, 1));
        let (points, volume) = points::volume(profile);
        odd.raise(Signal::Volume, points);
        odd.volume = volume;
        if first_in_hour && !facts.refused {
            odd.raise(Signal::Hour, points::hour(profile));
        }
        if away > 0 && !facts.refused {
            odd.dormant_days = away;
            odd.raise(Signal::Dormant, points::dormant(away, &all.settings));
        }
        if news {
            odd.raise(Signal::Resource, points::slow(profile));
        }
        self.judge_actor(&odd);
    }

    /// Looks at each thing used; takes in what is new. Whether anything was.
    fn news(&mut self, warm: bool, odd: &mut Odd) -> bool {
        let mut any = false;
        for item in &self.facts.items {
            any |= self.item(*item, warm, odd);
        }
        any
    }

    fn item(&mut self, item: Item, warm: bool, odd: &mut Odd) -> bool {
        let Self { all, facts, .. } = self;
        let dimension = item.place.dimension();
        let Some(profile) = all.actors.find(facts.actor) else { return false };
        let print = item.key.number(profile.key).print();
        if profile.holds(dimension, print) {
            if item.key.number(all.seen).one_in(RENEWED) {
                self.make_known(item);
            }
            return false;
        }
        let own = |print: u16| use_key(facts.actor, dimension, u64::from(print));
        let was_known = profile.is_wide(dimension) && all.known.contains(own(print));
        if facts.refused {
            // From where somebody was refused says nothing about the one whose name was given.
            let told = matches!(dimension, Dimension::Resource | Dimension::Model | Dimension::Tool);
            if warm && told && !was_known {
                self.refused(item, print, odd);
            }
            return false;
        }
        if let Some(left) = profile.take(dimension, print) {
            all.known.insert(own(left));
        }
        if was_known {
            return false;
        }
        let (elsewhere, role_points) = self.make_known(item);
        let weight = points::weight(dimension, elsewhere, item.sensitive) * program_part(item.place);
        let Some(profile) = self.all.actors.find(self.facts.actor) else { return false };
        profile.add_news(dimension, weight);
        if !warm {
            return true;
        }
        let refused = self.all.days.find(self.facts.actor, self.facts.hour);
        let refused = refused.map_or(0.0, |day| day.refused_news[dimension.at()]);
        let new = profile.news(dimension) + refused;
        let signal = Signal::of(dimension);
        odd.raise(signal, points::novelty(new, profile.usual_news(dimension), profile.days));
        odd.raise(Signal::Role, role_points);
        odd.places[signal.at()] = Some(item.place);
        if role_points > 0.0 {
            odd.places[Signal::Role.at()] = Some(item.place);
        }
        odd.sensitive |= item.sensitive;
        true
    }

    /// Something refused that the actor does not usually use: it counts, but is not learned.
    fn refused(&mut self, item: Item, print: u16, odd: &mut Odd) {
        let Self { all, facts, .. } = self;
        let dimension = item.place.dimension();
        let day = all.days.find_or_new(facts.actor, facts.hour);
        if !day.first_try(print) {
            return;
        }
        let refused = &mut day.refused_news[dimension.at()];
        *refused += if item.sensitive { 0.9 } else { 0.6 };
        let Some(profile) = all.actors.find(facts.actor) else { return };
        let new = profile.news(dimension) + *refused;
        let signal = Signal::of(dimension);
        odd.raise(signal, points::novelty(new, profile.usual_news(dimension), profile.days));
        odd.places[signal.at()] = Some(item.place);
        odd.sensitive |= item.sensitive;
    }

    /// Takes in that the actor's roles and the log know this. How well it was known, and points when a role used it first.
    fn make_known(&mut self, item: Item) -> (Elsewhere, f32) {
        let Self { all, facts, .. } = self;
        let dimension = item.place.dimension();
        let log = all.known.insert(use_key(0, dimension, item.key.0));
        let (mut role, mut most) = (false, 0.0f32);
        let tells = matches!(dimension, Dimension::Resource | Dimension::Model | Dimension::Tool);
        for &key in &facts.roles {
            if all.known.insert(use_key(key, dimension, item.key.0)) {
                role = true;
                continue;
            }
            let Some(profile) = all.others.find_or_new(key, facts.hour) else { continue };
            let warm = points::is_warm(profile, &all.settings, facts.hour);
            // What nobody used yet is new to everybody: that says nothing about roles.
            if !log && dimension == Dimension::Resource {
                continue;
            }
            profile.add_news(dimension, 1.0);
            if warm && tells {
                let points = points::novelty(profile.news(dimension), profile.usual_news(dimension), profile.days);
                most = most.max(points.min(6.0));
            }
        }
        (Elsewhere { role, log }, if role { 0.0 } else { most })
    }

    fn judge_actor(&mut self, odd: &Odd) {
        if odd.points.iter().all(|&points| points < NOTICED) {
            return;
        }
        let Self { all, facts, seen, .. } = self;
        let day = all.days.find_or_new(facts.actor, facts.hour);
        let Some(profile) = all.actors.find(facts.actor) else { return };
        for signal in Signal::ALL {
            if day.raise(signal, odd.points[signal.at()]) {
                day.words[signal.at()] = words(signal, profile, day, odd, seen);
            }
        }
        day.sensitive |= odd.sensitive || facts.sensitive;
        day.add_evidence(seen.evidence());
        let id = seen.view.actor.id.as_deref().unwrap_or_default();
        let Some(signal) = day.due(all.settings.threshold) else { return };
        day.told |= 1 << signal as u16;
        let (entity, at) = (Entity::new("actor", id), seen.recorded_unix_ns());
        self.findings.push(told::finding(&all.log, entity, profile, day, signal, all.settings.threshold, at));
    }

    fn roles(&mut self) {
        let Self { all, facts, .. } = self;
        for &key in &facts.roles {
            if let Some(profile) = all.others.find_or_new(key, facts.hour) {
                let warm = points::is_warm(profile, &all.settings, facts.hour);
                profile.advance(facts.hour, warm);
                if !facts.refused {
                    count(profile, facts);
                }
            }
        }
    }

    /// Resources that are used far more than usual, by whomever.
    fn resources(&mut self) {
        let Self { all, facts, seen, findings } = self;
        if facts.refused {
            return;
        }
        // One deviation is told once: of the actor, when it is one actor's.
        let told = all.days.find(facts.actor, facts.hour).is_some_and(|day| day.told != 0);
        for &(at, key) in &facts.resources {
            let Some(profile) = all.others.find_or_new(key, facts.hour) else { continue };
            let warm = points::is_warm(profile, &all.settings, facts.hour);
            profile.advance(facts.hour, warm);
            profile.events = profile.events.saturating_add(1);
            profile.hour_events = profile.hour_events.saturating_add(1);
            profile.day_events = profile.day_events.saturating_add(1);
            if !warm {
                continue;
            }
            let points = points::rate(profile, 0, RESOURCE_EVENTS);
            if points < NOTICED || told {
                continue;
            }
            let Some(resource) = seen.view.resources.get(at) else { continue };
            let day = all.days.find_or_new(key, facts.hour);
            if day.raise(Signal::Rate, points) {
                day.words[Signal::Rate.at()] = rate_words(profile, day);
            }
            day.sensitive |= facts.sensitive;
            day.add_evidence(seen.evidence());
            let Some(signal) = day.due(all.settings.threshold) else { continue };
            day.told |= 1 << signal as u16;
            let entity = Entity::new("resource", &resource_text(resource).replace('`', ""));
            let at = seen.recorded_unix_ns();
            findings.push(told::finding(&all.log, entity, profile, day, signal, all.settings.threshold, at));
        }
    }
}

/// An application is less telling than a person.
fn program_part(place: Place) -> f32 {
    if place == Place::Program { 0.5 } else { 1.0 }
}

fn count(profile: &mut Profile, facts: &Facts) {
    profile.events = profile.events.saturating_add(1);
    profile.hour_events = profile.hour_events.saturating_add(1);
    profile.day_events = profile.day_events.saturating_add(1);
    for (sum, more) in profile.sums.iter_mut().zip(facts.sums) {
        *sum = sum.saturating_add(more);
    }
}

fn rate_words(profile: &Profile, day: &Day) -> String {
    let refused = day.refused_in_hour;
    let mut text = format!("{} events in this hour, {} on this day so far", profile.hour_events, profile.day_events);
    if refused > 0 {
        text.push_str(&format!(", and {refused} refused in this hour"));
    }
    text
}

/// What was seen of a signal, in words.
fn words(signal: Signal, profile: &Profile, day: &Day, odd: &Odd, seen: &Seen<'_>) -> String {
    let last = odd.places[signal.at()].map_or_else(String::new, |place| text_at(seen, place));
    match signal {
        Signal::Resource if last.is_empty() => "every day a few new resources".to_owned(),
        Signal::Resource if day.tried.len() > 1 => format!("{} new things refused, now {last}", day.tried.len()),
        Signal::Resource => format!("a new resource: {last}"),
        Signal::Address => format!("a new network: {last}"),
        Signal::Model => format!("a new model: {last}"),
        Signal::Tool => format!("a new tool or operation: {last}"),
        Signal::Peer => format!("a new person or program: {last}"),
        Signal::Role => format!("first use by its role: {last}"),
        Signal::Hour => format!("active at {} h", profile.hour % 24),
        Signal::Rate => rate_words(profile, day),
        Signal::Volume => {
            let sum = profile.sums[odd.volume as usize];
            format!("{sum} {} on this day so far", told::volume_name(odd.volume))
        }
        Signal::Dormant => format!("the first event after {} days", odd.dormant_days),
    }
}

#[cfg(test)]
mod tests;
