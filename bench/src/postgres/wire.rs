//! PostgreSQL's protocol 3.0 (PostgreSQL 15 manual, chapter 55), as little of it as one prepared statement needs. Trust
//! authentication over a Unix socket only.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::Column;

const PROTOCOL_3_0: u32 = 196_608;
/// Object ids of types (`pg_type.dat`).
const OID_TEXT: u32 = 25;
const OID_UUID: u32 = 2950;
const OID_JSONB: u32 = 3802;
/// Longest message that is read; answers here are short.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// A session with one prepared statement.
#[derive(Debug)]
pub(super) struct Session {
    stream: BufReader<UnixStream>,
    out: Vec<u8>,
}

impl Session {
    /// Opens a session.
    pub(super) fn open(socket: &Path, user: &str, database: &str) -> io::Result<Self> {
        let mut session = Self { stream: BufReader::new(UnixStream::connect(socket)?), out: Vec::new() };
        let mut start = PROTOCOL_3_0.to_be_bytes().to_vec();
        for text in ["user", user, "database", database, ""] {
            start.extend_from_slice(text.as_bytes());
            start.push(0);
        }
        session.out.extend_from_slice(&length(start.len() + 4));
        session.out.extend_from_slice(&start);
        session.exchange()?;
        Ok(session)
    }

    /// Prepares the one statement.
    pub(super) fn prepare(&mut self, statement: &str) -> io::Result<()> {
        // Unnamed statement, no parameter types: the statement casts.
        let parse = [b"\0", statement.as_bytes(), b"\0\0\0"].concat();
        self.message(b'P', &parse);
        self.message(b'S', b"");
        self.exchange().map(|_| ())
    }

    /// Runs the statement in a transaction of its own. Gives how many rows it inserted.
    pub(super) fn execute(&mut self, parameters: &[Vec<u8>]) -> io::Result<u64> {
        // Unnamed portal and statement; one format for all parameters: binary.
        let mut bind = b"\0\0\0\x01\0\x01".to_vec();
        bind.extend_from_slice(&u16::try_from(parameters.len()).unwrap_or(u16::MAX).to_be_bytes());
        for parameter in parameters {
            bind.extend_from_slice(&length(parameter.len()));
            bind.extend_from_slice(parameter);
        }
        bind.extend_from_slice(b"\0\0");
        self.message(b'B', &bind);
        self.message(b'E', b"\0\0\0\0\0");
        self.message(b'S', b"");
        self.exchange()
    }

    fn message(&mut self, kind: u8, payload: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(&length(payload.len() + 4));
        self.out.extend_from_slice(payload);
    }

    /// Sends what is waiting and reads until the server is ready again. Gives the number of the last command tag.
    fn exchange(&mut self) -> io::Result<u64> {
        self.stream.get_mut().write_all(&self.out)?;
        self.out.clear();
        let mut rows = 0;
        let mut fault = None;
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head)?;
            let [kind, a, b, c, d] = head;
            let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if !(4..=MESSAGE_BYTES_MAX).contains(&size) {
                return Err(io::Error::other("a message of impossible length"));
            }
            let mut payload = vec![0; size - 4];
            self.stream.read_exact(&mut payload)?;
            match kind {
                b'Z' => return fault.map_or(Ok(rows), Err),
                b'C' => rows = last_number(&payload),
                b'R' if payload != [0; 4] => return Err(io::Error::other("only trust authentication is known here")),
                // After an error while a session starts the server says no more and hangs up, which ends this too.
                b'E' => {
                    let text: Vec<_> = payload.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
                    eprintln!("the peer refused: {}", text.join(" "));
                    fault = Some(io::Error::other("the peer refused a statement"));
                }
                _ => {}
            }
        }
    }
}

/// An event as one binary parameter.
pub(super) fn event(text: &[u8], column: Column) -> Vec<u8> {
    match column {
        // The format's version comes first.
        Column::Jsonb => [b"\x01", text].concat(),
        Column::Text => text.to_vec(),
    }
}

/// Events as an array.
pub(super) fn events(lines: &[&[u8]], column: Column) -> Vec<u8> {
    let oid = match column {
        Column::Jsonb => OID_JSONB,
        Column::Text => OID_TEXT,
    };
    array(oid, lines.iter().map(|line| event(line, column)))
}

/// Ids as an array.
pub(super) fn uuids(ids: &[[u8; 16]]) -> Vec<u8> {
    array(OID_UUID, ids.iter().map(|id| id.to_vec()))
}

/// One dimension, no nulls, from 1.
fn array(oid: u32, items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    bytes.extend_from_slice(&oid.to_be_bytes());
    bytes.extend_from_slice(&length(items.len()));
    bytes.extend_from_slice(&length(1));
    for item in items {
        bytes.extend_from_slice(&length(item.len()));
        bytes.extend_from_slice(&item);
    }
    bytes
}

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_be_bytes()
}

/// The number of rows in a command tag such as `INSERT 0 500`.
fn last_number(tag: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(tag);
    text.trim_end_matches('\0').rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
