//! Assemble: configuration, HTTP API, background work, the one error table.
