//! Runs the binary: as a server until dropped, and as a client of it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test is lost; no test depends on something being fast.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of a test, with the settings that clients find in their environment.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) url: String,
    pub(crate) token: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// What it printed, once it ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        self.with(0).out
    }

    /// Itself, once it ended with `code`.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: "http://127.0.0.1:9".to_owned(), token: String::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A command in this folder with nothing of the tester's environment that could change what it does.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INDELIBLE_") {
                command.env_remove(name);
            }
        }
        command.env("COLUMNS", "100").env("INDELIBLE_URL", &self.url);
        if !self.token.is_empty() {
            command.env("INDELIBLE_TOKEN", &self.token);
        }
        command
    }

    pub(crate) fn binary(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_indelible"))
    }

    /// Runs a client command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        end(self.binary().args(arguments))
    }

    /// Runs a client command that reads `input`.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.binary();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        ended(child.wait_with_output().unwrap())
    }

    /// How many events a query finds.
    pub(crate) fn count(&self, query: &str) -> usize {
        self.run(&["search", query, "--limit", "1000000", "--format", "ndjson"]).ok().lines().count()
    }
}

pub(crate) fn end(command: &mut Command) -> Ended {
    ended(command.output().unwrap())
}

fn ended(output: std::process::Output) -> Ended {
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    banner: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts on a free port and puts address and token into the place.
    pub(crate) fn start(place: &mut Place) -> Self {
        Self::start_with(place, "127.0.0.1:0", &[])
    }

    pub(crate) fn start_with(place: &mut Place, listen: &str, arguments: &[&str]) -> Self {
        let mut command = place.binary();
        command.args(["serve", "--data", "data", "--listen", listen]).args(arguments).stderr(Stdio::piped());
        if !place.token.is_empty() {
            command.env("INDELIBLE_ADMIN_TOKEN", &place.token);
        }
        let mut child = command.spawn().unwrap();
        let banner = Arc::new(Mutex::new(String::new()));
        let (written, stderr) = (Arc::clone(&banner), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writeln!(written.lock().unwrap(), "{line}").unwrap();
            }
        });
        let server = Self { child, banner, reader: Some(reader) };
        server.until_it_says("--data-urlencode");
        let banner = server.said();
        place.url = after(&banner, "URL: ");
        if place.token.is_empty() {
            place.token = after(&banner, "Admin token: ");
        }
        server
    }

    /// Everything on its standard error so far.
    pub(crate) fn said(&self) -> String {
        self.banner.lock().unwrap().clone()
    }

    pub(crate) fn until_it_says(&self, words: &str) {
        until(words, || self.said().contains(words));
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has; gives what it said.
    pub(crate) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        // the shell's own: a small system has no program of that name
        assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        assert!(status.success(), "{}", self.said());
        self.said()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended already
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// The word after a label of the banner.
fn after(text: &str, label: &str) -> String {
    let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("no `{label}` in {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Waits for something that will come.
#[track_caller]
pub(crate) fn until(what: &str, mut come: impl FnMut() -> bool) {
    let began = Instant::now();
    while !come() {
        assert!(began.elapsed() < PATIENCE, "still waiting for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An event without an id.
pub(crate) fn event(actor: &str) -> String {
    format!(
        r#"{{"time":"2026-11-23T10:15:30Z","actor":{{"id":"{actor}","type":"human"}},"action":"read","resources":[{{"type":"table","id":"customers"}}],"outcome":{{"result":"allowed"}}}}"#
    )
}

/// Events by `user-<n>`, one a line.
pub(crate) fn events(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| event(&format!("user-{number}")) + "\n").collect()
}

/// Every file of a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
