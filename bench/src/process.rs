//! What a process costs, as Linux counts it: processor time and resident memory from /proc. Never: a guess when /proc says nothing.

use std::fs;
use std::io;

/// Clock ticks in a second as /proc counts them: fixed at 100 by Linux for programs, whatever the kernel's own rate.
const TICKS_A_SECOND: f64 = 100.0;
const MIB: f64 = 1024.0 * 1024.0;

/// A process by its id.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Now.
    pub resident: f64,
    /// Of that, what is the process's own and no page of a file.
    pub anonymous: f64,
    /// Most since the start, or since [`Process::forget_peak`].
    pub peak: f64,
}

/// Processor time in ticks.
struct Stat {
    parent: u32,
    own: f64,
    gone_children: f64,
}

impl Process {
    /// This process.
    #[must_use]
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// The process that listens on this port of this machine.
    ///
    /// # Errors
    /// When none does, or its files in /proc may not be read.
    pub fn listening_on(port: u16) -> io::Result<Self> {
        let inode = listening_inode("/proc/net/tcp", port)
            .or_else(|| listening_inode("/proc/net/tcp6", port))
            .ok_or_else(|| io::Error::other(format!("nothing on this machine listens on port {port}")))?;
        let wanted = format!("socket:[{inode}]");
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
            let holds = |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|to| to.to_str() == Some(&wanted));
            if files.flatten().any(holds) {
                return Ok(Self(pid));
            }
        }
        Err(io::Error::other(format!("the process that listens on port {port} is not visible; give --pid")))
    }

    /// Seconds of processor time used so far by all its threads, in steps of 10 ms.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_seconds(self) -> io::Result<f64> {
        Ok(self.stat()?.own / TICKS_A_SECOND)
    }

    /// The same together with its children, those that are gone and those that run.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn family_cpu_seconds(self) -> io::Result<f64> {
        let stat = self.stat()?;
        let mut ticks = stat.own + stat.gone_children;
        for entry in fs::read_dir("/proc")?.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let child = pid.and_then(|pid| Self(pid).stat().ok()).filter(|stat| stat.parent == self.0);
            ticks += child.map_or(0.0, |child| child.own);
        }
        Ok(ticks / TICKS_A_SECOND)
    }

    fn stat(self) -> io::Result<Stat> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The second field, the name, may hold blanks and parentheses. Of proc(5), field 4 is the parent, 14 to 17 are utime,
        // stime, cutime and cstime.
        let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<f64>().ok());
        let stat = || {
            Some(Stat {
                parent: fields.get(1)?.parse().ok()?,
                own: field(14)? + field(15)?,
                gone_children: field(16)? + field(17)?,
            })
        };
        stat().ok_or_else(|| io::Error::other(format!("/proc/{}/stat is not as expected", self.0)))
    }

    /// Resident memory.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory(self) -> io::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let mib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kib =
                line.and_then(|rest| rest.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().ok());
            kib.unwrap_or_default() * 1024.0 / MIB
        };
        Ok(Memory { resident: mib("VmRSS"), anonymous: mib("RssAnon"), peak: mib("VmHWM") })
    }

    /// Lets the peak of resident memory begin anew (proc(5), `clear_refs`). Gives whether that was possible.
    #[must_use]
    pub fn forget_peak(self) -> bool {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5").is_ok()
    }
}

fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string(table).ok()?;
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == LISTEN;
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_finds_itself_by_its_port_and_has_memory_and_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Process::listening_on(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(found.0, std::process::id());
        let memory = found.memory().unwrap();
        assert!(memory.resident > 0.0 && memory.peak >= memory.resident && memory.anonymous <= memory.resident);
        assert!(found.cpu_seconds().unwrap() >= 0.0);
    }
}
