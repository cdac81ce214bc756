//! Comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! Columns are stable: new ones are added at the end. A cell that a spreadsheet would take for a formula (it begins with `=`,
//! `+`, `-`, `@`, a tab or a carriage return) is given a leading apostrophe; numbers of our own are written as they are.

use std::borrow::Cow;

use indelible_event::json::Value;
use indelible_event::view::{ActorView, EventView, ResourceView};

use crate::{ExportError, read};

/// The columns, in order.
pub const CSV_COLUMNS: [&str; 37] = [
    "index", "id", "time", "recorded", "source_id", "source_kind", "source_seq", "actor_id", "actor_type", "actor_name",
    "actor_roles", "actor_groups", "actor_session", "actor_ip", "on_behalf_of", "action", "operation", "resource_types",
    "resource_ids", "resource_names", "resource_labels", "resource_count", "outcome_result", "outcome_phase", "outcome_code",
    "outcome_reason", "outcome_policy", "request", "duration_ns", "purpose", "legal_basis", "ai_provider", "ai_request_model",
    "ai_input_tokens", "ai_output_tokens", "trace_id", "attributes",
];

/// Appends the header line.
///
/// # Errors
/// Never for the columns there are; the writer's error is passed on all the same.
pub fn csv_header(out: &mut Vec<u8>) -> Result<(), ExportError> {
    write(0, CSV_COLUMNS.iter().map(|column| (*column).to_owned()), out)
}

/// Appends one entry as a row.
///
/// # Errors
/// [`ExportError`] with the entry's index.
pub fn csv_row(index: u64, entry: &[u8], out: &mut Vec<u8>) -> Result<(), ExportError> {
    let view = read(index, entry)?;
    let cells = cells(index, &view);
    debug_assert_eq!(cells.len(), CSV_COLUMNS.len());
    write(index, cells.into_iter(), out)
}

fn write(index: u64, cells: impl Iterator<Item = String>, out: &mut Vec<u8>) -> Result<(), ExportError> {
    let failed = |source| ExportError::Row { index, source };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    for cell in cells {
        writer.write_field(cell).map_err(failed)?;
    }
    writer.write_record(None::<&[u8]>).map_err(failed)?;
    writer.flush().map_err(|error| failed(error.into()))
}

fn cells(index: u64, view: &EventView<'_>) -> Vec<String> {
    let (source, actor, outcome, ai) = (&view.source, &view.actor, &view.outcome, &view.ai);
    let resources = &view.resources;
    vec![
        index.to_string(),
        safe(&view.id),
        safe(&view.time),
        safe(&view.recorded),
        text(source.id.as_ref()),
        text(source.kind.as_ref()),
        number(source.seq),
        text(actor.id.as_ref()),
        text(actor.kind.as_ref()),
        text(actor.name.as_ref()),
        list(actor.roles.iter()),
        list(actor.groups.iter()),
        text(actor.session.as_ref()),
        text(actor.ip.as_ref()),
        list(view.on_behalf_of.iter().filter_map(|actor: &ActorView<'_>| actor.id.as_ref())),
        text(view.action.as_ref()),
        text(view.operation.as_ref()),
        list(resources.iter().filter_map(|resource: &ResourceView<'_>| resource.kind.as_ref())),
        list(resources.iter().filter_map(|resource| resource.id.as_ref())),
        list(resources.iter().filter_map(|resource| resource.name.as_ref())),
        list(resources.iter().flat_map(|resource| resource.labels.iter())),
        number(resources.iter().filter_map(|resource| resource.count).reduce(i64::saturating_add)),
        text(outcome.result.as_ref()),
        text(outcome.phase.as_ref()),
        text(outcome.code.as_ref()),
        text(outcome.reason.as_ref()),
        text(outcome.policy.as_ref()),
        text(outcome.request.as_ref()),
        number(view.duration_ns),
        text(view.purpose.as_ref()),
        text(view.legal_basis.as_ref()),
        text(ai.provider.as_ref()),
        text(ai.request_model.as_ref()),
        number(ai.input_tokens),
        number(ai.output_tokens),
        text(view.trace_id.as_ref()),
        attributes(&view.attributes),
    ]
}

/// A text that cannot become a formula.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn text(text: Option<&Cow<'_, str>>) -> String {
    text.map(|text| safe(text)).unwrap_or_default()
}

fn number<N: ToString>(number: Option<N>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// Several values in one cell, separated by semicolons; one that holds a semicolon is quoted.
fn list<'a>(items: impl Iterator<Item = &'a Cow<'a, str>>) -> String {
    let quoted = |item: &Cow<'_, str>| if item.contains([';', '"']) { format!("\"{}\"", item.replace('"', "\"\"")) } else { item.to_string() };
    safe(&items.map(quoted).collect::<Vec<_>>().join(";"))
}

fn attributes(attributes: &[(Cow<'_, str>, Value<'_>)]) -> String {
    if attributes.is_empty() {
        return String::new();
    }
    let mut bytes = Vec::new();
    Value::Object(attributes.to_vec()).write_canonical(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str) -> Vec<String> {
        let mut out = Vec::new();
        csv_header(&mut out).unwrap();
        csv_row(7, event.as_bytes(), &mut out).unwrap();
        let mut reader = csv::Reader::from_reader(out.as_slice());
        assert_eq!(reader.headers().unwrap().len(), CSV_COLUMNS.len());
        reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect()
    }

    fn cell(row: &[String], column: &str) -> String {
        row[CSV_COLUMNS.iter().position(|name| *name == column).unwrap()].clone()
    }

    #[test]
    fn a_cell_never_becomes_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\\t=1", "\\r=1"] {
            let event = format!(
                "{{\"id\":\"i\",\"actor\":{{\"id\":\"{evil}\",\"roles\":[\"{evil}\"]}},\"purpose\":\"{evil}\",\"resources\":[{{\"id\":\"{evil}\"}}]}}"
            );
            let row = row(&event);
            for column in ["actor_id", "actor_roles", "purpose", "resource_ids"] {
                assert!(cell(&row, column).starts_with('\''), "{column}: {evil}");
            }
        }
    }

    #[test]
    fn quotes_line_ends_and_lists_survive_a_csv_reader() {
        let event = "{\"id\":\"i\",\"actor\":{\"id\":\"a\\\"b,c\\nd\"},\"resources\":[{\"id\":\"x;y\",\"count\":2},{\"id\":\"z\",\"count\":3}],\
                     \"attributes\":{\"b\":1,\"a\":true}}";
        let row = row(event);
        assert_eq!(cell(&row, "index"), "7");
        assert_eq!(cell(&row, "actor_id"), "a\"b,c\nd");
        assert_eq!(cell(&row, "resource_ids"), "\"x;y\";z");
        assert_eq!(cell(&row, "resource_count"), "5");
        assert_eq!(cell(&row, "attributes"), "{\"a\":true,\"b\":1}");
    }

    #[test]
    fn what_is_no_event_stops_the_export_with_its_index() {
        let error = csv_row(9, b"{\"id\":", &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("entry 9"));
    }
}
