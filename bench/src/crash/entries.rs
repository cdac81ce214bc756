//! Entries read from the published files of a log (C2SP tlog-tiles, entry bundles), by a reader of this test's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Entries in a whole bundle.
const BUNDLE: u64 = 256;

/// Reads entries `from` up to, not including, `size`, in order.
///
/// # Errors
/// When a bundle is not there or not whole, or `each` fails.
pub fn read(log: &Path, from: u64, size: u64, mut each: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut index = from;
    while index < size {
        let bundle = index / BUNDLE;
        let end = size.min((bundle + 1) * BUNDLE);
        let bytes = read_bundle(log, bundle, end - bundle * BUNDLE)?;
        let mut rest = bytes.as_slice();
        for at in bundle * BUNDLE..end {
            let entry = take_entry(&mut rest)
                .ok_or_else(|| io::Error::other(format!("bundle {bundle} ends before entry {at}")))?;
            if at >= index {
                each(at, entry)?;
            }
        }
        index = end;
    }
    Ok(())
}

/// A bundle with at least `width` entries: whole, or the widest part that is there.
fn read_bundle(log: &Path, bundle: u64, width: u64) -> io::Result<Vec<u8>> {
    let whole = log.join(path(bundle));
    // A part may be replaced by a wider one, or by the whole, while it is looked for.
    for _ in 0..20 {
        if let Ok(bytes) = fs::read(&whole) {
            return Ok(bytes);
        }
        let parts = whole.with_extension("p");
        let widths = fs::read_dir(&parts).into_iter().flatten().flatten();
        let widest = widths.filter_map(|part| part.file_name().to_str()?.parse::<u64>().ok()).max();
        if let Some(widest) = widest.filter(|widest| *widest >= width)
            && let Ok(bytes) = fs::read(parts.join(widest.to_string()))
        {
            return Ok(bytes);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(io::Error::other(format!("{} has no {width} entries", whole.display())))
}

/// Where a bundle stands: `tile/entries/x001/x234/067`.
fn path(bundle: u64) -> PathBuf {
    let mut path = format!("{:03}", bundle % 1000);
    let mut rest = bundle / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    Path::new("tile/entries").join(path)
}

/// Two bytes of length, then the entry.
fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_stand_where_the_specification_says() {
        assert_eq!(path(67), Path::new("tile/entries/067"));
        assert_eq!(path(1_234_067), Path::new("tile/entries/x001/x234/067"));
    }

    #[test]
    fn entries_are_cut_by_their_lengths() {
        let mut rest = b"\0\x02ab\0\0\0\x05abc".as_slice();
        assert_eq!(take_entry(&mut rest), Some(b"ab".as_slice()));
        assert_eq!(take_entry(&mut rest), Some(b"".as_slice()));
        assert_eq!(take_entry(&mut rest), None);
    }
}
