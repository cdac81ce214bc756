//! Searching: pages of matching entries, newest or oldest first.
//!
//! Promises: a page is followed by the next without an entry twice or left out, whatever is recorded, flushed or merged between
//! them; the pages of one search show the log as it was at the first of them. Never: more than [`PAGE_MAX`] hits at once.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::FindError;
use crate::index::{Index, Snapshot};
use crate::pool;
use crate::query::{Query, Span, parse, parse_time};
use crate::scan::{Hits, Order, Patience, ScanCounts};

/// Most hits on one page.
pub const PAGE_MAX: usize = 1_000;
/// How long a search may take unless asked otherwise.
pub const SEARCH_TIME: Duration = Duration::from_secs(30);

/// Reads a query and the times it is narrowed to, as they come in a request. `to` includes all of the day, minute, … it names.
///
/// # Errors
/// [`FindError::Query`] points into the query, [`FindError::Bound`] names the time that cannot be read.
pub fn filter(q: &str, from: Option<&str>, to: Option<&str>) -> Result<Query, FindError> {
    let bound = |which: &'static str, text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => parse_time(text).map(Some).map_err(|_| FindError::Bound { which, value: text.to_owned() }),
    };
    let least = bound("from", from)?.and_then(|span| span.least);
    let most = bound("to", to)?.and_then(|span| span.most);
    Ok(parse(q)?.within(Span { least, most }))
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What matches; see [`filter`].
    pub query: Query,
    /// Which way.
    pub order: Order,
    /// Most hits on the page, 1 to [`PAGE_MAX`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// How long it may take.
    pub time: Duration,
}

impl SearchRequest {
    /// The newest entries that match, on a page of 100.
    #[must_use]
    pub fn new(query: Query) -> Self {
        Self { query, order: Order::NewestFirst, limit: 100, cursor: None, time: SEARCH_TIME }
    }
}

/// An entry that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its place in the log, by which its bytes are read.
    pub index: u64,
}

/// A page of hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPage {
    /// The hits, in order.
    pub hits: Vec<Hit>,
    /// Where the next page begins; `None` when this is the last.
    pub next_cursor: Option<String>,
    /// How many entries the search looked at: all below this index.
    pub size: u64,
    /// What it had to open.
    pub counts: ScanCounts,
}

impl Index {
    /// One page of matching entries.
    ///
    /// # Errors
    /// [`FindError`]: a cursor of another query, a limit out of range, too long a search, or an index that cannot be read.
    pub async fn search(self: &Arc<Self>, request: SearchRequest) -> Result<SearchPage, FindError> {
        let (index, patience) = (self.clone(), Patience::of(request.time));
        let work = patience.clone();
        pool::blocking(&patience, move || index.search_page(&request, work)).await
    }

    /// As [`Index::search`], on this thread.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search_blocking(self: &Arc<Self>, request: &SearchRequest) -> Result<SearchPage, FindError> {
        self.search_page(request, Patience::of(request.time))
    }

    fn search_page(self: &Arc<Self>, request: &SearchRequest, patience: Patience) -> Result<SearchPage, FindError> {
        if !(1..=PAGE_MAX).contains(&request.limit) {
            return Err(FindError::OutOfRange { what: "limit", least: 1, most: PAGE_MAX });
        }
        let snapshot = self.snapshot();
        let key = key_of(&request.query);
        let cursor = request.cursor.as_deref().map(|text| Cursor::read(text, key, request.order)).transpose()?;
        let size = cursor.as_ref().map_or(snapshot.size(), |cursor| cursor.size);
        if size > snapshot.size() {
            return Err(FindError::Cursor { reason: "it was given by a longer log" });
        }
        let bounds = match (&cursor, request.order) {
            (None, _) => 0..size,
            (Some(cursor), Order::NewestFirst) => 0..cursor.last.min(size),
            (Some(cursor), Order::OldestFirst) => cursor.last.saturating_add(1)..size,
        };
        let mut found = Hits::new(self, snapshot, &request.query, (request.order, bounds), patience);
        let mut hits = Vec::with_capacity(request.limit);
        let mut more = false;
        for index in found.by_ref() {
            if hits.len() == request.limit {
                index?;
                more = true;
                break;
            }
            hits.push(Hit { index: index? });
        }
        let next_cursor = match hits.last() {
            Some(last) if more => Some(Cursor { order: request.order, last: last.index, size, key }.write()),
            _ => None,
        };
        Ok(SearchPage { hits, next_cursor, size, counts: found.counts() })
    }

    /// Every matching entry in order, for exports: an iterator that blocks on the disk and holds a few row groups at most.
    #[must_use]
    pub fn hits(self: &Arc<Self>, query: &Query, order: Order, patience: Patience) -> Hits {
        let snapshot = self.snapshot();
        let bounds = 0..snapshot.size();
        Hits::new(self, snapshot, query, (order, bounds), patience)
    }

    /// The snapshot and how many entries it holds.
    pub(crate) fn whole(&self) -> (Snapshot, std::ops::Range<u64>) {
        let snapshot = self.snapshot();
        let size = snapshot.size();
        (snapshot, 0..size)
    }
}

/// Where a page ended, and of what search.
struct Cursor {
    order: Order,
    last: u64,
    size: u64,
    key: u64,
}

const CURSOR_VERSION: u8 = 1;

impl Cursor {
    fn write(&self) -> String {
        let mut bytes = vec![CURSOR_VERSION, u8::from(self.order == Order::NewestFirst)];
        for number in [self.last, self.size, self.key] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(text: &str, key: u64, order: Order) -> Result<Self, FindError> {
        let wrong = |reason| FindError::Cursor { reason };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong("it is not one that was given out"))?;
        let [CURSOR_VERSION, way, numbers @ ..] = bytes.as_slice() else {
            return Err(wrong("it is not one that was given out"));
        };
        let (numbers, []) = numbers.as_chunks::<8>() else { return Err(wrong("it is cut short")) };
        let [last, size, of] = numbers else { return Err(wrong("it is cut short")) };
        let cursor = Self {
            order,
            last: u64::from_be_bytes(*last),
            size: u64::from_be_bytes(*size),
            key: u64::from_be_bytes(*of),
        };
        if cursor.key != key {
            return Err(wrong("the query or its times have changed"));
        }
        if (*way == 1) != (order == Order::NewestFirst) {
            return Err(wrong("the order has changed"));
        }
        Ok(cursor)
    }
}

/// Tells queries apart (FNV-1a, 64 bits): not a secret, only a guard against mistakes.
fn key_of(query: &Query) -> u64 {
    query
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
