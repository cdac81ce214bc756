//! `indelible record`: a file of events into a log, in batches, exactly once, even when interrupted.
//!
//! Promises: the place reached is written (durably) only after the server acknowledged; a batch that is sent again because
//! the place was not yet written is recognised by its ids, so nothing is recorded twice. Never: guesses where it stopped: a file
//! that changed before that place is refused.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use indelible_event::id::EventId;
use indelible_tlog::hash::leaf_hash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{RecordArguments, ServerArguments};
use crate::client::{Client, fault_line};
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout};
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
    recorded: u64,
    known_before: u64,
    refused: u64,
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
    let client = Client::new(server)?;
    let from_file = arguments.file.as_os_str() != "-";
    let state = arguments.state.clone().or_else(|| from_file.then(|| state_of(&arguments.file)));
    let mut place = match &state {
        Some(path) if path.exists() => read_place(path)?,
        _ => Place { version: 1, ..Place::default() },
    };
    if let Some(folder) = &arguments.receipts {
        std::fs::create_dir_all(folder).map_err(|error| CliError::because(format!("cannot make {}", folder.display()), &error))?;
    }
    let (mut input, total) = open(&arguments.file, from_file, &mut place)?;
    if place.offset > 0 {
        eprintln!("Going on after line {} (byte {}).", place.lines, place.offset);
    }
    let bar = progress::bar(total, "bytes");
    let mut sum = Sum::default();
    while let Some(batch) = next_batch(&mut input, &place, usize::from(arguments.batch))? {
        if !batch.lines.is_empty() {
            send(&client, arguments, &batch, &mut sum)?;
        }
        place = batch.place;
        if let Some(path) = &state {
            write_whole(path, serde_json::to_string(&place).unwrap_or_default().as_bytes())?;
        }
        bar.set_position(place.offset);
    }
    bar.finish_and_clear();
    match arguments.format {
        Format::Json => writeln!(stdout(), "{}", json!(sum))?,
        Format::Text => {
            let known = if sum.known_before > 0 { format!(", {} were recorded before", sum.known_before) } else { String::new() };
            writeln!(stdout(), "Recorded {} events in {} requests{known}.", sum.recorded, sum.requests)?;
        }
    }
    Ok(if sum.refused > 0 { Exit::Finding } else { Exit::Ok })
}

fn state_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".indelible-state");
    PathBuf::from(name)
}

fn read_place(path: &Path) -> Result<Place, CliError> {
    let place: Place = serde_json::from_str(&read_text(path)?).map_err(|error| {
        CliError::because(format!("{} is not a state file", path.display()), &error)
            .hint("remove it to begin anew: events that are already recorded are recognised")
    })?;
    if place.version != 1 {
        return Err(CliError::new(format!("{} was written by another version", path.display())));
    }
    Ok(place)
}

/// Opens the input at its place, and checks that the line before it is still the one that was recorded.
fn open(file: &Path, from_file: bool, place: &mut Place) -> Result<(Box<dyn BufRead>, u64), CliError> {
    if !from_file {
        return Ok((Box::new(BufReader::new(io::stdin())), 0));
    }
    let failed = |error: io::Error| CliError::because(format!("cannot read {}", file.display()), &error);
    let opened = File::open(file).map_err(failed)?;
    let total = opened.metadata().map_err(failed)?.len();
    let mut input = BufReader::with_capacity(1024 * 1024, opened);
    let mut at = 0;
    let mut last = Vec::new();
    while at < place.offset {
        last.clear();
        let read = input.read_until(b'\n', &mut last).map_err(failed)?;
        if read == 0 {
            break;
        }
        at += read as u64;
    }
    if at != place.offset || (at > 0 && hash_of(&last) != place.last_line) {
        return Err(CliError::new(format!("{} has changed before the place that was reached", file.display()))
            .hint("remove the state file to begin anew: events that are already recorded are recognised"));
    }
    Ok((Box::new(input), total))
}

fn hash_of(line: &[u8]) -> String {
    leaf_hash(line).to_base64()
}

/// The next lines, each with an id; `None` at the end.
fn next_batch(input: &mut impl BufRead, from: &Place, most: usize) -> Result<Option<Batch>, CliError> {
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
            push_line(&mut batch.body, line.trim_ascii(), offset);
        }
    }
    Ok((batch.place != *from).then_some(batch))
}

/// Appends a line; one without an id gets the id that follows from its place and content (UUID version 8), so that sending it
/// again is recognised. What is no JSON object goes as it is: the server says what is wrong with it.
fn push_line(body: &mut Vec<u8>, line: &[u8], offset: u64) {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Option<serde::de::IgnoredAny>,
    }
    let without_id = line.starts_with(b"{") && serde_json::from_slice::<OnlyId>(line).is_ok_and(|event| event.id.is_none());
    if without_id {
        let hash = leaf_hash(&[&offset.to_le_bytes(), line].concat()).0;
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

fn send(client: &Client, arguments: &RecordArguments, batch: &Batch, sum: &mut Sum) -> Result<(), CliError> {
    let mut query = Vec::new();
    query.extend(arguments.log.iter().map(|log| ("log", log.clone())));
    if arguments.partial {
        query.push(("partial", "true".to_owned()));
    }
    let first = batch.lines.first().copied().unwrap_or_default();
    let answer = client.post("/v1/events", &query, "application/x-ndjson", &batch.body).map_err(|error| {
        let message = format!("the batch that begins at line {first} was not recorded (its lines are counted from 1): {error}");
        CliError::new(message).exit(Exit::Finding).hint("mend the lines and run the command again; what was recorded stays recorded")
    })?;
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    sum.requests += 1;
    sum.recorded += number("count");
    sum.known_before += number("duplicates");
    for fault in answer.get("rejected").and_then(Value::as_array).into_iter().flatten() {
        sum.refused += 1;
        let mut fault = fault.clone();
        let line = fault.get("line").and_then(Value::as_u64).and_then(|line| usize::try_from(line).ok());
        if let Some(in_file) = line.and_then(|line| batch.lines.get(line.checked_sub(1)?)) {
            fault["line"] = json!(in_file);
        }
        eprintln!("refused: {}", fault_line(&fault));
    }
    let receipt = answer.get("receipt").and_then(Value::as_str).unwrap_or_default();
    if let (Some(folder), false) = (&arguments.receipts, receipt.is_empty()) {
        write_whole(&folder.join(format!("{:020}.receipt", number("first_index"))), receipt.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_id_gets_the_same_one_each_time_and_another_at_another_place() {
        let with_id = |line: &[u8], offset| {
            let mut body = Vec::new();
            push_line(&mut body, line, offset);
            String::from_utf8(body).unwrap()
        };
        let event = b"{ \"a\":{\"id\":1}}";
        assert_eq!(with_id(event, 5), with_id(event, 5));
        assert_ne!(with_id(event, 5), with_id(event, 6));
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
        while let Some(batch) = next_batch(&mut input, &place, 2).unwrap() {
            lines.extend(batch.lines);
            place = batch.place;
        }
        assert_eq!(lines, [1, 3, 4]);
        assert_eq!(place.offset, text.len() as u64);
    }
}
