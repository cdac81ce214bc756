//! The server as a child process: started, waited for, killed. Never: leaves one running.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::http::Connection;
use crate::target::Target;

use super::Options;

/// The admin token of servers that this test starts on this machine and throws away; no secret.
pub const TOKEN: &str = "ind_a_crash-test-crash-test-crash-test-crash-test";
/// A server that is not ready by then will not be.
const READY_PATIENCE: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_micros(500);
/// Reading what is published must not add events to what is checked.
const CONFIG: &str = "[[log]]\nname = \"main\"\npublic = true\n";

/// Where a server lives.
#[derive(Debug)]
pub struct Setting {
    /// The binary.
    pub binary: PathBuf,
    /// All that the test makes.
    pub folder: PathBuf,
    /// The server's data.
    pub data: PathBuf,
    /// How it is reached.
    pub target: Target,
}

impl Setting {
    /// A new folder and a free port.
    ///
    /// # Errors
    /// When the folder is there already or cannot be made.
    pub fn fresh(options: &Options) -> io::Result<Self> {
        let temporary = || std::env::temp_dir().join(format!("indelible-crash-{}", std::process::id()));
        let folder = options.folder.clone().unwrap_or_else(temporary);
        fs::create_dir(&folder).map_err(|error| io::Error::other(format!("making {}: {error}", folder.display())))?;
        let data = folder.join("data");
        Self::at(options, folder, data, TOKEN)
    }

    /// Existing data; log lines go to a temporary folder.
    ///
    /// # Errors
    /// When no folder can be made for log lines.
    pub fn existing(options: &Options, data: PathBuf) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("indelible-start-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Self::at(options, folder, data, &options.token)
    }

    fn at(options: &Options, folder: PathBuf, data: PathBuf, token: &str) -> io::Result<Self> {
        fs::write(folder.join("indelible.toml"), CONFIG)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let target = Target {
            address: format!("127.0.0.1:{port}"),
            token: token.to_owned(),
            log: "main".to_owned(),
            data: Some(data.clone()),
            pid: None,
        };
        Ok(Self { binary: options.server.clone(), folder, data, target })
    }

    /// The log's published files.
    #[must_use]
    pub fn published(&self) -> PathBuf {
        self.data.join("logs").join(&self.target.log)
    }

    fn words(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.folder.join("server.log"))
    }

    /// The last lines that the server wrote.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = fs::read(self.folder.join("server.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n  ")
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// When it was started.
    pub started: Instant,
    address: String,
    ready_fault: String,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// When the binary cannot be run.
    pub fn start(setting: &Setting) -> io::Result<Self> {
        let started = Instant::now();
        let child = Command::new(&setting.binary)
            .arg("serve")
            .arg("--data")
            .arg(&setting.data)
            .args(["--listen", &setting.target.address])
            .arg("--config")
            .arg(setting.folder.join("indelible.toml"))
            .env("INDELIBLE_ADMIN_TOKEN", &setting.target.token)
            .stdin(Stdio::null())
            .stdout(setting.words()?)
            .stderr(setting.words()?)
            .spawn()
            .map_err(|error| io::Error::other(format!("starting {}: {error}", setting.binary.display())))?;
        let ready_fault = format!("see {}", setting.folder.join("server.log").display());
        Ok(Self { child, started, address: setting.target.address.clone(), ready_fault })
    }

    /// Waits for `/readyz`. Gives the time since the start.
    ///
    /// # Errors
    /// When the server ends instead, or is not ready in time.
    pub fn wait_until_ready(&mut self) -> io::Result<Duration> {
        let mut connection = Connection::to(&self.address);
        loop {
            if connection.get("/readyz", "").is_ok_and(|answer| answer.status == 200) {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.has_ended() {
                return Err(io::Error::other(format!("the server did not start, {status}: {}", self.ready_fault)));
            }
            if self.started.elapsed() > READY_PATIENCE {
                return Err(io::Error::other(format!("the server is not ready after a minute: {}", self.ready_fault)));
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Whether it has ended by itself, and how.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Both fail only when it is gone already.
        let killed = self.child.kill();
        let waited = self.child.wait();
        drop((killed, waited));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
