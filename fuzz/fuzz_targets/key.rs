//! Fuzz target: see `indelible_fuzz::tlog::key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::tlog::key(data));
