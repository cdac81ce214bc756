//! Exports at a browser: the page that asks for the format, the page that says how far one is, and the file itself, which streams
//! straight from the log into the browser's own download.
//!
//! Never: an export in a file of the server's; or another's export.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::body::Body;
use axum::http::Method;
use indelible_event::words::OutcomePhase;
use indelible_search::Counting;

use super::ask::{Asking, grouped};
use super::html;
use super::shell::Shell;
use super::{said, see_other};
use crate::api::export::{End, Format, Told, stream};
use crate::api::find::question_of;
use crate::api::form;
use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::query_string::{Parameters, wrong};
use crate::trail::{Mark, bounded};

/// Exports that are remembered; the oldest make room.
const EXPORTS_MAX: usize = 200;

/// The exports that were begun at browsers.
#[derive(Debug, Default)]
pub(crate) struct Exports(Mutex<VecDeque<Arc<Export>>>);

/// One export.
#[derive(Debug)]
struct Export {
    id: String,
    owner: String,
    asked: Asked,
    format: Format,
    /// Events that matched when it was asked for.
    total: u64,
    told: Arc<Told>,
}

#[derive(Clone, Debug)]
struct Asked {
    log: String,
    q: String,
    from: String,
    to: String,
}

impl Asked {
    fn read(call: &Call, parameters: &Parameters) -> Result<Self, Problem> {
        let text = |name: &str| parameters.get(name).unwrap_or_default().trim().to_owned();
        let log = call.log_or_default(parameters.get("log").and_then(said))?;
        Ok(Self { log: log.name().to_owned(), q: text("q"), from: text("from"), to: text("to") })
    }

    fn from(&self) -> Option<&str> {
        said(&self.from)
    }

    fn to(&self) -> Option<&str> {
        said(&self.to)
    }
}

impl Exports {
    fn find(&self, call: &Call) -> Result<Arc<Export>, Problem> {
        let (id, owner) = (call.path_part("id"), owner(call));
        let found = self.all().iter().find(|export| export.id == id && export.owner == owner).cloned();
        found.ok_or_else(|| Problem::new(Kind::NotFound, "there is no such export of yours; begin it again"))
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Arc<Export>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page that asks, the form it sends, and the file.
pub(super) async fn handle(call: &Arc<Call>, body: Body) -> Result<Answer, Problem> {
    match (&call.route.method, call.path_part("id")) {
        (&Method::POST, _) => begin(call, body).await,
        (_, "") => ask(call).await,
        _ => file(call).await,
    }
}

#[derive(Template)]
#[template(path = "export.html")]
struct AskPage {
    shell: Shell,
    asked: Asked,
    matched: u64,
}

async fn ask(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["q", "from", "to", "log"])?;
    let asked = Asked::read(call, &parameters)?;
    let log = Arc::clone(call.log(&asked.log)?);
    let asking = Asking::begin(call, &log, asked.from(), asked.to()).await?;
    let matched = asking.stats(&asked.q, Counting::by::<&str>(&[]).most(1)).await?.matched;
    let event = call.event().resource_count("log", log.name(), matched).phase(OutcomePhase::Single);
    let mark = call.record(&log, event.attribute("query", bounded(&asked.q)).attribute("asked", "how many")).await?;
    html::answer(call, &AskPage { shell: Shell::of(call, "Export", &log), asked, matched }, mark)
}

/// Remembers what is wanted. Nothing is read yet: that begins with the file, which has an event of its own.
async fn begin(call: &Arc<Call>, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["q", "from", "to", "log", "format"]).await?;
    let asked = Asked::read(call, &form)?;
    let format = Format::parse(form.get("format").unwrap_or_default()).ok_or_else(|| {
        let known = Format::ALL.map(Format::word).join(", ");
        wrong("format", "wrong-value", format!("there is no such format; known are {known}"))
    })?;
    let log = Arc::clone(call.log(&asked.log)?);
    let asking = Asking::begin(call, &log, asked.from(), asked.to()).await?;
    let total = asking.stats(&asked.q, Counting::by::<&str>(&[]).most(1)).await?.matched;
    let id = call.app.environment.new_event_id().map_err(Problem::internal)?.to_string();
    let event = call.event().resource("log", log.name()).resource("export", &id).phase(OutcomePhase::Single);
    let event = event.attribute("query", bounded(&asked.q)).attribute("format", format.word());
    let mark = call.record(&log, event).await?;
    let export = Export { id: id.clone(), owner: owner(call), asked, format, total, told: Arc::default() };
    let mut exports = call.app.exports.all();
    exports.push_back(Arc::new(export));
    while exports.len() > EXPORTS_MAX {
        exports.pop_front();
    }
    drop(exports);
    Ok(Answer::new(see_other(&format!("/exports/{id}")), mark))
}

async fn file(call: &Arc<Call>) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let export = call.app.exports.find(call)?;
    let asked = &export.asked;
    let log = Arc::clone(call.log(&asked.log)?);
    let question = question_of(log, &asked.q, asked.from(), asked.to())?;
    stream(call, question, export.format, Some(Arc::clone(&export.told))).await
}

#[derive(Template)]
#[template(path = "export_progress.html")]
struct ProgressPage {
    shell: Shell,
    id: String,
    asked: Asked,
    format: &'static str,
    total: u64,
    events: u64,
    bytes: u64,
    /// Of all events, in hundredths; `None` where the format tells only at its end.
    share: Option<u64>,
    has_begun: bool,
    ended: Option<&'static str>,
    is_whole: bool,
}

/// Says how far one is.
pub(super) fn progress(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let export = call.app.exports.find(call)?;
    let log = Arc::clone(call.log(&export.asked.log)?);
    let (events, bytes, end) = export.told.so_far();
    let page = ProgressPage {
        shell: Shell::of(call, "Export", &log),
        id: export.id.clone(),
        asked: export.asked.clone(),
        format: export.format.word(),
        total: export.total,
        events,
        bytes,
        share: (export.format != Format::Parquet || end.is_some())
            .then(|| (events * 100).checked_div(export.total).unwrap_or(100).min(100)),
        has_begun: bytes > 0 || end.is_some(),
        ended: end.map(End::reason),
        is_whole: end == Some(End::Whole),
    };
    html::answer(call, &page, Mark::not_needed("the export itself is on record, at its beginning and at its end"))
}

fn owner(call: &Call) -> String {
    call.identity.as_ref().map(|identity| identity.id.clone()).unwrap_or_default()
}

/// 1,234,567 → `1.2 MB`.
fn size(bytes: &u64) -> String {
    for (length, unit) in [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")] {
        if *bytes >= length {
            return format!("{}.{} {unit}", bytes / length, bytes % length * 10 / length);
        }
    }
    format!("{} bytes", grouped(bytes))
}
