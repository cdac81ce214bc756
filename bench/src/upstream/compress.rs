//! Compressed answers: gzip by its library, brotli as stored blocks (RFC 7932, 9.2), which every decoder reads.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The longest stored block of four nibbles.
const BLOCK: usize = 1 << 16;

/// What a coding makes of a body.
pub(super) fn compress(coding: &str, plain: &[u8]) -> Bytes {
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory does not fail.
            let written = encoder.write_all(plain).and_then(|()| encoder.finish());
            written.unwrap_or_default().into()
        }
        _ => stored_brotli(plain).into(),
    }
}

fn stored_brotli(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + 16);
    for (at, block) in plain.chunks(BLOCK).enumerate() {
        // Not last, four nibbles, length less one, stored; before the first one bit for a window of 64 KiB.
        let header = u32::try_from(block.len() - 1).unwrap_or(0) << 3 | 1 << 19;
        let header = if at == 0 { header << 1 } else { header };
        out.extend_from_slice(header.to_le_bytes().get(..3).unwrap_or_default());
        out.extend_from_slice(block);
    }
    // Last, and empty.
    out.push(3);
    out
}
