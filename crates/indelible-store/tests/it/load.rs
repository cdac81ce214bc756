//! A running log under load: full disks, full queues, readers beside the trimming, closing in the middle.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use indelible_event::doors::{EntryIndex, EntryReader, RecordError, Recorder};
use indelible_event::env::Randomness;
use indelible_store::disk::Disk;
use indelible_store::ids::IdSettings;
use indelible_store::journal::JournalSettings;
use indelible_store::name::LogName;
use indelible_store::{Log, LogSettings, QueueSettings, open_parts};
use indelible_testkit::env::{SeededRandomness, SimClock};
use indelible_testkit::events::{TestEvent, batch, id};
use indelible_testkit::rng::Rng;
use indelible_testkit::sim_disk::SimDisk;
use indelible_tlog::checkpoint::{Checkpoint, Origin};
use indelible_tlog::hash::leaf_hash;
use indelible_tlog::note::VerifierKey;
use indelible_tlog::proof_file::TlogProof;

fn settings() -> LogSettings {
    let mut settings = LogSettings::new(LogName::new("main").unwrap(), Origin::new("test.example/main").unwrap());
    settings.checkpoint_interval = Duration::from_millis(2);
    settings.journal = JournalSettings { segment_bytes: 16 * 1024, reserve_bytes: 32 * 1024 };
    settings.ids = IdSettings { window: 10_000, run_ids: 64 };
    settings
}

fn start(disk: &SimDisk, settings: &LogSettings) -> Arc<Log> {
    disk.restart();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let randomness: &dyn Randomness = &SeededRandomness::new(1);
    Log::start(
        settings,
        open_parts(&disk, Path::new("/data"), settings, Arc::new(SimClock::default()), randomness).unwrap(),
    )
}

async fn record(log: &Log, numbers: std::ops::Range<u64>) -> Result<u64, RecordError> {
    let events: Vec<TestEvent> = numbers.map(|number| TestEvent::sized(number, 600)).collect();
    log.record(batch(&events)).await.map(|recorded| recorded.first_index.0)
}

fn assert_reads(log: &Log, index: u64) {
    let read = log.read(EntryIndex(index), 1, 0).unwrap();
    let (_, entry) = read.iter().next().unwrap();
    let text = id(index).to_string();
    assert!(String::from_utf8_lossy(entry).contains(&text), "entry {index} is another");
}

#[tokio::test]
async fn a_full_disk_refuses_events_goes_on_reading_and_recording_resumes_by_itself() {
    let disk = SimDisk::new();
    disk.set_capacity(12 * 1024 * 1024);
    let mut settings = settings();
    settings.journal = JournalSettings { segment_bytes: 256 * 1024, reserve_bytes: 6 * 1024 * 1024 };
    let log = start(&disk, &settings);
    let mut recorded = 0;
    let refused = loop {
        match record(&log, recorded..recorded + 50).await {
            Ok(first) => assert_eq!(first, recorded),
            Err(RecordError::Busy { .. }) => continue,
            Err(error) => break error,
        }
        recorded += 50;
    };
    assert!(matches!(refused, RecordError::Full), "{refused}");
    assert!(log.state().full);
    for index in [0, recorded / 2, recorded - 1] {
        assert_reads(&log, index);
    }
    // sealing has room kept for it
    let mut watch = log.watch();
    watch.wait_for(|state| state.published_size == recorded).await.unwrap();
    assert_eq!(log.state().stopped, None);

    disk.set_capacity(64 * 1024 * 1024);
    watch.wait_for(|state| !state.full).await.unwrap();
    assert_eq!(record(&log, recorded..recorded + 5).await.unwrap(), recorded);
    assert_eq!(log.size(), recorded + 5);
}

#[tokio::test]
async fn what_waits_in_the_queue_is_bounded_and_the_rest_is_told_to_come_back() {
    let disk = SimDisk::new();
    let mut settings = settings();
    settings.queue = QueueSettings { bytes: 32 * 1024, wait: Duration::from_millis(20) };
    let log = start(&disk, &settings);
    disk.pause();
    // four of these fill the queue; the disk lets none of them go
    let resume = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        disk.resume();
    };
    let requests = (0..40u64).map(|n| record(&log, n * 12..n * 12 + 12));
    let (outcomes, ()) = tokio::join!(join_all(requests), resume);
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(RecordError::Busy { .. }))).count();
    assert!((1..=5).contains(&taken), "{taken} were taken");
    assert_eq!(taken + busy, 40);
    assert_eq!(log.size(), taken as u64 * 12);
    // one larger than the queue waits alone, and is taken
    assert!(record(&log, 1000..1100).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_miss_an_entry_or_a_tile_while_the_journal_is_trimmed() {
    let log = start(&SimDisk::new(), &settings());
    let key = VerifierKey::parse(&log.vkey()).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers = (0..2).map(|seed| {
        let (log, done, key) = (Arc::clone(&log), Arc::clone(&done), key.clone());
        std::thread::spawn(move || {
            let mut rng = Rng::new(seed);
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) || reads < 100 {
                let size = log.size();
                if size == 0 {
                    continue;
                }
                let index = rng.below(size);
                assert_reads(&log, index);
                let checkpoint = Checkpoint::open(log.checkpoint().unwrap().as_bytes(), &key).unwrap();
                let published = checkpoint.size.0;
                if published > 0 {
                    let last = published - 1;
                    let (bundle, width) = (last / 256, last % 256 + 1);
                    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
                    assert!(log.resource(&format!("tile/0/{bundle:03}{partial}")).unwrap().is_some());
                    assert!(log.resource(&format!("tile/entries/{bundle:03}{partial}")).unwrap().is_some());
                    let proof = TlogProof::parse(&log.proof(EntryIndex(last)).unwrap().unwrap()).unwrap();
                    let entries = log.read(EntryIndex(last), 1, 0).unwrap();
                    proof.verify(&leaf_hash(entries.iter().next().unwrap().1), &key).unwrap();
                }
                reads += 1;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for n in 0..300 {
        let first = loop {
            match record(&log, n * 7..n * 7 + 7).await {
                // runs are small here, and so is the number of ids that may wait for one
                Err(RecordError::Busy { .. }) => tokio::task::yield_now().await,
                other => break other.unwrap(),
            }
        };
        assert_eq!(first, n * 7);
    }
    log.watch().wait_for(|state| state.published_size == 2100).await.unwrap();
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(log.state().stopped, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_in_the_middle_of_load_loses_nothing_that_was_acknowledged() {
    let disk = SimDisk::new();
    let mut settings = settings();
    settings.ids.run_ids = 500;
    let log = start(&disk, &settings);
    let requests: Vec<_> = (0..400u64)
        .map(|n| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { (n, record(&log, n * 3..n * 3 + 3).await) })
        })
        .collect();
    log.watch().wait_for(|state| state.durable_size > 30).await.unwrap();
    let closing = Arc::clone(&log);
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    let mut acknowledged = 0;
    for request in requests {
        match request.await.unwrap() {
            (_, Ok(_)) => acknowledged += 3,
            (_, Err(RecordError::Stopped { .. })) => {}
            (n, Err(error)) => panic!("request {n}: {error}"),
        }
    }
    assert_eq!(log.size(), acknowledged);
    assert_eq!(log.state().published_size, acknowledged);
    assert!(matches!(record(&log, 5000..5001).await, Err(RecordError::Stopped { .. })));
    log.close();
    drop(log);
    assert_eq!(start(&disk, &settings).size(), acknowledged);
}

#[tokio::test]
async fn an_unknown_outcome_stops_the_log_and_says_why_until_the_next_start() {
    let disk = SimDisk::new();
    let log = start(&disk, &settings());
    record(&log, 0..3).await.unwrap();
    disk.fail_syncs(Some(".journal"));
    let Err(RecordError::Stopped { reason, .. }) = record(&log, 3..6).await else {
        panic!("a failed sync was acknowledged")
    };
    assert!(reason.contains("unknown until the next start"), "{reason}");
    assert_eq!(log.state().stopped.as_ref(), Some(&reason));
    assert!(matches!(record(&log, 6..7).await, Err(RecordError::Stopped { .. })));
    assert_reads(&log, 2);
    log.close();
    drop(log);
    disk.fail_syncs(None);
    let log = start(&disk, &settings());
    record(&log, 0..6).await.unwrap();
    assert_eq!(log.size(), 6);
    assert_reads(&log, 5);
}

#[tokio::test]
async fn a_storm_of_one_request_is_answered_with_one_index() {
    let log = start(&SimDisk::new(), &settings());
    let storm = (0..2000).map(|_| record(&log, 0..3));
    for outcome in join_all(storm).await {
        assert_eq!(outcome.unwrap(), 0);
    }
    assert_eq!(log.size(), 3);
}
