//! The one table of errors: kind → code, status, title, advice. Every answer that is not a success comes from here, as a
//! problem document (RFC 9457). Never: an internal message, a secret or a path of this machine in what a client sees.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use indelible_event::doors::{ReadError, RecordError};
use indelible_event::fault::Fault;
use indelible_search::{ErrorKind, FindError, IndexError};
use serde::Serialize;

/// What kind of problem. Closed: status, title, advice and the metrics label follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A parameter, header or small body is wrong.
    InvalidRequest,
    /// The query text is wrong.
    InvalidQuery,
    /// No token, or one that opens nothing.
    Unauthenticated,
    /// The token's role or logs do not allow it.
    Forbidden,
    /// No such path, log, entry or token.
    NotFound,
    /// It was here, and its key was destroyed.
    Erased,
    /// The path exists, for another method.
    MethodNotAllowed,
    /// The body took too long to arrive.
    TooSlow,
    /// An id or name is taken.
    Conflict,
    /// Body or batch over a limit.
    TooLarge,
    /// Content-Type or Content-Encoding that is not read here.
    UnsupportedMediaType,
    /// Events that are wrong.
    InvalidEvents,
    /// A query that costs more than allowed.
    QueryTooCostly,
    /// Too many queries or followers at once.
    TooManyRequests,
    /// A mistake of ours.
    Internal,
    /// The log's bytes are damaged.
    Damaged,
    /// A receiver of alerts did not take what it was sent.
    ReceiverFailed,
    /// A queue is full; come back.
    Busy,
    /// The server or the log takes no requests.
    Unavailable,
    /// The disk is full.
    Full,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which kind it describes.
    pub kind: Kind,
    /// Its name in `type`, in metrics and in the errors page.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What it is, in words that never change.
    pub title: &'static str,
    /// What the client should do.
    pub advice: &'static str,
}

const fn row(kind: Kind, code: &'static str, status: u16, title: &'static str, advice: &'static str) -> Row {
    Row { kind, code, status, title, advice }
}

/// The table, in the order of [`Kind`].
#[rustfmt::skip]
pub const TABLE: [Row; 20] = [
    row(Kind::InvalidRequest, "invalid-request", 400, "the request is wrong",
        "Mend the parameter or body that `detail` names. Do not retry unchanged."),
    row(Kind::InvalidQuery, "invalid-query", 400, "the query is wrong",
        "Mend the query at the column that `errors` names."),
    row(Kind::Unauthenticated, "unauthenticated", 401, "a valid token is needed",
        "Send `Authorization: Bearer ind_…` with a live token. Do not retry unchanged; refusals are recorded."),
    row(Kind::Forbidden, "forbidden", 403, "the token does not allow this",
        "Use a token whose role and logs allow the request, or ask an administrator for one. Refusals are recorded."),
    row(Kind::NotFound, "not-found", 404, "there is no such thing",
        "Check path, log name, index or token id."),
    row(Kind::Erased, "erased", 410, "it was erased",
        "Its key was destroyed on demand; the event and its proof stand. Do not retry."),
    row(Kind::MethodNotAllowed, "method-not-allowed", 405, "the path has another method",
        "Use a method that the `Allow` header lists."),
    row(Kind::TooSlow, "too-slow", 408, "the request took too long to arrive",
        "Send smaller batches, or raise `limits.body_time`. Safe to retry: nothing was recorded."),
    row(Kind::Conflict, "conflict", 409, "it is taken",
        "For events: the same id was recorded with other content; give the event a new id or drop it. Nothing was recorded."),
    row(Kind::TooLarge, "too-large", 413, "the request is over a limit",
        "Split the batch. Limits: `limits.request_bytes` (also after decompression) and `limits.request_events`."),
    row(Kind::UnsupportedMediaType, "unsupported-media-type", 415, "the body's type or encoding is not read here",
        "Send `application/json` or `application/x-ndjson`, plain or with `Content-Encoding: gzip` or `zstd`."),
    row(Kind::InvalidEvents, "invalid-events", 422, "events are wrong",
        "Mend the events that `errors` lists and send the whole request again (nothing was recorded), or send it with `?partial=true`."),
    row(Kind::QueryTooCostly, "query-too-costly", 422, "the query costs more than allowed",
        "Narrow the time range or select less. Limits: `limits.query_time`, `limits.query_memory`, `limits.query_rows`."),
    row(Kind::TooManyRequests, "too-many-requests", 429, "too many of these at once",
        "Wait as `Retry-After` says and retry."),
    row(Kind::Internal, "internal", 500, "the server made a mistake",
        "Retry once; if it stays, report the `instance` to the operator, who finds the cause in the server's log lines."),
    row(Kind::Damaged, "damaged", 500, "stored bytes are damaged",
        "Tell the operator: keep the folder as it is and run `indelible verify`."),
    row(Kind::ReceiverFailed, "receiver-failed", 502, "the receiver did not take it",
        "Mend what `detail` says of the receiver, in its settings or at its end, and try it again."),
    row(Kind::Busy, "busy", 503, "the server is busy",
        "Wait as `Retry-After` says and retry. Nothing was recorded."),
    row(Kind::Unavailable, "unavailable", 503, "not available now",
        "Retry with growing pauses. Nothing was recorded."),
    row(Kind::Full, "full", 507, "the disk is full",
        "Retry later: recording resumes by itself when there is room. Nothing was recorded."),
];

impl Kind {
    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// When the client may come back if nothing else is known, in milliseconds; `None` where retrying unchanged is no use.
    #[must_use]
    pub fn retry_after_ms(self) -> Option<u64> {
        match self {
            Self::TooManyRequests | Self::Busy => Some(1_000),
            Self::Unavailable => Some(5_000),
            Self::Full => Some(30_000),
            _ => None,
        }
    }
}

/// One wrong thing of many, as `errors` lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Wrong {
    /// Which event, from 1: line of an NDJSON body, place in an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Which field, such as `resources[2].count`, or which parameter.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Where in the line or query, in bytes from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// A stable code, such as `unknown-field`.
    pub code: Cow<'static, str>,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self {
            line: fault.line,
            field: fault.field,
            column: fault.column.map(|column| column as u64),
            code: Cow::Borrowed(fault.code.as_str()),
            reason: fault.reason,
            hint: fault.hint,
        }
    }
}

/// A request that failed: what the client is told, and what only the operator is.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: String,
    internal: Option<String>,
    errors: Vec<Wrong>,
    errors_total: usize,
    retry_after_ms: Option<u64>,
    allow: Option<String>,
}

/// The problem document on the wire.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Document<'a> {
    /// `/problems/<code>`.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The request's id, as in `x-request-id`.
    instance: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Wrong],
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_total: Option<usize>,
}

impl Problem {
    /// A problem of a kind; `detail` is for the client: lowercase, no stop.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            internal: None,
            errors: Vec::new(),
            errors_total: 0,
            retry_after_ms: kind.retry_after_ms(),
            allow: None,
        }))
    }

    /// A mistake of ours: the client learns nothing but the request's id.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(Kind::Internal, "something went wrong here; the operator finds the cause by the request's id")
            .with_internal(cause)
    }

    /// Adds what only the server's own log lines tell.
    #[must_use]
    pub fn with_internal(mut self, cause: impl std::fmt::Display) -> Self {
        self.0.internal = Some(cause.to_string());
        self
    }

    /// Adds the list of wrong things, of which there may be more than are listed.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Wrong>, total: usize) -> Self {
        self.0.errors_total = total.max(errors.len());
        self.0.errors = errors;
        self
    }

    /// Sets when the client should come back.
    #[must_use]
    pub fn with_retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.0.retry_after_ms = Some(milliseconds);
        self
    }

    /// Sets the methods that the path has.
    #[must_use]
    pub fn with_allow(mut self, methods: impl Into<String>) -> Self {
        self.0.allow = Some(methods.into());
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What the client is told.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What only the operator is told.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }

    /// The answer.
    #[must_use]
    pub fn into_response(self, request_id: &str) -> Response<Body> {
        let row = self.0.kind.row();
        let document = Document {
            kind: format!("/problems/{}", row.code),
            title: row.title,
            status: row.status,
            detail: &self.0.detail,
            instance: request_id,
            errors: &self.0.errors,
            errors_total: (self.0.errors_total > 0).then_some(self.0.errors_total),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.0.kind.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(milliseconds) = self.0.retry_after_ms {
            headers.insert(RETRY_AFTER, HeaderValue::from(milliseconds.div_ceil(1_000).max(1)));
        }
        if self.0.kind == Kind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"indelible\""));
        }
        if let Some(allow) = self.0.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Conflict(_) => Self::new(Kind::Conflict, error.to_string()),
            RecordError::TooLarge { .. } => Self::new(Kind::TooLarge, error.to_string()),
            RecordError::Full => Self::new(Kind::Full, error.to_string()),
            RecordError::Busy { retry_after_ms } => {
                Self::new(Kind::Busy, "too many events are waiting to be made durable")
                    .with_retry_after_ms(retry_after_ms)
            }
            RecordError::Stopped { log, reason } => {
                Self::new(Kind::Unavailable, format!("the log `{log}` takes no events now")).with_internal(reason)
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Beyond { .. } => Self::new(Kind::NotFound, error.to_string()),
            ReadError::Damaged { index, reason } => {
                Self::new(Kind::Damaged, format!("entry {index} cannot be read")).with_internal(reason)
            }
        }
    }
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match (&error, error.kind()) {
            (FindError::Query(fault), _) => {
                let wrong = Wrong {
                    field: "q".to_owned(),
                    column: Some(fault.column as u64),
                    code: "wrong-query".into(),
                    reason: fault.fault.to_string(),
                    hint: error.hint(),
                    ..Wrong::default()
                };
                Self::new(Kind::InvalidQuery, fault.to_string()).with_errors(vec![wrong], 1)
            }
            (_, ErrorKind::Invalid) => {
                let wrong = Wrong {
                    code: "wrong-query".into(),
                    reason: error.to_string(),
                    hint: error.hint(),
                    ..Wrong::default()
                };
                Self::new(Kind::InvalidQuery, error.to_string()).with_errors(vec![wrong], 1)
            }
            (FindError::Index(fault), _) => Self::from_index(fault),
            (_, ErrorKind::Limit) => Self::new(Kind::QueryTooCostly, error.to_string()),
            (_, ErrorKind::Unavailable) => {
                Self::new(Kind::Unavailable, "the search was not finished").with_internal(error)
            }
            (_, ErrorKind::Corrupt | ErrorKind::Bug) => Self::internal(error),
        }
    }
}

impl Problem {
    /// What a client is told about the search index: its errors name files of this machine, so the words are others.
    pub(crate) fn from_index(error: &IndexError) -> Self {
        let detail = match error.kind() {
            ErrorKind::Corrupt => {
                "the search index is damaged; the log itself is not in doubt. the operator can stop the server and run \
                 `indelible index rebuild`"
            }
            ErrorKind::Limit | ErrorKind::Unavailable | ErrorKind::Invalid => "the search index cannot be used now",
            ErrorKind::Bug => return Self::internal(error),
        };
        Self::new(Kind::Unavailable, detail).with_internal(error)
    }
}

/// The page on errors, made from the table.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Errors\n\nEvery answer that is not a success is a problem document (RFC 9457, `application/problem+json`): \
         `type` (`/problems/<code>`), `title`, `status`, `detail`, `instance` (the request's id, also in `x-request-id`), \
         and where many things are wrong `errors` (at most 100) with `errors_total`.\nThis page is made from the table in \
         `problem.rs`; a test compares the two.\n\n| code | status | meaning | retry | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in &TABLE {
        let retry = match row.kind.retry_after_ms() {
            Some(milliseconds) => format!("after {} s or as `Retry-After` says", milliseconds.div_ceil(1_000)),
            None => "no".to_owned(),
        };
        // Writing to a string cannot fail.
        let _written = writeln!(page, "| `{}` | {} | {} | {retry} | {} |", row.code, row.status, row.title, row.advice);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_at_its_kind_and_codes_are_unique() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.kind as usize, place);
            assert!(TABLE.iter().take(place).all(|earlier| earlier.code != row.code), "{}", row.code);
            assert!(
                StatusCode::from_u16(row.status)
                    .is_ok_and(|status| status.is_client_error() || status.is_server_error())
            );
            assert!(!row.title.ends_with('.') && row.title.starts_with(|c: char| c.is_lowercase()));
        }
    }

    #[test]
    fn the_page_on_errors_is_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
        if std::env::var_os("INDELIBLE_BLESS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            page(),
            "run with INDELIBLE_BLESS=1 and read the diff"
        );
    }

    #[test]
    fn an_internal_cause_never_reaches_the_client() {
        let problem = Problem::from(ReadError::Damaged {
            index: indelible_event::doors::EntryIndex(7),
            reason: "/srv/data/logs/main/tile/entries/000: torn".to_owned(),
        });
        assert_eq!(problem.cause(), Some("/srv/data/logs/main/tile/entries/000: torn"));
        assert_eq!(problem.detail(), "entry 7 cannot be read");
    }
}
