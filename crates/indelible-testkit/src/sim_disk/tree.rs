//! Files and folders of the simulated disk, each with what is seen now, what is durable, and the changes in between.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use indelible_store::disk::SECTOR;

use super::fault::Survivors;
use crate::rng::Rng;

pub(super) type NodeId = usize;
const ROOT: NodeId = 0;

#[derive(Clone, Debug)]
enum Node {
    File(FileNode),
    Folder(FolderNode),
}

/// A file: `seen` is `durable` with `pending` done to it, unless a failed sync forgot some.
#[derive(Clone, Debug, Default)]
struct FileNode {
    seen: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    pending: Vec<FileChange>,
    forgot: bool,
}

#[derive(Clone, Debug)]
enum FileChange {
    Len(usize),
    Write { offset: usize, bytes: Arc<[u8]> },
}

#[derive(Clone, Debug, Default)]
struct FolderNode {
    seen: BTreeMap<Arc<str>, NodeId>,
    durable: BTreeMap<Arc<str>, NodeId>,
    pending: Vec<EntryChange>,
}

#[derive(Clone, Debug)]
enum EntryChange {
    Set(Arc<str>, NodeId),
    Unset(Arc<str>),
    Rename(Arc<str>, Arc<str>, NodeId),
}

/// The whole disk. Cloning it is cheap: what was not changed is shared.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Arc<Node>>,
}

fn error(kind: io::ErrorKind) -> io::Error {
    io::Error::from(kind)
}

impl FileChange {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Len(len) => content.resize(*len, 0),
            Self::Write { offset, bytes } => put(content, *offset, bytes),
        }
    }

    /// Does that part of the change that a power failure let through.
    fn apply_survivor(&self, content: &mut Vec<u8>, survivors: Survivors, chance: u64, rng: &mut Rng) {
        match (self, survivors) {
            (_, Survivors::Nothing) => {}
            (Self::Write { offset, bytes }, Survivors::Sectors) if rng.eighths(2) => {
                put(content, *offset, &bytes[..rng.index(bytes.len() + 1)]);
            }
            (Self::Write { offset, bytes }, Survivors::Sectors) => {
                let mut at = 0;
                while at < bytes.len() {
                    let end = ((*offset + at) / SECTOR + 1) * SECTOR - *offset;
                    let end = end.min(bytes.len());
                    if rng.eighths(chance) {
                        put(content, *offset + at, &bytes[at..end]);
                    }
                    at = end;
                }
            }
            _ if rng.eighths(chance) => self.apply(content),
            _ => {}
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl FileNode {
    fn change(&mut self, change: FileChange) {
        change.apply(Arc::make_mut(&mut self.seen));
        self.pending.push(change);
    }

    fn sync(&mut self) {
        if self.forgot {
            let durable = Arc::make_mut(&mut self.durable);
            self.pending.iter().for_each(|change| change.apply(durable));
        } else {
            self.durable = Arc::clone(&self.seen);
        }
        self.pending.clear();
    }

    fn fail_sync(&mut self, rng: &mut Rng) {
        let durable = Arc::make_mut(&mut self.durable);
        for change in self.pending.drain(..) {
            change.apply_survivor(durable, Survivors::Sectors, 4, rng);
        }
        self.forgot = true;
    }

    fn lose_power(&mut self, survivors: Survivors, chance: u64, rng: &mut Rng) {
        if !self.pending.is_empty() {
            let durable = Arc::make_mut(&mut self.durable);
            for change in self.pending.drain(..) {
                change.apply_survivor(durable, survivors, chance, rng);
            }
        }
        self.seen = Arc::clone(&self.durable);
        self.forgot = false;
    }
}

impl EntryChange {
    fn apply(&self, entries: &mut BTreeMap<Arc<str>, NodeId>) {
        match self {
            Self::Set(name, node) => {
                entries.insert(Arc::clone(name), *node);
            }
            Self::Unset(name) => {
                entries.remove(name);
            }
            Self::Rename(from, to, node) => {
                entries.remove(from);
                entries.insert(Arc::clone(to), *node);
            }
        }
    }
}

impl FolderNode {
    fn change(&mut self, change: EntryChange) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.seen);
        self.pending.clear();
    }

    /// Some entries are durable after all; the rest waits for the next sync.
    fn fail_sync(&mut self, rng: &mut Rng) {
        let (done, rest) = self.pending.drain(..).partition(|_| rng.eighths(4));
        let done: Vec<EntryChange> = done;
        done.iter().for_each(|change| change.apply(&mut self.durable));
        self.pending = rest;
    }

    fn lose_power(&mut self, survivors: Survivors, chance: u64, rng: &mut Rng) {
        for change in self.pending.drain(..) {
            if survivors != Survivors::Nothing && rng.eighths(chance) {
                change.apply(&mut self.durable);
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Arc::new(Node::Folder(FolderNode::default()))] }
    }

    /// The node of a path; the empty path and `/` are the root.
    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut at = ROOT;
        for component in path.components() {
            if let Component::Normal(name) = component {
                let name = name.to_str().ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
                at = *self.folder(at)?.seen.get(name).ok_or_else(|| error(io::ErrorKind::NotFound))?;
            }
        }
        Ok(at)
    }

    fn place(&self, path: &Path) -> io::Result<(NodeId, Arc<str>)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        Ok((self.find(path.parent().unwrap_or(Path::new("")))?, Arc::from(name)))
    }

    fn folder(&self, node: NodeId) -> io::Result<&FolderNode> {
        match self.nodes[node].as_ref() {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(error(io::ErrorKind::NotADirectory)),
        }
    }

    fn file(&self, node: NodeId) -> io::Result<&FileNode> {
        match self.nodes[node].as_ref() {
            Node::File(file) => Ok(file),
            Node::Folder(_) => Err(error(io::ErrorKind::IsADirectory)),
        }
    }

    fn folder_mut(&mut self, node: NodeId) -> io::Result<&mut FolderNode> {
        match Arc::make_mut(&mut self.nodes[node]) {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(error(io::ErrorKind::NotADirectory)),
        }
    }

    fn file_mut(&mut self, node: NodeId) -> io::Result<&mut FileNode> {
        match Arc::make_mut(&mut self.nodes[node]) {
            Node::File(file) => Ok(file),
            Node::Folder(_) => Err(error(io::ErrorKind::IsADirectory)),
        }
    }

    fn add(&mut self, folder: NodeId, name: Arc<str>, node: Node) -> io::Result<NodeId> {
        let id = self.nodes.len();
        self.folder_mut(folder)?.change(EntryChange::Set(name, id));
        self.nodes.push(Arc::new(node));
        Ok(id)
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let name = name.to_str().ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
            at = match self.folder(at)?.seen.get(name).copied() {
                Some(found) => found,
                None => self.add(at, Arc::from(name), Node::Folder(FolderNode::default()))?,
            };
        }
        self.folder(at).map(|_| ())
    }

    pub(super) fn create(&mut self, path: &Path, len: usize) -> io::Result<NodeId> {
        let (folder, name) = self.place(path)?;
        if self.folder(folder)?.seen.contains_key(&name) {
            return Err(error(io::ErrorKind::AlreadyExists));
        }
        let id = self.add(folder, name, Node::File(FileNode::default()))?;
        self.file_mut(id)?.change(FileChange::Len(len));
        Ok(id)
    }

    /// Empties the file, or makes it, and writes `bytes`.
    pub(super) fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let id = match self.folder(folder)?.seen.get(&name).copied() {
            Some(id) => id,
            None => self.add(folder, name, Node::File(FileNode::default()))?,
        };
        self.set_len(id, 0)?;
        self.write_at(id, 0, bytes)
    }

    pub(super) fn write_at(&mut self, node: NodeId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.file_mut(node)?.change(FileChange::Write { offset, bytes: Arc::from(bytes) });
        Ok(())
    }

    pub(super) fn set_len(&mut self, node: NodeId, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.file_mut(node)?.change(FileChange::Len(len));
        Ok(())
    }

    pub(super) fn content(&self, node: NodeId) -> io::Result<&Arc<Vec<u8>>> {
        Ok(&self.file(node)?.seen)
    }

    pub(super) fn sync(&mut self, node: NodeId) {
        match Arc::make_mut(&mut self.nodes[node]) {
            Node::File(file) => file.sync(),
            Node::Folder(folder) => folder.sync(),
        }
    }

    pub(super) fn fail_sync(&mut self, node: NodeId, rng: &mut Rng) {
        match Arc::make_mut(&mut self.nodes[node]) {
            Node::File(file) => file.fail_sync(rng),
            Node::Folder(folder) => folder.fail_sync(rng),
        }
    }

    /// Everything below a folder, itself included.
    pub(super) fn below(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = vec![node];
        let mut at = 0;
        while let Some(next) = found.get(at).copied() {
            if let Node::Folder(folder) = self.nodes[next].as_ref() {
                found.extend(folder.seen.values());
            }
            at += 1;
        }
        found
    }

    /// What is read from now on is what is durable.
    pub(super) fn settle(&mut self, node: NodeId) -> io::Result<()> {
        let file = self.file_mut(node)?;
        file.sync();
        file.seen = Arc::clone(&file.durable);
        file.forgot = false;
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (folder, old) = self.place(from)?;
        let (target, new) = self.place(to)?;
        let node = *self.folder(folder)?.seen.get(&old).ok_or_else(|| error(io::ErrorKind::NotFound))?;
        if folder == target {
            self.folder_mut(folder)?.change(EntryChange::Rename(old, new, node));
        } else {
            self.folder_mut(target)?.change(EntryChange::Set(new, node));
            self.folder_mut(folder)?.change(EntryChange::Unset(old));
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        self.folder_mut(folder)?.change(EntryChange::Unset(name));
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        if self.folder(self.find(path)?)?.seen.is_empty() { self.remove(path) } else { Ok(()) }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        match self.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            found => Ok(self.folder(found?)?.seen.keys().map(ToString::to_string).collect()),
        }
    }

    /// Bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        let files = self.below(ROOT).into_iter().filter_map(|node| self.file(node).ok());
        files.map(|file| file.seen.len() as u64).sum()
    }

    /// Keeps what is durable and what of the rest the seed lets through.
    pub(super) fn lose_power(&mut self, survivors: Survivors, seed: u64) {
        let mut rng = Rng::of(seed, 2);
        // few, half or most of it: each finds other faults
        let chance = [1, 4, 7][rng.index(3)];
        for node in &mut self.nodes {
            let settled = match node.as_ref() {
                Node::File(file) => file.pending.is_empty() && !file.forgot,
                Node::Folder(folder) => folder.pending.is_empty(),
            };
            if settled {
                continue;
            }
            match Arc::make_mut(node) {
                Node::File(file) => file.lose_power(survivors, chance, &mut rng),
                Node::Folder(folder) => folder.lose_power(survivors, chance, &mut rng),
            }
        }
    }
}
