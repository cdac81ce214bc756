//! Fuzz target: see `indelible_fuzz::event::time`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::event::time(data));
