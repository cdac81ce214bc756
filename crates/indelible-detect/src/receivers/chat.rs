//! Slack (incoming webhook, Block Kit) and Microsoft Teams (workflow webhook, Adaptive Card 1.4).
//!
//! Sources: Slack, "Formatting text for app surfaces" (escaping of `&`, `<`, `>`) and "Block Kit" (3,000 characters a text, 150 a
//! header); Microsoft, "Adaptive Cards for workflows" (markdown in text blocks).

use serde_json::{Value, json};

use super::fields::{colour, facts, short, title};
use crate::notice::Notice;

/// Characters of a header in Slack.
const SLACK_HEADER: usize = 150;
/// Characters of a text in Slack, with room for what escaping adds.
const SLACK_TEXT: usize = 600;
/// Characters of a value in a card.
const TEAMS_TEXT: usize = 1_000;

/// The message for Slack.
pub(super) fn slack(notice: &Notice) -> Value {
    let alert = &notice.alert;
    let lines: Vec<String> = facts(notice)
        .iter()
        .map(|(name, value)| format!("*{name}:* {}", slack_text(&short(value, SLACK_TEXT / 2))))
        .collect();
    let mut facts = lines.join("\n");
    facts.truncate(facts.floor_char_boundary(2_900));
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": short(&title(notice), SLACK_HEADER), "emoji": false}}),
        json!({"type": "section", "text": {"type": "mrkdwn", "text": slack_text(&short(&alert.latest.summary, SLACK_TEXT)), "verbatim": true}}),
        json!({"type": "section", "text": {"type": "mrkdwn", "text": facts, "verbatim": true}}),
    ];
    if let Some(link) = &notice.link {
        let link = slack_text(link);
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": format!("<{link}|Look at it>"), "verbatim": true}}));
    }
    // what stands in notifications and where blocks are not shown
    json!({"text": slack_text(&short(&title(notice), SLACK_HEADER)), "blocks": blocks})
}

/// Text in which Slack sees no link, mention or markup of ours: its three control characters are escaped, and a zero-width space
/// keeps `*`, `_`, `~` and `` ` `` from pairing.
fn slack_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '*' | '_' | '~' | '`' => {
                safe.push('\u{200b}');
                safe.push(c);
            }
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

/// The message for Teams.
pub(super) fn teams(notice: &Notice) -> Value {
    let alert = &notice.alert;
    let facts: Vec<Value> = facts(notice)
        .into_iter()
        .map(|(name, value)| json!({"title": name, "value": teams_text(&short(&value, TEAMS_TEXT))}))
        .collect();
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "color": colour(alert.severity),
                "text": teams_text(&short(&title(notice), TEAMS_TEXT)),
            },
            {"type": "TextBlock", "wrap": true, "text": teams_text(&short(&alert.latest.summary, TEAMS_TEXT))},
            {"type": "FactSet", "facts": facts},
        ],
    });
    if let (Some(link), Some(card)) = (&notice.link, card.as_object_mut()) {
        card.insert("actions".to_owned(), json!([{"type": "Action.OpenUrl", "title": "Look at it", "url": link}]));
    }
    json!({
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}],
    })
}

/// Text without markdown: the characters that begin any are escaped.
fn teams_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '`' | '#' | '<' | '>' | '!' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_events_are_no_markup() {
        assert_eq!(slack_text("<!channel> & *b*\n"), "&lt;!channel&gt; &amp; \u{200b}*b\u{200b}* ");
        assert_eq!(teams_text("[click](http://x) <at>"), "\\[click\\]\\(http://x\\) \\<at\\>");
    }
}
