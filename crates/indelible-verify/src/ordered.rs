//! Work on several threads whose results are taken in order. Promises: bounded memory (a few groups of results a thread); one
//! thread means no thread at all. Never: loses a result silently.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Jobs that a worker does before it hands over results: few hand-overs, little memory.
const GROUP: u64 = 16;
/// Groups of results that may wait for each worker.
const GROUPS_WAITING: usize = 2;
/// Most threads that are of use: beyond it the one that takes results is the limit.
const THREADS_MAX: usize = 64;

/// A worker died of a fault of ours.
#[derive(Debug)]
pub(crate) struct WorkerLost;

/// Does jobs `0..count` with `work` on `threads` threads (0: as many as the machine has) and gives the results to `take` in
/// order, until it breaks off.
pub(crate) fn in_order<S: Default, T: Send>(
    threads: usize,
    count: u64,
    work: &(dyn Fn(&mut S, u64) -> T + Sync),
    take: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> Result<(), WorkerLost> {
    let threads = match threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let threads = threads.min(THREADS_MAX).min(usize::try_from(count.div_ceil(GROUP)).unwrap_or(THREADS_MAX));
    if threads <= 1 {
        let mut state = S::default();
        for job in 0..count {
            if take(work(&mut state, job)).is_break() {
                break;
            }
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let mut results: Vec<Receiver<Vec<T>>> = Vec::new();
        let mut workers = Vec::new();
        for worker in 0..threads as u64 {
            let (send, receive) = sync_channel(GROUPS_WAITING);
            results.push(receive);
            let step = threads as u64 * GROUP;
            workers.push(scope.spawn(move || {
                let mut state = S::default();
                let mut begin = worker * GROUP;
                while begin < count {
                    let group = (begin..count.min(begin + GROUP)).map(|job| work(&mut state, job)).collect();
                    // Nobody takes results any more: broken off.
                    if send.send(group).is_err() {
                        return;
                    }
                    begin += step;
                }
            }));
        }
        let taken = take_in_turn(&results, count, take);
        drop(results);
        // Each is joined, so that a fault in one is an answer here and not a panic of the whole.
        let lost = workers.into_iter().map(thread::ScopedJoinHandle::join).filter(Result::is_err).count() > 0;
        if lost { Err(WorkerLost) } else { taken }
    })
}

fn take_in_turn<T>(
    results: &[Receiver<Vec<T>>],
    count: u64,
    take: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> Result<(), WorkerLost> {
    let groups = count.div_ceil(GROUP);
    let mut turn = results.iter().cycle();
    for _ in 0..groups {
        let group = turn.next().and_then(|results| results.recv().ok()).ok_or(WorkerLost)?;
        for result in group {
            if take(result).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
