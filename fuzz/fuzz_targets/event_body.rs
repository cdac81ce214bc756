//! Fuzz target: see `indelible_fuzz::event::body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::event::body(data));
