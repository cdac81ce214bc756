//! How fast the index is: builds one of N events, then asks it questions, and prints a table.
//!
//! `cargo run --release -p indelible-search --example index_speed -- 1000000 /tmp/index` (an index that is there is used again;
//! a third argument asks only the questions whose name contains it).

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indelible_event::doors::{Entries, EntryIndex, EntryReader, ReadError};
use indelible_event::time::RecordedTime;
use indelible_search::{Counting, Index, SearchRequest, Settings, SqlRequest, StatsRequest, filter};

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 2026-11-01T00:00:00Z.
const START: i64 = 1_793_491_200_000_000_000;
/// So many events make a day.
const EVENTS_A_DAY: u64 = 1_000_000;
const DAY: i64 = 86_400_000_000_000;

/// A log of made-up events: about 600 bytes each, as a gateway before models and databases would record them.
struct MadeUp {
    size: u64,
    /// Time spent on making them up, which is not the index's.
    spent_ns: AtomicU64,
    bytes: AtomicU64,
}

/// Processor time of this thread: what an event costs, whatever else the machine is doing.
fn busy() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn id(n: u64, recorded: i64) -> String {
    let (a, b, ms) = (mix(n), mix(n ^ 0xffff_0000), recorded / 1_000_000);
    let (high, low) = (ms >> 16, ms & 0xffff);
    format!("{high:08x}-{low:04x}-7{:03x}-8{:03x}-{:012x}", a & 0xfff, (a >> 12) & 0xfff, b & 0xffff_ffff_ffff)
}

fn pick<T: Copy>(list: &[T], r: u64) -> T {
    list[usize::try_from(r % list.len() as u64).unwrap_or(0)]
}

impl MadeUp {
    fn recorded(&self, n: u64) -> i64 {
        let days = i64::try_from(self.size.div_ceil(EVENTS_A_DAY)).unwrap_or(1);
        let step = days * DAY / i64::try_from(self.size).unwrap_or(1).max(1);
        // Many events share a commit, and so a time.
        START + i64::try_from(n - n % 50).unwrap_or(0) * step
    }

    fn entry(&self, n: u64, into: &mut Vec<u8>) -> std::io::Result<()> {
        let (r, s) = (mix(n), mix(n ^ 0x5555));
        let recorded = self.recorded(n);
        let text = |ns: i64| RecordedTime(ns).to_string();
        let happened = text(recorded - i64::try_from(r % 4_000_000).unwrap_or(0) * 1_000);
        let (recorded, id) = (text(recorded), id(n, recorded));
        // A few actors do most of what is done.
        let actor = (r % 1_000) * (s % 1_000) / 500;
        let (a, b, c, d) = (r >> 3, r >> 11, s >> 5, s >> 13);
        let model = pick(&["gpt-6-mini", "gpt-6", "claude-5-opus", "claude-5-haiku", "llama-5-70b", "mistral-4"], a);
        if r % 2 == 0 {
            write!(
                into,
                r#"{{"action":"infer","actor":{{"id":"user-{actor:05}@example.com","session":"s-{:08x}","type":"human"}},"ai":{{"conversation":"conv-{:06x}","finish_reasons":["stop"],"input_tokens":{},"operation":"chat","output_tokens":{},"provider":"acme","request_model":"{model}"}},"attributes":{{"region":"eu-central-{}"}},"duration_ns":{},"id":"{id}","operation":"chat.completions","outcome":{{"code":"200","phase":"single","result":"{}"}},"recorded":"{recorded}","resources":[{{"id":"{model}","type":"model"}}],"schema":"indelible.event/1","source":{{"id":"gateway-{}","kind":"api","seq":{n}}},"time":"{happened}","trace":{{"span_id":"{c:016x}","trace_id":"{:032x}"}}}}"#,
                d % 100_000,
                n / 12,
                r % 6_000,
                s % 900,
                b % 3,
                r % 3_000_000_000,
                if s % 50 == 0 { "denied" } else { "allowed" },
                a % 6,
                u128::from(mix(n / 4)) << 64 | u128::from(r),
            )
        } else {
            let table = pick(&["customers", "orders", "payments", "patients", "employees"], a);
            write!(
                into,
                r#"{{"action":"read","actor":{{"id":"user-{actor:05}@example.com","ip":"10.{}.{}.7","roles":["analyst"],"type":"service"}},"attributes":{{"statement":"select {} columns"}},"duration_ns":{},"id":"{id}","operation":"SELECT","outcome":{{"phase":"outcome","policy":"p-{}","request":"{}","result":"allowed"}},"purpose":"support","recorded":"{recorded}","resources":[{{"count":{},"fields":["name","email"],"id":"prod.{table}","labels":["pii"],"type":"table"}}],"schema":"indelible.event/1","source":{{"id":"gateway-{}","kind":"api","seq":{n}}},"time":"{happened}"}}"#,
                b % 4,
                c % 250,
                c % 20,
                s % 90_000_000,
                d % 30,
                self::id(n ^ 0xabcd_ef01, START),
                r % 5_000,
                a % 6,
            )
        }
    }
}

impl EntryReader for MadeUp {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        let started = busy();
        let mut entries = Entries::starting_at(first);
        let mut one = Vec::new();
        while entries.len() < max_entries && entries.byte_len() < max_bytes && entries.next_index().0 < self.size {
            one.clear();
            let index = entries.next_index();
            self.entry(index.0, &mut one).map_err(|fault| ReadError::Damaged { index, reason: fault.to_string() })?;
            entries.push(&one);
        }
        self.bytes.fetch_add(entries.byte_len() as u64, Ordering::Relaxed);
        self.spent_ns
            .fetch_add(u64::try_from(busy().saturating_sub(started).as_nanos()).unwrap_or(0), Ordering::Relaxed);
        Ok(entries)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let size: u64 = arguments.next().as_deref().unwrap_or("200000").parse()?;
    let folder =
        arguments.next().unwrap_or_else(|| std::env::temp_dir().join("indelible-index-speed").display().to_string());
    let log = MadeUp { size, spent_ns: AtomicU64::new(0), bytes: AtomicU64::new(0) };
    let index = Index::open(Path::new(&folder), "speed", Settings::default())?;
    build(&index, &log)?;
    ask(&Arc::new(index), &log, &arguments.next().unwrap_or_default())
}

/// Builds what is missing, and prints what an event cost.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn build(index: &Index, log: &MadeUp) -> Result<(), Box<dyn Error>> {
    let before = index.state();
    let (mut taking, mut writing) = (Duration::ZERO, Duration::ZERO);
    let mut most_tail = 0;
    loop {
        let started = busy();
        let done = index.refresh_some(log, 100_000)?;
        taking += busy().saturating_sub(started);
        most_tail = most_tail.max(index.state().tail_bytes);
        let started = busy();
        index.maintain(RecordedTime(log.recorded(done.saturating_sub(1))))?;
        if done == log.size {
            index.flush()?;
            while index.maintain(RecordedTime(i64::MAX))?.merged > 0 {}
            writing += busy().saturating_sub(started);
            break;
        }
        writing += busy().saturating_sub(started);
    }
    let state = index.state();
    let added = (state.in_files - before.in_files).max(1) as f64;
    let made = Duration::from_nanos(log.spent_ns.load(Ordering::Relaxed));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / added;
    println!("{state:?}");
    if state.in_files > before.in_files {
        let json = log.bytes.load(Ordering::Relaxed) as f64 / added;
        let taken = taking.saturating_sub(made);
        println!("json                {json:8.1} bytes an event");
        println!(
            "index               {:8.1} bytes an event ({:.3} of the json)",
            state.file_bytes as f64 / state.in_files as f64,
            state.file_bytes as f64 / state.in_files as f64 / json
        );
        println!("parse and columns   {:8.3} us of processor an event", each(taken));
        println!("write and merge     {:8.3} us of processor an event", each(writing));
        println!("together            {:8.3} us of processor an event", each(taken + writing));
        println!("tail, at most       {:8.1} MiB", most_tail as f64 / f64::from(1 << 20));
    }
    Ok(())
}

fn timed<T>(
    name: &str,
    mut ask: impl FnMut() -> Result<T, Box<dyn Error>>,
    show: impl Fn(&T) -> String,
) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    let mut shown = String::new();
    for _ in 0..7 {
        let started = Instant::now();
        let answer = ask()?;
        times.push(started.elapsed());
        shown = show(&answer);
    }
    let first = times[0];
    times.sort();
    println!(
        "{name:44} first {:8.2} ms, median {:8.2} ms  {shown}",
        first.as_secs_f64() * 1e3,
        times[3].as_secs_f64() * 1e3
    );
    Ok(())
}

/// Asks the questions whose name contains `only`.
fn ask(index: &Arc<Index>, log: &MadeUp, only: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let middle = log.size / 2;
    let this = id(middle, log.recorded(middle));
    let day = String::from_utf8_lossy(&RecordedTime(log.recorded(middle)).write()[..10]).into_owned();
    let searches = [
        ("search: actor in one day", format!("actor:user-00007@example.com time:{day}")),
        ("search: id", format!("id:{this}")),
        ("search: request", format!("request:{}", id((middle | 1) ^ 0xabcd_ef01, START))),
        ("search: actor that does not exist", "actor:nobody".to_owned()),
        ("search: denied, newest", "outcome:denied".to_owned()),
        ("search: label and tokens, nothing", "label:pii input_tokens:>100".to_owned()),
        ("search: free text, nothing", "\"no such text\"".to_owned()),
        ("search: attribute, newest", "attributes.region:eu-central-2".to_owned()),
    ];
    for (name, q) in searches.into_iter().filter(|(name, _)| name.contains(only)) {
        let request = SearchRequest::new(filter(&q, None, None)?);
        let ask = || Ok(runtime.block_on(index.search(request.clone()))?);
        timed(name, ask, |page| format!("{} hits, {:?}", page.hits.len(), page.counts))?;
    }
    let counts = [
        (
            "stats: actor in one day, by action",
            format!("actor:user-00007@example.com time:{day}"),
            vec!["action"],
            None,
        ),
        ("stats: by model and day", String::new(), vec!["model"], Some("1d")),
        ("stats: by actor, outcome denied", "outcome:denied".to_owned(), vec!["actor"], None),
        ("stats: by label and hour", String::new(), vec!["label"], Some("1h")),
    ];
    for (name, q, by, interval) in counts.into_iter().filter(|(name, ..)| name.contains(only)) {
        let request = StatsRequest::new(filter(&q, None, None)?, Counting::by(&by).each(interval));
        let ask = || Ok(runtime.block_on(index.stats(request.clone()))?);
        timed(name, ask, |answer| format!("{} rows of {} events", answer.rows.len(), answer.matched))?;
    }
    let statements = [
        (
            "sql: actor in one day",
            format!(
                "select count(*) from events where actor_id = 'user-00007@example.com' and time >= '{day}' and time < timestamp '{day}' + interval '1 day'"
            ),
        ),
        (
            "sql: by model and day",
            "select ai_request_model, date_trunc('day', time) d, count(*) from events group by 1, 2 order by 1, 2"
                .to_owned(),
        ),
        ("sql: id", format!("select index from events where id = '{this}'")),
        ("sql: count", "select count(*) from events".to_owned()),
        ("sql: newest ten", "select index, actor_id, action from events order by index desc limit 10".to_owned()),
    ];
    for (name, query) in statements.into_iter().filter(|(name, _)| name.contains(only)) {
        let request = SqlRequest::new(&query);
        let ask = || Ok(runtime.block_on(index.sql(request.clone()))?);
        timed(name, ask, |answer| format!("{} rows, {:?}", answer.rows.len(), answer.rows.first()))?;
    }
    Ok(())
}
