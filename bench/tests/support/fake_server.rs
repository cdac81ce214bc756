//! A log server just good enough to test the tools against: it journals, answers, publishes bundles and a checkpoint, and
//! starts again from its journal. `INDELIBLE_FAKE` makes it lie in one way, which the crash test must find out.
//!
//! Never: a model of the product; it keeps everything in memory and proves nothing.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where `recorded` belongs in the crash test's events.
const AFTER_RECORDED: &str = "\"resources\":[{\"id\":\"object-";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value =
        |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1).cloned().unwrap_or_default();
    let done = match arguments.get(1).map(String::as_str) {
        Some("serve") => serve(Path::new(&value("--data")), &value("--listen")),
        Some("verify") => verify(Path::new(&value("verify")), Path::new(&value("--from"))),
        _ => Err(io::Error::other("serve or verify")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

/// As many requests as may be under way: the `--connections` of the tests.
const CONNECTIONS: usize = 3;

/// All that a verifier of this log can say: whether it has shrunk.
fn verify(log: &Path, from: &Path) -> io::Result<()> {
    let size = |path: &Path| -> io::Result<u64> {
        let text = fs::read_to_string(path)?;
        text.lines().nth(1).and_then(|size| size.parse().ok()).ok_or_else(|| io::Error::other("no checkpoint"))
    };
    if size(&log.join("checkpoint"))? < size(from)? { Err(io::Error::other("the log has shrunk")) } else { Ok(()) }
}

struct Log {
    lie: String,
    folder: PathBuf,
    journal: File,
    late: Vec<u8>,
    /// Stored text and text as sent.
    entries: Vec<(String, String)>,
    ids: HashMap<String, usize>,
    published: usize,
}

impl Log {
    fn open(data: &Path, lie: String) -> io::Result<Self> {
        fs::create_dir_all(data)?;
        let path = data.join("journal");
        let text = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        // A record is whole lines and then an empty one; what has none is torn.
        let whole = text.rfind("\n\n").map_or("", |end| text.get(..end + 2).unwrap_or_default());
        let mut records: Vec<String> = whole.split_terminator("\n\n").map(str::to_owned).collect();
        // the last ones may not have been acknowledged; of this one the client knows for sure
        let place = records.len().saturating_sub(CONNECTIONS + 1);
        match (lie.as_str(), records.get_mut(place)) {
            ("drop", _) => records.truncate(place),
            ("half", Some(record)) => {
                let lines: Vec<&str> = record.lines().collect();
                *record = lines.get(..lines.len().div_ceil(2)).unwrap_or_default().join("\n");
            }
            ("edit", Some(record)) => *record = record.replacen("\"pad\":\"abc", "\"pad\":\"abd", 1),
            _ => {}
        }
        let kept: String = records.iter().map(|record| format!("{record}\n\n")).collect();
        fs::write(&path, kept)?;
        let journal = OpenOptions::new().append(true).open(&path)?;
        let folder = data.join("logs/main");
        let mut log =
            Self { lie, folder, journal, late: Vec::new(), entries: Vec::new(), ids: HashMap::new(), published: 0 };
        for line in records.iter().flat_map(|record| record.lines()) {
            let (before, after) = line.split_once("\"recorded\":").unwrap_or((line, ""));
            let sent = format!("{before}{}", after.split_once(',').map_or("", |(_, rest)| rest));
            log.add(line.to_owned(), sent);
        }
        if log.lie == "twice" {
            log.ids.clear();
        }
        if log.lie == "rollback" {
            log.entries.truncate(log.entries.len().saturating_sub(5));
        }
        log.publish()?;
        Ok(log)
    }

    fn add(&mut self, stored: String, sent: String) {
        self.ids.insert(id(&sent).to_owned(), self.entries.len());
        self.entries.push((stored, sent));
    }

    /// Records lines; the answer's status and body.
    fn record(&mut self, body: &str) -> io::Result<(u16, String)> {
        let first = self.entries.len();
        let mut indexes = Vec::new();
        let mut new: Vec<(String, String)> = Vec::new();
        for sent in body.lines().filter(|line| !line.is_empty()) {
            match self.ids.get(id(sent)) {
                Some(at) if self.entries.get(*at).is_some_and(|(_, known)| known != sent) => {
                    return Ok((409, "{}".to_owned()));
                }
                Some(at) => indexes.push(*at),
                None => {
                    indexes.push(first + new.len());
                    let recorded =
                        format!("\"recorded\":\"2026-11-23T10:15:30.{:09}Z\",{AFTER_RECORDED}", first + new.len());
                    new.push((sent.replacen(AFTER_RECORDED, &recorded, 1), sent.to_owned()));
                }
            }
        }
        let mut record: Vec<u8> = new.iter().flat_map(|(stored, _)| [stored.as_bytes(), b"\n"].concat()).collect();
        record.push(b'\n');
        if self.lie == "early" {
            self.late.extend(record);
        } else if !new.is_empty() {
            self.journal.write_all(&record)?;
            self.journal.sync_data()?;
        }
        let (count, duplicates) = (new.len(), indexes.len() - new.len());
        for (stored, sent) in new {
            self.add(stored, sent);
        }
        let first = if count == 0 { indexes.first().copied().unwrap_or(0) } else { first };
        let indexes = if duplicates > 0 { format!("\"indexes\":{indexes:?},") } else { String::new() };
        let receipt = "\"receipt\":\"indelible.receipt/1\\n\"";
        let answer =
            format!("{{\"first_index\":{first},\"count\":{count},\"duplicates\":{duplicates},{indexes}{receipt}}}");
        Ok((200, answer))
    }

    /// Bundles first, then the checkpoint.
    fn publish(&mut self) -> io::Result<()> {
        for bundle in self.published / 256..self.entries.len().div_ceil(256) {
            let entries =
                self.entries.get(bundle * 256..self.entries.len().min(bundle * 256 + 256)).unwrap_or_default();
            let mut bytes = Vec::new();
            for (stored, _) in entries {
                bytes.extend_from_slice(&u16::try_from(stored.len()).unwrap_or(0).to_be_bytes());
                bytes.extend_from_slice(stored.as_bytes());
            }
            let whole = self.folder.join(format!("tile/entries/{bundle:03}"));
            let path =
                if entries.len() == 256 { whole } else { whole.with_extension("p").join(entries.len().to_string()) };
            write_whole(&path, &bytes)?;
        }
        self.published = self.entries.len();
        let checkpoint = format!("fake/log/main\n{}\nroot\n\n- fake x\n", self.published);
        write_whole(&self.folder.join("checkpoint"), checkpoint.as_bytes())
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let unfinished = path.with_extension("tmp");
    fs::write(&unfinished, bytes)?;
    fs::rename(unfinished, path)
}

fn id(event: &str) -> &str {
    let at = event.find("\"id\":\"0").map_or(0, |at| at + 6);
    event.get(at..at + 36).unwrap_or_default()
}

fn serve(data: &Path, listen: &str) -> io::Result<()> {
    let log = Arc::new(Mutex::new(Log::open(data, std::env::var("INDELIBLE_FAKE").unwrap_or_default())?));
    let publisher = Arc::clone(&log);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(40));
            let mut log = publisher.lock().unwrap_or_else(PoisonError::into_inner);
            let late = std::mem::take(&mut log.late);
            if let Err(error) = log.journal.write_all(&late).and_then(|()| log.publish()) {
                eprintln!("publishing: {error}");
            }
        }
    });
    for stream in TcpListener::bind(listen)?.incoming() {
        let (stream, log) = (stream?, Arc::clone(&log));
        std::thread::spawn(move || answer_all(&stream, &log));
    }
    Ok(())
}

/// Answers until the client hangs up.
fn answer_all(stream: &TcpStream, log: &Mutex<Log>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut start = String::new();
        if reader.read_line(&mut start)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, text) = answer(&start, &String::from_utf8_lossy(&body), log)?;
        let mut stream = stream;
        stream.write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
    }
}

fn answer(start: &str, body: &str, log: &Mutex<Log>) -> io::Result<(u16, String)> {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let path = start.split(' ').nth(1).unwrap_or_default();
    if path.starts_with("/v1/events") {
        return log.record(body);
    }
    if path == "/readyz" {
        return Ok((200, String::new()));
    }
    if path == "/log/main/checkpoint" {
        return Ok((200, fs::read_to_string(log.folder.join("checkpoint"))?));
    }
    let index = path.strip_prefix("/v1/logs/main/entries/").and_then(|index| index.parse::<usize>().ok());
    let entry = index.and_then(|index| log.entries.get(index));
    Ok(entry.map_or((404, String::new()), |(stored, _)| (200, stored.clone())))
}
