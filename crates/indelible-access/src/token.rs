//! A token's text, shown once, and its hash, which is all that is kept. Never: prints or stores the text.

use std::fmt;
use std::hash::{Hash, Hasher};

use indelible_event::env::{Randomness, RandomnessError};
use sha2::{Digest, Sha256};

use crate::role::Role;

/// Random bytes in a token: 256 bits cannot be guessed, so the hash needs no salt and no slow function.
pub const TOKEN_RANDOM_BYTES: usize = 32;
/// Shortest text accepted for a token that an operator chose (`INDELIBLE_ADMIN_TOKEN`).
pub const TOKEN_TEXT_BYTES_MIN: usize = 8;
/// Below this an operator's token is accepted with a warning: 128 bits in hexadecimal.
pub const TOKEN_TEXT_BYTES_STRONG: usize = 32;
/// Longest text looked at: a longer one is refused before it is hashed.
pub const TOKEN_TEXT_BYTES_MAX: usize = 256;

/// A token as its owner presents it. `Debug` shows no secret; [`TokenText::reveal`] does, and is called once, where the
/// token is handed over.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

/// An operator's token text cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenTextError {
    /// Too short or too long.
    #[error("a token is {TOKEN_TEXT_BYTES_MIN} to {TOKEN_TEXT_BYTES_MAX} characters long; this one has {bytes}")]
    Length {
        /// How long it is.
        bytes: usize,
    },
    /// A character that cannot stand in an `Authorization` header as a bearer token.
    #[error("a token holds visible ASCII characters only; character {position} is none")]
    Character {
        /// The first such character, counted from 1.
        position: usize,
    },
}

impl TokenText {
    /// A new random token: `ind_`, the role's letter, `_`, 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn random(role: Role, randomness: &dyn Randomness) -> Result<Self, RandomnessError> {
        let mut bytes = [0u8; TOKEN_RANDOM_BYTES];
        randomness.fill(&mut bytes)?;
        Ok(Self(format!("ind_{}_{}", role.letter(), hex(&bytes))))
    }

    /// Accepts a text that an operator chose.
    ///
    /// # Errors
    /// [`TokenTextError`] when it is too short, too long, or cannot stand in a header.
    pub fn chosen(text: &str) -> Result<Self, TokenTextError> {
        if !(TOKEN_TEXT_BYTES_MIN..=TOKEN_TEXT_BYTES_MAX).contains(&text.len()) {
            return Err(TokenTextError::Length { bytes: text.len() });
        }
        if let Some(place) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(TokenTextError::Character { position: place + 1 });
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, to be handed to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.as_bytes())
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(***)")
    }
}

/// SHA-256 of a token's text. Equality takes the same time wherever two hashes differ.
#[derive(Clone, Copy)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    /// Hashes what a request presented.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0u8, |differing, (a, b)| differing | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

impl Eq for TokenHash {}

impl Hash for TokenHash {
    /// Eight bytes choose the bucket; who presents a token cannot steer the bytes of its hash.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0u8; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_le_bytes(first));
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
            bytes.fill(0x7f);
            Ok(())
        }
    }

    #[test]
    fn a_random_token_shows_its_role_and_hides_in_debug() {
        let token = TokenText::random(Role::Ingest, &Sevens).unwrap();
        assert_eq!(token.reveal(), format!("ind_i_{}", "7f".repeat(32)));
        assert_eq!(format!("{token:?} {:?}", token.hash()), "TokenText(***) TokenHash(…)");
    }

    #[test]
    fn hashes_are_sha_256_and_equal_only_to_themselves() {
        let abc = TokenHash::of(b"abc");
        assert_eq!(hex(&abc.0), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(abc, TokenHash::of(b"abc"));
        for byte in 0..32 {
            let mut other = abc;
            other.0[byte] ^= 1;
            assert_ne!(abc, other, "byte {byte}");
        }
    }

    #[test]
    fn chosen_tokens_are_checked_at_their_limits() {
        assert_eq!(TokenText::chosen("1234567"), Err(TokenTextError::Length { bytes: 7 }));
        assert!(TokenText::chosen("12345678").is_ok());
        assert!(TokenText::chosen(&"x".repeat(256)).is_ok());
        assert_eq!(TokenText::chosen(&"x".repeat(257)), Err(TokenTextError::Length { bytes: 257 }));
        assert_eq!(TokenText::chosen("with space"), Err(TokenTextError::Character { position: 5 }));
    }
}
