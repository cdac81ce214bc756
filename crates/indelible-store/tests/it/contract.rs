//! One suite for each seam, run against every implementation: the disk, and the storage of a log's public resources.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use indelible_store::disk::{Disk, RealDisk, make_folder, read_optional, replace_file};
use indelible_store::storage::{CHECKPOINT_PATH, FolderStorage, LogStorage, ObjectStorage, StorageError};
use indelible_testkit::sim_disk::SimDisk;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

fn disk_contract(disk: &dyn Disk, root: &Path) {
    folders_and_names(disk, root);
    open_files(disk, root);
    whole_files(disk, root);
    assert!(disk.free(root).unwrap() > 0);
}

fn folders_and_names(disk: &dyn Disk, root: &Path) {
    let folder = root.join("a/b");
    assert_eq!(disk.list(&folder).unwrap(), [""; 0]);
    make_folder(disk, root, &folder).unwrap();
    disk.create_dir_all(&folder).unwrap();
    for name in ["2", "10", "1"] {
        disk.write(&folder.join(name), name.as_bytes()).unwrap();
    }
    disk.sync_dir(&folder).unwrap();
    assert_eq!(disk.list(&folder).unwrap(), ["1", "10", "2"]);
    disk.rename(&folder.join("10"), &folder.join("1")).unwrap();
    assert_eq!(disk.list(&folder).unwrap(), ["1", "2"]);
    assert_eq!(disk.read(&folder.join("1")).unwrap(), b"10");

    disk.remove_folder(&folder).unwrap();
    assert_eq!(disk.list(&folder).unwrap(), ["1", "2"]);
    for name in ["1", "2", "never there"] {
        disk.remove(&folder.join(name)).unwrap();
    }
    disk.remove_folder(&folder).unwrap();
    disk.remove_folder(&folder).unwrap();
    assert_eq!(disk.list(&root.join("a")).unwrap(), [""; 0]);
    assert!(disk.sync_dir(&folder).unwrap_err().is_not_found());
    assert!(disk.rename(&folder.join("1"), &folder.join("2")).unwrap_err().is_not_found());
    disk.sync_all(root).unwrap();
}

fn open_files(disk: &dyn Disk, root: &Path) {
    let path = root.join("file");
    assert!(disk.open(&path).unwrap_err().is_not_found());
    assert!(disk.create(&root.join("no folder/file"), 1).unwrap_err().is_not_found());
    let file = disk.create(&path, 1000).unwrap();
    assert_eq!(disk.create(&path, 1).unwrap_err().source.kind(), ErrorKind::AlreadyExists);
    assert_eq!(file.len().unwrap(), 1000);
    file.write_at(990, b"0123456789abcdef").unwrap();
    file.sync().unwrap();
    assert_eq!(file.len().unwrap(), 1006);
    let mut bytes = [1; 8];
    file.read_at(986, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0\0\x000123");
    assert_eq!(file.read_at(1000, &mut bytes).unwrap_err().source.kind(), ErrorKind::UnexpectedEof);

    file.truncate(992).unwrap();
    file.extend(1024).unwrap();
    file.extend(10).unwrap();
    file.settle().unwrap();
    assert_eq!(file.len().unwrap(), 1024);
    file.read_at(990, &mut bytes).unwrap();
    assert_eq!(&bytes, b"01\0\0\0\0\0\0");

    // a reader keeps what it has open, whatever happens to the name
    let other = disk.open(&path).unwrap();
    disk.remove(&path).unwrap();
    other.read_at(990, &mut bytes).unwrap();
    assert_eq!(&bytes[..2], b"01");
    assert!(disk.open(&path).unwrap_err().is_not_found());
    disk.create(&path, 0).unwrap();
    assert_eq!(disk.open(&path).unwrap().len().unwrap(), 0);
}

fn whole_files(disk: &dyn Disk, root: &Path) {
    let path = root.join("note");
    assert_eq!(read_optional(disk, &path).unwrap(), None);
    disk.write(&path, b"long enough").unwrap();
    disk.write(&path, b"short").unwrap();
    disk.sync_file(&path).unwrap();
    assert_eq!(read_optional(disk, &path).unwrap().unwrap(), b"short");
    replace_file(disk, &path, b"newer").unwrap();
    assert_eq!(disk.read(&path).unwrap(), b"newer");
    assert!(disk.read(&root.join("none")).unwrap_err().is_not_found());
    assert!(disk.sync_file(&root.join("none")).unwrap_err().is_not_found());
}

#[test]
fn every_disk_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    disk_contract(&RealDisk, folder.path());
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/root")).unwrap();
    disk_contract(&disk, Path::new("/root"));
}

fn objects(paths: &[&str]) -> Vec<(String, Vec<u8>)> {
    paths.iter().map(|path| ((*path).to_owned(), path.as_bytes().to_vec())).collect()
}

fn storage_contract(storage: &dyn LogStorage) {
    let partials = ["tile/0/000.p/1", "tile/0/000.p/255", "tile/entries/000.p/7"];
    let others = ["tile/0/000", "tile/entries/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/0/x001/000"];
    assert_eq!(storage.get("tile/0/000").unwrap(), None);
    storage.put(&objects(&partials)).unwrap();
    storage.put(&objects(&others)).unwrap();
    storage.put(&[("tile/0/001.p/1".to_owned(), b"again".to_vec())]).unwrap();
    storage.sync().unwrap();
    assert_eq!(storage.get("tile/0/000.p/255").unwrap().unwrap(), b"tile/0/000.p/255");
    assert_eq!(storage.get("tile/0/001.p/1").unwrap().unwrap(), b"again");

    storage.remove_partials(&["tile/0/000".to_owned(), "tile/entries/000".to_owned()]).unwrap();
    storage.remove_partials(&["tile/0/000".to_owned(), "tile/0/999".to_owned()]).unwrap();
    for path in partials {
        assert_eq!(storage.get(path).unwrap(), None, "{path}");
    }
    for path in others {
        assert!(storage.get(path).unwrap().is_some(), "{path}");
    }
    storage.remove(&["tile/0/001.p/1".to_owned(), "tile/9/999".to_owned()]).unwrap();
    assert_eq!(storage.get("tile/0/001.p/1").unwrap(), None);
    // what was removed with its folder can be put again
    storage.put(&objects(&partials)).unwrap();
    storage.sync().unwrap();
    assert!(storage.get("tile/0/000.p/1").unwrap().is_some());

    let moved = |outcome: Result<(), StorageError>| assert!(matches!(outcome, Err(StorageError::CheckpointMoved)));
    moved(storage.swap_checkpoint(Some(b"never there"), b"one"));
    moved(storage.renew_checkpoint(b"one"));
    storage.swap_checkpoint(None, b"one").unwrap();
    moved(storage.swap_checkpoint(None, b"two"));
    moved(storage.swap_checkpoint(Some(b"other"), b"two"));
    assert_eq!(storage.get(CHECKPOINT_PATH).unwrap().unwrap(), b"one");
    storage.swap_checkpoint(Some(b"one"), b"two").unwrap();
    storage.swap_checkpoint(Some(b"one"), b"two").unwrap();
    moved(storage.renew_checkpoint(b"one"));
    storage.renew_checkpoint(b"two").unwrap();
    assert_eq!(storage.get(CHECKPOINT_PATH).unwrap().unwrap(), b"two");
}

#[test]
fn every_storage_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let disks: [(Arc<dyn Disk>, &Path); 2] =
        [(Arc::new(RealDisk), folder.path()), (Arc::new(SimDisk::new()), Path::new("/"))];
    for (disk, root) in disks {
        storage_contract(&FolderStorage::open(disk, root.join("log")).unwrap());
    }

    // its calls block, so they come from a thread that is not the runtime's: this one
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(local)];
    for store in stores {
        storage_contract(&ObjectStorage::new(store, "objects/main".into(), runtime.handle().clone()));
    }
}

#[test]
fn storage_is_durable_after_sync_and_swap_and_only_then() {
    use indelible_testkit::sim_disk::Survivors;
    let disk = SimDisk::new();
    let root = Path::new("/log");
    make_folder(&disk, Path::new("/"), root).unwrap();
    let storage = || FolderStorage::open(Arc::new(disk.clone()), root.to_owned()).unwrap();
    let many: Vec<String> = (0..40).map(|n| format!("tile/entries/x001/{n:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for paths in [&["tile/0/000.p/9"][..], &many] {
        let first = storage();
        first.put(&objects(paths)).unwrap();
        first.sync().unwrap();
        first.put(&objects(&["tile/2/000.p/1"])).unwrap();
        first.swap_checkpoint(first.get(CHECKPOINT_PATH).unwrap().as_deref(), paths[0].as_bytes()).unwrap();
        disk.lose_power(Survivors::Nothing, 0);
        disk.restart();
        let found = storage();
        for path in paths {
            assert_eq!(found.get(path).unwrap().as_deref(), Some(path.as_bytes()), "{path}");
        }
        assert_eq!(found.get("tile/2/000.p/1").unwrap(), None);
        assert_eq!(found.get(CHECKPOINT_PATH).unwrap().as_deref(), Some(paths[0].as_bytes()));
    }
}
