//! `indelible-baselines`: plays a year with planted attacks before the baselines, and before the rules if asked, and prints what
//! was found, what was missed and how much there was to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indelible_bench::year::{Attack, Company, DAYS, KINDS, START_S, plant};
use indelible_detect::baseline::{BaselineSettings, Baselines};
use indelible_detect::finding::Finding;
use indelible_detect::rules::{RuleSet, RuleSource, Rules};
use indelible_detect::seen::Seen;
use indelible_event::doors::EntryIndex;
use indelible_event::view::EventView;

/// Plays a year with planted attacks before the baselines.
#[derive(Parser)]
#[command(name = "indelible-baselines", version)]
struct Cli {
    /// The seed: 1 is what the points were tuned with, any other tests them.
    #[arg(long, default_value_t = 2)]
    seed: u64,
    /// People; agents are a fifth of them, services a fifteenth.
    #[arg(long, default_value_t = 300)]
    people: u64,
    /// Attacks of each kind.
    #[arg(long, default_value_t = 4)]
    each: usize,
    /// Points at which a day is told.
    #[arg(long, default_value_t = BaselineSettings::default().threshold)]
    threshold: f32,
    /// Also put everything to the built-in rules.
    #[arg(long)]
    rules: bool,
    /// Print each finding.
    #[arg(long)]
    show: bool,
    /// Only print the entries, a line each.
    #[arg(long)]
    events: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse(), &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("indelible-baselines: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let mut company = Company::new(cli.seed, cli.people);
    let attacks = plant(&company, cli.seed, cli.each);
    let settings = BaselineSettings { threshold: cli.threshold, ..BaselineSettings::default() };
    let mut baselines = Baselines::new("main", settings);
    let mut rules = cli.rules.then(|| Rules::new("main", RuleSet::load(&[RuleSource::BuiltIn]).set));
    let (mut by_baselines, mut by_rules) = (Vec::new(), Vec::new());
    let (mut entries, mut spent) = (0u64, Duration::ZERO);
    for day in 0..DAYS {
        let mut events = company.day(day);
        events.extend(attacks.iter().flat_map(|attack| attack.day(day)).cloned());
        events.sort_by_key(|event| event.at_s);
        for event in events {
            let entry = event.entry(entries);
            if cli.events {
                writeln!(out, "{entry}")?;
                entries += 1;
                continue;
            }
            let view = EventView::parse(entry.as_bytes()).map_err(|error| format!("entry {entries}: {error:?}"))?;
            let seen = Seen { index: EntryIndex(entries), bytes: entry.as_bytes(), view };
            let start = Instant::now();
            baselines.see(&seen, &mut by_baselines);
            spent += start.elapsed();
            if let Some(rules) = &mut rules {
                rules.see(&seen, &mut by_rules);
            }
            entries += 1;
        }
    }
    if cli.events {
        return Ok(());
    }
    let each = spent.as_nanos() / u128::from(entries.max(1));
    writeln!(out, "seed {}: {entries} entries, {DAYS} days, {} actors", cli.seed, baselines.report().actors)?;
    writeln!(out, "{each} ns an entry in the baselines, with the clock read twice")?;
    if cli.show {
        for finding in &by_baselines {
            let (name, usual) = (&finding.rule.id, finding.usual.as_deref().unwrap_or_default());
            let hit = hit(finding, &attacks).map_or("-", |attack| KINDS[attack.kind]);
            writeln!(out, "day {} [{hit}] {name} {}: {}; {usual}", day_of(finding), finding.severity, finding.summary)?;
        }
    }
    judge("baselines", &by_baselines, &attacks, out)?;
    if cli.rules {
        judge("rules", &by_rules, &attacks, out)?;
        by_baselines.append(&mut by_rules);
        judge("both", &by_baselines, &attacks, out)?;
    }
    Ok(())
}

fn day_of(finding: &Finding) -> i64 {
    (finding.time_unix_ns / 1_000_000_000 - START_S).div_euclid(86_400)
}

/// The attack that a finding is about: the same actor, on one of its days.
fn hit<'a>(finding: &Finding, attacks: &'a [Attack]) -> Option<&'a Attack> {
    let day = day_of(finding);
    let names = |actor: &str| finding.entity.id.split(',').any(|part| part.trim() == actor);
    attacks.iter().find(|attack| (attack.days.0..=attack.days.1).contains(&day) && names(&attack.actor))
}

/// Findings of one rule about one entity on one day are one alert.
fn judge(name: &str, findings: &[Finding], attacks: &[Attack], out: &mut impl Write) -> std::io::Result<()> {
    let mut alerts: BTreeMap<(&str, &str, i64), bool> = BTreeMap::new();
    let mut found: BTreeSet<(usize, &str)> = BTreeSet::new();
    for finding in findings {
        let hit = hit(finding, attacks);
        found.extend(hit.map(|attack| (attack.kind, attack.actor.as_str())));
        alerts.insert((&finding.rule.id, &finding.entity.id, day_of(finding)), hit.is_some());
    }
    let right = alerts.values().filter(|right| **right).count();
    let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    writeln!(
        out,
        "\n{name}: {} alerts, {:.2} a day, {right} of them about an attack (precision {:.0} %); {} of {} attacks found (recall {:.0} %)",
        alerts.len(),
        alerts.len() as f64 / DAYS as f64,
        percent(right, alerts.len()),
        found.len(),
        attacks.len(),
        percent(found.len(), attacks.len()),
    )?;
    for (kind, words) in KINDS.iter().enumerate() {
        let planted = attacks.iter().filter(|attack| attack.kind == kind).count();
        writeln!(out, "  {words:<32} {} of {planted}", found.iter().filter(|(found, _)| *found == kind).count())?;
    }
    let mut wrong: BTreeMap<&str, usize> = BTreeMap::new();
    for ((rule, ..), right) in &alerts {
        *wrong.entry(rule).or_default() += usize::from(!right);
    }
    for (rule, count) in wrong.into_iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "  not about an attack: {rule} {count}")?;
    }
    Ok(())
}
