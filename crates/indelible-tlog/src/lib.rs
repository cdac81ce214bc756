//! Proof without I/O: RFC 6962 tree, C2SP tiles, checkpoints, proofs and notes.
