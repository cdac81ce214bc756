//! The peer: an audit table in PostgreSQL whose trigger chains each row to the one before by its hash, given the same events over
//! as many connections. `bench/peer-postgres.sh` sets it up.
//!
//! Promises: the peer is spoken to in the way that costs it least: one prepared statement, binary parameters, a batch as one
//! statement, nothing returned. Never: a setting that lets it acknowledge what is not durable.

mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indelible_event::id::EventId;

use crate::latency::Latencies;
use crate::process::Process;
use crate::random::Random;
use crate::report::Report;
use crate::traffic::{Clock, Events, Request, Stamp};

use wire::Session;

/// Where an event's id stands in its text: after `{"id":"`.
const ID_AT: std::ops::Range<usize> = 7..43;
const VARIETY_EVENTS: u64 = 4_000;

/// How the peer is loaded.
#[derive(Args, Clone, Debug)]
pub struct Peer {
    /// Folder of the server's socket.
    #[arg(long)]
    pub socket: PathBuf,
    /// Port, which is part of the socket's name.
    #[arg(long, default_value_t = 5432)]
    pub port: u16,
    /// Connections.
    #[arg(long, short, default_value_t = 64)]
    pub connections: u64,
    /// Events in a commit.
    #[arg(long, short, default_value_t = 1)]
    pub batch: u64,
    /// Seconds measured, after 3 that are not.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Type of the column that holds the event.
    #[arg(long, value_enum, default_value_t = Column::Jsonb)]
    pub column: Column,
    /// Process id of the postmaster, to tell the processor time.
    #[arg(long)]
    pub postmaster: Option<u32>,
}

/// Type of the column that holds the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Column {
    /// Parsed and checked, can be queried.
    Jsonb,
    /// As it came.
    Text,
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Jsonb => "jsonb",
            Self::Text => "text",
        }
    }
}

#[derive(Default)]
struct Lane {
    latencies: Latencies,
    faults: Vec<String>,
}

/// Loads the peer.
///
/// # Errors
/// When it cannot be reached.
pub fn run(peer: &Peer) -> io::Result<Report> {
    let kind = if peer.batch == 1 { "single" } else { "batch" };
    let mut report = Report::new(&format!("postgres_{kind}_{}", peer.column.name()));
    report.add("connections", peer.connections);
    report.add("events_per_request", peer.batch);
    let random = Random::new(Random::seed_from_time());
    let begin = Instant::now() + Duration::from_secs(3);
    let threads: Vec<_> = (0..peer.connections)
        .map(|lane| {
            let (peer, random) = (Arc::new(peer.clone()), random.fork(lane));
            std::thread::spawn(move || {
                drive(&peer, random, begin)
                    .unwrap_or_else(|error| Lane { latencies: Latencies::default(), faults: vec![error.to_string()] })
            })
        })
        .collect();
    std::thread::sleep(begin.saturating_duration_since(Instant::now()));
    let postmaster = peer.postmaster.map(Process);
    let cpu = || postmaster.and_then(|process| process.family_cpu_seconds().ok()).unwrap_or_default();
    let (server_before, own_before) = (cpu(), Process::own().cpu_seconds()?);
    let mut all = Lane::default();
    for thread in threads {
        let lane = thread.join().unwrap_or_default();
        all.latencies.merge(&lane.latencies);
        all.faults.extend(lane.faults);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let events = all.latencies.count() * peer.batch;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rates = (events as f64 / seconds, all.latencies.count() as f64 / seconds, events as f64 / 1e6);
    report.add("events", events);
    report.add("seconds", seconds);
    report.add("events_per_s", rates.0);
    report.add("requests_per_s", rates.1);
    report.add("latency_ms", all.latencies.to_json());
    report.add("client_cpu_s_per_million", (Process::own().cpu_seconds()? - own_before) / rates.2);
    if postmaster.is_some() {
        report.add("server_cpu_s_per_million", (cpu() - server_before) / rates.2);
    }
    report.faults = all.faults;
    report.faults.truncate(10);
    Ok(report)
}

/// One connection: commits until time is up; what begins before `begin` is warm-up.
fn drive(peer: &Peer, mut random: Random, begin: Instant) -> io::Result<Lane> {
    let path = peer.socket.join(format!(".s.PGSQL.{}", peer.port));
    let mut session = Session::open(&path, "postgres", "postgres")?;
    let column = peer.column.name();
    session.prepare(&if peer.batch == 1 {
        format!("insert into audit (id, event) values ($1::uuid, $2::{column})")
    } else {
        format!("insert into audit (id, event) select * from unnest($1::uuid[], $2::{column}[])")
    })?;
    let mut requests: Vec<_> = (0..(VARIETY_EVENTS / peer.batch).clamp(4, 500))
        .map(|_| Request::new(b"", &Events::lines(peer.batch, &mut random)))
        .collect();
    let mut stamp = Stamp::new(random, Clock::Now);
    let mut lane = Lane::default();
    let end = begin + Duration::from_secs(peer.seconds);
    for turn in 0.. {
        let at = turn % requests.len();
        let text = requests[at].freshen(&mut stamp);
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let ids: Vec<[u8; 16]> = lines.iter().filter_map(|line| Some(EventId::parse(line.get(ID_AT)?)?.0)).collect();
        let parameters = if peer.batch == 1 {
            [ids.concat(), wire::event(lines.first().copied().unwrap_or_default(), peer.column)]
        } else {
            [wire::uuids(&ids), wire::events(&lines, peer.column)]
        };
        let began = Instant::now();
        if began >= end {
            break;
        }
        let inserted = session.execute(&parameters)?;
        if inserted != peer.batch {
            lane.faults.push(format!("{inserted} rows of {}", peer.batch));
        }
        if began >= begin {
            lane.latencies.add(began.elapsed());
        }
    }
    Ok(lane)
}
