//! The vault as its users meet it: kept, shown, erased, restarted.

use std::sync::Arc;

use indelible_event::doors::BoxFuture;
use indelible_event::id::EventId;
use indelible_event::vault::{Commitment, ContentAbout, Keep, SealedContent, Vault, VaultError};
use tempfile::TempDir;

use super::*;
use crate::disk::RealDisk;
use crate::system::SystemRandomness;

const MASTER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn open(folder: &TempDir, master: &str) -> Arc<SealedStore> {
    try_open(folder, master).unwrap()
}

fn try_open(folder: &TempDir, master: &str) -> Result<Arc<SealedStore>, SealedOpenError> {
    let masters = MasterKeys::parse(master, "the test").unwrap();
    // small machines run tests too
    let settings = SealedSettings { reserve_bytes: 0, ..SealedSettings::default() };
    SealedStore::open(Arc::new(RealDisk), &folder.path().join("sealed"), masters, Arc::new(SystemRandomness), settings)
}

fn seal(store: &SealedStore, event: u8, subject: &str, keep: Keep, content: &[u8]) -> Commitment {
    let about = ContentAbout { event: EventId([event; 16]), subject: subject.to_owned(), keep };
    let mut writer = store.begin(about).unwrap();
    for piece in content.chunks(100_000) {
        writer.write(piece).unwrap();
    }
    let SealedContent { commitment, bytes, durable } = writer.finish().unwrap();
    assert_eq!(bytes, content.len() as u64);
    wait(durable);
    commitment
}

fn unseal(store: &SealedStore, commitment: &Commitment) -> Result<Vec<u8>, UnsealError> {
    store.reader().check(commitment)?;
    let mut content = Vec::new();
    store.reader().read(commitment, &mut |piece| {
        content.extend_from_slice(piece);
        true
    })?;
    Ok(content)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..=252u8).cycle().take(len).collect()
}

#[test]
fn what_was_sealed_is_read_after_a_restart_and_lies_nowhere_in_clear() {
    let folder = TempDir::new().unwrap();
    let lengths = [0, 1, 700, 65_536, 65_537, 900_000, 3_000_000];
    let store = open(&folder, MASTER);
    let kept: Vec<_> = lengths.iter().map(|len| seal(&store, 1, "ana", Keep::Sealed, &pattern(*len))).collect();
    drop(store);
    let store = open(&folder, MASTER);
    let later = seal(&store, 2, "ana", Keep::Sealed, b"after the restart");
    for (commitment, len) in kept.iter().zip(lengths) {
        assert_eq!(unseal(&store, commitment).unwrap(), pattern(len));
    }
    assert_eq!(unseal(&store, &later).unwrap(), b"after the restart");
    let pack = std::fs::read(folder.path().join("sealed/packs/00000000.pack")).unwrap();
    assert!(!pack.windows(17).any(|window| window == b"after the restart"));
    assert_ne!(seal(&store, 3, "ana", Keep::Sealed, b"same"), seal(&store, 3, "ana", Keep::Sealed, b"same"));
}

#[test]
fn a_destroyed_key_takes_its_content_and_nothing_else_and_stays_destroyed() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, MASTER);
    let anas =
        [seal(&store, 1, "ana", Keep::Sealed, b"one"), seal(&store, 2, "ana", Keep::Sealed, &pattern(2_000_000))];
    let bobs = [seal(&store, 3, "bob", Keep::Sealed, b"three"), seal(&store, 4, "bob", Keep::Hash, b"four")];
    assert_eq!(
        store.erase(&Erase::Subject("ana".to_owned())).unwrap(),
        Erased { contents: 2, bytes: 2_000_003, ..Erased::default() }
    );
    let again = Erased { already: 2, ..Erased::default() };
    assert_eq!(store.erase(&Erase::Subject("ana".to_owned())).unwrap(), again);
    drop(store);
    let store = open(&folder, MASTER);
    for gone in &anas {
        assert!(matches!(unseal(&store, gone), Err(UnsealError::Erased(_))));
        assert_eq!(store.slots().state(gone).unwrap(), ContentState::Erased);
    }
    assert_eq!(unseal(&store, &bobs[0]).unwrap(), b"three");
    assert!(matches!(unseal(&store, &bobs[1]), Err(UnsealError::HashOnly(_))));
    assert_eq!(std::fs::read_dir(folder.path().join("sealed/large")).unwrap().count(), 0);
    assert_eq!(store.erase(&Erase::Event(EventId([3; 16]))).unwrap().contents, 1);
    assert_eq!(store.erase(&Erase::Content(bobs[1])).unwrap().contents, 1);
    assert_eq!(store.slots().state(&Commitment([9; 32])).unwrap(), ContentState::Missing);
}

#[test]
fn altered_bytes_another_master_key_and_cut_files_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, MASTER);
    let commitment = seal(&store, 1, "ana", Keep::Sealed, &pattern(5_000));
    drop(store);
    let other = MASTER.replace("00", "11");
    assert!(matches!(try_open(&folder, &other), Err(SealedOpenError::OtherMaster { .. })));
    let path = folder.path().join("sealed/packs/00000000.pack");
    let mut pack = std::fs::read(&path).unwrap();
    pack[600] ^= 1;
    std::fs::write(&path, &pack).unwrap();
    assert!(matches!(unseal(&open(&folder, MASTER), &commitment), Err(UnsealError::Damaged { .. })));
    std::fs::write(&path, &pack[..600]).unwrap();
    assert!(matches!(unseal(&open(&folder, MASTER), &commitment), Err(UnsealError::Damaged { .. })));
}

#[test]
fn many_contents_fill_packs_and_files_of_slots_and_all_are_found() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, MASTER);
    // Nearly a MiB each: the second pack begins after 63 or so. Slots only: the second file begins after 65,536.
    let large: Vec<_> = (0..70u8).map(|n| seal(&store, n, "a", Keep::Sealed, &vec![n; 1_000_000])).collect();
    let mut waiting = Vec::new();
    let mut hashes = Vec::new();
    for n in 0..66_000u32 {
        let about = ContentAbout { event: EventId([0; 16]), subject: "b".to_owned(), keep: Keep::Hash };
        let mut writer = store.begin(about).unwrap();
        writer.write(&n.to_be_bytes()).unwrap();
        let content = writer.finish().unwrap();
        hashes.push(content.commitment);
        waiting.push(content.durable);
    }
    for durable in waiting {
        wait(durable);
    }
    for _ in 0..2 {
        let store = open_again(&store, &folder);
        for (n, commitment) in (0u8..).zip(&large) {
            assert_eq!(unseal(&store, commitment).unwrap(), vec![n; 1_000_000]);
        }
        for commitment in hashes.iter().step_by(997) {
            assert_eq!(store.slots().state(commitment).unwrap(), ContentState::HashOnly);
        }
    }
    store.close();
    let store = open(&folder, MASTER);
    assert_eq!(store.erase(&Erase::Subject("b".to_owned())).unwrap().contents, 66_000);
    assert_eq!(store.slots().state(&hashes[0]).unwrap(), ContentState::Erased);
    assert_eq!(store.slots().state(&large[0]).unwrap(), ContentState::Sealed);
}

fn open_again(store: &SealedStore, folder: &TempDir) -> Arc<SealedStore> {
    store.close();
    open(folder, MASTER)
}

fn wait(durable: BoxFuture<'static, Result<(), VaultError>>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(durable).unwrap();
}

#[test]
fn a_new_master_key_opens_everything_after_a_start_with_both_and_the_old_one_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, MASTER);
    let kept = seal(&store, 1, "ana", Keep::Sealed, b"one");
    let erased = seal(&store, 2, "bob", Keep::Sealed, b"two");
    store.erase(&Erase::Content(erased)).unwrap();
    drop(store);
    let new = MASTER.replace("00", "11");
    let store = open(&folder, &format!("{new}\n{MASTER}"));
    assert_eq!(store.opened().rewrapped, 1);
    assert_eq!(unseal(&store, &kept).unwrap(), b"one");
    drop(store);
    assert!(matches!(try_open(&folder, MASTER), Err(SealedOpenError::OtherMaster { .. })));
    let store = open(&folder, &new);
    assert_eq!(unseal(&store, &kept).unwrap(), b"one");
    // subjects are found whatever the master key was when they came
    assert_eq!(store.erase(&Erase::Subject("ana".to_owned())).unwrap().contents, 1);
    assert!(matches!(unseal(&store, &kept), Err(UnsealError::Erased(_))));
}
