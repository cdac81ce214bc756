//! Latencies counted in buckets less than 0.8 % wide, from a microsecond to hours, in 30 KiB. Never: an average.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// Buckets for each doubling: a bucket is at most 1/128 of its value wide.
const STEPS: u64 = 128;
/// Doublings above the first: up to 2^41 microseconds.
const DOUBLINGS: u64 = 34;

/// Counted latencies.
#[derive(Clone, Debug)]
pub struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let buckets = usize::try_from(STEPS * (DOUBLINGS + 1)).unwrap_or(0);
        Self { buckets: vec![0; buckets], count: 0, max_us: 0 }
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let at = bucket(us).min(self.buckets.len() - 1);
        self.buckets[at] += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Counts what another counted.
    pub fn merge(&mut self, other: &Self) {
        for (into, from) in self.buckets.iter_mut().zip(&other.buckets) {
            *into += from;
        }
        self.count += other.count;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The least latency in microseconds that `per_mille` of 1000 requests kept, rounded up to its bucket's end.
    #[must_use]
    pub fn quantile_us(&self, per_mille: u64) -> u64 {
        let rank = (self.count * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return bucket_end(at as u64).min(self.max_us);
            }
        }
        self.max_us
    }

    /// The usual quantiles in milliseconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (name, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999)] {
            map.insert(name.to_owned(), milliseconds(self.quantile_us(per_mille)));
        }
        map.insert("max".to_owned(), milliseconds(self.max_us));
        Value::Object(map)
    }
}

fn milliseconds(us: u64) -> Value {
    json!(Duration::from_micros(us).as_secs_f64() * 1000.0)
}

/// Below 2 x STEPS a bucket a microsecond, above it STEPS buckets for each doubling.
fn bucket(us: u64) -> usize {
    let doubling = u64::from((us / STEPS).max(1).ilog2());
    let at = doubling * STEPS + (us >> doubling);
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn bucket_end(at: u64) -> u64 {
    let doubling = (at / STEPS).saturating_sub(1);
    ((at - doubling * STEPS + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_falls_into_a_bucket_that_ends_less_than_a_hundredth_above_it() {
        for us in (0..100_000).chain([1_000_000, 59_999_999, 3_600_000_000]) {
            let end = bucket_end(bucket(us) as u64);
            assert!(end >= us && end - us <= us / 100, "{us} us counted as {end}");
            assert!(us == 0 || bucket(us) - bucket(us - 1) <= 1, "a gap before {us}");
        }
    }

    #[test]
    fn quantiles_are_by_rank() {
        let mut latencies = Latencies::default();
        for us in 1..=1000 {
            latencies.add(Duration::from_micros(us));
        }
        assert_eq!(latencies.quantile_us(500), 501, "the bucket of 500 ends at 501");
        assert_eq!(latencies.quantile_us(1000), 1000);
        let mut other = Latencies::default();
        other.add(Duration::from_secs(1));
        latencies.merge(&other);
        assert_eq!((latencies.count(), latencies.quantile_us(1000)), (1001, 1_000_000));
    }
}
