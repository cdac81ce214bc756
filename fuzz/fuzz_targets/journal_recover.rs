//! Fuzz target: see `indelible_fuzz::store::journal_recover`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::store::journal_recover(data));
