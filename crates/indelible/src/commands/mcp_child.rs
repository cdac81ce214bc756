//! The wrapped tool server: a child process, and threads between its pipes and ours.
//!
//! Promises: lines are bounded; the child is in a process group of its own, so that what it started ends with it. Never: reads
//! what a line says.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use indelible_gateway::mcp::stdio::{LINE_BYTES_MAX, Line, Pipes};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::{mpsc, oneshot};

use crate::exit::CliError;

/// Lines that wait in each direction.
const LINES_MAX: usize = 16;
/// How long a child that was told to end may take before it is killed.
const END_GRACE: Duration = Duration::from_secs(3);
/// How often it is looked whether the child has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A running tool server.
pub(crate) struct Child {
    process: std::process::Child,
    client_gone: Option<oneshot::Receiver<()>>,
    printer: Option<JoinHandle<()>>,
    told: bool,
}

impl Child {
    /// Starts the command and gives the four ends of its pipes and ours.
    pub(crate) fn start(command: &[String]) -> Result<(Self, Pipes), CliError> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| CliError::new("there is no command to be wrapped"))?;
        let failed = |error: &std::io::Error| CliError::because(format!("cannot start `{program}`"), error);
        let mut process = Command::new(program)
            .args(arguments)
            // The tool server needs neither our address nor our secrets.
            .env_remove("INDELIBLE_TOKEN")
            .env_remove("INDELIBLE_URL")
            .env_remove("INDELIBLE_MASTER_KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&error))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(CliError::new(format!("cannot talk to `{program}`")));
        };
        let (gone, client_gone) = oneshot::channel();
        let (client, from_client) = mpsc::channel(LINES_MAX);
        let (server, from_server) = mpsc::channel(LINES_MAX);
        let (to_client, printed) = mpsc::channel(LINES_MAX);
        let (to_server, fed) = mpsc::channel(LINES_MAX);
        thread("client", move || {
            read_lines(BufReader::new(std::io::stdin()), &client);
            // The receiver is gone when everything is over.
            let told = gone.send(()).is_ok();
            tracing::trace!(told, "the client writes no more");
        })?;
        thread("server", move || read_lines(BufReader::new(output), &server))?;
        thread("feed", move || write_lines(input, fed))?;
        let printer = thread("print", move || write_lines(std::io::stdout(), printed))?;
        let child = Self { process, client_gone: Some(client_gone), printer: Some(printer), told: false };
        Ok((child, Pipes { from_client, from_server, to_client, to_server }))
    }

    /// Resolves when the client writes no more.
    pub(crate) fn client_gone(&mut self) -> impl Future<Output = ()> + use<> {
        let gone = self.client_gone.take();
        async move {
            match gone {
                Some(gone) => drop(gone.await),
                None => std::future::pending().await,
            }
        }
    }

    /// Tells the child, and what it started, to end; kills it when it does not.
    pub(crate) fn end(&mut self) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) else { return };
        self.signal(group, Signal::TERM);
        let killer = thread("killer", move || {
            std::thread::sleep(END_GRACE);
            let killed = kill_process_group(group, Signal::KILL).is_ok();
            tracing::debug!(killed, "the tool server did not end when it was asked to");
        });
        if killer.is_err() {
            self.signal(group, Signal::KILL);
        }
    }

    fn signal(&self, group: Pid, signal: Signal) {
        if let Err(error) = kill_process_group(group, signal) {
            tracing::debug!(%error, "the tool server could not be signalled");
        }
    }

    /// The child's exit code, once it has ended and everything is printed. One that has closed its output is not waited for.
    pub(crate) async fn wait(&mut self) -> Result<u8, CliError> {
        let mut waited = Duration::ZERO;
        let status = loop {
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
            if waited >= END_GRACE {
                self.end();
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        };
        if let Some(printer) = self.printer.take() {
            drop(tokio::task::spawn_blocking(move || printer.join()).await);
        }
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, CliError> {
    let spawned = std::thread::Builder::new().name(format!("mcp {name}")).spawn(work);
    spawned.map_err(|error| CliError::because("cannot start a thread", &error))
}

/// Reads lines until the end, an error, or until nobody wants them any more.
fn read_lines(mut from: impl BufRead, to: &mpsc::Sender<Line>) {
    while let Ok(Some(line)) = read_line(&mut from, LINE_BYTES_MAX) {
        if to.blocking_send(line).is_err() {
            return;
        }
    }
}

/// One line with its end; `None` at the end.
fn read_line(from: &mut impl BufRead, max: usize) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    from.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() <= max {
        return Ok(Some(Line::Bytes(line.into())));
    }
    // The rest of it is skipped piece by piece.
    while line.last() != Some(&b'\n') {
        line.clear();
        if from.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
    }
    Ok(Some(Line::TooLong))
}

/// Writes until nobody has anything more to write, or nobody reads.
fn write_lines(mut to: impl Write, mut from: mpsc::Receiver<bytes::Bytes>) {
    while let Some(line) = from.blocking_recv() {
        if to.write_all(&line).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_keep_their_ends() {
        let mut from = &b"ab\r\n\n0123456789\nabcde\nlast"[..];
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut from, 6).unwrap() {
            lines.push(line);
        }
        let bytes = |text: &'static str| Line::Bytes(text.into());
        assert_eq!(lines, [bytes("ab\r\n"), bytes("\n"), Line::TooLong, bytes("abcde\n"), bytes("last")]);
    }
}
