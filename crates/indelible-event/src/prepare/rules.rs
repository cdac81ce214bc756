//! The rules for single values: each checks one value and writes it. What a fault tells never includes the value.

use std::net::IpAddr;

use super::check::Check;
use crate::fault::{FaultCode, Path};
use crate::id::EventId;
use crate::json::{Item, Kind, utf16_order};
use crate::limits::{ATTRIBUTES_MAX, IDENTIFIER_BYTES_MAX};
use crate::nearest::nearest;
use crate::shape::{COMMITMENT, Field, OWN_SOURCE_KIND, SCHEMA};
use crate::time::{TimeError, checked_unix_ns};

impl Check<'_> {
    /// A text of at most `longest` bytes, or a commitment in its place. Only a text without bound may be empty.
    pub(super) fn text_field(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>, longest: usize) {
        if value.kind() != Kind::Given {
            self.head(field);
            self.text(value, path, longest);
        } else if self.length_is_fine(value, path, longest) {
            self.copy_member(field, value);
        }
    }

    pub(super) fn text(&mut self, value: Item<'_, '_>, path: &Path<'_>, longest: usize) {
        match value.kind() {
            Kind::Given | Kind::Unescaped => {
                if self.length_is_fine(value, path, longest) {
                    self.string(value);
                }
            }
            Kind::Object => self.commitment_object(value, path),
            Kind::Null | Kind::True | Kind::False | Kind::Integer | Kind::List => {
                self.wrong_type(path, value, "a string");
            }
        }
    }

    fn length_is_fine(&mut self, value: Item<'_, '_>, path: &Path<'_>, longest: usize) -> bool {
        let length = value.text_bytes().unwrap_or_default().len();
        if longest == usize::MAX || (1..=longest).contains(&length) {
            return true;
        }
        if length == 0 {
            self.fault(FaultCode::EmptyText, path, value, || {
                ("the text is empty".to_owned(), Some("leave the field out if there is nothing to say".to_owned()))
            });
        } else {
            self.fault(FaultCode::TextTooLong, path, value, || {
                (format!("the text takes {length} bytes; the most is {longest}"), None)
            });
        }
        false
    }

    /// A string that cannot be a commitment: its bytes, or a fault.
    fn clear_text<'t>(&mut self, value: Item<'_, 't>, path: &Path<'_>) -> Option<&'t [u8]> {
        let text = value.text_bytes();
        if text.is_none() {
            self.wrong_type(path, value, "a string");
        }
        text
    }

    pub(super) fn clear_identifier(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>) {
        if self.clear_text(value, path).is_some() {
            self.text_field(field, value, path, IDENTIFIER_BYTES_MAX);
        }
    }

    pub(super) fn source_kind(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>) {
        if value.text_bytes() == Some(OWN_SOURCE_KIND.as_bytes()) && self.defaults.source_kind != OWN_SOURCE_KIND {
            self.fault(FaultCode::Reserved, path, value, || {
                (format!("the source kind `{OWN_SOURCE_KIND}` is kept for the server's own events"), None)
            });
            return;
        }
        self.clear_identifier(field, value, path);
    }

    pub(super) fn word(&mut self, field: &Field, words: &'static [&'static str], value: Item<'_, '_>, path: &Path<'_>) {
        let Some(text) = self.clear_text(value, path) else { return };
        if words.iter().any(|word| word.as_bytes() == text) {
            self.head(field);
            self.string(value);
            return;
        }
        self.fault(FaultCode::UnknownValue, path, value, || {
            let near = value.cow().and_then(|text| nearest(&text, words.iter().copied()));
            let hint = near.map(|word| format!("did you mean `{word}`?"));
            (format!("the value is none of {}", words.join(", ")), hint)
        });
    }

    pub(super) fn integer(&mut self, field: &Field, least: i64, value: Item<'_, '_>, path: &Path<'_>) {
        let Some(number) = value.integer() else {
            self.wrong_type(path, value, "an integer");
            return;
        };
        if number < least {
            self.fault(FaultCode::NumberTooSmall, path, value, || (format!("the number is less than {least}"), None));
            return;
        }
        self.copy_member(field, value);
    }

    pub(super) fn time(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>) {
        let Some(text) = value.text() else {
            self.wrong_type(path, value, "a string");
            return;
        };
        let Err(error) = checked_unix_ns(text.as_str()) else {
            self.head(field);
            self.string(value);
            return;
        };
        let (code, hint) = match &error {
            TimeError::Malformed { .. } => (FaultCode::BadTime, None),
            TimeError::WithoutOffset => {
                (FaultCode::TimeWithoutOffset, Some("end it with Z for UTC, or with an offset such as +01:00"))
            }
            TimeError::OutOfRange => (FaultCode::TimeOutOfRange, None),
            TimeError::UnknownZone => {
                (FaultCode::UnknownTimeZone, Some("use a name such as Europe/Berlin, or leave the zone out"))
            }
            TimeError::OffsetContradictsZone { .. } => {
                (FaultCode::OffsetContradictsZone, Some("send the offset that the clock used, or leave the zone out"))
            }
        };
        self.fault(code, path, value, || (error.to_string(), hint.map(str::to_owned)));
    }

    pub(super) fn id(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>) {
        let Some(text) = self.clear_text(value, path) else { return };
        match EventId::parse(text) {
            Some(id) => {
                self.head(field);
                self.write_id(id);
            }
            None => self.fault(FaultCode::BadId, path, value, || {
                (
                    "the id is not a UUID such as 01937b5e-8d3c-7cc0-b9a1-4b3f6f2a1d00".to_owned(),
                    Some("leave it out and the server assigns one".to_owned()),
                )
            }),
        }
    }

    pub(super) fn schema(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>) {
        let Some(text) = self.clear_text(value, path) else { return };
        if text == SCHEMA.as_bytes() {
            self.head(field);
            self.string(value);
            return;
        }
        self.fault(FaultCode::UnknownSchema, path, value, || {
            (format!("this server knows the schema `{SCHEMA}` only"), None)
        });
    }

    pub(super) fn set_by_server(&mut self, value: Item<'_, '_>, path: &Path<'_>) {
        self.fault(FaultCode::SetByServer, path, value, || {
            ("the server sets this field".to_owned(), Some("leave it out; `time` says when it happened".to_owned()))
        });
    }

    pub(super) fn ip(&mut self, field: &Field, value: Item<'_, '_>, path: &Path<'_>) {
        let fine = value.text().is_none_or(|text| text.as_str().parse::<IpAddr>().is_ok());
        if fine {
            self.text_field(field, value, path, IDENTIFIER_BYTES_MAX);
            return;
        }
        self.fault(FaultCode::BadIp, path, value, || {
            (
                "the text is not an IPv4 or IPv6 address".to_owned(),
                Some("send the address alone, without port, brackets, prefix length or host name".to_owned()),
            )
        });
    }

    pub(super) fn hex(&mut self, field: &Field, digits: usize, value: Item<'_, '_>, path: &Path<'_>) {
        let fine = value.text_bytes().is_none_or(|text| is_lower_hex(text, digits));
        if fine {
            self.text_field(field, value, path, digits);
            return;
        }
        self.fault(FaultCode::BadTraceId, path, value, || {
            (format!("the text is not {digits} lower-case hex digits, not all zero (W3C Trace Context)"), None)
        });
    }

    /// The object that stands in place of a text.
    fn commitment_object(&mut self, value: Item<'_, '_>, path: &Path<'_>) {
        let mut members = value.members();
        match (members.next(), members.next()) {
            (Some((key, commitment)), None) if key.text_bytes() == Some(COMMITMENT.as_bytes()) => {
                self.out.extend_from_slice(b"{\"commitment\":");
                self.commitment(commitment, &Path::Field(path, COMMITMENT));
                self.out.push(b'}');
            }
            _ => self.wrong_type(path, value, "a string or an object with `commitment` alone"),
        }
    }

    /// A commitment itself: SHA-256 size, base64.
    pub(super) fn commitment(&mut self, value: Item<'_, '_>, path: &Path<'_>) {
        let Some(text) = self.clear_text(value, path) else { return };
        if is_base64_of_32_bytes(text) {
            self.string(value);
            return;
        }
        self.fault(FaultCode::BadCommitment, path, value, || {
            ("the text is not base64 (standard alphabet, padded) of 32 bytes".to_owned(), None)
        });
    }

    pub(super) fn attributes(&mut self, attributes: Item<'_, '_>, path: &Path<'_>) {
        if attributes.kind() != Kind::Object {
            self.wrong_type(path, attributes, "an object");
            return;
        }
        if attributes.count() > ATTRIBUTES_MAX {
            self.fault(FaultCode::TooManyAttributes, path, attributes, || {
                (format!("there are {} attributes; the most is {ATTRIBUTES_MAX}", attributes.count()), None)
            });
            return;
        }
        let mut members: Vec<_> = attributes.members().collect();
        members.sort_unstable_by(|(a, _), (b, _)| {
            utf16_order(a.text_bytes().unwrap_or_default(), b.text_bytes().unwrap_or_default())
        });
        self.out.push(b'{');
        for (position, (key, value)) in members.iter().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            let name = key.cow().unwrap_or_default();
            let path = &Path::Field(path, &name);
            if self.length_is_fine(*key, path, IDENTIFIER_BYTES_MAX) {
                self.string(*key);
                self.out.push(b':');
                self.attribute(*value, path);
            }
        }
        self.out.push(b'}');
    }

    fn attribute(&mut self, value: Item<'_, '_>, path: &Path<'_>) {
        if value.kind() == Kind::List {
            self.list(value, path, Self::plain_attribute);
        } else {
            self.plain_attribute(value, path);
        }
    }

    fn plain_attribute(&mut self, value: Item<'_, '_>, path: &Path<'_>) {
        match value.kind() {
            Kind::Integer | Kind::True | Kind::False | Kind::Given => self.out.extend_from_slice(value.token()),
            Kind::Unescaped => self.string(value),
            Kind::Object => self.commitment_object(value, path),
            Kind::Null | Kind::List => {
                self.wrong_type(path, value, "a string, an integer, a boolean or a flat list of them");
            }
        }
    }
}

fn is_lower_hex(text: &[u8], digits: usize) -> bool {
    text.len() == digits
        && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && text.iter().any(|byte| *byte != b'0')
}

/// Whether this is the one base64 form (RFC 4648, section 4, padded) of some 32 bytes: 43 characters, of which the last carries
/// four bits, and one `=`.
fn is_base64_of_32_bytes(text: &[u8]) -> bool {
    let [body @ .., last, b'='] = text else { return false };
    body.len() == 42
        && body.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/'))
        && b"AEIMQUYcgkosw048".contains(last)
}
