//! After a start: the newest entry, proven from the published files alone, so that a newcomer sees what the product does.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indelible_event::doors::{EntryIndex, EntryReader};
use indelible_event::view::EventView;
use indelible_store::FolderReader;
use indelible_tlog::hash::leaf_hash;
use indelible_tlog::proof_file::TlogProof;

use crate::exit::chain;

/// How long to wait for the checkpoint over the start's own event.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits beside the server for the first checkpoint and shows one proven entry on standard error.
pub(crate) fn show_first(data: PathBuf, log: String) {
    let shown = std::thread::Builder::new().name("first proof".to_owned()).spawn(move || {
        let began = Instant::now();
        loop {
            match newest(&data.join("logs").join(&log)) {
                Ok(Some(line)) => return eprintln!("{line}\n"),
                Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Ok(None) => return,
                Err(reason) => return tracing::error!(reason, "the newest entry could not be proven"),
            }
        }
    });
    if let Err(error) = shown {
        tracing::warn!(%error, "no thread for the first proof");
    }
}

/// Reads the newest published entry and its proof from the log's folder and checks both; `None` while there is none.
fn newest(folder: &Path) -> Result<Option<String>, String> {
    let reader = FolderReader::open(folder).map_err(|error| chain(&error))?;
    let Some(last) = reader.size().checked_sub(1) else { return Ok(None) };
    let entries = reader.read(EntryIndex(last), 1, 0).map_err(|error| chain(&error))?;
    let Some((_, entry)) = entries.iter().next() else { return Ok(None) };
    let proof = reader.proof(EntryIndex(last)).map_err(|error| chain(&error))?.unwrap_or_default();
    let proof = TlogProof::parse(&proof).map_err(|error| chain(&error))?;
    let checkpoint = proof.verify(&leaf_hash(entry), &reader.vkey).map_err(|error| chain(&error))?;
    let view = EventView::parse(entry).map_err(|error| chain(&error))?;
    Ok(Some(format!(
        "Recorded and verified: entry {last} (`{}` by {}) is in the log, proven under the signed checkpoint of {} entries.",
        view.operation.as_deref().or(view.action.as_deref()).unwrap_or("event"),
        view.actor.id.as_deref().unwrap_or("somebody"),
        checkpoint.size,
    )))
}
