//! The published log as static resources (C2SP tlog-tiles): checkpoint, tiles, entry bundles, verifier key. Tiles and bundles
//! never change, so they may be cached for ever; the checkpoint for a second.

use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, LAST_MODIFIED};
use indelible_event::time::RecordedTime;
use indelible_tlog::tile::{BundleId, TileId};

use super::blocking;
use crate::call::{Answer, Call};
use crate::logs::LogHandle;
use crate::problem::{Kind, Problem};
use crate::trail::Mark;
use crate::trail::published_reads::{Read, Reader};

/// The newest checkpoint.
#[utoipa::path(
    get, path = "/log/{name}/checkpoint", operation_id = "published.checkpoint", tag = "published log",
    params(("name" = String, Path, description = "The log")),
    responses((status = 200, description = "A signed note (C2SP tlog-checkpoint)", body = String, content_type = "text/plain"))
)]
pub(crate) async fn checkpoint(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = call.log(call.path_part("name"))?;
    let Some(note) = log.published.checkpoint() else {
        return Err(Problem::new(Kind::NotFound, "the log has no checkpoint yet; the first follows its first entry"));
    };
    let mark = on_record(call, log, "checkpoint", Read::default()).await?;
    let mut answer = Answer::bytes("text/plain; charset=utf-8", note.as_bytes().to_vec(), mark);
    if let Some(Ok(confirmed)) = log.state().confirmed.map(|time| HeaderValue::from_str(&http_date(time))) {
        answer.response.headers_mut().insert(LAST_MODIFIED, confirmed);
    }
    Ok(cached(answer, log, "max-age=1"))
}

/// A time as HTTP writes it; the epoch for one that no date can be made of.
fn http_date(time: RecordedTime) -> String {
    let time = jiff::Timestamp::from_second(time.0.div_euclid(1_000_000_000)).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A tile or an entry bundle, whole or partial.
#[utoipa::path(
    get, path = "/log/{name}/tile/{tile}", operation_id = "published.tile", tag = "published log",
    params(
        ("name" = String, Path, description = "The log"),
        ("tile" = String, Path, description = "`<level>/<n>[.p/<width>]` or `entries/<n>[.p/<width>]` (C2SP tlog-tiles)"),
    ),
    responses((status = 200, description = "The resource, which never changes", content_type = "application/octet-stream", body = [u8]))
)]
pub(crate) async fn tile(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = Arc::clone(call.log(call.path_part("name"))?);
    let path = format!("tile/{}", call.path_part("tile"));
    let Some(read) = what_it_holds(&path) else {
        return Err(Problem::new(
            Kind::NotFound,
            "the path is not that of a tile or an entry bundle (C2SP tlog-tiles)",
        ));
    };
    let (source, wanted) = (Arc::clone(&log), path.clone());
    let Some(bytes) = blocking(move || source.published.resource(&wanted)).await?? else {
        return Err(Problem::new(Kind::NotFound, "the published tree has no such tile or bundle"));
    };
    let mark = on_record(call, &log, &path, read).await?;
    Ok(cached(Answer::bytes("application/octet-stream", bytes, mark), &log, "max-age=31536000, immutable"))
}

/// The key that verifies the log's checkpoints and receipts.
#[utoipa::path(
    get, path = "/log/{name}/log.vkey", operation_id = "published.key", tag = "published log",
    params(("name" = String, Path, description = "The log")),
    responses((status = 200, description = "A verifier key (C2SP signed-note)", body = String, content_type = "text/plain"))
)]
pub(crate) async fn verifier_key(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let log = call.log(call.path_part("name"))?;
    let mark = on_record(call, log, "log.vkey", Read::default()).await?;
    let answer = Answer::bytes("text/plain; charset=utf-8", format!("{}\n", log.published.vkey()), mark);
    Ok(cached(answer, log, "max-age=60"))
}

/// The entries behind a path; `None` when it is no path of a resource.
fn what_it_holds(path: &str) -> Option<Read> {
    if let Some(bundle) = BundleId::parse(path) {
        let first = bundle.first_entry();
        return Some(Read { entries: Some((first, first.saturating_add(u64::from(bundle.width)))) });
    }
    TileId::parse(path).map(|_| Read::default())
}

async fn on_record(call: &Call, log: &LogHandle, path: &str, read: Read) -> Result<Mark, Problem> {
    let actor = call
        .identity
        .as_ref()
        .map(|identity| (identity.name.as_str().to_owned(), identity.role, identity.holder.actor_type()));
    let reader = Reader { log: log.name().to_owned(), actor, ip: call.ip };
    call.app.published_reads.record(&call.app.trail, log, &reader, path, read).await
}

/// A shared cache may keep what anybody may read; what needs a token stays with its reader.
fn cached(mut answer: Answer, log: &LogHandle, how_long: &str) -> Answer {
    let who = if log.is_public() { "public" } else { "private" };
    if let Ok(value) = HeaderValue::from_str(&format!("{who}, {how_long}")) {
        answer.response.headers_mut().insert(CACHE_CONTROL, value);
    }
    answer
}
