//! Check a log from its published bytes alone.
