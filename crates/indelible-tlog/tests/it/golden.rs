//! Golden files written by Go (see `testdata/README.md`): what we write is the same, byte for byte, and what we read means the same.

use indelible_tlog::bundle;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::cosignature::cosign;
use indelible_tlog::hash::{Hash, leaf_hash};
use indelible_tlog::note::{self, Note, SigningKey, VerifierKey};
use indelible_tlog::proof::{consistency_proof, inclusion_proof};
use indelible_tlog::proof_file::TlogProof;
use indelible_tlog::receipt::Receipt;
use indelible_tlog::tile::TileId;
use indelible_tlog::tree::{LeafIndex, TreeSize, root_of};

use crate::naive::{Tiles, audit_leaves};

const ROOTS: &str = include_str!("../../testdata/tree-roots.txt");
const BUNDLE: &[u8] = include_bytes!("../../testdata/bundle-000.bin");
const INCLUSION: &str = include_str!("../../testdata/inclusion-3-of-7.txt");
const CONSISTENCY: &str = include_str!("../../testdata/consistency-3-to-7.txt");
const CHECKPOINT: &str = include_str!("../../testdata/checkpoint-7.note");
const COSIGNED: &str = include_str!("../../testdata/checkpoint-7-cosigned.note");
const RECEIPT: &str = include_str!("../../testdata/receipt-3-7.note");
const PROOF: &str = include_str!("../../testdata/entry-3.tlog-proof");
const LOG_SKEY: &str = include_str!("../../testdata/log.skey");
const LOG_VKEY: &str = include_str!("../../testdata/log.vkey");
const WITNESS_SKEY: &str = include_str!("../../testdata/witness.skey");
const WITNESS_VKEY: &str = include_str!("../../testdata/witness.vkey");

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: Origin::new("log.example/golden").unwrap(),
        size: TreeSize(7),
        root: root_of(&audit_leaves(7)),
    }
}

fn lines(text: &str) -> Vec<Hash> {
    text.lines().map(|line| Hash::from_base64(line).unwrap()).collect()
}

#[test]
fn roots() {
    let leaves = audit_leaves(70_000);
    for line in ROOTS.lines() {
        let (size, root) = line.split_once(' ').unwrap();
        let size: usize = size.parse().unwrap();
        assert_eq!(root_of(&leaves[..size]).to_base64(), root, "size {size}");
    }
    // The first hash of the first level-1 tile is the root over the first 256 leaves.
    let tiles = Tiles::of(&leaves);
    let upper = tiles.fetch(TileId { level: 1, index: 0, width: 256 }).unwrap();
    assert_eq!(upper[0].to_base64(), "jYmmhoEE/jq/ZHucwJ6T1dwhtRlBQsFYnjZny88wb2c=");
}

#[test]
fn entry_bundle() {
    let mut bytes = Vec::new();
    for n in 0..256 {
        bundle::append_entry(&mut bytes, format!("audit-{n}").as_bytes()).unwrap();
    }
    assert_eq!(bytes, BUNDLE);
    assert_eq!(bundle::entries(BUNDLE).count(), 256);
}

#[test]
fn proofs() {
    let tiles = Tiles::of(&audit_leaves(7));
    let inclusion = inclusion_proof(LeafIndex(3), TreeSize(7), &mut |tile| tiles.fetch(tile)).unwrap();
    assert_eq!(inclusion, lines(INCLUSION));
    let consistency = consistency_proof(TreeSize(3), TreeSize(7), &mut |tile| tiles.fetch(tile)).unwrap();
    assert_eq!(consistency, lines(CONSISTENCY));
}

#[test]
fn keys() {
    let key = SigningKey::parse(LOG_SKEY).unwrap();
    assert_eq!(key.to_secret_text() + "\n", LOG_SKEY);
    assert_eq!(key.verifier().to_vkey() + "\n", LOG_VKEY);
    assert_eq!(VerifierKey::parse(LOG_VKEY), Ok(key.verifier()));
    let witness = SigningKey::parse(WITNESS_SKEY).unwrap();
    assert_eq!(witness.verifier().to_vkey() + "\n", WITNESS_VKEY);
}

#[test]
fn signed_checkpoint() {
    let key = SigningKey::parse(LOG_SKEY).unwrap();
    assert_eq!(note::sign(&checkpoint().to_text(), &key).unwrap(), CHECKPOINT);
    assert_eq!(Checkpoint::open(CHECKPOINT, &key.verifier()), Ok(checkpoint()));
}

#[test]
fn cosigned_checkpoint() {
    let (log, witness) = (VerifierKey::parse(LOG_VKEY).unwrap(), VerifierKey::parse(WITNESS_VKEY).unwrap());
    let (opened, note) = Checkpoint::open_cosigned(COSIGNED, &log, &[witness]).unwrap();
    assert_eq!(opened, checkpoint());
    let times: Vec<_> = note.signed_by.iter().map(|by| (by.key, by.time)).collect();
    assert_eq!(times, [(0, None), (1, Some(1_795_000_000))]);

    let mut ours = Note::parse(CHECKPOINT).unwrap();
    let cosignature = cosign(&ours.text, 1_795_000_000, &SigningKey::parse(WITNESS_SKEY).unwrap()).unwrap();
    ours.signatures.push(cosignature);
    assert_eq!(ours.to_text(), COSIGNED);
}

#[test]
fn receipt() {
    let key = SigningKey::parse(LOG_SKEY).unwrap();
    let receipt = Receipt {
        origin: checkpoint().origin,
        first_index: LeafIndex(3),
        count: 4,
        entries_root: root_of(&audit_leaves(7)[3..]),
        recorded: "2026-11-23T10:15:30.123456789Z".to_owned(),
    };
    assert_eq!(note::sign(&receipt.to_text(), &key).unwrap(), RECEIPT);
    assert_eq!(Receipt::open(RECEIPT, &key.verifier()), Ok(receipt));
}

#[test]
fn proof_file() {
    let proof =
        TlogProof { extra: None, index: LeafIndex(3), hashes: lines(INCLUSION), checkpoint: CHECKPOINT.to_owned() };
    assert_eq!(proof.to_text(), PROOF);
    assert_eq!(TlogProof::parse(PROOF).as_ref(), Ok(&proof));
    let key = VerifierKey::parse(LOG_VKEY).unwrap();
    assert_eq!(proof.verify(&leaf_hash(b"audit-3"), &key), Ok(checkpoint()));
    assert!(proof.verify(&leaf_hash(b"audit-4"), &key).is_err());
}
