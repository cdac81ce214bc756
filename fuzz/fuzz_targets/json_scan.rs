//! Fuzz target: see `indelible_fuzz::gateway_streams::json_scan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::gateway_streams::json_scan(data));
