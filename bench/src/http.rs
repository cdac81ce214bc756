//! HTTP/1.1 by hand (RFC 9112), as little of it as a measuring client needs: requests are built once and written with one call,
//! answers end by length or by chunks. Never: redirects, compression, TLS.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest answer that is read: a page of events is far below it.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Read at once.
const READ_BYTES: usize = 64 * 1024;
/// A server that says nothing for so long is taken for dead.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a connection may take to be made on this machine.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Whole body.
    pub body: Vec<u8>,
    /// Whether the connection can be used again.
    pub keep: bool,
}

impl Answer {
    /// The beginning of the body, for messages.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.chars().take(400).collect()
    }

    /// The body, if the status is 200.
    ///
    /// # Errors
    /// When it is not.
    pub fn ok(self) -> io::Result<Vec<u8>> {
        if self.status == 200 {
            return Ok(self.body);
        }
        Err(io::Error::other(format!("status {}: {}", self.status, self.excerpt())))
    }
}

/// The head of a request with a body of `length` bytes.
#[must_use]
pub fn head(method: &str, path: &str, token: &str, content: Option<(&str, usize)>) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: indelible\r\n");
    if !token.is_empty() {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if let Some((media_type, length)) = content {
        head.push_str(&format!("content-type: {media_type}\r\ncontent-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Percent-encodes a value for a query string (RFC 3986, section 2).
#[must_use]
pub fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// Collects bytes until an answer is whole.
#[derive(Debug, Default)]
struct Collector {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    keep: bool,
    length: Length,
    /// Where the body begins.
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Known(usize),
    Chunked,
}

impl Collector {
    /// Adds what was read; the answer, once it is whole.
    fn add(&mut self, bytes: &[u8]) -> io::Result<Option<Answer>> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        if self.head.is_none() {
            self.head = read_head(&self.bytes)?;
        }
        let Some(head) = self.head else { return Ok(None) };
        let after = self.bytes.get(head.end..).unwrap_or_default();
        let (body, used) = match head.length {
            Length::Known(length) if after.len() < length => return Ok(None),
            Length::Known(length) => (after.get(..length).unwrap_or_default().to_vec(), length),
            Length::Chunked => match dechunked(after)? {
                Some(whole) => whole,
                None => return Ok(None),
            },
        };
        if after.len() > used {
            return Err(io::Error::other("more bytes came than the answer has"));
        }
        self.bytes.clear();
        self.head = None;
        Ok(Some(Answer { status: head.status, body, keep: head.keep }))
    }
}

fn read_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(bytes.get(..at).unwrap_or_default()).map_err(io::Error::other)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let Some(status) = status else { return Err(io::Error::other("no status line")) };
    let mut head = Head { status, keep: true, length: Length::Known(0), end: at + 4 };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = Length::Known(value.parse().map_err(io::Error::other)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            head.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            head.keep = false;
        }
    }
    Ok(Some(head))
}

/// The body in chunks and how many bytes it took, once the last chunk is there.
fn dechunked(mut rest: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let all = rest.len();
    let mut body = Vec::new();
    loop {
        let Some(line_end) = rest.windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        let line = std::str::from_utf8(rest.get(..line_end).unwrap_or_default()).map_err(io::Error::other)?;
        let size =
            usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).map_err(io::Error::other)?;
        rest = rest.get(line_end + 2..).unwrap_or_default();
        let Some(chunk) = rest.get(..size) else { return Ok(None) };
        let Some(end) = rest.get(size..size + 2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(io::Error::other("a chunk does not end where it says"));
        }
        body.extend_from_slice(chunk);
        rest = rest.get(size + 2..).unwrap_or_default();
        if size == 0 {
            return Ok(Some((body, all - rest.len())));
        }
    }
}

/// A blocking connection, made anew when it is broken.
#[derive(Debug)]
pub struct Connection {
    address: String,
    stream: Option<TcpStream>,
    collector: Collector,
}

impl Connection {
    /// Will connect when it is first used.
    #[must_use]
    pub fn to(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None, collector: Collector::default() }
    }

    /// Sends a whole request and waits for the answer. After an error the connection is made anew by the next call; whether the
    /// request was carried out is then not known.
    ///
    /// # Errors
    /// When no connection can be made or it breaks.
    pub fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address)?,
        };
        self.collector = Collector::default();
        stream.write_all(request)?;
        let mut buffer = [0; READ_BYTES];
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = self.collector.add(buffer.get(..count).unwrap_or_default())? {
                self.stream = answer.keep.then_some(stream);
                return Ok(answer);
            }
        }
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn get(&mut self, path: &str, token: &str) -> io::Result<Answer> {
        self.send(&head("GET", path, token, None))
    }

    /// Sends JSON to a path.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn post(&mut self, path: &str, token: &str, media_type: &str, body: &[u8]) -> io::Result<Answer> {
        let mut request = head("POST", path, token, Some((media_type, body.len())));
        request.extend_from_slice(body);
        self.send(&request)
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other(format!("{address} is no address"));
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection of which one thread serves many.
#[derive(Debug)]
pub struct AsyncConnection {
    stream: tokio::net::TcpStream,
    collector: Collector,
    buffer: Vec<u8>,
}

impl AsyncConnection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn to(address: &str) -> io::Result<Self> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, collector: Collector::default(), buffer: vec![0; READ_BYTES] })
    }

    /// Sends a whole request and waits for the answer. After an error the connection is of no use.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        loop {
            let count = self.stream.read(&mut self.buffer).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = self.collector.add(self.buffer.get(..count).unwrap_or_default())? {
                return Ok(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the bytes one by one: an answer may arrive in any pieces.
    fn collect(text: &str) -> io::Result<Option<Answer>> {
        let mut collector = Collector::default();
        let mut got = None;
        for byte in text.as_bytes() {
            assert_eq!(got, None, "an answer before its end");
            got = collector.add(&[*byte])?;
        }
        Ok(got)
    }

    #[test]
    fn answers_end_by_length_or_by_chunks() {
        let answer = collect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.keep), (200, b"abc".as_slice(), true));
        let chunks = "HTTP/1.1 503 x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        let answer = collect(chunks).unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.keep), (503, b"abc".as_slice(), false));
        assert_eq!(collect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc").unwrap(), None);
        assert!(collect("nonsense\r\n\r\n").is_err());
    }

    #[test]
    fn values_are_encoded() {
        assert_eq!(encoded("actor:u1@a.b \"é\""), "actor%3Au1%40a.b%20%22%C3%A9%22");
    }
}
