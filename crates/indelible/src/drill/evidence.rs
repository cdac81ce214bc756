//! Attacks on what an auditor is handed: keys, receipts, notes; and on what reaches the log before it is one.

use std::path::Path;

use indelible_event::batch::EventBatch;
use indelible_event::id::EventId;
use indelible_event::prepare::{Defaults, prepare};
use indelible_event::time::RecordedTime;
use indelible_tlog::checkpoint::Origin;
use indelible_tlog::hash::Hash;
use indelible_tlog::note::{self, KeyKind, NOTE_BYTES_MAX, SigningKey};
use indelible_tlog::receipt::Receipt;
use indelible_tlog::tree::LeafIndex;
use indelible_verify::{Exit, FolderSource, VerifyOptions, verify_receipt};

use super::published::{check_folder, is_intact, judged, summary};
use super::workbench::{DRILL_ORIGIN, Workbench, WorkbenchError, read, write};
use super::{Attack, DrillError, Level, Means, Outcome, Verdict, timed};

/// The attacks, by their numbers in SECURITY.md.
pub(super) const ATTACKS: [Attack; 6] = [
    Attack { number: "14", attack: "drop events before they reach the log", level: Level::Network, run: drop_events },
    Attack {
        number: "22",
        attack: "re-sign with another key and swap the key beside the log",
        level: Level::Disk,
        run: swap_anchor,
    },
    Attack {
        number: "24",
        attack: "forge a receipt for an entry that is not in the log",
        level: Level::Network,
        run: forge_receipt,
    },
    Attack {
        number: "24b",
        attack: "break a promise: sign a receipt, record something else",
        level: Level::Key,
        run: break_receipt,
    },
    Attack {
        number: "27",
        attack: "wedge the checkpoint with signatures of strangers",
        level: Level::Network,
        run: wedge,
    },
    Attack {
        number: "28",
        attack: "send events that two readers would read differently",
        level: Level::Network,
        run: malformed,
    },
];

/// Whether the key that an auditor pinned gives the attack away, where the key beside the log would not.
pub(super) fn by_pinned_key(bench: &Workbench, folder: &Path) -> Outcome {
    let fooled = is_intact(&check_folder(folder, None, None));
    let means = if fooled { Means::OutsideMemory("a pinned key") } else { Means::Bytes };
    judged(timed(|| check_folder(folder, Some(&bench.vkey()), None)), "verify --key", means)
}

fn swap_anchor(bench: &Workbench) -> Outcome {
    let folder = bench.copy_published("22")?;
    let other = SigningKey::from_seed(bench.key.key_name().clone(), KeyKind::Ed25519, &[7; 32]);
    bench.write_log(&folder, &bench.entries, &other)?;
    by_pinned_key(bench, &folder)
}

fn drop_events(bench: &Workbench) -> Outcome {
    let mut entries = bench.entries.clone();
    for seq in [1u64, 2, 4] {
        let event = format!(
            "{{\"time\":\"2026-01-01T00:00:00Z\",\"actor\":{{\"id\":\"drill\",\"type\":\"system\"}},\"action\":\"read\",\
             \"outcome\":{{\"result\":\"allowed\"}},\"source\":{{\"id\":\"drill-source\",\"kind\":\"drill\",\"seq\":{seq}}}}}"
        );
        entries.push(prepared(&event, seq)?);
    }
    let folder = bench.copy_published("14")?;
    bench.write_log(&folder, &entries, &bench.key)?;
    let (report, time) = timed(|| check_folder(&folder, Some(&bench.vkey()), None));
    let gap = report.completeness.sources.iter().find(|source| source.id == "drill-source" && !source.gaps.is_empty());
    let verdict = match gap {
        Some(_) => Verdict::Caught {
            by: "verify: completeness: source `drill-source` lacks number 3".to_owned(),
            means: Means::Completeness,
        },
        None => Verdict::Missed { said: summary(&report) },
    };
    Ok((verdict, time))
}

/// An event as the log would store it, recorded at the end of time so that the order holds.
fn prepared(event: &str, n: u64) -> Result<Vec<u8>, DrillError> {
    let mut batch = EventBatch::new();
    let defaults = Defaults { source_id: "drill", source_kind: "drill" };
    let taken = prepare(event.as_bytes(), &defaults, &mut || EventId::version_7(n, [0; 10]), &mut batch);
    taken.map_err(|faults| {
        WorkbenchError::Note(format!("the drill's own event was refused: {} fault(s)", faults.len()))
    })?;
    batch.stamp(RecordedTime(i64::MAX));
    Ok(batch.entries().next().map(|(_, entry)| entry.to_vec()).unwrap_or_default())
}

fn receipt_for(bench: &Workbench, entries_root: Hash, key: &SigningKey) -> Result<String, DrillError> {
    let failed = |error: &dyn std::fmt::Display| WorkbenchError::Note(error.to_string());
    let receipt = Receipt {
        origin: Origin::new(DRILL_ORIGIN).map_err(|error| failed(&error))?,
        first_index: LeafIndex(bench.entries.len() as u64 / 2),
        count: 1,
        entries_root,
        recorded: "2026-01-01T00:00:00.000000000Z".to_owned(),
    };
    Ok(note::sign(&receipt.to_text(), key).map_err(|error| failed(&error))?)
}

fn check_receipt(bench: &Workbench, receipt: &str, means: Means) -> Outcome {
    let options = VerifyOptions { key: Some(bench.vkey()), ..VerifyOptions::default() };
    let source = FolderSource::new(bench.published());
    let (checked, time) = timed(|| verify_receipt(receipt, &source, &options));
    let verdict = match checked.verdict.exit() {
        Exit::Intact => Verdict::Missed { said: "the receipt was accepted".to_owned() },
        _ => Verdict::Caught { by: format!("receipt verify: {}", checked.reason), means },
    };
    Ok((verdict, time))
}

fn forge_receipt(bench: &Workbench) -> Outcome {
    let forger = SigningKey::from_seed(bench.key.key_name().clone(), KeyKind::Ed25519, &[9; 32]);
    let receipt = receipt_for(bench, Hash([9; 32]), &forger)?;
    check_receipt(bench, &receipt, Means::OutsideMemory("a pinned key"))
}

fn break_receipt(bench: &Workbench) -> Outcome {
    let receipt = receipt_for(bench, Hash([9; 32]), &bench.key)?;
    check_receipt(bench, &receipt, Means::OutsideMemory("the receipt"))
}

fn wedge(bench: &Workbench) -> Outcome {
    let folder = bench.copy_published("27")?;
    let path = folder.join("checkpoint");
    let honest = String::from_utf8_lossy(&read(&path)?).into_owned();
    let stranger = format!("\u{2014} stranger.invalid {}\n", "A".repeat(92));
    // a few strangers must not disturb; a flood of them must be refused, not swallowed
    write(&path, format!("{honest}{stranger}{stranger}").as_bytes())?;
    let undisturbed = is_intact(&check_folder(&folder, Some(&bench.vkey()), None));
    let flood = stranger.repeat(NOTE_BYTES_MAX / stranger.len() + 1);
    write(&path, format!("{honest}{flood}").as_bytes())?;
    let (report, time) = timed(|| check_folder(&folder, Some(&bench.vkey()), None));
    let verdict = match (undisturbed, is_intact(&report)) {
        (true, false) => Verdict::Caught {
            by: format!("verify: strangers are ignored, a flood is refused: {}", summary(&report)),
            means: Means::Bytes,
        },
        (false, _) => {
            Verdict::Missed { said: "two unknown signatures made an honest checkpoint unreadable".to_owned() }
        }
        (true, true) => Verdict::Missed { said: "a megabyte of signatures was taken".to_owned() },
    };
    Ok((verdict, time))
}

fn malformed(_: &Workbench) -> Outcome {
    const REST: &str =
        "\"actor\":{\"id\":\"a\",\"type\":\"human\"},\"action\":\"read\",\"outcome\":{\"result\":\"allowed\"}";
    let time = "\"time\":\"2026-01-01T00:00:00Z\"";
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("a key twice", format!("{{{time},{time},{REST}}}").into_bytes()),
        ("a key twice by escapes", format!("{{{time},\"\\u0074ime\":\"2026-01-01T00:00:00Z\",{REST}}}").into_bytes()),
        ("NaN", format!("{{{time},{REST},\"duration_ns\":NaN}}").into_bytes()),
        ("a float", format!("{{{time},{REST},\"duration_ns\":1.5}}").into_bytes()),
        ("a huge integer", format!("{{{time},{REST},\"duration_ns\":9007199254740993}}").into_bytes()),
        ("invalid UTF-8", [format!("{{{time},{REST},\"purpose\":\"").as_bytes(), &[0xff], b"\"}"].concat()),
        ("half a surrogate pair", format!("{{{time},{REST},\"purpose\":\"\\ud800\"}}").into_bytes()),
        ("deep nesting", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("bytes after the end", format!("{{{time},{REST}}} {{}}").into_bytes()),
    ];
    let (taken, time) = timed(|| {
        let defaults = Defaults { source_id: "drill", source_kind: "drill" };
        let mut batch = EventBatch::new();
        let accepted =
            |(_, bytes): &&(&str, Vec<u8>)| prepare(bytes, &defaults, &mut || EventId([0; 16]), &mut batch).is_ok();
        hostile.iter().filter(accepted).map(|(what, _)| *what).collect::<Vec<_>>()
    });
    let verdict = if taken.is_empty() {
        Verdict::Caught { by: format!("ingest: each of {} kinds refused", hostile.len()), means: Means::Door }
    } else {
        Verdict::Missed { said: format!("taken: {}", taken.join(", ")) }
    };
    Ok((verdict, time))
}
