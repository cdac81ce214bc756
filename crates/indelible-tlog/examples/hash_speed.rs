//! How long a leaf hash takes one by one and two at a time: `cargo run --release -p indelible-tlog --example hash_speed`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use indelible_tlog::hash::{Hash, leaf_hash, leaf_hashes};

/// How often a bundle's worth of entries is hashed.
const REPEATS: u32 = 1_000;

fn main() {
    let entries: Vec<Vec<u8>> = (0..256usize).map(|n| vec![b'x'; 640 + n % 180]).collect();
    let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    assert_eq!(one_by_one(&slices), leaf_hashes(&slices));
    for _ in 0..3 {
        let (single, paired) = (time(|| one_by_one(&slices)), time(|| leaf_hashes(&slices)));
        let each = |time: Duration| time.as_nanos() / u128::from(REPEATS) / slices.len() as u128;
        println!(
            "one by one {} ns, two at a time {} ns an entry of {} bytes",
            each(single),
            each(paired),
            bytes / entries.len()
        );
    }
}

fn one_by_one(slices: &[&[u8]]) -> Vec<Hash> {
    slices.iter().map(|entry| leaf_hash(entry)).collect()
}

fn time(work: impl Fn() -> Vec<Hash>) -> Duration {
    let began = Instant::now();
    for _ in 0..REPEATS {
        black_box(work());
    }
    began.elapsed()
}
