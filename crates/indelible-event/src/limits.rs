//! Every limit an event or a request must keep, with its reason. Never: a limit that is configured elsewhere under another name.

/// Longest canonical event in bytes: the entry-bundle length prefix of C2SP tlog-tiles is a `u16`.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Longest JSON text of one event as sent: room for blanks and for every character of the longest entry as a `\u` escape, and
/// a bound on the reader's memory (24 bytes for each value in it).
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Deepest nesting of objects and lists; an event needs 4, hostile input is cut off well before the stack is in danger.
pub const JSON_DEPTH_MAX: usize = 32;
/// Largest integer (and negated, the smallest): beyond 2^53 - 1 two JSON readers may differ (RFC 7493, section 2.2).
pub const INTEGER_MAX: i64 = 9_007_199_254_740_991;
/// Longest identifier (`actor.id`, `source.id`, resource ids): keeps index keys and pages bounded.
pub const IDENTIFIER_BYTES_MAX: usize = 1_024;
/// Most entries in any list of an event (`resources`, `on_behalf_of`, `roles`, `labels`, …).
pub const LIST_ITEMS_MAX: usize = 1_000;
/// Most keys in `attributes`.
pub const ATTRIBUTES_MAX: usize = 256;
/// Default for the largest request body in bytes, after decompression.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Default for the most events in one request.
pub const REQUEST_EVENTS_MAX: usize = 10_000;
/// Most faults listed in one answer; the rest is counted.
pub const FAULTS_LISTED_MAX: usize = 100;
