//! The tools against a small server of our own: they measure without a fault, and the crash test passes an honest server and
//! finds out each lie.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const LOAD: &str = env!("CARGO_BIN_EXE_indelible-load");
const CRASH: &str = env!("CARGO_BIN_EXE_indelible-crash");
const FAKE: &str = env!("CARGO_BIN_EXE_indelible-fake-server");

/// A server that goes with the test.
struct Fake {
    child: Child,
    address: String,
    data: std::path::PathBuf,
}

impl Fake {
    fn start(name: &str) -> Self {
        let data = folder(name);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let child =
            Command::new(FAKE).arg("serve").arg("--data").arg(&data).args(["--listen", &address]).spawn().unwrap();
        while std::net::TcpStream::connect(&address).is_err() {
            std::thread::yield_now();
        }
        Self { child, address, data }
    }

    fn measure(&self, arguments: &[&str]) -> Value {
        let output = Command::new(LOAD)
            .args(["--address", &self.address, "--format", "json", "--data"])
            .arg(&self.data)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        drop((ended, std::fs::remove_dir_all(&self.data)));
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {report}"))
}

#[test]
fn every_load_is_measured_and_every_answer_checked() {
    let fake = Fake::start("load");
    let batch = fake.measure(&["batch", "--seconds", "1", "--warm-up", "0", "--connections", "3", "--batch", "50"]);
    let single = fake.measure(&["single", "--seconds", "1", "--warm-up", "0", "--connections", "4"]);
    let rate = fake.measure(&["rate", "--seconds", "1", "--rate", "50", "--connections", "4"]);
    for report in [&batch, &single, &rate] {
        assert_eq!(report.get("faults"), Some(&serde_json::json!([])));
        assert!(number(report, "/events_per_s") > 0.0);
        assert!(number(report, "/latency_ms/p50") <= number(report, "/latency_ms/max"));
        assert!(number(report, "/checkpoint_lag_ms/max") > 0.0);
        assert!(number(report, "/server_memory_mib/peak") > 0.0);
        assert!(number(report, "/disk_bytes_per_event/entries") > 0.0);
    }
    assert!((number(&rate, "/events") - 50.0).abs() < 0.5, "an open loop sends what is due");
}

fn crash(lie: &str, kills: &str) -> Output {
    Command::new(CRASH)
        .args([
            "--server",
            FAKE,
            "--kills",
            kills,
            "--alive-ms",
            "250",
            "--connections",
            "3",
            "--seed",
            "7",
            "--folder",
        ])
        .arg(folder(&format!("crash-{lie}")))
        .env("INDELIBLE_FAKE", lie)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn an_honest_server_passes_the_crash_test() {
    let output = crash("", "5");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("6 passed, 0 failed"), "{said}");
    assert!(!folder("crash-").exists(), "the folder stays only when something is wrong");
}

#[test]
fn every_lie_is_found_out() {
    let find_out = |lie: &'static str| {
        let output = crash(lie, "8");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{lie}: {said}{}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_dir_all(folder(&format!("crash-{lie}"))).unwrap();
    };
    std::thread::scope(|scope| {
        for lie in ["drop", "half", "edit", "twice", "rollback", "early"] {
            scope.spawn(move || find_out(lie));
        }
    });
}
