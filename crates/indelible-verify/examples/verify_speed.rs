//! Writes a log of realistic events into a folder and measures how fast it is verified.
//!
//! `cargo run --release -p indelible-verify --example verify_speed -- [FOLDER] [ENTRIES]`; a folder that holds a log already is
//! measured as it is. Without a folder a temporary one is used. Prints entries a second for one thread and for all.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io};

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::edge::Edge;
use indelible_tlog::hash::{HASH_BYTES, leaf_hash};
use indelible_tlog::note::{self, KeyKind, KeyName, SigningKey};
use indelible_tlog::proof::{consistency_proof, inclusion_proof};
use indelible_tlog::proof_file::TlogProof;
use indelible_tlog::tile::{BundleId, TileId, decode_hashes, encode_hashes};
use indelible_tlog::tree::LeafIndex;
use indelible_verify::{FolderSource, VerifyOptions, verify};

type Failure = Box<dyn std::error::Error>;

const ORIGIN: &str = "log.example/speed";

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let given = arguments.next().map(PathBuf::from);
    let entries = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let temporary = tempfile::tempdir()?;
    let folder = given.unwrap_or_else(|| temporary.path().join("log"));
    if !folder.join("checkpoint").exists() {
        write_log(&folder, entries)?;
    }
    for threads in [1, 1, 0] {
        let began = Instant::now();
        let options = VerifyOptions { threads, ..VerifyOptions::default() };
        let report = verify(&FolderSource::new(&folder), &options, &mut |_, _| ());
        let seconds = began.elapsed().as_secs_f64();
        let checked = report.integrity.entries_checked;
        #[allow(clippy::cast_precision_loss, reason = "figures for people")]
        let (rate, bytes) = (checked as f64 / seconds, report.integrity.bundle_bytes as f64 / checked.max(1) as f64);
        let threads = if threads == 0 { "all threads".to_owned() } else { format!("{threads} thread") };
        println!("{threads}: {checked} entries of {bytes:.0} bytes in {seconds:.2} s = {rate:.0} entries/s");
        if threads == "all threads" {
            println!("{}", report.to_text());
        }
    }
    Ok(())
}

/// An event as a database gateway records it: 550 to 700 bytes.
fn event(n: u64) -> String {
    let (source, seq) = (n % 7, n / 7 + 1);
    let (second, nano) = (n / 20_000, n % 20_000 * 50_000);
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let actor = n.wrapping_mul(2_654_435_761) % 5000;
    let policy = if n.is_multiple_of(3) { r#","policy":"customer-read""# } else { "" };
    format!(
        r#"{{"action":"read","actor":{{"auth":"oidc","id":"person{actor}@example.com","ip":"10.20.{}.{}","roles":["analyst"],"session":"s-{:08x}","type":"human"}},"duration_ns":{},"id":"01991234-5678-7fff-bfff-{n:012x}","operation":"SELECT","outcome":{{"code":"200","phase":"single"{policy},"result":"allowed"}},"purpose":"support case {actor}","recorded":"2026-11-23T{hour:02}:{minute:02}:{second:02}.{nano:09}Z","resources":[{{"bytes":{},"count":{},"id":"crm.customers","labels":["pii"],"type":"table"}}],"schema":"indelible.event/1","source":{{"id":"pg-gateway-{source}","kind":"postgres","seq":{seq}}},"time":"2026-11-23T{hour:02}:{minute:02}:{second:02}.{nano:09}+00:00"}}"#,
        n % 200,
        n % 251,
        n.wrapping_mul(40_503) % 0xffff_ffff,
        n % 90_000_000,
        n % 40_000,
        n % 500,
    )
}

fn write_log(folder: &Path, entries: u64) -> Result<(), Failure> {
    let began = Instant::now();
    let mut edge = Edge::empty();
    let mut index = 0u64;
    let mut past = Vec::new();
    while index * 256 < entries {
        let id = BundleId { index, width: u16::try_from(256.min(entries - index * 256))? };
        let mut bytes = Vec::new();
        let mut leaves = Vec::new();
        for n in id.first_entry()..id.first_entry() + u64::from(id.width) {
            let entry = event(n);
            leaves.push(leaf_hash(entry.as_bytes()));
            bundle::append_entry(&mut bytes, entry.as_bytes())?;
        }
        put(folder, &id.path(), &bytes)?;
        let mut full = Vec::new();
        edge.append(&leaves, &mut |tile, hashes| full.push((tile.path(), encode_hashes(hashes))));
        for (path, bytes) in full {
            put(folder, &path, &bytes)?;
        }
        index += 1;
        if index.is_power_of_two() {
            past.push(Checkpoint { origin: Origin::new(ORIGIN)?, size: edge.size(), root: edge.root() });
        }
    }
    for (tile, hashes) in edge.partial_tiles() {
        put(folder, &tile.path(), &encode_hashes(&hashes))?;
    }
    let key = SigningKey::from_seed(KeyName::new(ORIGIN)?, KeyKind::Ed25519, &[7; 32]);
    let checkpoint = Checkpoint { origin: Origin::new(ORIGIN)?, size: edge.size(), root: edge.root() };
    let note = note::sign(&checkpoint.to_text(), &key)?;
    put(folder, "checkpoint", note.as_bytes())?;
    put(folder, "log.vkey", format!("{}\n", key.verifier().to_vkey()).as_bytes())?;
    write_proofs(folder, &past, &checkpoint, &key)?;
    println!("wrote {entries} entries in {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// A few proofs beside the folder, for other people's tools to check: inclusion proofs as `.tlog-proof`, and for some older
/// sizes the checkpoint of then with the consistency proof to now, one hash a line.
fn write_proofs(folder: &Path, past: &[Checkpoint], checkpoint: &Checkpoint, key: &SigningKey) -> Result<(), Failure> {
    let proofs = folder.with_extension("proofs");
    let size = checkpoint.size;
    let note = note::sign(&checkpoint.to_text(), key)?;
    let mut fetch = |tile: TileId| {
        let bytes = fs::read(folder.join(tile.path())).or_else(|_| fs::read(folder.join(tile.full().path())))?;
        let bytes = bytes.get(..usize::from(tile.width) * HASH_BYTES).unwrap_or_default();
        decode_hashes(tile, bytes).map_err(io::Error::other)
    };
    for index in [0, 1, 255, 256, size.0 / 2, size.0.saturating_sub(2), size.0.saturating_sub(1)] {
        if index >= size.0 {
            continue;
        }
        let hashes = inclusion_proof(LeafIndex(index), size, &mut fetch)?;
        let proof = TlogProof { extra: None, index: LeafIndex(index), hashes, checkpoint: note.clone() };
        put(&proofs, &format!("{index}.tlog-proof"), proof.to_text().as_bytes())?;
    }
    for kept in past.iter().filter(|kept| kept.size < size) {
        let hashes = consistency_proof(kept.size, size, &mut fetch)?;
        let lines: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
        put(&proofs, &format!("{}.checkpoint", kept.size), note::sign(&kept.to_text(), key)?.as_bytes())?;
        put(&proofs, &format!("{}.consistency", kept.size), lines.as_bytes())?;
    }
    Ok(())
}

fn put(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::write(path, bytes)?)
}
