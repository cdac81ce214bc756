//! Calls through a gateway, or past it to the upstream itself: at a fixed rate, as fast as answers come, or many streams held open.
//!
//! Promises: the same requests and the same client either way, so that the difference is the gateway's; each answer is looked at.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::head;
use crate::latency::Latencies;
use crate::process::Process;
use crate::report::Report;
use crate::target::Target;

/// Read at once.
const READ_BYTES: usize = 16 * 1024;
/// The longest answer taken.
const ANSWER_MOST: usize = 4 << 20;
/// Faults told in full.
const FAULTS_TOLD: usize = 5;
/// Streams opened at once.
const OPENING_AT_ONCE: usize = 64;

/// Calls to a model API or a tool server.
#[derive(Args, Clone, Debug)]
pub struct Calls {
    /// Where calls go, such as `/llm/openai/v1/chat/completions`.
    #[arg(long, default_value = "/llm/openai/v1/chat/completions")]
    pub path: String,
    /// The model asked for; what stands behind a `+` tells the scripted upstream how to answer.
    #[arg(long, default_value = "gpt-test")]
    pub model: String,
    /// Ask for a stream; what counts is the time to its first event.
    #[arg(long)]
    pub stream: bool,
    /// Call a tool (JSON-RPC `tools/call`) instead of a model.
    #[arg(long)]
    pub tool: bool,
    /// Calls a second; 0: as fast as answers come.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Connections: the most calls under way at once.
    #[arg(long, short, default_value_t = 32)]
    pub connections: u64,
    /// Seconds measured.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Open so many streams, hold them for the seconds, and tell the memory that each costs the server.
    #[arg(long, default_value_t = 0)]
    pub hold: usize,
}

impl Calls {
    fn request(&self, target: &Target) -> Vec<u8> {
        let body = if self.tool {
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"message": "hello"}}})
        } else {
            json!({"model": self.model, "stream": self.stream || self.hold > 0, "messages": [
                {"role": "system", "content": "You are a helpful assistant that answers in one sentence."},
                {"role": "user", "content": "Summarise the quarterly report for the board, please, and name the three largest risks. ".repeat(4)}]})
        };
        let body = body.to_string();
        let mut request = head("POST", &self.path, &target.token, Some(("application/json", body.len())));
        if self.tool {
            let at = request.len() - 2;
            let accept = b"accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n";
            request.splice(at..at, accept.iter().copied());
        }
        request.extend_from_slice(body.as_bytes());
        request
    }
}

/// What one connection saw.
#[derive(Default)]
struct Lane {
    whole: Latencies,
    first: Latencies,
    calls: u64,
    faults: Vec<String>,
}

/// Makes the calls.
///
/// # Errors
/// When the server cannot be reached.
pub fn run(calls: &Calls, target: &Target) -> io::Result<Report> {
    if calls.hold > 0 {
        return hold(calls, target);
    }
    let mut report = Report::new("calls");
    report.add("path", calls.path.as_str());
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now() + Duration::from_millis(200);
    let threads: Vec<_> = (0..calls.connections)
        .map(|_| {
            let (calls, target, next) = (calls.clone(), target.clone(), Arc::clone(&next));
            std::thread::spawn(move || drive(&calls, &target, begin, &next))
        })
        .collect();
    let mut all = Lane::default();
    for thread in threads {
        let lane = thread.join().unwrap_or_default();
        all.whole.merge(&lane.whole);
        all.first.merge(&lane.first);
        all.calls += lane.calls;
        all.faults.extend(lane.faults);
    }
    let seconds = begin.elapsed().as_secs_f64();
    report.add("calls", all.calls);
    report.add("calls_per_s", rounded(all.calls, seconds));
    report.add("whole_ms", all.whole.to_json());
    report.add("first_ms", all.first.to_json());
    tell(&mut report, all.faults);
    Ok(report)
}

fn rounded(count: u64, seconds: f64) -> Value {
    // A rate needs no more than whole calls.
    let micros = u64::try_from(Duration::from_secs_f64(seconds.max(1e-6)).as_micros()).unwrap_or(u64::MAX);
    Value::from(count.saturating_mul(1_000_000) / micros.max(1))
}

fn tell(report: &mut Report, faults: Vec<String>) {
    report.add("failed", faults.len());
    report.faults.extend(faults.into_iter().take(FAULTS_TOLD));
}

fn drive(calls: &Calls, target: &Target, begin: Instant, next: &AtomicU64) -> Lane {
    let request = calls.request(target);
    let mut lane = Lane::default();
    let mut connection = None;
    let end = begin + Duration::from_secs(calls.seconds);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = match calls.rate {
            0 => Instant::now().max(begin),
            rate => begin + Duration::from_nanos(1_000_000_000 / rate * number),
        };
        if due >= end {
            return lane;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        match call(&mut connection, &target.address, &request) {
            Ok(first) => {
                lane.calls += 1;
                lane.whole.add(due.elapsed());
                lane.first.add(first.saturating_duration_since(due));
            }
            Err(error) => {
                connection = None;
                lane.faults.push(error.to_string());
                // A server that is gone is not asked a million times.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// One call; when the first byte of the answer's body was there.
fn call(connection: &mut Option<TcpStream>, address: &str, request: &[u8]) -> io::Result<Instant> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            stream
        }
    };
    stream.write_all(request)?;
    let mut answer = Vec::with_capacity(READ_BYTES);
    let mut buffer = [0; READ_BYTES];
    let mut first = None;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let Some(body) = body_of(&answer)? else { continue };
        if !body.is_empty() {
            first.get_or_insert_with(Instant::now);
        }
        if answer.len() > ANSWER_MOST {
            return Err(io::Error::other("the answer is too long"));
        }
        if is_whole(&answer, body) {
            *connection = Some(stream);
            return Ok(first.unwrap_or_else(Instant::now));
        }
    }
}

/// The body so far, once the head is there and says 200.
fn body_of(answer: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    if !answer.starts_with(b"HTTP/1.1 200") {
        let text = String::from_utf8_lossy(answer.get(..answer.len().min(300)).unwrap_or_default()).into_owned();
        return Err(io::Error::other(text));
    }
    Ok(answer.get(end + 4..))
}

fn is_whole(answer: &[u8], body: &[u8]) -> bool {
    let head = answer.get(..answer.len() - body.len()).unwrap_or_default().to_ascii_lowercase();
    let text = String::from_utf8_lossy(&head);
    match text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.trim().parse::<usize>().ok())
    {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

/// Opens the streams, holds them, and compares the server's memory before and meanwhile.
fn hold(calls: &Calls, target: &Target) -> io::Result<Report> {
    let mut report = Report::new("hold");
    let process = target.process();
    let memory =
        |process: Option<Process>| process.and_then(|process| process.memory().ok()).map(|memory| memory.resident);
    let before = memory(process);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (open, faults, during) = runtime.block_on(async {
        let places = Arc::new(tokio::sync::Semaphore::new(OPENING_AT_ONCE));
        let begun = Arc::new(AtomicU64::new(0));
        let end = tokio::time::Instant::now() + Duration::from_secs(calls.seconds);
        let tasks: Vec<_> = (0..calls.hold)
            .map(|_| {
                tokio::spawn(one(
                    calls.request(target),
                    target.address.clone(),
                    Arc::clone(&places),
                    Arc::clone(&begun),
                    end,
                ))
            })
            .collect();
        tokio::time::sleep_until(end - Duration::from_secs(1)).await;
        let during = memory(process);
        let open = begun.load(Ordering::Relaxed);
        let mut faults = Vec::new();
        for task in tasks {
            if let Ok(Err(error)) = task.await {
                faults.push(error.to_string());
            }
        }
        (open, faults, during)
    });
    report.add("streams", calls.hold);
    report.add("open_at_once", open);
    if let (Some(before), Some(during)) = (before, during) {
        report.add("server_memory_mib", json!({"before": before, "during": during}));
        report.add("kib_a_stream", (during - before) * 1024.0 / open.max(1) as f64);
    }
    tell(&mut report, faults);
    Ok(report)
}

/// One stream: reads until the end of the time, then goes away.
async fn one(
    request: Vec<u8>,
    address: String,
    places: Arc<tokio::sync::Semaphore>,
    begun: Arc<AtomicU64>,
    end: tokio::time::Instant,
) -> io::Result<()> {
    let place = places.acquire_owned().await.map_err(io::Error::other)?;
    let mut stream = tokio::net::TcpStream::connect(&address).await?;
    stream.write_all(&request).await?;
    let mut buffer = vec![0; 2048];
    let count = stream.read(&mut buffer).await?;
    if !buffer.get(..count).unwrap_or_default().starts_with(b"HTTP/1.1 200") {
        return Err(io::Error::other(
            String::from_utf8_lossy(buffer.get(..count.min(300)).unwrap_or_default()).into_owned(),
        ));
    }
    begun.fetch_add(1, Ordering::Relaxed);
    drop(place);
    while let Ok(read) = tokio::time::timeout_at(end, stream.read(&mut buffer)).await {
        if read? == 0 {
            return Err(io::Error::other("the stream ended early"));
        }
    }
    Ok(())
}
