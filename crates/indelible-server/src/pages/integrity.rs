//! `GET /integrity`: how a log's integrity stands: its checkpoint, what the guard verified and found, witnesses, drills, and the place
//! where a checkpoint, receipt or proof kept elsewhere is checked in one's own browser.

use std::sync::Arc;

use askama::Template;
use indelible_event::json::Value;
use indelible_event::view::EventView;
use indelible_search::Order;

use super::ask::Asking;
use super::html;
use super::shell::Shell;
use super::verdicts::{Verdict, integrity};
use crate::api::count;
use crate::call::{Answer, Call};
use crate::guard::Integrity;
use crate::problem::Problem;

/// Drills listed.
const DRILLS: usize = 5;

/// What a drill found, as it recorded itself.
#[derive(Debug)]
struct Drill {
    index: u64,
    time: String,
    detected: i64,
    missed: i64,
    not_guarded: i64,
}

#[derive(Template)]
#[template(path = "integrity.html")]
struct IntegrityPage {
    shell: Shell,
    verdict: Verdict,
    found: Integrity,
    origin: String,
    vkey: String,
    checkpoint: Option<String>,
    /// The size, the root and the signatures' names, out of the checkpoint.
    tree: Option<(String, String, Vec<String>)>,
    confirmed: Option<String>,
    size_recorded: u64,
    drills: Vec<Drill>,
    url: String,
}

/// Shows how it stands.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let parameters = call.parameters(&["log"])?;
    let log = Arc::clone(call.log_or_default(parameters.get("log"))?);
    let shell = Shell::of(call, "Integrity", &log);
    let drills = drills(call, &shell, &log).await?;
    let found = call.app.guarded.of(log.name());
    let checkpoint = log.published.checkpoint().map(|note| note.to_string());
    let event = call.event().resource("log", log.name()).attribute("findings", count(found.findings_total));
    let mark = call.record(&log, event).await?;
    let page = IntegrityPage {
        verdict: integrity(&call.app, &log),
        found,
        origin: log.origin().to_owned(),
        vkey: log.published.vkey(),
        tree: checkpoint.as_deref().and_then(tree),
        checkpoint,
        confirmed: log.state().confirmed.map(|time| shell.zone.instant(time.0)),
        size_recorded: log.reader.size(),
        drills,
        url: super::copies::server(call),
        shell,
    };
    html::answer(call, &page, mark)
}

/// Size, root and who signed, for people; whoever checks reads the note itself.
fn tree(note: &str) -> Option<(String, String, Vec<String>)> {
    let mut lines = note.lines().skip(1);
    let (size, root) = (lines.next()?, lines.next()?);
    let signed = note.lines().filter_map(|line| line.strip_prefix("— ")?.split(' ').next()).map(str::to_owned);
    Some((size.to_owned(), root.to_owned(), signed.collect()))
}

async fn drills(call: &Call, shell: &Shell, log: &Arc<crate::logs::LogHandle>) -> Result<Vec<Drill>, Problem> {
    let asking = Asking::begin(call, log, None, None).await?;
    let entries = asking.entries(asking.wanted("operation:drill")?, Order::NewestFirst, DRILLS).await?;
    let drills = entries.iter().filter_map(|(index, entry)| {
        let view = EventView::parse(entry).ok()?;
        let number = |name: &str| match view.attributes.iter().find(|(known, _)| known == name) {
            Some((_, Value::Integer(number))) => *number,
            _ => 0,
        };
        Some(Drill {
            index: *index,
            time: shell.zone.event(&view.time, view.time_unix_ns),
            detected: number("detected"),
            missed: number("missed"),
            not_guarded: number("not_guarded_yet"),
        })
    });
    Ok(drills.collect())
}

#[cfg(test)]
mod tests {
    use super::tree;

    #[test]
    fn a_checkpoint_tells_its_size_root_and_signers() {
        let note = "example.com/log\n42\nAAAA\n\n— example.com/log bbbb\n— witness.example cccc\n";
        let (size, root, signed) = tree(note).unwrap();
        assert_eq!((size.as_str(), root.as_str()), ("42", "AAAA"));
        assert_eq!(signed, ["example.com/log", "witness.example"]);
        assert_eq!(tree("x"), None);
    }
}
