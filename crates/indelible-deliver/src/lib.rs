//! Ship: exports in formats that others read.
