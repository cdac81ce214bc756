//! A strange day in words: what was usual, what was seen, and which rule of ours it comes under.

use std::fmt::Write as _;

use super::day::Day;
use super::points::{Points, Signal};
use super::profile::{Dimension, Profile, Volume};
use crate::finding::{Entity, Finding, FindingId, FindingKind, RuleName, Severity, bounded};

/// Signals with fewer points are not mentioned.
const MENTIONED: f32 = 1.0;
/// What else looks like this.
const FALSE_POSITIVES: [&str; 2] =
    ["Somebody with a new task, team or place of work", "A planned migration or campaign"];

/// What a finding of baselines is called.
pub(super) struct Named {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    tag: &'static str,
}

pub(super) const fn named(signal: Signal) -> Named {
    let (id, title, tag) = match signal {
        Signal::Resource => ("baseline/new-resource", "Resources it does not usually touch", "attack.collection"),
        Signal::Address => ("baseline/new-address", "From a network it does not usually come from", "attack.t1078"),
        Signal::Model => ("baseline/new-model", "A model it does not usually ask", "attack.exfiltration"),
        Signal::Tool => ("baseline/new-tool", "Tools or operations it does not usually use", "attack.execution"),
        Signal::Peer => ("baseline/new-peer", "For persons or through programs unlike before", "attack.t1078"),
        Signal::Role => {
            ("baseline/first-use-by-role", "Nobody with its role used this before", "attack.privilege-escalation")
        }
        Signal::Hour => ("baseline/unusual-hour", "At an hour at which it is not usually active", "attack.t1078"),
        Signal::Rate => ("baseline/unusual-rate", "Far more often than usual", "attack.collection"),
        Signal::Volume => ("baseline/unusual-volume", "Far more data than usual", "attack.exfiltration"),
        Signal::Dormant => ("baseline/dormant-actor", "Active again after a long time", "attack.t1078"),
    };
    Named { id, title, tag }
}

/// The finding of a day.
pub(super) fn finding(
    log: &str,
    entity: Entity,
    profile: &Profile,
    day: &Day,
    signal: Signal,
    threshold: f32,
    time_unix_ns: i64,
) -> Finding {
    let Named { id, title, tag } = named(signal);
    let seen = seen_in_words(day, signal);
    Finding {
        id: FindingId::of(log, id, &entity, &day.day.to_string()),
        kind: FindingKind::Baseline,
        log: log.to_owned(),
        rule: RuleName { id: id.to_owned(), title: title.to_owned() },
        severity: severity(day, threshold),
        time_unix_ns,
        summary: bounded(&format!("{} `{}`: {seen}", entity.kind, entity.id)),
        entity,
        usual: Some(bounded(&usual_in_words(profile, &day.points))),
        seen: Some(bounded(&seen)),
        evidence: day.evidence.iter().cloned().collect(),
        evidence_total: day.evidence_total,
        tags: vec![tag.to_owned()],
        false_positives: FALSE_POSITIVES.map(str::to_owned).to_vec(),
    }
}

/// How far out it is; a level more when what was touched is sensitive.
fn severity(day: &Day, threshold: f32) -> Severity {
    let out = day.total() / threshold.max(1.0);
    let level = usize::from(out >= 1.5) + usize::from(out >= 2.5) + usize::from(day.sensitive && out >= 1.2);
    [Severity::Low, Severity::Medium, Severity::High, Severity::High].get(level).copied().unwrap_or(Severity::High)
}

fn seen_in_words(day: &Day, first: Signal) -> String {
    let mut signals: Vec<Signal> =
        Signal::ALL.into_iter().filter(|&signal| signal != first && day.points[signal.at()] >= MENTIONED).collect();
    signals.sort_by(|a, b| day.points[b.at()].total_cmp(&day.points[a.at()]));
    signals.insert(0, first);
    let words: Vec<&str> =
        signals.into_iter().map(|signal| day.words[signal.at()].as_str()).filter(|words| !words.is_empty()).collect();
    words.join("; ")
}

fn usual_in_words(profile: &Profile, points: &Points) -> String {
    let mut text = String::new();
    match write_usual(&mut text, profile, points) {
        Ok(()) | Err(std::fmt::Error) => text,
    }
}

fn write_usual(text: &mut String, profile: &Profile, points: &Points) -> std::fmt::Result {
    let (low, high) = around(profile.daily.mean(), profile.daily.spread());
    let (least, most) = around(profile.hourly.mean(), profile.hourly.spread());
    write!(text, "usually {least}–{most} events an hour and {low}–{high} a day, {}", when(profile))?;
    let mut mention = |signals: &[Signal], dimension: Dimension, one: &str, many: &str| {
        if !signals.iter().any(|signal| points[signal.at()] >= MENTIONED) {
            return Ok(());
        }
        // what came today is not what was usual
        let today = new_today(profile.news(dimension));
        let held = profile.held(dimension).saturating_sub(today).max(1);
        let more = if profile.is_wide(dimension) { " and more" } else { "" };
        let rate = profile.usual_news(dimension);
        let often = if rate < 0.01 {
            "hardly ever a new one".to_owned()
        } else if rate < 1.0 {
            format!("a new one about every {:.0} days", (1.0 / rate).min(100.0))
        } else {
            format!("about {rate:.0} new ones a day")
        };
        write!(text, "; {held} {}{more}, {often}", if held == 1 { one } else { many })
    };
    mention(&[Signal::Resource, Signal::Role], Dimension::Resource, "resource", "resources")?;
    mention(&[Signal::Address], Dimension::Network, "network", "networks")?;
    mention(&[Signal::Model], Dimension::Model, "model", "models")?;
    mention(&[Signal::Tool], Dimension::Tool, "tool or operation", "tools or operations")?;
    mention(&[Signal::Peer], Dimension::Peer, "person or program", "persons and programs")?;
    if points[Signal::Volume.at()] >= MENTIONED {
        for volume in Volume::ALL {
            let (_, most) = around(profile.volumes[volume as usize].mean(), profile.volumes[volume as usize].spread());
            if most > 1 {
                write!(text, "; up to about {most} {} a day", volume_name(volume))?;
            }
        }
    }
    Ok(())
}

/// How many things a day's weighted news are, at least.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, for people")]
fn new_today(news: f32) -> usize {
    news.clamp(0.0, 1_000.0).ceil() as usize
}

/// What is counted.
pub(super) fn volume_name(volume: Volume) -> &'static str {
    match volume {
        Volume::Rows => "rows",
        Volume::Kibibytes => "KiB",
        Volume::Tokens => "tokens",
    }
}

/// The days and hours on which it is active: `on Mon–Fri between 8 and 18 h`.
fn when(profile: &Profile) -> String {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let days = match profile.active_rows() {
        [true, true, true, true, true, true, true] => "on every day".to_owned(),
        [true, true, true, true, true, false, false] => "on Mon–Fri".to_owned(),
        rows => {
            let names: Vec<&str> = NAMES.into_iter().zip(rows).filter(|(_, on)| *on).map(|(name, _)| name).collect();
            format!("on {}", names.join(", "))
        }
    };
    let hours = profile.active_hours();
    let active = hours.iter().filter(|on| **on).count();
    // The longest pause of the day lies between its end and its beginning.
    let (pause, end) = (0..24)
        .filter(|&hour| hours[(hour + 23) % 24])
        .map(|hour| ((0..24).take_while(|ahead| !hours[(hour + ahead) % 24]).count(), hour))
        .max()
        .unwrap_or((0, 0));
    if active == 0 || pause < 2 {
        return format!("{days} at all hours");
    }
    format!("{days} between {} and {} h", (end + pause) % 24, end)
}

/// The counts that lie within a spread of the mean.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a power of two below 2^64, for people")]
fn around(mean: f32, spread: f32) -> (u64, u64) {
    let low = (mean - spread).max(0.0).exp2().round() as u64;
    let high = (mean + spread).max(0.0).exp2().ceil() as u64;
    (low.max(1), high.max(low.max(1)))
}
