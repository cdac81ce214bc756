//! Fuzz target: see `indelible_fuzz::gateway::mcp_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| indelible_fuzz::gateway::mcp_json(data));
