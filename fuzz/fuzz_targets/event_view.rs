//! Fuzz target: see `indelible_fuzz::event::view`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::event::view(data));
