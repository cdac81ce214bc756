//! Two files synced at the same time, so that together they take little longer than one.
//!
//! Promises: both are durable when [`Together::sync`] says so. Never: keeps one file's error to itself.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use crate::disk::{DiskError, DiskFile};

/// A thread that syncs one file while the caller syncs the other.
pub(super) struct Together {
    files: Option<mpsc::SyncSender<Arc<dyn DiskFile>>>,
    outcomes: mpsc::Receiver<Result<(), DiskError>>,
    thread: Option<JoinHandle<()>>,
}

impl Together {
    pub(super) fn start() -> io::Result<Self> {
        let (files, to_sync) = mpsc::sync_channel::<Arc<dyn DiskFile>>(1);
        let (answer, outcomes) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("vault-sync".to_owned()).spawn(move || {
            while let Ok(file) = to_sync.recv() {
                if answer.send(file.sync()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { files: Some(files), outcomes, thread: Some(thread) })
    }

    /// Syncs `file` there and whatever `here` does, here.
    pub(super) fn sync(
        &self,
        file: &Arc<dyn DiskFile>,
        here: impl FnOnce() -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let asked = self.files.as_ref().is_some_and(|files| files.send(Arc::clone(file)).is_ok());
        let here = here();
        // A thread that is gone has synced nothing that we know of: then it is done here.
        let there = if asked { self.outcomes.recv().unwrap_or_else(|_| file.sync()) } else { file.sync() };
        here.and(there)
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that syncs packs had ended early");
        }
    }
}
