//! `indelible record`: a file of events into a log, in batches, exactly once, even when interrupted.
//!
//! Promises: the place reached is written (durably) only after the server acknowledged; a batch that is sent again because
//! the place was not yet written is recognised by its ids, so nothing is recorded twice. Events without an id get one that
//! follows from the file's path, the place in it and the line; so like events of two files are two events, and standard input
//! without a state file, which nothing tells apart from the next one, gets new ids each time. Never: guesses where it stopped:
//! a file that changed before that place is refused.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use indelible_event::env::Randomness;
use indelible_event::id::EventId;
use indelible_store::SystemRandomness;
use indelible_tlog::hash::{Hash, leaf_hash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{RecordArguments, ServerArguments};
use crate::client::{Client, fault};
use crate::exit::{CliError, Detail, Exit};
use crate::output::{Format, print};
use crate::progress;

use super::{read_text, write_whole};

/// Longest line: an entry with generous white space.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a request, well below what a server takes by default.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How far a file has been recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Version of this form.
    version: u32,
    /// The log, if one was named.
    log: Option<String>,
    /// Bytes of the file that are recorded.
    offset: u64,
    /// Lines of the file that are recorded.
    lines: u64,
    /// Hash of the last recorded line, to see that the file is still the same.
    last_line: String,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Sum {
    /// Events that are in the log now.
    recorded: u64,
    /// Events that were in the log before.
    known_before: u64,
    /// Events that were refused.
    refused: u64,
    /// Requests sent.
    requests: u64,
}

/// Lines on their way: bytes ready to send, and what to write down once they are acknowledged.
#[derive(Default)]
struct Batch {
    body: Vec<u8>,
    /// The line in the file of each line in the body.
    lines: Vec<u64>,
    place: Place,
}

pub(crate) fn run(server: &ServerArguments, arguments: &RecordArguments) -> Result<Exit, CliError> {
    let client = Client::new(server)?.patient();
    let from_file = arguments.file.as_os_str() != "-";
    let state = arguments.state.clone().or_else(|| from_file.then(|| state_of(&arguments.file)));
    let mut place = match &state {
        Some(path) if path.exists() => read_place(path, arguments)?,
        _ => Place { version: 1, log: arguments.log.clone(), ..Place::default() },
    };
    let origin = origin(from_file.then_some(&arguments.file).or(arguments.state.as_ref()))?;
    if let Some(folder) = &arguments.receipts {
        std::fs::create_dir_all(folder)
            .map_err(|error| CliError::because(format!("cannot make {}", folder.display()), &error))?;
    }
    let (mut input, total) = open(&arguments.file, from_file)?;
    if place.offset > 0 {
        skip(&mut input, &mut place)?;
        eprintln!("Going on after line {} (byte {}), which was reached before.", place.lines, place.offset);
    }
    let bar = progress::bar(total, "bytes");
    let mut sum = Sum::default();
    while let Some(batch) = next_batch(&mut input, &place, usize::from(arguments.batch), &origin)? {
        if !batch.lines.is_empty() {
            let notes = send(&client, arguments, &batch, &mut sum)?;
            bar.suspend(|| notes.iter().for_each(|note| eprintln!("refused: {note}")));
        }
        place = batch.place;
        if let Some(path) = &state {
            write_whole(path, serde_json::to_string(&place).unwrap_or_default().as_bytes())?;
        }
        bar.set_position(place.offset);
    }
    bar.finish_and_clear();
    match arguments.format {
        Format::Json => print(format_args!("{}\n", json!(sum)))?,
        Format::Text => {
            let known = if sum.known_before > 0 {
                format!("; {} were recorded before", sum.known_before)
            } else {
                String::new()
            };
            let refused = if sum.refused > 0 { format!("; {} were refused", sum.refused) } else { String::new() };
            print(format_args!("Recorded {} events in {} requests{known}{refused}.\n", sum.recorded, sum.requests))?;
        }
    }
    Ok(if sum.refused > 0 { Exit::Finding } else { Exit::Ok })
}

fn state_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".indelible-state");
    PathBuf::from(name)
}

fn read_place(path: &Path, arguments: &RecordArguments) -> Result<Place, CliError> {
    let place: Place = serde_json::from_str(&read_text(path)?).map_err(|error| {
        CliError::because(format!("{} is not a state file", path.display()), &error)
            .hint("remove it to begin anew: events that are already recorded are recognised")
    })?;
    if place.version != 1 {
        return Err(CliError::new(format!("{} was written by another version", path.display())));
    }
    if place.log != arguments.log {
        let log = place.log.map_or_else(|| "the server's first log".to_owned(), |log| format!("log `{log}`"));
        return Err(CliError::new(format!("{} holds the place reached for {log}", path.display()))
            .hint("name another state file with --state for this log"));
    }
    Ok(place)
}

/// What tells the lines of one input from those of another: the path of the file, or of the state file of standard input;
/// without either, random bytes.
fn origin(path: Option<&PathBuf>) -> Result<Hash, CliError> {
    if let Some(path) = path {
        let absolute = path.canonicalize().or_else(|_| std::path::absolute(path));
        let absolute =
            absolute.map_err(|error| CliError::because(format!("cannot find {}", path.display()), &error))?;
        return Ok(leaf_hash(absolute.as_os_str().as_encoded_bytes()));
    }
    let mut random = [0; 32];
    let filled = SystemRandomness.fill(&mut random);
    filled.map_err(|error| CliError::because("the system gives no random bytes", &error))?;
    Ok(leaf_hash(&random))
}

/// Opens the input; its length is 0 when nobody knows it.
fn open(file: &Path, from_file: bool) -> Result<(Box<dyn BufRead>, u64), CliError> {
    if !from_file {
        return Ok((Box::new(BufReader::new(io::stdin())), 0));
    }
    let failed = |error: io::Error| CliError::because(format!("cannot read {}", file.display()), &error);
    let opened = File::open(file).map_err(failed)?;
    let total = opened.metadata().map_err(failed)?.len();
    Ok((Box::new(BufReader::with_capacity(1024 * 1024, opened)), total))
}

/// Reads up to the place, and checks that the line before it is still the one that was recorded.
fn skip(input: &mut impl BufRead, place: &mut Place) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::because("the events cannot be read", &error);
    let mut at = 0;
    let mut last = Vec::new();
    while at < place.offset {
        last.clear();
        let most = (place.offset - at).min(LINE_BYTES_MAX as u64 + 1);
        let read = Read::take(&mut *input, most).read_until(b'\n', &mut last).map_err(failed)?;
        if read == 0 {
            break;
        }
        at += read as u64;
    }
    let mut same = at == place.offset && hash_of(&last) == place.last_line;
    if same && !last.ends_with(b"\n") {
        // the last line had no end when it was recorded: its end may have come since, and nothing else
        last.clear();
        let read = Read::take(&mut *input, LINE_BYTES_MAX as u64).read_until(b'\n', &mut last).map_err(failed)?;
        place.offset += read as u64;
        same = last.trim_ascii().is_empty();
    }
    if same {
        return Ok(());
    }
    Err(CliError::new("the input has changed before the place that was reached")
        .hint("remove the state file to begin anew: events that are already recorded are recognised"))
}

fn hash_of(line: &[u8]) -> String {
    leaf_hash(line).to_base64()
}

/// The next lines, each with an id; `None` at the end.
fn next_batch(input: &mut impl BufRead, from: &Place, most: usize, origin: &Hash) -> Result<Option<Batch>, CliError> {
    let mut batch = Batch { place: from.clone(), ..Batch::default() };
    let mut line = Vec::new();
    while batch.lines.len() < most && batch.body.len() < REQUEST_BYTES_MAX {
        line.clear();
        let read = Read::take(&mut *input, LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
        let read = read.map_err(|error| CliError::because("the events cannot be read", &error))?;
        if read == 0 {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(CliError::new(format!("line {} is longer than {LINE_BYTES_MAX} bytes", batch.place.lines + 1)));
        }
        let offset = batch.place.offset;
        batch.place.offset += read as u64;
        batch.place.lines += 1;
        batch.place.last_line = hash_of(&line);
        if !line.trim_ascii().is_empty() {
            batch.lines.push(batch.place.lines);
            push_line(&mut batch.body, line.trim_ascii(), offset, origin);
        }
    }
    Ok((batch.place != *from).then_some(batch))
}

/// Appends a line; one without an id gets the id that follows from its origin, place and content (UUID version 8), so that
/// sending it again is recognised. What is no JSON object goes as it is: the server says what is wrong with it.
fn push_line(body: &mut Vec<u8>, line: &[u8], offset: u64, origin: &Hash) {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Option<serde::de::IgnoredAny>,
    }
    let without_id =
        line.starts_with(b"{") && serde_json::from_slice::<OnlyId>(line).is_ok_and(|event| event.id.is_none());
    if without_id {
        let hash = leaf_hash(&[&origin.0[..], &offset.to_le_bytes(), line].concat()).0;
        let mut id = [0u8; 16];
        id.copy_from_slice(&hash[..16]);
        id[6] = 0x80 | (id[6] & 0x0f);
        id[8] = 0x80 | (id[8] & 0x3f);
        body.extend_from_slice(format!("{{\"id\":\"{}\"", EventId(id)).as_bytes());
        let rest = line[1..].trim_ascii_start();
        if !rest.starts_with(b"}") {
            body.push(b',');
        }
        body.extend_from_slice(rest);
    } else {
        body.extend_from_slice(line);
    }
    body.push(b'\n');
}

/// Sends a batch; what was refused of it comes back, when only the good events were to be recorded.
fn send(client: &Client, arguments: &RecordArguments, batch: &Batch, sum: &mut Sum) -> Result<Vec<Detail>, CliError> {
    let mut query = Vec::new();
    query.extend(arguments.log.iter().map(|log| ("log", log.clone())));
    if arguments.partial {
        query.push(("partial", "true".to_owned()));
    }
    sum.requests += 1;
    let events = batch.lines.len() as u64;
    let answer = match client.post("/v1/events", &query, "application/x-ndjson", &batch.body) {
        Ok(answer) => answer,
        Err(error) => {
            let error = error.map_lines(|line| batch.line_in_file(line));
            // 422: not one of them was good, which is no reason to stop here
            if !arguments.partial || error.status() != Some(422) {
                return Err(unsent(error, batch));
            }
            sum.refused += events;
            return Ok(error.into_faults());
        }
    };
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    let (count, duplicates) = (number("count"), number("duplicates"));
    sum.recorded += count;
    sum.known_before += duplicates;
    sum.refused += events.saturating_sub(count + duplicates);
    let receipt = answer.get("receipt").and_then(Value::as_str).unwrap_or_default();
    if let (Some(folder), false) = (&arguments.receipts, receipt.is_empty()) {
        write_whole(&folder.join(format!("{:020}.receipt", number("first_index"))), receipt.as_bytes())?;
    }
    let rejected = answer.get("rejected").and_then(Value::as_array).into_iter().flatten().map(fault);
    Ok(rejected.map(|detail| Detail { line: batch.line_in_file(detail.line), ..detail }).collect())
}

/// Why a batch was not recorded: the events are wrong, or it could not be done.
fn unsent(error: CliError, batch: &Batch) -> CliError {
    let (first, last) =
        (batch.lines.first().copied().unwrap_or_default(), batch.lines.last().copied().unwrap_or_default());
    let refused = matches!(error.status(), Some(409 | 413 | 422));
    let error = error.context(&format!("lines {first} to {last} were not recorded"));
    if refused {
        return error.exit(Exit::Finding).hint("mend the lines and run the command again: it goes on here");
    }
    error
}

impl Batch {
    /// The line in the file of a line in the body. The server gives no line when there is only one.
    fn line_in_file(&self, line: Option<u64>) -> Option<u64> {
        let nth = match line {
            Some(line) => usize::try_from(line).ok()?.checked_sub(1)?,
            None if self.lines.len() == 1 => 0,
            None => return None,
        };
        self.lines.get(nth).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_id_gets_the_same_one_each_time_and_another_at_another_place() {
        let with_id = |line: &[u8], offset| {
            let mut body = Vec::new();
            push_line(&mut body, line, offset, &leaf_hash(b"one"));
            String::from_utf8(body).unwrap()
        };
        let event = b"{ \"a\":{\"id\":1}}";
        assert_eq!(with_id(event, 5), with_id(event, 5));
        assert_ne!(with_id(event, 5), with_id(event, 6));
        let mut elsewhere = Vec::new();
        push_line(&mut elsewhere, event, 5, &leaf_hash(b"two"));
        assert_ne!(with_id(event, 5).as_bytes(), elsewhere);
        let read: Value = serde_json::from_str(&with_id(event, 5)).unwrap();
        assert_eq!(read["id"].as_str().unwrap().as_bytes()[14], b'8');
        assert_eq!(with_id(b"{}", 5).matches(',').count(), 0);
        assert_eq!(with_id(b"{\"id\":\"x\"}", 5), "{\"id\":\"x\"}\n");
        assert_eq!(with_id(b"not json", 5), "not json\n");
    }

    #[test]
    fn batches_cover_the_input_once_and_know_where_they_end() {
        let text = b"{\"id\":\"1\"}\n\n{\"id\":\"2\"}\n{\"id\":\"3\"}";
        let mut input = &text[..];
        let mut place = Place { version: 1, ..Place::default() };
        let mut lines = Vec::new();
        while let Some(batch) = next_batch(&mut input, &place, 2, &leaf_hash(b"one")).unwrap() {
            lines.extend(batch.lines);
            place = batch.place;
        }
        assert_eq!(lines, [1, 3, 4]);
        assert_eq!(place.offset, text.len() as u64);
    }

    fn place_after(text: &[u8]) -> Place {
        let place = Place { version: 1, ..Place::default() };
        next_batch(&mut &text[..], &place, 100, &leaf_hash(b"one")).unwrap().unwrap().place
    }

    #[test]
    fn a_line_whose_end_came_later_is_not_taken_for_a_change() {
        for end in ["\n", "\r\n"] {
            let mut place = place_after(b"{\"id\":\"1\"}\n{\"id\":\"2\"}");
            let grown = format!("{{\"id\":\"1\"}}\n{{\"id\":\"2\"}}{end}{{\"id\":\"3\"}}\n");
            let mut input = grown.as_bytes();
            skip(&mut input, &mut place).unwrap();
            assert_eq!(input, b"{\"id\":\"3\"}\n");
            assert_eq!(place.offset + 11, grown.len() as u64);
        }
    }

    #[test]
    fn an_input_that_changed_before_the_place_is_refused() {
        let place = place_after(b"{\"id\":\"1\"}\n{\"id\":\"2\"}");
        for changed in ["{\"id\":\"1\"}\n{\"id\":\"3\"}", "{\"id\":\"1\"}\n", "{\"id\":\"1\"}\n{\"id\":\"2\"},\n"] {
            assert!(skip(&mut changed.as_bytes(), &mut place.clone()).is_err(), "{changed}");
        }
    }
}
