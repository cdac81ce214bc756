//! Files in a log's folder that its checkpoint does not speak of: remarks, not findings. Never: reads them.

use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::tile::{BundleId, TileId};

use crate::report::FILES_NAMED_MAX;
use crate::source::LogSource;

/// Says what lies in the folder that the checkpoint does not speak of.
pub(crate) fn note_other_files(source: &dyn LogSource, checkpoint: &Checkpoint, remarks: &mut Vec<String>) {
    let mut beyond = Named::default();
    let mut unknown = Named::default();
    let listed = source.list(&mut |path| match is_of_tree(path, checkpoint) {
        Some(true) => {}
        Some(false) => beyond.add(path),
        None if matches!(path, "checkpoint" | "log.vkey") => {}
        None => unknown.add(path),
    });
    if let Err(error) = listed {
        remarks.push(format!("surplus files could not be looked for: {error}"));
    }
    if let Some(text) = beyond.text("file(s) lie beyond the checkpoint and are not covered by it") {
        remarks.push(text);
    }
    if let Some(text) = unknown.text("file(s) do not belong to a log") {
        remarks.push(text);
    }
}

/// Whether a path names a tile or bundle that the checkpoint covers; a partial one that has since grown counts. `None` when it
/// names neither.
fn is_of_tree(path: &str, checkpoint: &Checkpoint) -> Option<bool> {
    let (have, width) = match (TileId::parse(path), BundleId::parse(path)) {
        (Some(tile), _) => (TileId::at(tile.level, tile.index, checkpoint.size).map(|at| at.width), tile.width),
        (_, Some(bundle)) => (BundleId::at(bundle.index, checkpoint.size).map(|at| at.width), bundle.width),
        (None, None) => return None,
    };
    Some(have.is_some_and(|have| width <= have))
}

#[derive(Default)]
struct Named {
    count: u64,
    names: Vec<String>,
}

impl Named {
    fn add(&mut self, path: &str) {
        self.count += 1;
        if self.names.len() < FILES_NAMED_MAX {
            self.names.push(path.chars().take(200).flat_map(char::escape_debug).collect());
        }
    }

    fn text(&self, what: &str) -> Option<String> {
        let more = if self.count > self.names.len() as u64 { ", …" } else { "" };
        (self.count > 0).then(|| format!("{} {what}: {}{more}", self.count, self.names.join(", ")))
    }
}
