//! Two hashes at once on processors with SHA instructions: one hash is a chain of rounds that each wait for the last, so a
//! second, independent chain fits in between for nearly nothing.
//!
//! Promises: the very hashes of [`super::leaf_hash`] and [`super::node_hash`], which the tests hold it to. Never: reads past a slice; runs where the
//! processor lacks an instruction.
#![allow(unsafe_code, reason = "SHA instructions are reached through intrinsics; each use says why it is sound")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi64x, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
};

use super::Hash;

/// Bytes that one compression takes.
const BLOCK_BYTES: usize = 64;

/// The round constants (FIPS 180-4, section 4.2.2), four rounds a step.
#[rustfmt::skip]
const STEPS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// The initial hash value (FIPS 180-4, section 5.3.3), in the order that the instructions keep it: a b e f, then c d g h, each
/// from the highest lane down.
const INITIAL: [[u32; 4]; 2] =
    [[0x9b05_688c, 0x510e_527f, 0xbb67_ae85, 0x6a09_e667], [0x5be0_cd19, 0x1f83_d9ab, 0xa54f_f53a, 0x3c6e_f372]];

/// SHA-256(`prefix` ‖ message) of each message, in their order; `None` when this processor lacks the instructions.
pub(super) fn hashes<M: AsRef<[u8]>>(prefix: u8, messages: &[M]) -> Option<Vec<Hash>> {
    let supported =
        is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1");
    // SAFETY: the processor was just seen to have every instruction set that `in_lanes` is compiled for.
    supported.then(|| unsafe { in_lanes(prefix, messages) })
}

/// One message on its way: the padded form of prefix ‖ message, block by block.
struct Lane<'a> {
    prefix: u8,
    message: &'a [u8],
    /// Where its hash goes.
    place: usize,
    next_block: usize,
    blocks: usize,
    abef: __m128i,
    cdgh: __m128i,
}

impl<'a> Lane<'a> {
    fn new(prefix: u8, place: usize, message: &'a [u8]) -> Self {
        // The prefix, the closing bit's byte and eight bytes of length come on top.
        let blocks = (message.len() + 10).div_ceil(BLOCK_BYTES);
        let (abef, cdgh) = (load_words(&INITIAL[0]), load_words(&INITIAL[1]));
        Self { prefix, message, place, next_block: 0, blocks, abef, cdgh }
    }

    /// The next block of the padded message: the message's own bytes, or put together in `room` at its ends.
    #[inline]
    fn take_block<'b>(&mut self, room: &'b mut [u8; BLOCK_BYTES]) -> &'b [u8; BLOCK_BYTES]
    where
        'a: 'b,
    {
        let start = self.next_block * BLOCK_BYTES;
        self.next_block += 1;
        // All but the ends: 64 bytes of the message, one to the left because of the prefix.
        if let Some(inner) = start.checked_sub(1).and_then(|from| self.message.get(from..)?.first_chunk()) {
            return inner;
        }
        self.end_block(start, room);
        room
    }

    fn end_block(&self, start: usize, block: &mut [u8; BLOCK_BYTES]) {
        block.fill(0);
        let (into, from) = if start == 0 { (1, 0) } else { (0, start - 1) };
        block[0] = if start == 0 { self.prefix } else { 0 };
        let rest = self.message.get(from..).unwrap_or_default();
        let copied = rest.len().min(BLOCK_BYTES - into);
        block[into..into + copied].copy_from_slice(&rest[..copied]);
        let length = self.message.len() + 1;
        if let Some(closing) = length.checked_sub(start).and_then(|at| block.get_mut(at)) {
            *closing = 0x80;
        }
        if self.next_block == self.blocks {
            block[BLOCK_BYTES - 8..].copy_from_slice(&(length as u64 * 8).to_be_bytes());
        }
    }

    fn hash(&self) -> Hash {
        let (mut abef, mut cdgh) = ([0u32; 4], [0u32; 4]);
        // SAFETY: each array has the 16 bytes that are written, and the store asks for no alignment.
        unsafe {
            _mm_storeu_si128(abef.as_mut_ptr().cast(), self.abef);
            _mm_storeu_si128(cdgh.as_mut_ptr().cast(), self.cdgh);
        }
        let words = [abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0]];
        let mut hash = Hash::default();
        for (bytes, word) in hash.0.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }
}

/// Both lanes take the next message as soon as they are done with one, so that neither idles until the last.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn in_lanes<M: AsRef<[u8]>>(prefix: u8, messages: &[M]) -> Vec<Hash> {
    let mut hashes = vec![Hash::default(); messages.len()];
    let mut waiting = messages.iter().enumerate().map(|(place, message)| Lane::new(prefix, place, message.as_ref()));
    let (mut first, mut second) = (waiting.next(), waiting.next());
    let (mut left, mut right) = ([0; BLOCK_BYTES], [0; BLOCK_BYTES]);
    while let Some(one) = &mut first {
        let block = one.take_block(&mut left);
        if let Some(other) = &mut second {
            let beside = other.take_block(&mut right);
            compress(one, block, other, beside);
            if other.next_block == other.blocks {
                hashes[other.place] = other.hash();
                second = waiting.next();
            }
        } else {
            // The last message runs beside a copy of itself.
            let mut nobody = Lane { message: &[], ..*one };
            compress(one, block, &mut nobody, block);
        }
        if one.next_block == one.blocks {
            hashes[one.place] = one.hash();
            first = waiting.next().or_else(|| second.take());
        }
    }
    hashes
}

/// One block of each message (FIPS 180-4, section 6.2.2), four rounds of the one and four of the other in turn.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[allow(unused_assignments, reason = "the words of the last step are scheduled by none")]
fn compress(one: &mut Lane<'_>, left: &[u8; BLOCK_BYTES], other: &mut Lane<'_>, right: &[u8; BLOCK_BYTES]) {
    let (mut words, mut others) = (load_block(left), load_block(right));
    let (mut abef, mut cdgh) = (one.abef, one.cdgh);
    let (mut abef2, mut cdgh2) = (other.abef, other.cdgh);
    // Written out step by step: in a loop the words would travel through memory, and that takes longer than the rounds.
    macro_rules! step {
        ($step:literal, $now:literal) => {
            let constants = load_words(&STEPS[$step]);
            (abef, cdgh) = rounds(abef, cdgh, words[$now], constants);
            (abef2, cdgh2) = rounds(abef2, cdgh2, others[$now], constants);
            // The last four steps use words that are there already.
            if $step < 12 {
                words[$now] =
                    schedule(words[$now], words[($now + 1) % 4], words[($now + 2) % 4], words[($now + 3) % 4]);
                others[$now] =
                    schedule(others[$now], others[($now + 1) % 4], others[($now + 2) % 4], others[($now + 3) % 4]);
            }
        };
    }
    macro_rules! four_steps {
        ($($first:literal $second:literal $third:literal $fourth:literal)*) => {
            $(step!($first, 0); step!($second, 1); step!($third, 2); step!($fourth, 3);)*
        };
    }
    four_steps!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    one.abef = _mm_add_epi32(one.abef, abef);
    one.cdgh = _mm_add_epi32(one.cdgh, cdgh);
    other.abef = _mm_add_epi32(other.abef, abef2);
    other.cdgh = _mm_add_epi32(other.cdgh, cdgh2);
}

/// Four rounds.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn rounds(abef: __m128i, cdgh: __m128i, words: __m128i, constants: __m128i) -> (__m128i, __m128i) {
    let added = _mm_add_epi32(words, constants);
    let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
    let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0e));
    (abef, cdgh)
}

/// The four words of the message schedule after these sixteen.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn schedule(first: __m128i, second: __m128i, third: __m128i, fourth: __m128i) -> __m128i {
    let begun = _mm_sha256msg1_epu32(first, second);
    let added = _mm_add_epi32(begun, _mm_alignr_epi8(fourth, third, 4));
    _mm_sha256msg2_epu32(added, fourth)
}

/// A block as sixteen words, which are big-endian in a message.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load_block(block: &[u8; BLOCK_BYTES]) -> [__m128i; 4] {
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (quarters, _) = block.as_chunks::<16>();
    std::array::from_fn(|n| {
        // SAFETY: a quarter has the 16 bytes that are read, and the load asks for no alignment.
        let bytes = unsafe { _mm_loadu_si128(quarters[n].as_ptr().cast()) };
        _mm_shuffle_epi8(bytes, swap)
    })
}

#[inline]
fn load_words(words: &[u32; 4]) -> __m128i {
    // SAFETY: four words have the 16 bytes that are read, the load asks for no alignment, and SSE2 is part of every x86-64.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}
