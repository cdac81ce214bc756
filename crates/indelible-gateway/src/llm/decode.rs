//! Content codings undone beside the stream, piece by piece: gzip, deflate, brotli, zstd.
//!
//! Promises: what comes out is bounded by what came in, so that a small body cannot unfold without end; damaged input ends the
//! reading, never the stream. Never: changes the bytes that are passed on.

use std::fmt;
use std::io::Write;

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// How much may come out for each byte that went in, and how much more at any time: text packs 20 times, generated tables 100.
const EXPANSION_MAX: u64 = 200;
const EXPANSION_FREE: u64 = 4 * 1024 * 1024;
/// Largest zstd window, as a power of two: 8 MiB, what the format's standard asks every reader to have.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Buffer of the brotli reader.
const BROTLI_BUFFER: usize = 4 * 1024;

/// Why a body cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It is damaged, or not in the coding that it says.
    #[error("the content coding is damaged")]
    Damaged,
    /// It unfolds to too much.
    #[error("the content unfolds to more than can be read")]
    TooMuch,
    /// Its coding is not known.
    #[error("the content coding is not known")]
    Unknown,
}

/// What comes out between two pieces that went in.
#[derive(Debug, Default)]
struct Out {
    bytes: Vec<u8>,
    /// How much may still come out.
    left: u64,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(std::io::ErrorKind::FileTooLarge)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Coding {
    Identity,
    Gzip(Box<flate2::write::MultiGzDecoder<Out>>),
    Zlib(Box<flate2::write::ZlibDecoder<Out>>),
    Deflate(Box<flate2::write::DeflateDecoder<Out>>),
    /// `deflate` is zlib by the standard and raw by some; the first byte tells.
    EitherDeflate,
    Brotli(Box<brotli_decompressor::DecompressorWriter<Out>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Out>>),
    Failed(Undecodable),
}

/// Undoes one content coding.
pub struct Decoder {
    coding: Coding,
    allowed: u64,
}

/// How much goes in at a time: what comes out of one piece stays small.
const PIECE_BYTES: usize = 4 * 1024;

impl Decoder {
    /// A decoder for what `content-encoding` says.
    #[must_use]
    pub fn new(headers: &HeaderMap) -> Self {
        let mut codings = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(|value| value.to_str().unwrap_or("?"))
            .flat_map(|value| value.split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != "identity");
        let coding = match (codings.next().as_deref(), codings.next()) {
            (None, _) => Coding::Identity,
            (Some("gzip" | "x-gzip"), None) => {
                Coding::Gzip(Box::new(flate2::write::MultiGzDecoder::new(Out::default())))
            }
            (Some("deflate"), None) => Coding::EitherDeflate,
            (Some("br"), None) => {
                Coding::Brotli(Box::new(brotli_decompressor::DecompressorWriter::new(Out::default(), BROTLI_BUFFER)))
            }
            (Some("zstd"), None) => zstd_decoder(),
            _ => Coding::Failed(Undecodable::Unknown),
        };
        Self { coding, allowed: EXPANSION_FREE }
    }

    /// Whether the bytes stand as they are.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        matches!(self.coding, Coding::Identity)
    }

    /// Takes the next bytes and hands on what they unfold to, in pieces.
    ///
    /// # Errors
    /// [`Undecodable`], from then on.
    pub fn feed(&mut self, bytes: &[u8], mut read: impl FnMut(&[u8])) -> Result<(), Undecodable> {
        if self.is_identity() {
            read(bytes);
            return Ok(());
        }
        for piece in bytes.chunks(PIECE_BYTES) {
            self.allowed = self.allowed.saturating_add(EXPANSION_MAX.saturating_mul(piece.len() as u64));
            if let Err(error) = self.piece(piece, &mut read) {
                self.coding = Coding::Failed(error);
                return Err(error);
            }
        }
        Ok(())
    }

    fn piece(&mut self, piece: &[u8], read: &mut impl FnMut(&[u8])) -> Result<(), Undecodable> {
        if matches!(self.coding, Coding::EitherDeflate) {
            // A zlib stream begins with a byte whose low half is 8; a raw one practically never does.
            let zlib = piece.first().is_some_and(|byte| byte & 0x0f == 8);
            self.coding = if zlib {
                Coding::Zlib(Box::new(flate2::write::ZlibDecoder::new(Out::default())))
            } else {
                Coding::Deflate(Box::new(flate2::write::DeflateDecoder::new(Out::default())))
            };
        }
        let allowed = self.allowed;
        let out = match &mut self.coding {
            Coding::Gzip(decoder) => write(&mut **decoder, piece, allowed, |decoder| decoder.get_mut())?,
            Coding::Zlib(decoder) => write(&mut **decoder, piece, allowed, |decoder| decoder.get_mut())?,
            Coding::Deflate(decoder) => write(&mut **decoder, piece, allowed, |decoder| decoder.get_mut())?,
            Coding::Brotli(decoder) => write(&mut **decoder, piece, allowed, |decoder| decoder.get_mut())?,
            Coding::Zstd(decoder) => write(&mut **decoder, piece, allowed, |decoder| decoder.get_mut())?,
            Coding::Failed(error) => return Err(*error),
            Coding::Identity | Coding::EitherDeflate => return Ok(()),
        };
        self.allowed = out.left;
        read(&out.bytes);
        out.bytes.clear();
        out.bytes.shrink_to(PIECE_BYTES);
        Ok(())
    }
}

fn zstd_decoder() -> Coding {
    let decoder = zstd::stream::write::Decoder::new(Out::default()).and_then(|mut decoder| {
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        Ok(decoder)
    });
    decoder.map_or(Coding::Failed(Undecodable::Unknown), |decoder| Coding::Zstd(Box::new(decoder)))
}

/// Puts a piece in and gives what came out so far.
fn write<'d, W: Write>(
    decoder: &'d mut W,
    piece: &[u8],
    allowed: u64,
    out: impl for<'o> Fn(&'o mut W) -> &'o mut Out,
) -> Result<&'d mut Out, Undecodable> {
    out(decoder).left = allowed;
    let written = decoder.write_all(piece).and_then(|()| decoder.flush());
    match written {
        Ok(()) => Ok(out(decoder)),
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => Err(Undecodable::TooMuch),
        Err(_) => Err(Undecodable::Damaged),
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn decoder(coding: &'static str) -> Decoder {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        Decoder::new(&headers)
    }

    fn encode(coding: &str, plain: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::default();
        match coding {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            "zlib" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            "raw" => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            _ => zstd::stream::encode_all(plain, 3).unwrap(),
        }
    }

    fn read(decoder: &mut Decoder, bytes: &[u8], cut: usize) -> Result<Vec<u8>, Undecodable> {
        let mut plain = Vec::new();
        for piece in bytes.chunks(cut) {
            decoder.feed(piece, |out| plain.extend_from_slice(out))?;
        }
        Ok(plain)
    }

    #[test]
    fn codings_are_undone_piece_by_piece() {
        let plain = b"data: {\"x\":1}\n\n".repeat(5_000);
        for (coding, form) in [("gzip", "gzip"), ("deflate", "zlib"), ("deflate", "raw"), ("zstd", "zstd")] {
            let packed = encode(form, &plain);
            for cut in [1, 7, 100_000] {
                assert_eq!(read(&mut decoder(coding), &packed, cut).as_deref(), Ok(&plain[..]), "{form} by {cut}");
            }
        }
        assert_eq!(read(&mut decoder("identity"), &plain, 9).as_deref(), Ok(&plain[..]));
        // As the `brotli` library wrote it.
        assert_eq!(read(&mut decoder("br"), BROTLI, 1).as_deref(), Ok(&b"hello hello hello hello\n"[..]));
    }

    const BROTLI: &[u8] =
        b"\x1b\x17\x00\xf8\x8d\x94\x6e\xde\x44\x55\x86\xd6\x0a\x20\x6c\x6f\x4a\x11\x79\xe2\x80\xae\x16";

    #[test]
    fn what_unfolds_without_end_is_left_alone() {
        let bomb = encode("gzip", &vec![0; 64 * 1024 * 1024]);
        assert_eq!(read(&mut decoder("gzip"), &bomb, 4096), Err(Undecodable::TooMuch));
        assert_eq!(read(&mut decoder("gzip"), b"no gzip at all, really", 4096), Err(Undecodable::Damaged));
        assert_eq!(read(&mut decoder("gzip, br"), b"x", 1), Err(Undecodable::Unknown));
    }
}
