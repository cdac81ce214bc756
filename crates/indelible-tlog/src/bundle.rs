//! Entry bundles (C2SP tlog-tiles): entries with a 16-bit big-endian length before each.
//! Promises: reading never panics and never reads past the bytes given. Never: looks into an entry.

/// Longest entry: what the length prefix can say.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;
/// Bytes of the length prefix.
pub const LENGTH_BYTES: usize = 2;
/// Longest bundle: 256 entries of the longest kind.
pub const BUNDLE_BYTES_MAX: usize = 256 * (LENGTH_BYTES + ENTRY_BYTES_MAX);

/// An entry that is too long for a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry is {bytes} bytes long; the longest an entry may be is {ENTRY_BYTES_MAX}")]
pub struct EntryTooLong {
    /// How long it is.
    pub bytes: usize,
}

/// A bundle that ends in the middle of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bundle ends inside entry {entry}, which begins at byte {offset}")]
pub struct BundleError {
    /// Which entry of the bundle, from 0.
    pub entry: usize,
    /// Where its length prefix begins.
    pub offset: usize,
}

/// Appends one entry to a bundle.
///
/// # Errors
/// [`EntryTooLong`]; the bundle is then as it was.
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong { bytes: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle in order. After an error there are no more.
#[must_use]
pub fn entries(bundle: &[u8]) -> Entries<'_> {
    Entries { bundle, offset: 0, entry: 0 }
}

/// Iterator over the entries of a bundle, made by [`entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bundle: &'a [u8],
    offset: usize,
    entry: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bundle.get(self.offset..)?;
        if rest.is_empty() {
            return None;
        }
        let found = rest.split_first_chunk::<LENGTH_BYTES>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_be_bytes(*length));
            rest.get(..length)
        });
        let Some(entry) = found else {
            let error = BundleError { entry: self.entry, offset: self.offset };
            self.offset = self.bundle.len();
            return Some(Err(error));
        };
        self.offset += LENGTH_BYTES + entry.len();
        self.entry += 1;
        Some(Ok(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_entry_fits_and_one_byte_more_does_not() {
        let mut bundle = Vec::new();
        append_entry(&mut bundle, &vec![7; ENTRY_BYTES_MAX]).unwrap();
        let before = bundle.clone();
        assert_eq!(append_entry(&mut bundle, &vec![7; ENTRY_BYTES_MAX + 1]), Err(EntryTooLong { bytes: 65_536 }));
        assert_eq!(bundle, before);
        assert_eq!(entries(&bundle).next().unwrap().unwrap().len(), ENTRY_BYTES_MAX);
    }

    #[test]
    fn a_cut_bundle_names_the_entry_and_ends() {
        let mut bundle = Vec::new();
        append_entry(&mut bundle, b"one").unwrap();
        append_entry(&mut bundle, b"").unwrap();
        append_entry(&mut bundle, b"three").unwrap();
        for cut in 8..bundle.len() {
            let read: Vec<_> = entries(&bundle[..cut]).collect();
            assert_eq!(read[..2], [Ok(&b"one"[..]), Ok(&b""[..])]);
            assert_eq!(read[2..], [Err(BundleError { entry: 2, offset: 7 })]);
        }
        assert_eq!(entries(&bundle[..7]).count(), 2);
    }
}
