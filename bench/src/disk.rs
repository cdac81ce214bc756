//! What a data folder takes on disk, by part. Never: follows a link, or fails over a file that goes away while it counts.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Map, Value, json};

/// Bytes of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What its files hold.
    pub length: u64,
    /// What the disk sets aside for them: preallocated space counts, holes do not.
    pub allocated: u64,
}

impl Taken {
    fn add(&mut self, other: Self) {
        self.length += other.length;
        self.allocated += other.allocated;
    }
}

/// What the parts of a data folder take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// `journal/`.
    pub journal: Taken,
    /// `logs/<log>/tile/entries/`: the entries themselves.
    pub entries: Taken,
    /// The rest of `logs/<log>/`: hashes and checkpoint.
    pub tree: Taken,
    /// `index/`.
    pub index: Taken,
    /// All else: ids, state, keys, sealed content.
    pub other: Taken,
}

impl Usage {
    /// Measures the data folder of a server.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        let mut usage = Self::default();
        for entry in fs::read_dir(data).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_name().to_str() {
                Some("journal") => usage.journal.add(taken(&path)),
                Some("index") => usage.index.add(taken(&path)),
                Some("logs") => usage.add_logs(&path),
                _ => usage.other.add(taken(&path)),
            }
        }
        usage
    }

    fn add_logs(&mut self, logs: &Path) {
        for log in fs::read_dir(logs).into_iter().flatten().flatten() {
            let entries = taken(&log.path().join("tile/entries"));
            let all = taken(&log.path());
            self.entries.add(entries);
            self.tree.add(Taken {
                length: all.length.saturating_sub(entries.length),
                allocated: all.allocated.saturating_sub(entries.allocated),
            });
        }
    }

    fn parts(&self) -> [(&'static str, Taken); 5] {
        [
            ("journal", self.journal),
            ("entries", self.entries),
            ("tree", self.tree),
            ("index", self.index),
            ("other", self.other),
        ]
    }

    /// Bytes an event on the disk, by part and together; `length` leaves out what is only set aside.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a file system holds far less than 2^52 bytes")]
    pub fn to_json(&self, events: u64) -> Value {
        let each = |bytes: u64| json!(bytes as f64 / events.max(1) as f64);
        let mut map = Map::new();
        let mut total = Taken::default();
        for (name, part) in self.parts() {
            map.insert(name.to_owned(), each(part.allocated));
            total.add(part);
        }
        map.insert("total".to_owned(), each(total.allocated));
        map.insert("total_length".to_owned(), each(total.length));
        // The tree's hashes and, within the bundles, two bytes of length before each entry (C2SP tlog-tiles).
        map.insert("integrity_overhead".to_owned(), json!(self.tree.length as f64 / events.max(1) as f64 + 2.0));
        Value::Object(map)
    }
}

fn taken(path: &Path) -> Taken {
    let Ok(meta) = fs::symlink_metadata(path) else { return Taken::default() };
    if meta.is_dir() {
        // Folders cost blocks too: a log has one for each 256 bundles.
        let mut sum = Taken { length: 0, allocated: meta.blocks() * 512 };
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            sum.add(taken(&entry.path()));
        }
        return sum;
    }
    Taken { length: meta.len(), allocated: meta.blocks() * 512 }
}
