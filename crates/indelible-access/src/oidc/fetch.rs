//! The seam to HTTP: one request, one bounded answer.

use std::fmt;

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Where.
    pub url: &'a str,
    /// A form to post; without one it is a GET.
    pub form: Option<&'a str>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The most bytes that the answer may have.
    pub bytes_max: usize,
}

impl fmt::Debug for Ask<'_> {
    /// Form and header may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Fetched {
    /// The body may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Nothing came back, or too much.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Asks a provider.
///
/// Contract: blocks, for seconds at most; follows no redirect; gives what a status other than 200 brought as well; fails rather
/// than giving a part of an answer that is longer than [`Ask::bytes_max`]; puts nothing of the form, the header or the answer
/// into an error.
pub trait Fetch: Send + Sync {
    /// One request.
    ///
    /// # Errors
    /// [`FetchError`] when nothing whole came back.
    fn fetch(&self, ask: &Ask<'_>) -> Result<Fetched, FetchError>;
}
