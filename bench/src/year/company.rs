//! The company: who works there, when, from where and on what. Everything follows from the seed.

use crate::random::Random;

use super::event::Event;

/// Days that are played.
pub const DAYS: i64 = 365;
/// 2025-01-01T00:00:00Z, a Wednesday, in seconds.
pub const START_S: i64 = 1_735_689_600;
/// Days on which nobody works: New Year, Easter, May, summer bank holiday, Christmas.
const HOLIDAYS: [i64; 9] = [0, 107, 110, 120, 145, 236, 358, 359, 360];

/// Roles, and the labels of what they work on.
pub(crate) const ROLES: [(&str, &str); 8] = [
    ("analyst", "internal"),
    ("support", "pii"),
    ("engineer", "internal"),
    ("sre", "internal"),
    ("finance", "financial"),
    ("hr", "pii"),
    ("sales", "internal"),
    ("research", "public"),
];
/// Resources of each role.
const POOL: u64 = 80;
const OPERATIONS: [[&str; 4]; 8] = [
    ["SELECT", "report.open", "dashboard.view", "query.save"],
    ["ticket.open", "customer.view", "ticket.reply", "customer.search"],
    ["repo.read", "build.start", "pods.get", "logs.read"],
    ["pods.get", "pods.exec", "node.view", "logs.read"],
    ["ledger.view", "invoice.open", "invoice.approve", "report.open"],
    ["record.view", "record.edit", "payroll.view", "contract.open"],
    ["lead.view", "lead.edit", "quote.make", "customer.view"],
    ["dataset.open", "notebook.run", "paper.view", "dataset.list"],
];
const MODELS: [&str; 4] = ["gpt-5-mini", "claude-sonnet-5", "gpt-5", "llama-4-70b"];
const TOOLS: [&str; 8] = [
    "search_documents",
    "read_file",
    "query_warehouse",
    "create_ticket",
    "list_customers",
    "calendar_lookup",
    "translate",
    "export_report",
];

/// What kind of worker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person.
    Person,
    /// An agent that works for people while they do.
    Assistant,
    /// An agent that runs by schedule.
    Scheduled,
    /// A service account.
    Service,
}

/// Somebody or something that works.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Index in [`ROLES`].
    pub role: usize,
    /// First and last day.
    pub days: (i64, i64),
    begins: i64,
    per_day: u64,
    weekends: u64,
    /// Networks with how often they are used, in percent; the first one mostly.
    networks: Vec<String>,
    resources: Vec<u64>,
    models: Vec<&'static str>,
    tools: Vec<&'static str>,
    /// Persons it works for.
    people: Vec<String>,
    away: Vec<(i64, i64)>,
    travel: Option<(i64, i64, String)>,
    moves: Option<(i64, usize)>,
    stays: u64,
}

/// The company.
#[derive(Clone, Debug)]
pub struct Company {
    /// All workers.
    pub workers: Vec<Worker>,
    random: Random,
}

impl Company {
    /// A company with so many people, and agents and services in proportion.
    #[must_use]
    pub fn new(seed: u64, people: u64) -> Self {
        let mut random = Random::new(seed);
        let mut workers: Vec<Worker> = (0..people).map(|n| person(n, &mut random)).collect();
        let ids: Vec<String> = workers.iter().map(|worker| worker.id.clone()).collect();
        for n in 0..people / 5 {
            workers.push(agent(n, &ids, &mut random));
        }
        for n in 0..people / 15 {
            workers.push(service(n, &mut random));
        }
        Self { workers, random }
    }

    /// The normal events of a day, not in order.
    pub fn day(&mut self, day: i64) -> Vec<Event> {
        let mut events = Vec::new();
        for worker in &mut self.workers {
            worker.day(day, &mut self.random, &mut events);
        }
        events
    }
}

fn below(random: &mut Random, end: u64) -> usize {
    usize::try_from(random.below(end)).unwrap_or(0)
}

fn days(random: &mut Random, end: u64) -> i64 {
    i64::try_from(random.below(end)).unwrap_or(0)
}

fn network(random: &mut Random) -> String {
    format!("{}.{}.{}", 80 + random.below(100), random.below(256), random.below(256))
}

fn person(n: u64, random: &mut Random) -> Worker {
    let role = below(random, 8);
    let shift = role == 1 && random.chance(40) || role == 3 && random.chance(30);
    let office = format!("10.{}.{}", 20 + random.below(3), random.below(4));
    let (mut days_there, mut away) = ((0, DAYS), Vec::new());
    match random.below(100) {
        0..12 => days_there.0 = 20 + days(random, 300),
        12..20 => days_there.1 = 60 + days(random, 280),
        _ => {}
    }
    for length in [14, 9, 5] {
        let start = days(random, 350);
        away.push((start, start + length));
    }
    if random.chance(5) {
        let start = 30 + days(random, 200);
        away.push((start, start + 60 + days(random, 60))); // a long leave
    }
    let trip = days(random, 350);
    Worker {
        id: format!("u{n}@example.com"),
        kind: Kind::Person,
        role,
        days: days_there,
        begins: if shift { 6 + 8 * days(random, 3) } else { 7 + days(random, 3) },
        per_day: 10 + random.skewed(60),
        weekends: if shift { 60 } else { 2 },
        networks: vec![office, network(random), network(random)],
        resources: (0..6 + random.below(14)).map(|_| random.skewed(POOL)).collect(),
        models: (0..2).map(|_| *random.pick(&MODELS)).collect(),
        tools: Vec::new(),
        people: Vec::new(),
        away,
        travel: random.chance(30).then(|| (trip, trip + 3, network(random))),
        moves: random.chance(6).then(|| (60 + days(random, 280), below(random, 8))),
        stays: 8,
    }
}

fn agent(n: u64, people: &[String], random: &mut Random) -> Worker {
    let scheduled = random.chance(50);
    let role = below(random, 8);
    let tools = 2 + below(random, 3);
    let first = below(random, 8);
    Worker {
        id: format!("agent-{n}"),
        kind: if scheduled { Kind::Scheduled } else { Kind::Assistant },
        role,
        days: (if random.chance(15) { days(random, 200) } else { 0 }, DAYS),
        begins: if scheduled { days(random, 24) } else { 8 },
        per_day: 40 + random.skewed(300),
        weekends: if scheduled { 100 } else { 3 },
        networks: vec![format!("10.40.{}", random.below(4))],
        resources: (0..5 + random.below(40)).map(|_| random.skewed(POOL)).collect(),
        models: vec![*random.pick(&MODELS)],
        tools: (0..tools).map(|n| TOOLS[(first + n) % TOOLS.len()]).collect(),
        people: if scheduled {
            Vec::new()
        } else {
            (0..1 + random.below(6)).map(|_| random.pick(people).clone()).collect()
        },
        away: Vec::new(),
        travel: None,
        moves: None,
        stays: if scheduled { 2 } else { 10 },
    }
}

fn service(n: u64, random: &mut Random) -> Worker {
    Worker {
        id: format!("svc-{n}"),
        kind: Kind::Service,
        days: (0, DAYS),
        begins: 0,
        per_day: 100 + random.skewed(400),
        weekends: 100,
        networks: vec![format!("10.50.{}", random.below(8))],
        resources: (0..2 + random.below(6)).map(|_| random.skewed(POOL)).collect(),
        models: Vec::new(),
        people: Vec::new(),
        stays: 24,
        ..agent(n, &["nobody".to_owned()], random)
    }
}

impl Worker {
    /// Whether it works on this day, when nothing comes between.
    #[must_use]
    pub fn is_there(&self, day: i64) -> bool {
        let away = self.away.iter().any(|(from, to)| (*from..*to).contains(&day));
        day >= self.days.0 && day < self.days.1 && !away
    }

    fn works(&self, day: i64, random: &mut Random) -> bool {
        let person = matches!(self.kind, Kind::Person | Kind::Assistant);
        let weekend = (day + 2) % 7 >= 5; // day 0 is a Wednesday
        if !self.is_there(day) || (person && HOLIDAYS.contains(&day) && !random.chance(5)) {
            return false;
        }
        if weekend { random.chance(self.weekends) } else { random.chance(96) }
    }

    fn day(&mut self, day: i64, random: &mut Random, events: &mut Vec<Event>) {
        if let Some((at, role)) = self.moves
            && at == day
        {
            self.role = role;
            self.resources = (0..10).map(|_| random.skewed(POOL)).collect();
        }
        if !self.works(day, random) {
            return;
        }
        if self.kind == Kind::Person && random.chance(12) {
            self.resources.push(random.skewed(POOL)); // something more of the team's
        }
        // The quarter's end is busy, summer is quiet; and no two days are alike.
        let season = if day % 91 > 82 {
            150
        } else if (180..240).contains(&day) {
            75
        } else {
            100
        };
        let luck = if self.kind == Kind::Person { 50 + random.below(110) } else { 85 + random.below(30) };
        let burst = if self.kind == Kind::Person && random.chance(2) { 3 } else { 1 };
        let count = (self.per_day * season * luck * burst / 10_000).max(1);
        let network = self.network_of(day, random);
        for _ in 0..count {
            events.push(self.event(day, &network, random));
        }
    }

    fn network_of(&self, day: i64, random: &mut Random) -> String {
        if let Some((from, to, network)) = &self.travel
            && (*from..*to).contains(&day)
        {
            return network.clone();
        }
        let at = if random.chance(70) { 0 } else { below(random, self.networks.len() as u64) };
        self.networks[at].clone()
    }

    fn event(&self, day: i64, network: &str, random: &mut Random) -> Event {
        let late = if self.kind == Kind::Person && random.chance(2) { 3 } else { 0 };
        let within = i64::try_from(random.below(self.stays * 3_600)).unwrap_or(0);
        let mut event = self.blank(START_S + day * 86_400 + (self.begins + late) * 3_600 + within);
        event.ip = format!("{network}.{}", 1 + random.below(250));
        event.denied = random.below(1_000) < 8;
        if !self.models.is_empty() && random.chance(if self.tools.is_empty() { 15 } else { 50 }) {
            event.action = "infer";
            event.operation = "chat";
            event.model = *random.pick(&self.models);
            event.tokens = 300 + random.skewed(6_000);
            return event;
        }
        let resource = *random.pick(&self.resources);
        let (role, label) = ROLES[self.role];
        event.resource = ("table", format!("{role}/{resource}"), label);
        event.rows = 1 + random.skewed(120);
        if self.kind == Kind::Person && random.chance(4) {
            event.resource = ("document", format!("{role}/doc-{day}-{}", random.below(9)), "internal");
        }
        match self.kind {
            Kind::Assistant | Kind::Scheduled => {
                event.action = "execute";
                event.operation = "tools/call";
                event.tool = *random.pick(&self.tools);
            }
            Kind::Service => event.operation = "SELECT",
            Kind::Person => event.operation = OPERATIONS[self.role][usize::try_from(random.skewed(4)).unwrap_or(0)],
        }
        event
    }

    /// An event of this worker with nothing in it, at this time.
    #[must_use]
    pub fn blank(&self, at_s: i64) -> Event {
        let (kind, role) = match self.kind {
            Kind::Person => ("human", ROLES[self.role].0),
            Kind::Assistant | Kind::Scheduled => ("agent", ""),
            Kind::Service => ("service", ""),
        };
        let behalf = if self.people.is_empty() {
            String::new()
        } else {
            let at = usize::try_from(at_s).unwrap_or(0) % self.people.len();
            self.people[at].clone()
        };
        let ip = format!("{}.7", self.networks[0]);
        Event { at_s, actor: self.id.clone(), kind, role, ip, behalf, action: "read", ..Event::default() }
    }

    /// One of the resources it works on.
    pub fn own_resource(&self, random: &mut Random) -> (&'static str, String, &'static str) {
        let (role, label) = ROLES[self.role];
        ("table", format!("{role}/{}", random.pick(&self.resources)), label)
    }

    /// A tool or operation, and a model, that it uses.
    #[must_use]
    pub fn own_means(&self) -> (&'static str, &'static str) {
        let model = self.models.first().copied().unwrap_or_default();
        match self.kind {
            Kind::Person => (OPERATIONS[self.role][0], model),
            Kind::Service => ("SELECT", model),
            Kind::Assistant | Kind::Scheduled => (self.tools[0], model),
        }
    }

    /// The hour of the day at which it usually begins.
    #[must_use]
    pub fn begins(&self) -> i64 {
        self.begins
    }
}
