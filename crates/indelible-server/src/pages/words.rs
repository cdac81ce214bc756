//! An event in words: "Agent *support-bot*, acting for *ana@example.com*, read 1,204 rows of *customers* (pii) through *orders-mcp*:
//! allowed by *support-read*". Made of pieces, so that a page can set names apart. Never: content.

use indelible_event::view::{ActorView, EventView, ResourceView};

use super::ask::grouped;

/// A piece of a sentence: plain words, or the name of somebody or something with the search for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Words(String),
    /// What it is called, and the field and value that find it.
    Name {
        text: String,
        field: &'static str,
        value: String,
    },
}

/// What the actions of the closed set read like; the second when it did not come to pass.
const VERBS: [(&str, &str, &str); 15] = [
    ("read", "read", "wanted to read"),
    ("write", "wrote", "wanted to write"),
    ("modify", "changed", "wanted to change"),
    ("delete", "deleted", "wanted to delete"),
    ("execute", "ran", "wanted to run"),
    ("infer", "asked", "wanted to ask"),
    ("train", "trained", "wanted to train"),
    ("export", "exported", "wanted to export"),
    ("share", "shared", "wanted to share"),
    ("approve", "decided on", "wanted to decide on"),
    ("grant", "granted", "wanted to grant"),
    ("revoke", "revoked", "wanted to revoke"),
    ("login", "signed in", "wanted to sign in"),
    ("logout", "signed out", "wanted to sign out"),
    ("configure", "configured", "wanted to configure"),
];
/// Resources named in a sentence.
const NAMED_MAX: usize = 3;

/// The sentence.
pub(super) fn sentence(view: &EventView<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut say = |text: &str| pieces.push(Piece::Words(text.to_owned()));
    say(kind(&view.actor));
    pieces.push(person("actor", &view.actor));
    for (place, other) in view.on_behalf_of.iter().enumerate() {
        pieces.push(Piece::Words(if place == 0 { ", acting for ".to_owned() } else { ", who acts for ".to_owned() }));
        pieces.push(person("behalf", other));
    }
    if !view.on_behalf_of.is_empty() {
        pieces.push(Piece::Words(",".to_owned()));
    }
    pieces.push(Piece::Words(format!(" {} ", verb(view))));
    resources(view, &mut pieces);
    through(view, &mut pieces);
    outcome(view, &mut pieces);
    pieces
}

/// The sentence as plain text: for titles.
pub(super) fn plain(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Words(text) | Piece::Name { text, .. } => text.as_str(),
        })
        .collect()
}

fn kind(actor: &ActorView<'_>) -> &'static str {
    match actor.kind.as_deref() {
        Some("agent") => "Agent ",
        Some("service") => "Service ",
        Some("system") => "System ",
        Some("anonymous") => "Somebody who did not say who they are: ",
        _ => "",
    }
}

fn person(field: &'static str, actor: &ActorView<'_>) -> Piece {
    match &actor.id {
        Some(id) => Piece::Name { text: super::columns::name(actor), field, value: id.clone().into_owned() },
        None => Piece::Words(super::columns::name(actor)),
    }
}

fn verb(view: &EventView<'_>) -> String {
    let happened = view.outcome.result.as_deref() == Some("allowed") && view.outcome.phase.as_deref() != Some("intent");
    let action = view.action.as_deref().unwrap_or("did something to");
    match VERBS.iter().find(|(word, ..)| *word == action) {
        Some((_, done, wanted)) => if happened { *done } else { *wanted }.to_owned(),
        None => action.to_owned(),
    }
}

fn resources(view: &EventView<'_>, pieces: &mut Vec<Piece>) {
    // what a call passed through is told by `through`
    let touched: Vec<&ResourceView<'_>> = view.resources.iter().collect();
    if touched.is_empty() {
        return;
    }
    for (place, resource) in touched.iter().take(NAMED_MAX).enumerate() {
        if place > 0 {
            pieces.push(Piece::Words(if place + 1 == touched.len() { " and " } else { ", " }.to_owned()));
        }
        if let Some(amount) = amount(resource) {
            pieces.push(Piece::Words(format!("{amount} of ")));
        }
        let text = resource.name.as_deref().or(resource.id.as_deref()).unwrap_or("something").to_owned();
        let value = resource.id.as_deref().or(resource.name.as_deref()).unwrap_or_default().to_owned();
        pieces.push(Piece::Name { text, field: "resource", value });
        let about: Vec<&str> =
            resource.kind.as_deref().into_iter().chain(resource.labels.iter().map(AsRef::as_ref)).collect();
        if !about.is_empty() {
            pieces.push(Piece::Words(format!(" ({})", about.join(", "))));
        }
    }
    if touched.len() > NAMED_MAX {
        pieces.push(Piece::Words(format!(" and {} more", touched.len() - NAMED_MAX)));
    }
}

/// `1,204 rows`; documents and the like are counted without a word for them.
fn amount(resource: &ResourceView<'_>) -> Option<String> {
    let count = u64::try_from(resource.count?).ok()?;
    let unit = match resource.kind.as_deref() {
        Some("table" | "dataset" | "database") => {
            if count == 1 {
                "row"
            } else {
                "rows"
            }
        }
        Some("index" | "collection") => {
            if count == 1 {
                "document"
            } else {
                "documents"
            }
        }
        Some("log") => {
            if count == 1 {
                "entry"
            } else {
                "entries"
            }
        }
        _ => return None,
    };
    Some(format!("{} {unit}", grouped(count)))
}

fn through(view: &EventView<'_>, pieces: &mut Vec<Piece>) {
    let is_resource = |id: &str| {
        view.resources.iter().any(|resource| resource.id.as_deref() == Some(id) || resource.name.as_deref() == Some(id))
    };
    if let Some(tool) = view.ai.tool_name.as_deref().filter(|tool| !is_resource(tool)) {
        pieces.push(Piece::Words(" with ".to_owned()));
        pieces.push(Piece::Name { text: tool.to_owned(), field: "tool", value: tool.to_owned() });
    }
    if let Some(source) = view.source.id.as_deref().filter(|source| Some(*source) != view.actor.id.as_deref()) {
        pieces.push(Piece::Words(" through ".to_owned()));
        pieces.push(Piece::Name { text: source.to_owned(), field: "source", value: source.to_owned() });
    }
}

fn outcome(view: &EventView<'_>, pieces: &mut Vec<Piece>) {
    let result = view.outcome.result.as_deref().unwrap_or("it is not said how it ended");
    let result = match view.outcome.phase.as_deref() {
        Some("intent") if result == "allowed" => "let through, how it ended is told by another event",
        _ => result,
    };
    pieces.push(Piece::Words(format!(": {result}")));
    if let Some(policy) = &view.outcome.policy {
        pieces.push(Piece::Words(" by ".to_owned()));
        pieces.push(Piece::Name {
            text: policy.clone().into_owned(),
            field: "policy",
            value: policy.clone().into_owned(),
        });
    }
    if let Some(reason) = &view.outcome.reason {
        pieces.push(Piece::Words(format!(" ({reason})")));
    }
    pieces.push(Piece::Words(".".to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(entry: &str) -> String {
        plain(&sentence(&EventView::parse(entry.as_bytes()).unwrap()))
    }

    #[test]
    fn an_event_reads_like_a_sentence() {
        let entry = r#"{"action":"read","actor":{"id":"support-bot","type":"agent"},"on_behalf_of":[{"id":"ana@example.com","type":"human"}],
            "outcome":{"policy":"support-read","result":"allowed"},"resources":[{"count":1204,"id":"customers","labels":["pii"],"type":"table"}],
            "source":{"id":"orders-mcp"}}"#;
        assert_eq!(
            said(entry),
            "Agent support-bot, acting for ana@example.com, read 1,204 rows of customers (table, pii) through orders-mcp: allowed by support-read."
        );
    }

    #[test]
    fn what_did_not_come_to_pass_was_only_wanted() {
        let denied = r#"{"action":"delete","actor":{"id":"eve","type":"human"},"outcome":{"reason":"no right","result":"denied"},"resources":[{"id":"orders"}]}"#;
        assert_eq!(said(denied), "eve wanted to delete orders: denied (no right).");
        let intent = r#"{"action":"infer","actor":{"id":"a"},"outcome":{"phase":"intent","result":"allowed"},"resources":[{"id":"m"}]}"#;
        assert_eq!(said(intent), "a wanted to ask m: let through, how it ended is told by another event.");
        assert_eq!(said("{}"), "somebody did something to : it is not said how it ended.");
    }
}
