//! Checking a C2SP tlog-proof file offline: one entry, one key, no log. Never: reads anything.

use indelible_tlog::hash::leaf_hash;
use indelible_tlog::note::VerifierKey;
use indelible_tlog::proof_file::TlogProof;
use serde::Serialize;

use crate::report::Verdict;

/// What a proof file came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofReport {
    /// `Intact`: the log with this key has this entry at this place.
    pub verdict: Verdict,
    /// The log.
    pub origin: Option<String>,
    /// Where the entry stands.
    pub index: Option<u64>,
    /// Size of the checkpoint in the proof.
    pub size: Option<u64>,
    /// What it means.
    pub reason: String,
}

/// Checks that the log whose verifier key is `key` has `entry` at the place that the proof names.
#[must_use]
pub fn check_proof(proof: &str, entry: &[u8], key: &str) -> ProofReport {
    let report = |verdict, reason| ProofReport { verdict, origin: None, index: None, size: None, reason };
    let key = match VerifierKey::parse(key.trim()) {
        Ok(key) => key,
        Err(error) => return report(Verdict::CouldNotCheck, format!("the key given is not usable: {error}")),
    };
    let proof = match TlogProof::parse(proof) {
        Ok(proof) => proof,
        Err(error) => return report(Verdict::CouldNotCheck, error.to_string()),
    };
    match proof.verify(&leaf_hash(entry), &key) {
        Ok(checkpoint) => ProofReport {
            verdict: Verdict::Intact,
            origin: Some(checkpoint.origin.to_string()),
            index: Some(proof.index.0),
            size: Some(checkpoint.size.0),
            reason: format!("the entry is number {} of {} in the log", proof.index, checkpoint.size),
        },
        Err(error) => ProofReport {
            index: Some(proof.index.0),
            ..report(Verdict::Tampered, format!("the proof does not hold for this entry: {error}"))
        },
    }
}
