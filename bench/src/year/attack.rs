//! Attacks, planted into the company's year, each with its label.

use crate::random::Random;

use super::company::{Company, DAYS, Kind, ROLES, START_S, Worker};
use super::event::Event;

/// From this day on, everybody who was there from the beginning has long been warm.
const FIRST_DAY: i64 = 60;

/// Ways of attack.
pub const KINDS: [&str; 13] = [
    "stolen token, new network",
    "insider mass read",
    "low and slow reading",
    "dormant account awakes",
    "off-hours administration",
    "agent outside its tools",
    "exfiltration by a new model",
    "service from a new address",
    "token-use spike",
    "resource enumeration, refused",
    "agent for other people",
    "reading outside the role",
    "bulk export",
];

/// One attack.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Index in [`KINDS`].
    pub kind: usize,
    /// Who seems to do it.
    pub actor: String,
    /// First and last day.
    pub days: (i64, i64),
    events: Vec<Event>,
}

impl Attack {
    /// Its events of a day.
    pub fn day(&self, day: i64) -> impl Iterator<Item = &Event> {
        let start = START_S + day * 86_400;
        self.events.iter().filter(move |event| (start..start + 86_400).contains(&event.at_s))
    }
}

/// So many attacks of each kind, no two on one actor.
#[must_use]
pub fn plant(company: &Company, seed: u64, each: usize) -> Vec<Attack> {
    let mut random = Random::new(seed).fork(1);
    let mut taken: Vec<String> = Vec::new();
    let mut attacks = Vec::new();
    for kind in 0..KINDS.len() {
        for _ in 0..each {
            let Some(worker) = victim(company, kind, &taken, &mut random) else { continue };
            taken.push(worker.id.clone());
            attacks.push(attack(kind, worker, &mut random));
        }
    }
    attacks
}

fn victim<'c>(company: &'c Company, kind: usize, taken: &[String], random: &mut Random) -> Option<&'c Worker> {
    let fits = |worker: &Worker| match kind {
        3 => worker.kind == Kind::Person && (FIRST_DAY..250).contains(&worker.days.1),
        5 | 8 | 10 => matches!(worker.kind, Kind::Assistant | Kind::Scheduled) && worker.days.0 < 30,
        7 => worker.kind == Kind::Service,
        0 | 6 => worker.kind != Kind::Service && worker.days == (0, DAYS),
        _ => worker.kind == Kind::Person && worker.days == (0, DAYS),
    };
    let those: Vec<&Worker> =
        company.workers.iter().filter(|worker| fits(worker) && !taken.contains(&worker.id)).collect();
    (!those.is_empty()).then(|| *random.pick(&those))
}

fn attack(kind: usize, worker: &Worker, random: &mut Random) -> Attack {
    let span = u64::try_from(DAYS - FIRST_DAY - 30).unwrap_or(1);
    let mut day = FIRST_DAY + i64::try_from(random.below(span)).unwrap_or(0);
    if kind == 3 {
        // Somebody who has left: whose account acts again.
        day = worker.days.1 + 60 + i64::try_from(random.below(50)).unwrap_or(0);
    } else {
        // Within their week, and not on leave: the harder case.
        while day < DAYS - 30 && (!worker.is_there(day) || (day + 2) % 7 >= 5) {
            day += 1;
        }
    }
    let events = match kind {
        2 => (0..20).flat_map(|n| foreign(worker, day + n, 5, 1_800, random)).collect(),
        11 => foreign(worker, day, 8, 300, random),
        _ => (0..length(kind)).map(|n| step(kind, worker, day, n, random)).collect(),
    };
    let last = if kind == 2 { day + 19 } else { day };
    Attack { kind, actor: worker.id.clone(), days: (day, last), events }
}

fn length(kind: usize) -> i64 {
    match kind {
        1 => 600,
        8 => 300,
        9 => 200,
        0 => 40,
        7 => 30,
        12 => 2,
        _ => 12,
    }
}

/// Reading what belongs to other roles, at the usual time from the usual place.
fn foreign(worker: &Worker, day: i64, count: i64, apart_s: i64, random: &mut Random) -> Vec<Event> {
    let start = START_S + day * 86_400 + (worker.begins() + 1) * 3_600;
    (0..count)
        .map(|n| {
            let (role, label) = ROLES[(worker.role + 1 + usize::try_from(n).unwrap_or(0) % 7) % 8];
            Event {
                operation: worker.own_means().0,
                resource: ("table", format!("{role}/{}", random.skewed(80)), label),
                rows: 40,
                ..worker.blank(start + n * apart_s)
            }
        })
        .collect()
}

fn step(kind: usize, worker: &Worker, day: i64, n: i64, random: &mut Random) -> Event {
    let hour = if kind == 4 { (worker.begins() + 14) % 24 } else { worker.begins() };
    let mut event = worker.blank(START_S + day * 86_400 + (hour % 24) * 3_600 + 600 + n * 8);
    let (means, model) = worker.own_means();
    event.resource = worker.own_resource(random);
    event.rows = 1 + random.below(80);
    if worker.kind == Kind::Person || worker.kind == Kind::Service {
        event.operation = means;
    } else {
        (event.action, event.operation, event.tool) = ("execute", "tools/call", means);
    }
    match kind {
        0 | 7 => event.ip = "203.0.113.66".to_owned(),
        1 => event.rows = 400,
        4 => (event.action, event.operation) = ("grant", "role.bind"),
        5 => {
            let tools = ["run_shell", "send_email", "fetch_url"];
            event.tool = tools[usize::try_from(n).unwrap_or(0) % 3];
        }
        6 | 8 => {
            (event.action, event.operation, event.tool) = ("infer", "chat", "");
            (event.model, event.tokens) = if kind == 6 { ("free-llm-x1", 8_000) } else { (model, 9_000) };
            event.resource.1.clear();
        }
        9 => {
            event.resource = ("table", format!("secret/{n}"), "secret");
            event.denied = true;
        }
        10 => event.behalf = format!("u{}@example.com", random.below(200)),
        12 => {
            (event.action, event.rows) = ("export", 400_000);
        }
        _ => {}
    }
    event
}
