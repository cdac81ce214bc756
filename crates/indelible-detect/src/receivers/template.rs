//! A body of one's own for a webhook: JSON in which `{{ alert.severity }}` stands for what the notice holds.
//!
//! Promises: what is filled in cannot end the string it stands in, so the body stays the JSON that it was; a name that leads nowhere
//! is found when the template is read, not when an alert is due. Never: loops, calls or conditions.

use serde_json::Value;

use crate::notice::Notice;

/// Longest template.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// A template that can be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A path into the notice.
    Field(String),
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("the template is longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    /// A name without an end.
    #[error("line {line} of the template has `{{{{` without `}}}}`")]
    Open {
        /// Which line, from 1.
        line: usize,
    },
    /// A name that no notice has.
    #[error(
        "`{name}` in line {line} of the template is nothing that a notice holds; try alert.id, alert.severity, alert.rule.title, alert.entity.id, alert.latest.summary, reason, link"
    )]
    Unknown {
        /// The name.
        name: String,
        /// Which line, from 1.
        line: usize,
    },
    /// Filled in, it is no JSON.
    #[error("filled in, the template is no JSON: {reason}")]
    NotJson {
        /// Why.
        reason: String,
    },
}

/// Names that a notice may lack.
const OPTIONAL: [&str; 5] = ["link", "alert.owner", "alert.reason", "alert.latest.usual", "alert.latest.seen"];

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] with the line.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
        let example = serde_json::to_value(Notice::test("example", "main", 0)).unwrap_or_default();
        let (mut pieces, mut rest, mut line) = (Vec::new(), text, 1);
        while let Some((before, after)) = rest.split_once("{{") {
            line += before.matches('\n').count();
            let (name, after) = after.split_once("}}").ok_or(TemplateError::Open { line })?;
            let name = name.trim().to_owned();
            if field(&example, &name).is_none() && !OPTIONAL.contains(&name.as_str()) {
                return Err(TemplateError::Unknown { name, line });
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Field(name));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let template = Self(pieces);
        let filled = template.fill(&Notice::test("example", "main", 0));
        serde_json::from_slice::<Value>(&filled)
            .map_err(|error| TemplateError::NotJson { reason: error.to_string() })?;
        Ok(template)
    }

    /// The body for a notice. Texts are written as inside a JSON string, anything else as JSON.
    pub(super) fn fill(&self, notice: &Notice) -> Vec<u8> {
        let notice = serde_json::to_value(notice).unwrap_or_default();
        let mut body = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => body.push_str(text),
                Piece::Field(name) => match field(&notice, name) {
                    Some(Value::String(text)) => {
                        let quoted = Value::String(text.clone()).to_string();
                        body.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
                    }
                    Some(other) => body.push_str(&other.to_string()),
                    None => {}
                },
            }
        }
        body.into_bytes()
    }
}

fn field<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |at, name| at.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_cannot_leave_its_string() {
        let template =
            Template::parse("{\"text\": \"{{ alert.entity.id }} {{link}}\",\n \"n\": {{ alert.findings }}}").unwrap();
        let mut notice = Notice::test("x", "main", 0);
        notice.alert.entity.id = "a\", \"admin\": true, \"b\": \"\\\n".to_owned();
        let filled: Value = serde_json::from_slice(&template.fill(&notice)).unwrap();
        assert_eq!(filled.as_object().unwrap().len(), 2);
        assert_eq!(filled["n"], 1);
        assert!(filled["text"].as_str().unwrap().starts_with("a\", \"admin\""));
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let fault = |text: &str| Template::parse(text).unwrap_err().to_string();
        assert!(fault("{\n\"a\": \"{{ alert.severty }}\"}").contains("`alert.severty` in line 2"));
        assert!(fault("{\"a\": \"{{ alert.id\"}").contains("line 1"));
        assert!(fault("{\"a\": {{ alert.id }}}").contains("no JSON"));
    }
}
