//! Long contents at their end: synced and given their name beside the others, so that nobody waits for their many bytes.
//!
//! Promises: a long content is durable before a slot names it. Never: holds its bytes.

use std::sync::{Arc, mpsc};

use super::contents::ContentFiles;
use super::writer::{Job, JobContent, Message, Stopped};
use crate::disk::{Disk, DiskError};

/// What the thread works with.
pub(super) struct Finisher {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) files: ContentFiles,
    pub(super) stopped: Stopped,
    pub(super) messages: mpsc::Sender<Message>,
}

impl Finisher {
    pub(super) fn run(self, jobs: &mpsc::Receiver<Box<Job>>) {
        while let Ok(job) = jobs.recv() {
            let outcome = match self.stopped.error() {
                Some(error) => Err(error),
                // A failed sync leaves the outcome unknown, whatever it says.
                None => self.finish(&job).map_err(|error| self.stopped.stop(&error)),
            };
            match outcome {
                Err(error) => job.answer(Err(error)),
                Ok(()) => {
                    if let Err(mpsc::SendError(Message::Keep(job))) = self.messages.send(Message::Keep(job)) {
                        let reason = "the vault is closed".to_owned();
                        job.answer(Err(indelible_event::vault::VaultError::Stopped { reason }));
                    }
                }
            }
        }
    }

    fn finish(&self, job: &Job) -> Result<(), DiskError> {
        let JobContent::Large { file, number } = &job.content else { return Ok(()) };
        file.sync()?;
        self.disk.rename(&self.files.unfinished(*number), &self.files.large(*number))?;
        self.disk.sync_dir(&self.files.large)
    }
}
