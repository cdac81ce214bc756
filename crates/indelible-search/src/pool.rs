//! The threads that queries run on: their own, so that a query never takes a thread that serves recording.
//!
//! Promise: no more queries work at once than there are processors; the others wait their turn. Never: blocks a caller's runtime.

use std::sync::{Arc, OnceLock};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::error::FindError;
use crate::scan::Patience;

/// Stack of a query thread: a deep SQL statement is planned by recursion. Memory is taken only as far as it is used.
const STACK_BYTES: usize = 32 << 20;

/// How many threads one query uses.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

struct Pool {
    runtime: Runtime,
    turns: Arc<Semaphore>,
}

fn pool() -> Result<&'static Pool, FindError> {
    static POOL: OnceLock<Option<Pool>> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads())
            .max_blocking_threads(threads() * 2 + 2)
            .thread_name("find")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build();
        runtime.ok().map(|runtime| Pool { runtime, turns: Arc::new(Semaphore::new(threads().max(2))) })
    };
    POOL.get_or_init(start)
        .as_ref()
        .ok_or_else(|| FindError::Bug { reason: "no threads for queries could be started".to_owned() })
}

/// Tells a scan that nobody waits, when the caller has gone.
struct AbandonOnDrop(Patience);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn gone() -> FindError {
    FindError::Bug { reason: "a query thread panicked".to_owned() }
}

/// Runs blocking work on a query thread. When the caller stops waiting, `patience` is abandoned.
pub(crate) async fn blocking<T: Send + 'static>(
    patience: &Patience,
    work: impl FnOnce() -> Result<T, FindError> + Send + 'static,
) -> Result<T, FindError> {
    let pool = pool()?;
    let turn = pool.turns.clone().acquire_owned().await.map_err(|_| gone())?;
    let _guard = AbandonOnDrop(patience.clone());
    let work = move || {
        let _turn = turn;
        work()
    };
    pool.runtime.spawn_blocking(work).await.map_err(|_| gone())?
}

/// Runs a future on the query threads. When the caller stops waiting, it is dropped and `patience` abandoned.
pub(crate) async fn run<T: Send + 'static>(
    patience: &Patience,
    work: impl Future<Output = Result<T, FindError>> + Send + 'static,
) -> Result<T, FindError> {
    let pool = pool()?;
    let turn = pool.turns.clone().acquire_owned().await.map_err(|_| gone())?;
    let _guard = AbandonOnDrop(patience.clone());
    let task = pool.runtime.spawn(async move {
        let _turn = turn;
        work.await
    });
    let mut task = AbortOnDrop(task);
    (&mut task.0).await.map_err(|_| gone())?
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
