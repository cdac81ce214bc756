//! Attacks on the server's own data folder: what its start must refuse.

use std::fs;
use std::path::{Path, PathBuf};

use indelible_event::doors::{Entries, EntryIndex, EntryReader, ReadError};
use indelible_search::{Access, Index, Settings};
use indelible_store::FolderReader;
use indelible_tlog::note::{KeyKind, SigningKey};

use super::workbench::{Workbench, WorkbenchError, open_data, read, write};
use super::{Attack, DrillError, Level, Means, Outcome, Verdict, timed};

/// The attacks, by their numbers in SECURITY.md.
pub(super) const ATTACKS: [Attack; 8] = [
    Attack { number: "5c", attack: "cut the tail off the data folder's log", level: Level::Disk, run: cut_log },
    Attack { number: "7c", attack: "put an older journal back", level: Level::Disk, run: roll_journal_back },
    Attack { number: "17c", attack: "delete journal and log, keep the key", level: Level::Disk, run: delete_all },
    Attack {
        number: "20",
        attack: "poison the search index to hide what was done",
        level: Level::Disk,
        run: poison_index,
    },
    Attack { number: "25c", attack: "alter one byte of the journal", level: Level::Disk, run: alter_journal },
    Attack { number: "25d", attack: "cut the journal in the middle", level: Level::Disk, run: cut_journal },
    Attack { number: "29", attack: "swap the signing key", level: Level::Disk, run: swap_key },
    Attack {
        number: "29b",
        attack: "alter the memory of the last signed checkpoint",
        level: Level::Disk,
        run: alter_memory,
    },
];

/// Whether a start on the attacked folder is refused.
fn by_start(folder: &Path) -> Outcome {
    let (opened, time) = timed(|| open_data(folder));
    let verdict = match opened {
        Ok(parts) => Verdict::Missed { said: format!("the server would start with {} entries", parts.opened.size) },
        Err(error) => Verdict::Caught { by: format!("start: {}", root_cause(&error)), means: Means::Start },
    };
    Ok((verdict, time))
}

/// The innermost message that says what was found.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    text.split(". ").next().unwrap_or_default().to_owned()
}

fn first_with(folder: &Path, ending: &str) -> Result<PathBuf, DrillError> {
    let failed = |source| DrillError::Copy { path: folder.to_owned(), source };
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.to_string_lossy().ends_with(ending) {
            names.push(path);
        }
    }
    names.sort();
    names.into_iter().next().ok_or_else(|| failed(std::io::Error::from(std::io::ErrorKind::NotFound)))
}

fn remove_tree(path: &Path) -> Result<(), DrillError> {
    fs::remove_dir_all(path).map_err(|source| DrillError::Copy { path: path.to_owned(), source })
}

fn cut_log(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("5c")?;
    remove_tree(&folder.join("logs/main/tile"))?;
    by_start(&folder)
}

fn roll_journal_back(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("7c")?;
    let path = first_with(&folder.join("journal/main"), ".journal")?;
    let journal = read(&path)?;
    // an older copy of the segment: its header and the first record at most
    write(&path, journal.get(..512).unwrap_or(&journal))?;
    by_start(&folder)
}

fn delete_all(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("17c")?;
    remove_tree(&folder.join("journal"))?;
    remove_tree(&folder.join("logs"))?;
    by_start(&folder)
}

fn alter_journal(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("25c")?;
    let path = first_with(&folder.join("journal/main"), ".journal")?;
    let mut journal = read(&path)?;
    if let Some(byte) = journal.get_mut(512 + 48 + 60) {
        *byte ^= 0x20;
    }
    write(&path, &journal)?;
    by_start(&folder)
}

fn cut_journal(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("25d")?;
    let path = first_with(&folder.join("journal/main"), ".journal")?;
    let journal = read(&path)?;
    // half of what is written, not of the room that is reserved behind it
    let written = journal.iter().rposition(|byte| *byte != 0).unwrap_or_default();
    write(&path, journal.get(..written / 2).unwrap_or_default())?;
    by_start(&folder)
}

fn swap_key(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("29")?;
    let other = SigningKey::from_seed(bench.key.key_name().clone(), KeyKind::Ed25519, &[5; 32]);
    write(&folder.join("keys/main.key"), other.to_secret_text().as_bytes())?;
    by_start(&folder)
}

fn alter_memory(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("29b")?;
    let path = folder.join("journal/main/signed-checkpoint");
    let mut memory = read(&path)?;
    if let Some(byte) = memory.iter_mut().rev().nth(20) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    write(&path, &memory)?;
    by_start(&folder)
}

/// The published entries with one of them changed: what a poisoner wants the index to say.
struct Poisoned<'a> {
    log: &'a FolderReader,
    at: u64,
}

impl EntryReader for Poisoned<'_> {
    fn size(&self) -> u64 {
        self.log.size()
    }

    fn read(&self, first: EntryIndex, max_entries: usize, max_bytes: usize) -> Result<Entries, ReadError> {
        let honest = self.log.read(first, max_entries, max_bytes)?;
        let mut entries = Entries::starting_at(first);
        for (index, entry) in honest.iter() {
            let mut entry = entry.to_vec();
            if index.0 == self.at {
                super::published::change_letter(&mut entry);
            }
            entries.push(&entry);
        }
        Ok(entries)
    }
}

fn poison_index(bench: &Workbench) -> Outcome {
    let folder = bench.copy_data("20")?;
    let failed = |error: &dyn std::fmt::Display| WorkbenchError::Note(error.to_string());
    let log = FolderReader::open(&folder.join("logs/main")).map_err(|error| failed(&error))?;
    let index = folder.join("index/main");
    let poisoned = Poisoned { log: &log, at: log.size() / 2 };
    let built = Index::rebuild(&index, "main", Settings::default(), &poisoned, &mut |_, _| {});
    built.and_then(|index| index.flush()).map_err(|error| failed(&error))?;
    let settings = Settings { access: Access::ReadOnly, ..Settings::default() };
    let opened = Index::open(&index, "main", settings).map_err(|error| failed(&error))?;
    let (checked, time) = timed(|| opened.check(&log, &mut |_, _| {}));
    let verdict = match checked {
        Ok(entries) => Verdict::Missed { said: format!("{entries} rows compared, no difference") },
        Err(error) => Verdict::Caught { by: format!("index check: {error}"), means: Means::Log },
    };
    Ok((verdict, time))
}
