//! Fuzz target: see `indelible_fuzz::rules::sigma_rule`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::rules::sigma_rule(data));
