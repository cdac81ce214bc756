//! What a million actors take in the baselines: memory of the process before and after, and the size of what is kept.
//!
//! `cargo run --release -p indelible-detect --example baseline_memory`

use std::time::Instant;

use indelible_detect::baseline::{BaselineSettings, Baselines};
use indelible_detect::seen::Seen;
use indelible_event::doors::EntryIndex;
use indelible_event::view::EventView;

const ACTORS: u64 = 1_000_000;
/// Events of each, on days that follow each other.
const EVENTS: u64 = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let before = resident_kib()?;
    let mut baselines = Baselines::new("main", BaselineSettings::default());
    let (mut findings, mut index) = (Vec::new(), 0);
    for day in 0..EVENTS {
        for actor in 0..ACTORS {
            let entry = entry(actor, day);
            let view = EventView::parse(entry.as_bytes()).map_err(|error| format!("{error:?}"))?;
            baselines.see(&Seen { index: EntryIndex(index), bytes: entry.as_bytes(), view }, &mut findings);
            findings.clear();
            index += 1;
        }
    }
    let report = baselines.report();
    let mib = |kib: u64| kib / 1_024;
    println!(
        "{} actors, {} roles and resources, {} forgotten, {} events",
        report.actors, report.others, report.forgotten, report.events
    );
    println!("{} MiB resident, {} MiB before", mib(resident_kib()?), mib(before));
    let began = Instant::now();
    let saved = baselines.save();
    println!("saved: {} MiB in {:.1} s", saved.len() >> 20, began.elapsed().as_secs_f64());
    Ok(())
}

/// Five resources, two networks, three tools for each actor.
fn entry(actor: u64, day: u64) -> String {
    let (resource, network, tool) = (actor * 5 + day % 5, actor * 2 + day % 2, actor % 50 + day % 3);
    format!(
        r#"{{"action":"read","actor":{{"id":"actor-{actor}","ip":"10.{}.{}.9","roles":["role-{}"],"type":"human"}},"id":"00000000-0000-7000-8000-{:012x}","operation":"op-{tool}","outcome":{{"phase":"single","result":"allowed"}},"recorded":"2026-11-{:02}T10:00:00.000000000Z","resources":[{{"count":3,"id":"r-{resource}","type":"table"}}],"schema":"indelible.event.v1","source":{{"id":"s","kind":"api"}},"time":"2026-11-{:02}T10:00:00Z"}}"#,
        network / 250 % 250,
        network % 250,
        actor % 40,
        actor,
        day + 1,
        day + 1,
    )
}

/// Resident memory of this process (`VmRSS` in /proc/self/status), in KiB.
fn resident_kib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
