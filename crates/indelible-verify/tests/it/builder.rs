//! A small writer of logs, kept as plain as the format: entries in, a tlog-tiles folder out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note::{self, KeyKind, KeyName, SigningKey};
use indelible_tlog::tile::{BundleId, encode_hashes};
use indelible_tlog::tree::root_of;
use indelible_verify::{FolderSource, Report, VerifyOptions, verify};
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "log.example/main";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(ORIGIN).unwrap(), KeyKind::Ed25519, &[seed; 32])
}

/// An event with the fields that the verifier reads, in canonical form.
pub(crate) fn event(second: u64, source: &str, seq: u64) -> String {
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    format!(
        r#"{{"action":"read","actor":{{"id":"ana","type":"human"}},"recorded":"2026-11-23T{hour:02}:{minute:02}:{second:02}.000000000Z","schema":"indelible.event/1","source":{{"id":"{source}","kind":"test","seq":{seq}}}}}"#
    )
}

/// Entries 0.. of one source.
pub(crate) fn events(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|n| event(n.min(80_000), "pg", n + 1).into_bytes()).collect()
}

pub(crate) struct Log {
    pub(crate) dir: TempDir,
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Log {
    pub(crate) fn of(entries: Vec<Vec<u8>>) -> Self {
        let log = Self { dir: tempfile::tempdir().unwrap(), entries };
        log.write(&key(1));
        log
    }

    /// Writes every file, signed with this key, beside whatever lies there.
    pub(crate) fn write(&self, key: &SigningKey) {
        for (path, bytes) in files(&self.entries) {
            self.put(&path, &bytes);
        }
        self.sign(key);
        self.put("log.vkey", format!("{}\n", key.verifier().to_vkey()).as_bytes());
    }

    pub(crate) fn sign(&self, key: &SigningKey) {
        self.put("checkpoint", self.checkpoint(key).as_bytes());
    }

    pub(crate) fn checkpoint(&self, key: &SigningKey) -> String {
        let leaves: Vec<Hash> = self.entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut edge = Edge::empty();
        edge.append(&leaves, &mut |_, _| ());
        let origin = Origin::new(ORIGIN).unwrap();
        note::sign(&Checkpoint { origin, size: edge.size(), root: root_of(&leaves) }.to_text(), key).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        fs::read(self.file(path)).unwrap()
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        fs::create_dir_all(self.file(path).parent().unwrap()).unwrap();
        fs::write(self.file(path), bytes).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.file(path)).unwrap();
    }

    pub(crate) fn flip(&self, path: &str, at: usize) {
        let mut bytes = self.get(path);
        bytes[at] ^= 1;
        self.put(path, &bytes);
    }

    pub(crate) fn verify(&self) -> Report {
        self.verify_with(&VerifyOptions::default())
    }

    pub(crate) fn verify_with(&self, options: &VerifyOptions) -> Report {
        verify(&FolderSource::new(self.path()), options, &mut |_, _| ())
    }

    pub(crate) fn options(&self) -> VerifyOptions {
        VerifyOptions { key: Some(key(1).verifier().to_vkey()), ..VerifyOptions::default() }
    }
}

/// All tiles and bundles of a log with these entries.
pub(crate) fn files(entries: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut files = BTreeMap::new();
    let mut edge = Edge::empty();
    edge.append(&leaves, &mut |tile, hashes| {
        files.insert(tile.path(), encode_hashes(hashes));
    });
    for (tile, hashes) in edge.partial_tiles() {
        files.insert(tile.path(), encode_hashes(&hashes));
    }
    for (index, entries) in (0..).zip(entries.chunks(256)) {
        let id = BundleId { index, width: entries.len() as u16 };
        files.insert(id.path(), bundle_of(entries));
    }
    files
}

pub(crate) fn bundle_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bundle::append_entry(&mut bytes, entry).unwrap();
    }
    bytes
}
