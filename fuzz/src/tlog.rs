//! The readers of `indelible-tlog`: each accepts one spelling only, so what was read is written again byte for byte.

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::Checkpoint;
use indelible_tlog::hash::leaf_hash;
use indelible_tlog::note::{self, Note, SigningKey, VerifierKey};
use indelible_tlog::proof_file::TlogProof;
use indelible_tlog::receipt::Receipt;
use indelible_tlog::tile::{BundleId, TileId};

const LOG: &str = include_str!("../../crates/indelible-tlog/testdata/log.vkey");
const WITNESS: &str = include_str!("../../crates/indelible-tlog/testdata/witness.vkey");
const CHECKPOINT: &str = include_str!("../../crates/indelible-tlog/testdata/checkpoint-7.note");

fn log_key() -> VerifierKey {
    VerifierKey::parse(LOG).expect("the golden key")
}

fn text(data: &[u8], check: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
}

/// Signed notes.
pub fn note(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_text().as_bytes(), data);
    }
    if let Ok(opened) = note::open(data, &[log_key()]) {
        let again = note::open(opened.to_text(), &[log_key()]).expect("a note with its verified signatures opens");
        assert_eq!(again.text, opened.text);
    }
}

/// Keys in text form.
pub fn key(data: &[u8]) {
    text(data, |text| {
        let bare = text.strip_suffix('\n').unwrap_or(text);
        if let Ok(key) = VerifierKey::parse(text) {
            assert_eq!(key.to_vkey(), bare);
        }
        if let Ok(key) = SigningKey::parse(text) {
            assert_eq!(key.to_secret_text(), bare);
        }
    });
}

/// Checkpoint texts. Nobody but the key's holder can sign another one than the golden one.
pub fn checkpoint(data: &[u8]) {
    text(data, |text| {
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.to_text(), text);
        }
    });
    if let Ok(opened) = Checkpoint::open(data, &log_key()) {
        let golden = Checkpoint::open(CHECKPOINT, &log_key()).expect("the golden checkpoint");
        assert_eq!(opened, golden, "a checkpoint was accepted that nobody signed");
    }
}

/// Paths of tiles and bundles.
pub fn tile_path(data: &[u8]) {
    text(data, |text| {
        if let Some(id) = TileId::parse(text) {
            assert_eq!(id.path(), text);
        }
        if let Some(id) = BundleId::parse(text) {
            assert_eq!(id.path(), text);
        }
    });
}

/// Entry bundles.
pub fn bundle(data: &[u8]) {
    let mut again = Vec::new();
    for entry in bundle::entries(data) {
        let Ok(entry) = entry else { return };
        bundle::append_entry(&mut again, entry).expect("an entry that was read fits");
    }
    assert_eq!(again, data);
}

/// Proof files: one spelling, and none that proves an entry that is not in the golden log.
pub fn proof(data: &[u8]) {
    text(data, |text| {
        let Ok(proof) = TlogProof::parse(text) else { return };
        assert_eq!(proof.to_text(), text);
        let verified = proof.verify(&leaf_hash(b"never recorded"), &log_key());
        assert!(verified.is_err(), "a proof was accepted for an entry that is not there");
    });
}

/// Receipts.
pub fn receipt(data: &[u8]) {
    text(data, |text| {
        if let Ok(receipt) = Receipt::parse(text) {
            assert_eq!(receipt.to_text(), text);
        }
    });
    let _ = Receipt::open(data, &log_key());
}

/// Cosigned checkpoints.
pub fn cosignature(data: &[u8]) {
    let witness = VerifierKey::parse(WITNESS).expect("the golden witness");
    if let Ok((_, opened)) = Checkpoint::open_cosigned(data, &log_key(), &[witness]) {
        assert!(opened.signed_by.iter().any(|by| by.key == 0));
        assert!(opened.signed_by.iter().all(|by| (by.key == 1) == by.time.is_some()));
    }
}
