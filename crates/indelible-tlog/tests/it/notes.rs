//! Notes, keys, checkpoints, receipts and proof files from hostile hands.

use indelible_tlog::checkpoint::{Checkpoint, CheckpointError, Origin};
use indelible_tlog::cosignature::cosign;
use indelible_tlog::hash::{EMPTY_ROOT, Hash, leaf_hash};
use indelible_tlog::note::{
    self, KeyError, KeyKind, KeyName, NOTE_BYTES_MAX, Note, NoteError, NoteSignature, NoteSigner as _, SIGNATURES_MAX,
    SigningKey, VerifierKey,
};
use indelible_tlog::proof::PROOF_HASHES_MAX;
use indelible_tlog::proof_file::{EXTRA_BYTES_MAX, ProofFileError, TlogProof};
use indelible_tlog::receipt::{Receipt, ReceiptError};
use indelible_tlog::tree::{LeafIndex, TreeSize};
use proptest::prelude::*;

fn key(name: &str, kind: KeyKind, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32])
}

fn log() -> SigningKey {
    key("log.example/a", KeyKind::Ed25519, 1)
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: Origin::new("log.example/a").unwrap(), size: TreeSize(size), root: leaf_hash(b"root") }
}

fn signed(size: u64) -> Note {
    Note::parse(note::sign(&checkpoint(size).to_text(), &log()).unwrap()).unwrap()
}

// The four lessons of Sunlight's 2026 security fixes, as far as they concern a format library.

#[test]
fn a_key_is_known_by_name_and_id_and_bytes_never_by_a_part_of_them() {
    // An attacker can find a key with the same 32-bit id; the bytes still decide. Here: id and name of the log, other key.
    let thief = key("log.example/a", KeyKind::Ed25519, 9);
    let forged = NoteSignature {
        name: log().name().clone(),
        id: log().key_id(),
        signature: thief.sign(checkpoint(5).to_text().as_bytes()).unwrap(),
    };
    let note = Note { text: checkpoint(5).to_text(), signatures: vec![forged] };
    let error = NoteError::BadSignature { name: log().name().clone(), id: log().key_id() };
    assert_eq!(Checkpoint::open(note.to_text(), &log().verifier()), Err(error.into()));
    // The thief's own id under the log's name is simply unknown.
    let note = note::sign(&checkpoint(5).to_text(), &thief).unwrap();
    assert_eq!(Checkpoint::open(note, &log().verifier()), Err(NoteError::NotSigned { known: 1 }.into()));
}

#[test]
fn unverified_signature_lines_are_never_carried_on() {
    let mut note = signed(5);
    let witness = key("witness.example", KeyKind::Cosignature, 2);
    let unknown = NoteSignature { signature: vec![0; 72], ..cosign(&note.text, 7, &witness).unwrap() };
    note.signatures.insert(0, unknown);
    let opened = note::open(note.to_text(), &[log().verifier()]).unwrap();
    assert_eq!(opened.to_text(), signed(5).to_text());
    // Known to the reader, the same line refuses the whole note.
    let error = note::open(note.to_text(), &[log().verifier(), witness.verifier()]);
    assert_eq!(error, Err(NoteError::BadSignature { name: witness.name().clone(), id: witness.key_id() }));
}

#[test]
fn checkpoints_with_extension_lines_are_refused() {
    let text = format!("{}extension\n", checkpoint(5).to_text());
    let note = note::sign(&text, &log()).unwrap();
    assert_eq!(Checkpoint::open(note, &log().verifier()), Err(CheckpointError::Extension));
}

#[test]
fn a_cosigner_named_like_the_log_does_not_sign_for_the_log() {
    let witness = key("log.example/a", KeyKind::Cosignature, 1);
    let cosignature = cosign(&checkpoint(5).to_text(), 7, &witness).unwrap();
    let note = Note { text: checkpoint(5).to_text(), signatures: vec![cosignature] }.to_text();
    let not_signed = Err(CheckpointError::Note(NoteError::NotSigned { known: 1 }));
    assert_eq!(Checkpoint::open_cosigned(&note, &log().verifier(), &[witness.verifier()]).map(|_| ()), not_signed);
    assert!(matches!(Checkpoint::open(&note, &witness.verifier()), Err(CheckpointError::OtherLog { .. })));
}

#[test]
fn caps_hold_at_the_limit_and_refuse_one_more() {
    let mut note = signed(5);
    let other = NoteSignature { name: KeyName::new("unknown").unwrap(), ..note.signatures[0].clone() };
    note.signatures.resize(SIGNATURES_MAX, other.clone());
    assert_eq!(Checkpoint::open(note.to_text(), &log().verifier()), Ok(checkpoint(5)));
    note.signatures.push(other);
    assert_eq!(Note::parse(note.to_text()), Err(NoteError::TooManySignatures));

    let signature = signed(5).to_text().split_once("\n\n").unwrap().1.to_owned();
    let room = NOTE_BYTES_MAX - signature.len() - 2;
    assert!(Note::parse(format!("{}\n\n{signature}", "a".repeat(room))).is_ok());
    let long = Note::parse(format!("{}\n\n{signature}", "a".repeat(room + 1)));
    assert_eq!(long, Err(NoteError::TooLong { bytes: NOTE_BYTES_MAX + 1 }));
}

#[test]
fn notes_of_bad_form_are_refused() {
    let good = signed(5).to_text();
    let line = good.lines().last().unwrap().to_owned();
    let bad = [
        String::new(),
        "\n".to_owned(),
        "\n\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{line}\n"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}junk\n"),
        good.replace("\n\n", "\r\n\r\n"),
        good.replace("\u{2014} ", "- "),
        good.replace("\u{2014} ", "\u{2014}  "),
        good.replace("log.example/a ", "log.example+a "),
        format!("{}=\n", good.trim_end()),
        "text\n\n\u{2014} name AAAAAA==\n".to_owned(),
        "text\n\n\u{2014} name \n".to_owned(),
        "te\u{7}xt\n\n".to_owned() + &line + "\n",
    ];
    for note in bad {
        assert!(Note::parse(&note).is_err(), "{note:?}");
    }
    assert_eq!(Note::parse(b"a\xff\n\nb"), Err(NoteError::Character { offset: 1 }));
    // Blank lines inside the text are its own; the last one separates.
    let text = "a\n\nb\n";
    let note = note::sign(text, &log()).unwrap();
    assert_eq!(note::open(&note, &[log().verifier()]).unwrap().text, text);
    assert_eq!(note::sign("no newline", &log()), Err(NoteError::Form));
    assert_eq!(note::sign("tab\t\n", &log()), Err(NoteError::Character { offset: 3 }));
}

#[test]
fn a_key_counts_once_and_two_of_the_same_are_refused() {
    let mut note = signed(5);
    note.signatures.push(note.signatures[0].clone());
    let opened = note::open(note.to_text(), &[log().verifier()]).unwrap();
    assert_eq!(opened.signed_by.len(), 1);
    let twice = note::open(note.to_text(), &[log().verifier(), log().verifier()]);
    assert!(matches!(twice, Err(NoteError::AmbiguousKey { .. })));
}

#[test]
fn cosignatures_bind_the_time() {
    let witness = key("witness.example", KeyKind::Cosignature, 2);
    let mut note = signed(5);
    let mut cosignature = cosign(&note.text, 1_700_000_000, &witness).unwrap();
    cosignature.signature[7] ^= 1;
    note.signatures.push(cosignature);
    assert!(note::open(note.to_text(), &[log().verifier(), witness.verifier()]).is_err());
}

#[test]
fn keys_of_bad_form_are_refused() {
    let good = log().verifier().to_vkey();
    assert!(VerifierKey::parse(&good).is_ok());
    assert!(VerifierKey::parse(&format!("{good}\n")).is_ok());
    for bad in [
        String::new(),
        "+".to_owned(),
        good.replace("log.example/a", ""),
        good.replace("log.example/a", "log example"),
        format!("{good}\n\n"),
        format!(" {good}"),
        good.to_uppercase(),
    ] {
        assert!(VerifierKey::parse(&bad).is_err(), "{bad:?}");
    }
    let moved = VerifierKey::parse(&good.replace("log.example/a", "log.example/b"));
    assert!(matches!(moved, Err(KeyError::Id { .. })));
    // The identity point: everyone can sign for it.
    let mut weak = [0; 32];
    weak[0] = 1;
    let name = KeyName::new("log.example/a").unwrap();
    assert_eq!(VerifierKey::new(name, KeyKind::Ed25519, &weak), Err(KeyError::Bytes));
    // The key of the signed-note specification's own text, and the refusal of a type that we do not know.
    let spec = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert_eq!(VerifierKey::parse(spec).map(|key| key.to_vkey()).as_deref(), Ok(spec));
    assert_eq!(
        VerifierKey::parse("a+00000000+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
        Err(KeyError::Kind { kind: 6 })
    );
    assert!(KeyName::new("n".repeat(255)).is_ok());
    assert!(KeyName::new("n".repeat(256)).is_err());
    assert!(KeyName::new("a\u{2003}b").is_err());
}

#[test]
fn a_signing_key_is_never_shown() {
    let shown = format!("{:?}", log());
    assert!(shown.ends_with("***)"), "{shown}");
    let secret = log().to_secret_text();
    let error = SigningKey::parse(&secret.replace("log.example/a", "log.example/b")).unwrap_err();
    assert!(!error.to_string().contains("AQEB"), "{error}");
}

#[test]
fn checkpoints_have_one_spelling() {
    let good = checkpoint(5).to_text();
    assert_eq!(Checkpoint::parse(&good), Ok(checkpoint(5)));
    for bad in [
        String::new(),
        good.trim_end().to_owned(),
        good.replace("\n5\n", "\n05\n"),
        good.replace("\n5\n", "\n+5\n"),
        good.replace("\n5\n", "\n 5\n"),
        good.replace("\n5\n", "\n\n"),
        good.replace("\n5\n", "\n9223372036854775808\n"),
        good.replace("\n5\n", "\n0\n"),
        good.replace("log.example/a", ""),
        good.replace("log.example/a", "indelible.receipt/1"),
        good.replace("=\n", "\n"),
        format!("{good}\n"),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
    let largest = good.replace("\n5\n", "\n9223372036854775807\n");
    assert_eq!(Checkpoint::parse(&largest).unwrap().to_text(), largest);
    let empty = Checkpoint { size: TreeSize(0), root: EMPTY_ROOT, ..checkpoint(5) };
    assert_eq!(Checkpoint::parse(&empty.to_text()), Ok(empty));
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let other = Checkpoint { origin: Origin::new("log.example/b").unwrap(), ..checkpoint(5) };
    let note = note::sign(&other.to_text(), &log()).unwrap();
    assert!(matches!(Checkpoint::open(note, &log().verifier()), Err(CheckpointError::OtherLog { .. })));
}

#[test]
fn receipts_have_one_spelling_and_are_no_checkpoints() {
    let receipt = Receipt {
        origin: Origin::new("log.example/a").unwrap(),
        first_index: LeafIndex(7),
        count: 3,
        entries_root: leaf_hash(b"x"),
        recorded: "2026-11-23T10:15:30.123456789Z".to_owned(),
    };
    let good = receipt.to_text();
    assert_eq!(Receipt::parse(&good), Ok(receipt));
    for bad in [
        good.replace("first 7", "first 07"),
        good.replace("first 7", "first  7"),
        good.replace("first 7", "first 9223372036854775805"),
        good.replace("count 3", "count 0"),
        good.replace("count 3", "count"),
        good.replace("receipt/1", "receipt/2"),
        good.replace("recorded 2026-11-23T10:15:30.123456789Z", "recorded "),
        good.replace("15:30", "15 30"),
        good.replace("origin ", "origin"),
        format!("{good}more\n"),
    ] {
        assert!(Receipt::parse(&bad).is_err(), "{bad:?}");
    }
    assert!(Checkpoint::parse(&good).is_err());
    assert!(Receipt::parse(&checkpoint(5).to_text()).is_err());
    let signed_by_other = note::sign(&good, &key("log.example/b", KeyKind::Ed25519, 1)).unwrap();
    let key = key("log.example/b", KeyKind::Ed25519, 1).verifier();
    assert!(matches!(Receipt::open(signed_by_other, &key), Err(ReceiptError::OtherLog { .. })));
}

#[test]
fn proof_files_have_caps_and_one_spelling() {
    let proof = TlogProof {
        extra: Some(vec![0xfb; EXTRA_BYTES_MAX]),
        index: LeafIndex(0),
        hashes: vec![Hash::default(); PROOF_HASHES_MAX],
        checkpoint: signed(5).to_text(),
    };
    let good = proof.to_text();
    assert_eq!(TlogProof::parse(&good).as_ref(), Ok(&proof));
    let long = TlogProof { hashes: vec![Hash::default(); PROOF_HASHES_MAX + 1], ..proof.clone() };
    assert!(matches!(TlogProof::parse(&long.to_text()), Err(ProofFileError::Line { line: 68, .. })));
    let fat = TlogProof { extra: Some(vec![0; EXTRA_BYTES_MAX + 1]), ..proof.clone() };
    assert!(matches!(TlogProof::parse(&fat.to_text()), Err(ProofFileError::Line { line: 2, .. })));
    let bare = TlogProof { extra: None, hashes: Vec::new(), ..proof };
    let text = bare.to_text();
    assert_eq!(TlogProof::parse(&text), Ok(bare));
    for bad in [
        String::new(),
        text.replace("@v1", "@v2"),
        text.replace("index 0", "index 00"),
        text.replace("index 0", "index -1"),
        text.replace("index 0", "extra AA\nindex 0"),
        text.replace("index 0\n\n", "index 0\n"),
        text.replace("index 0\n", "index 0\nAAAA\n"),
    ] {
        assert!(TlogProof::parse(&bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn hostile_text_never_panics_and_what_parses_is_written_the_same(
        text in "(c2sp.org/tlog-proof@v1\n|indelible.receipt/1\norigin a\n|)(index 1\n|first 1\n|[ -~\u{2014}\u{85}]{0,8}\n){0,3}(\n|[A-Za-z0-9+/]{43}=\n){0,3}(\u{2014} a [A-Za-z0-9+/]{8}\n){0,3}",
    ) {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_text(), text.as_str());
        }
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text.as_str());
        }
        if let Ok(receipt) = Receipt::parse(&text) {
            prop_assert_eq!(receipt.to_text(), text.as_str());
        }
        if let Ok(proof) = TlogProof::parse(&text) {
            prop_assert_eq!(proof.to_text(), text.as_str());
        }
        if let Ok(key) = VerifierKey::parse(&text) {
            prop_assert_eq!(key.to_vkey(), text.trim_end());
        }
    }

    #[test]
    fn every_altered_byte_of_a_signed_checkpoint_is_caught(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut note = signed(5).to_text().into_bytes();
        let at = at.index(note.len());
        note[at] ^= flip;
        prop_assert!(Checkpoint::open(&note, &log().verifier()).is_err());
    }
}
