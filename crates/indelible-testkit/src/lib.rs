//! Seeds, simulated disk and clock, builders: for tests only.
