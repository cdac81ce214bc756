//! The drill's result for people and for programs.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Level, Means, Row, Verdict, missed};

impl Level {
    fn words(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Key => "disk + key",
            Self::Network => "network",
            Self::Admin => "admin",
            Self::Hardware => "hardware",
        }
    }
}

impl Means {
    fn words(self) -> String {
        match self {
            Self::Bytes => "the published bytes".to_owned(),
            Self::Log => "the log itself".to_owned(),
            Self::Completeness => "completeness".to_owned(),
            Self::OutsideMemory(memory) => format!("only with {memory}"),
            Self::Start => "the server's start".to_owned(),
            Self::Door => "the door".to_owned(),
        }
    }
}

/// Prints the table; what was missed stands out by its word, not by colour alone.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn print_text(out: &mut dyn Write, rows: &[Row], entries: usize) -> io::Result<()> {
    writeln!(out, "Attacked a copy of {entries} entries.\n")?;
    writeln!(out, "{:<4} {:<58} {:<10} {:<13} {:>9}  caught by", "#", "attack", "attacker", "verdict", "time")?;
    for row in rows {
        let (verdict, by) = match &row.verdict {
            Verdict::Caught { by, means } => ("detected", format!("{}; {by}", means.words())),
            Verdict::Missed { said } => ("NOT DETECTED", format!("checks said: {said}")),
            Verdict::NotYetGuarded { needs } => ("not guarded", format!("needs {needs}")),
        };
        let (number, attack, level) = (row.number, row.attack, row.level.words());
        writeln!(out, "{number:<4} {attack:<58} {level:<10} {verdict:<13} {:>9}  {by}", shown(row))?;
    }
    let detected = rows.iter().filter(|row| matches!(row.verdict, Verdict::Caught { .. })).count();
    let waiting = rows.len() - detected - missed(rows);
    writeln!(out, "\n{detected} detected, {} NOT detected, {waiting} not guarded yet", missed(rows))
}

fn shown(row: &Row) -> String {
    if row.time == Duration::ZERO { "-".to_owned() } else { format!("{:.1} ms", row.time.as_secs_f64() * 1e3) }
}

/// The same as one JSON document.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn print_json(out: &mut dyn Write, rows: &[Row], entries: usize) -> io::Result<()> {
    let listed: Vec<Value> = rows.iter().map(row_json).collect();
    let document = json!({
        "entries": entries,
        "missed": missed(rows),
        "attacks": listed,
    });
    writeln!(out, "{document:#}")
}

fn row_json(row: &Row) -> Value {
    let micros = u64::try_from(row.time.as_micros()).unwrap_or(u64::MAX);
    let (verdict, by, means) = match &row.verdict {
        Verdict::Caught { by, means } => ("detected", by.clone(), Some(means.words())),
        Verdict::Missed { said } => ("not detected", said.clone(), None),
        Verdict::NotYetGuarded { needs } => ("not guarded yet", (*needs).to_owned(), None),
    };
    json!({
        "number": row.number,
        "attack": row.attack,
        "attacker": row.level.words(),
        "verdict": verdict,
        "by": by,
        "means": means,
        "time_us": micros,
    })
}
