//! Styles and scripts: embedded in the binary, compressed once, named by their hash so that a browser asks for each only once.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::trail::Mark;

/// A file of ours changes with the binary only; one that is asked for by its hash never does.
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "public, no-cache";

struct Asset {
    bytes: &'static [u8],
    gzip: Bytes,
    media_type: &'static str,
    tag: String,
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path)))),*]
    };
}

/// Every file, by its path below `/assets/`.
const FILES: &[(&str, &[u8])] = files![
    "app.css",
    "app.js",
    "event.js",
    "replay.js",
    "export.js",
    "search.js",
    "icon.svg",
    "proof/bytes.js",
    "proof/kept.js",
    "proof/note.js",
    "proof/page.js",
    "proof/tiles.js",
    "proof/tree.js",
    "proof/verify.js",
    "vendor/htmx.min.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
];

static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    let asset = |path: &'static str, bytes: &'static [u8]| {
        let digest = Sha256::digest(bytes);
        let tag = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Asset { bytes, gzip: gzip(bytes), media_type: media_type(path), tag }
    };
    FILES.iter().map(|(path, bytes)| (*path, asset(path, bytes))).collect()
});

/// Where a page finds a file: with its hash, so that a new binary's pages never use an old one's files.
pub(super) fn link(path: &str) -> String {
    match ASSETS.get(path) {
        Some(asset) => format!("/assets/{path}?v={}", asset.tag),
        None => format!("/assets/{path}"),
    }
}

/// Serves a file.
pub(super) fn serve(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["v"])?;
    let (room, file) = (call.path_part("room"), call.path_part("file"));
    let path = match (room, file) {
        ("", "") => "icon.svg".to_owned(), // what browsers ask for by themselves
        ("", file) => file.to_owned(),
        (room, file) => format!("{room}/{file}"),
    };
    let Some(asset) = ASSETS.get(path.as_str()) else {
        return Err(Problem::new(Kind::NotFound, "there is no such file"));
    };
    let headers = &call.parts.headers;
    let tag = format!("\"{}\"", asset.tag);
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else if takes_gzip(headers) {
        let mut response = Response::new(Body::from(asset.gzip.clone()));
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        Response::new(Body::from(Bytes::from_static(asset.bytes)))
    };
    let cached = if parameters.get("v") == Some(asset.tag.as_str()) { FOREVER } else { ASK_AGAIN };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    Ok(Answer::new(response, Mark::not_needed("a file of the program")))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    }
}

/// Whether a browser takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip")) && parts.all(|weight| weight != "q=0")
    })
}

/// Compresses. Writing to memory does not fail; if it did, nothing would be sent rather than half.
pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_first_page_are_small() {
        let sent: usize =
            ASSETS.iter().filter(|(path, _)| !path.starts_with("proof/")).map(|(_, a)| a.gzip.len()).sum();
        assert!(sent < 80 * 1024, "{sent} bytes; a first page may weigh 100 KiB with its HTML");
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        let takes = |accepted: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            takes_gzip(&headers)
        };
        assert!(takes("gzip, br") && takes("br;q=1.0, GZIP;q=0.5"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes_gzip(&HeaderMap::new()));
    }
}
