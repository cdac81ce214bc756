//! Fuzz target: see `indelible_fuzz::store::sealed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::store::sealed(data));
