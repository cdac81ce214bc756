//! Fuzz target: see `indelible_fuzz::heavy::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::heavy::config(data));
