//! Checks an event against the tables and writes it in one walk: each object's fields are put in their canonical order first,
//! then each is judged and copied. The rules for single values stand in `rules`.

use super::Defaults;
use crate::fault::{Fault, FaultCode, FaultList, Path};
use crate::id::EventId;
use crate::json::{Item, Kind, write_text};
use crate::limits::{IDENTIFIER_BYTES_MAX, LIST_ITEMS_MAX};
use crate::nearest::nearest;
use crate::shape::{Absent, EVENT, Field, Fill, Rule, SCHEMA, SHAPE_FIELDS_MAX, Shape};
use crate::time::RECORDED_BYTES;
use crate::words::OutcomePhase;

/// An event without faults, as it was written.
pub(super) struct Written {
    pub(super) id: EventId,
    pub(super) id_assigned: bool,
    /// Where the `recorded` slot begins in the buffer.
    pub(super) recorded_at: usize,
}

pub(super) struct Check<'w> {
    pub(super) defaults: &'w Defaults<'w>,
    pub(super) out: &'w mut Vec<u8>,
    pub(super) id: Option<EventId>,
    new_id: &'w mut dyn FnMut() -> EventId,
    faults: &'w mut FaultList,
    id_assigned: bool,
    recorded_at: usize,
}

impl<'w> Check<'w> {
    pub(super) fn new(
        defaults: &'w Defaults<'w>,
        new_id: &'w mut dyn FnMut() -> EventId,
        out: &'w mut Vec<u8>,
        faults: &'w mut FaultList,
    ) -> Self {
        Self { defaults, out, id: None, new_id, faults, id_assigned: false, recorded_at: 0 }
    }

    /// Checks and writes the whole event. `None` when it has faults; the output is then to be thrown away.
    pub(super) fn event(mut self, root: Item<'_, '_>) -> Option<Written> {
        let faults_before = self.faults.total();
        if root.kind() == Kind::Object {
            self.out.reserve(root.end() + 256);
            self.object(&EVENT, root, &Path::Root);
        } else {
            self.fault(FaultCode::NotAnObject, &Path::Root, root, || {
                (format!("an event is a JSON object, not {}", root.kind_name()), None)
            });
        }
        if self.faults.total() > faults_before {
            return None;
        }
        let id = self.id?;
        Some(Written { id, id_assigned: self.id_assigned, recorded_at: self.recorded_at })
    }

    fn object(&mut self, shape: &Shape, item: Item<'_, '_>, path: &Path<'_>) {
        if item.kind() != Kind::Object {
            self.wrong_type(path, item, "an object");
            return;
        }
        // Where each field's value stands; the root's place 0 is no field's.
        let mut places = [0u32; SHAPE_FIELDS_MAX];
        for (key, value) in item.members() {
            match shape.position(key) {
                Some(position) => places[position] = value.place(),
                None => self.unknown_field(shape, key, path),
            }
        }
        let mut separator = b'{';
        for (field, place) in shape.fields.iter().zip(places) {
            match (place, field.absent) {
                (0, Absent::Fine) => continue,
                (0, Absent::Fault) => {
                    self.missing(field, item, path);
                    continue;
                }
                (0, Absent::Filled(fill)) => {
                    self.out.push(separator);
                    self.fill(field, fill);
                }
                _ => {
                    self.out.push(separator);
                    self.field(field, item.placed(place), path);
                }
            }
            separator = b',';
        }
        if separator == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }

    fn field(&mut self, field: &Field, value: Item<'_, '_>, parent: &Path<'_>) {
        let path = &Path::Field(parent, field.name);
        match field.rule {
            Rule::Text => self.text_field(field, value, path, usize::MAX),
            Rule::Identifier => self.text_field(field, value, path, IDENTIFIER_BYTES_MAX),
            Rule::ClearIdentifier => self.clear_identifier(field, value, path),
            Rule::SourceKind => self.source_kind(field, value, path),
            Rule::Word(words) => self.word(field, words, value, path),
            Rule::Integer(least) => self.integer(field, least, value, path),
            Rule::Time => self.time(field, value, path),
            Rule::Id => self.id(field, value, path),
            Rule::Schema => self.schema(field, value, path),
            Rule::Recorded => self.set_by_server(value, path),
            Rule::Ip => self.ip(field, value, path),
            Rule::Hex(digits) => self.hex(field, digits, value, path),
            Rule::Commitment => {
                self.head(field);
                self.commitment(value, path);
            }
            Rule::Object(shape) => {
                self.head(field);
                self.object(shape, value, path);
            }
            Rule::Objects(shape) => {
                self.head(field);
                self.list(value, path, |check, item, path| check.object(shape, item, path));
            }
            Rule::Identifiers => {
                self.head(field);
                self.list(value, path, |check, item, path| check.text(item, path, IDENTIFIER_BYTES_MAX));
            }
            Rule::Attributes => {
                self.head(field);
                self.attributes(value, path);
            }
        }
    }

    pub(super) fn list(
        &mut self,
        list: Item<'_, '_>,
        path: &Path<'_>,
        mut each: impl FnMut(&mut Self, Item<'_, '_>, &Path<'_>),
    ) {
        if list.kind() != Kind::List {
            self.wrong_type(path, list, "a list");
            return;
        }
        if list.count() > LIST_ITEMS_MAX {
            self.fault(FaultCode::ListTooLong, path, list, || {
                (format!("the list has {} items; the most is {LIST_ITEMS_MAX}", list.count()), None)
            });
            return;
        }
        self.out.push(b'[');
        for (position, item) in list.items().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            each(self, item, &Path::Position(path, position));
        }
        self.out.push(b']');
    }

    /// Writes a field that the event does not have.
    fn fill(&mut self, field: &Field, fill: Fill) {
        self.head(field);
        match fill {
            Fill::Schema => write_text(SCHEMA.as_bytes(), self.out),
            Fill::SourceId => write_text(self.defaults.source_id.as_bytes(), self.out),
            Fill::SourceKind => write_text(self.defaults.source_kind.as_bytes(), self.out),
            Fill::Phase => write_text(OutcomePhase::Single.as_str().as_bytes(), self.out),
            Fill::Source => {
                self.out.extend_from_slice(b"{\"id\":");
                write_text(self.defaults.source_id.as_bytes(), self.out);
                self.out.extend_from_slice(b",\"kind\":");
                write_text(self.defaults.source_kind.as_bytes(), self.out);
                self.out.push(b'}');
            }
            Fill::Id => {
                let id = (self.new_id)();
                self.id_assigned = true;
                self.write_id(id);
            }
            Fill::Recorded => {
                self.out.push(b'"');
                self.recorded_at = self.out.len();
                self.out.extend_from_slice(&[b'0'; RECORDED_BYTES]);
                self.out.push(b'"');
            }
        }
    }

    pub(super) fn write_id(&mut self, id: EventId) {
        self.id = Some(id);
        self.out.push(b'"');
        self.out.extend_from_slice(&id.write());
        self.out.push(b'"');
    }

    // Copying.

    /// Writes a field's key.
    pub(super) fn head(&mut self, field: &Field) {
        self.out.extend_from_slice(field.head.as_bytes());
    }

    /// Writes a field whose value is canonical as it stands in the input: in one piece with its key where nothing lies between.
    pub(super) fn copy_member(&mut self, field: &Field, value: Item<'_, '_>) {
        let key = value.key();
        if key.end() + 1 == value.at() && key.kind() == Kind::Given {
            self.out.extend_from_slice(&value.input()[key.at()..value.end()]);
        } else {
            self.head(field);
            self.out.extend_from_slice(value.token());
        }
    }

    /// Writes a string: as it stands in the input if it had no escapes, else with the least escapes.
    pub(super) fn string(&mut self, value: Item<'_, '_>) {
        match value.kind() {
            Kind::Given => self.out.extend_from_slice(value.token()),
            _ => write_text(value.text_bytes().unwrap_or_default(), self.out),
        }
    }

    // Faults.

    pub(super) fn fault(
        &mut self,
        code: FaultCode,
        path: &Path<'_>,
        item: Item<'_, '_>,
        tell: impl FnOnce() -> (String, Option<String>),
    ) {
        self.faults.add(|| {
            let (reason, hint) = tell();
            Fault { line: None, field: path.to_string(), column: Some(item.at() + 1), code, reason, hint }
        });
    }

    pub(super) fn wrong_type(&mut self, path: &Path<'_>, item: Item<'_, '_>, expected: &'static str) {
        self.fault(FaultCode::WrongType, path, item, || {
            let hint = match item.kind() {
                Kind::Null => Some("leave the field out instead of sending null".to_owned()),
                Kind::Integer | Kind::True | Kind::False if expected == "a string" => {
                    Some("put the value in quotes".to_owned())
                }
                _ => None,
            };
            (format!("expected {expected}, found {}", item.kind_name()), hint)
        });
    }

    fn missing(&mut self, field: &Field, parent: Item<'_, '_>, path: &Path<'_>) {
        self.faults.add(|| {
            let path = Path::Field(path, field.name);
            let needs = match field.rule {
                Rule::Word(words) => Some(format!("one of {}", words.join(", "))),
                Rule::Time => Some("such as 2026-11-23T10:15:30.123456789+01:00[Europe/Berlin]".to_owned()),
                Rule::Object(shape) => {
                    let needed: Vec<_> = shape
                        .fields
                        .iter()
                        .filter(|field| field.absent == Absent::Fault)
                        .map(|field| field.name)
                        .collect();
                    Some(format!("an object with {}", needed.join(" and ")))
                }
                _ => None,
            };
            Fault {
                line: None,
                field: path.to_string(),
                column: Some(parent.at() + 1),
                code: FaultCode::MissingField,
                reason: format!("`{path}` is missing"),
                hint: needs.map(|needs| format!("add `{}`: {needs}", field.name)),
            }
        });
    }

    fn unknown_field(&mut self, shape: &Shape, key: Item<'_, '_>, parent: &Path<'_>) {
        self.faults.add(|| {
            let text = key.cow().unwrap_or_default();
            let known = nearest(&text, shape.fields.iter().map(|field| field.name));
            let hint = match known {
                Some(name) => format!("did you mean `{}`?", Path::Field(parent, name)),
                None => "values of your own belong in `attributes`".to_owned(),
            };
            Fault {
                line: None,
                field: Path::Field(parent, &text).to_string(),
                column: Some(key.at() + 1),
                code: FaultCode::UnknownField,
                reason: "events have no such field".to_owned(),
                hint: Some(hint),
            }
        });
    }
}
