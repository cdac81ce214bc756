//! Comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! The columns are those of the search index, in its order, so that one table explains both; new ones are added at the end. Two
//! differ: `time` and `recorded` stand as they were written, with their offset. A cell that a spreadsheet would take for a
//! formula is given a leading apostrophe; numbers of our own are written as they are. Several values in one cell are separated
//! by semicolons, and a value that holds one is quoted.

use std::borrow::Cow;

use indelible_event::json::Value;
use indelible_event::view::{ActorView, AiView, EventView, OutcomeView, ResourceView};

use crate::{ExportError, read};

/// The columns, in order.
#[rustfmt::skip]
pub const CSV_COLUMNS: [&str; 50] = [
    "index", "id", "time", "recorded", "source_id", "source_kind", "source_seq",
    "actor_id", "actor_type", "actor_name", "actor_roles", "actor_groups", "actor_session", "actor_ip", "actor_user_agent",
    "actor_auth", "on_behalf_of", "action", "operation",
    "resource_types", "resource_ids", "resource_names", "resource_labels", "resource_fields", "resource_count", "resource_bytes",
    "outcome_result", "outcome_phase", "outcome_code", "outcome_reason", "outcome_policy", "request",
    "duration_ns", "purpose", "legal_basis",
    "ai_provider", "ai_operation", "ai_request_model", "ai_response_model", "ai_input_tokens", "ai_output_tokens",
    "ai_finish_reasons", "ai_conversation", "ai_agent", "ai_tool_name", "ai_tool_call_id",
    "trace_id", "span_id", "sealed_names", "attributes",
];

/// What a spreadsheet takes for the beginning of a formula, the wide forms of East Asian keyboards included.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// Room for a row before it is handed on.
const ROW_BYTES: usize = 2_048;

/// Appends the header line.
///
/// # Errors
/// Never for the columns there are; the writer's error is passed on all the same.
pub fn csv_header(out: &mut Vec<u8>) -> Result<(), ExportError> {
    write(0, CSV_COLUMNS.iter().map(|column| Cow::Borrowed(*column)), out)
}

/// Appends one entry as a row.
///
/// # Errors
/// [`ExportError`] with the entry's index.
pub fn csv_row(index: u64, entry: &[u8], out: &mut Vec<u8>) -> Result<(), ExportError> {
    let view = read(index, entry)?;
    write(index, cells(index, &view).into_iter(), out)
}

fn write<'a>(index: u64, cells: impl Iterator<Item = Cow<'a, str>>, out: &mut Vec<u8>) -> Result<(), ExportError> {
    csv_record(cells, out).map_err(|source| ExportError::Row { index, source })
}

/// Appends cells as one record, quoted where they must be. Texts are to be made safe by [`csv_safe`] first.
///
/// # Errors
/// As the writer says.
pub fn csv_record<'a>(cells: impl Iterator<Item = Cow<'a, str>>, out: &mut Vec<u8>) -> Result<(), csv::Error> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).buffer_capacity(ROW_BYTES).from_writer(out);
    for cell in cells {
        writer.write_field(cell.as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;
    Ok(writer.flush()?)
}

fn cells<'a>(index: u64, view: &'a EventView<'_>) -> Vec<Cow<'a, str>> {
    let mut cells = Vec::with_capacity(CSV_COLUMNS.len());
    cells.extend([index.to_string().into(), csv_safe(&view.id), csv_safe(&view.time), csv_safe(&view.recorded)]);
    cells.extend([text(view.source.id.as_ref()), text(view.source.kind.as_ref()), number(view.source.seq)]);
    push_actor(&view.actor, &mut cells);
    cells.push(list(view.on_behalf_of.iter().filter_map(|actor| actor.id.as_ref())));
    cells.extend([text(view.action.as_ref()), text(view.operation.as_ref())]);
    push_resources(&view.resources, &mut cells);
    push_outcome(&view.outcome, &mut cells);
    cells.extend([number(view.duration_ns), text(view.purpose.as_ref()), text(view.legal_basis.as_ref())]);
    push_ai(&view.ai, &mut cells);
    cells.extend([text(view.trace_id.as_ref()), text(view.span_id.as_ref())]);
    cells.push(list(view.sealed.iter().filter_map(|sealed| sealed.name.as_ref())));
    cells.push(attributes(&view.attributes));
    cells
}

fn push_actor<'a>(actor: &'a ActorView<'_>, cells: &mut Vec<Cow<'a, str>>) {
    cells.extend([
        text(actor.id.as_ref()),
        text(actor.kind.as_ref()),
        text(actor.name.as_ref()),
        list(actor.roles.iter()),
        list(actor.groups.iter()),
        text(actor.session.as_ref()),
        text(actor.ip.as_ref()),
        text(actor.user_agent.as_ref()),
        text(actor.auth.as_ref()),
    ]);
}

fn push_resources<'a>(resources: &'a [ResourceView<'_>], cells: &mut Vec<Cow<'a, str>>) {
    // One of each for each resource, so that the cells can be told together; nothing when no resource has one.
    let column = |of: fn(&'a ResourceView<'_>) -> Option<&'a Cow<'a, str>>| {
        if resources.iter().any(|resource| of(resource).is_some()) {
            list(resources.iter().map(|resource| of(resource).unwrap_or(&Cow::Borrowed(""))))
        } else {
            Cow::Borrowed("")
        }
    };
    let sum = |of: fn(&ResourceView<'_>) -> Option<i64>| resources.iter().filter_map(of).reduce(i64::saturating_add);
    cells.extend([
        column(|resource| resource.kind.as_ref()),
        column(|resource| resource.id.as_ref()),
        column(|resource| resource.name.as_ref()),
        list(resources.iter().flat_map(|resource| &resource.labels)),
        list(resources.iter().flat_map(|resource| &resource.fields)),
        number(sum(|resource| resource.count)),
        number(sum(|resource| resource.bytes)),
    ]);
}

fn push_outcome<'a>(outcome: &'a OutcomeView<'_>, cells: &mut Vec<Cow<'a, str>>) {
    cells.extend([
        text(outcome.result.as_ref()),
        text(outcome.phase.as_ref()),
        text(outcome.code.as_ref()),
        text(outcome.reason.as_ref()),
        text(outcome.policy.as_ref()),
        text(outcome.request.as_ref()),
    ]);
}

fn push_ai<'a>(ai: &'a AiView<'_>, cells: &mut Vec<Cow<'a, str>>) {
    cells.extend([
        text(ai.provider.as_ref()),
        text(ai.operation.as_ref()),
        text(ai.request_model.as_ref()),
        text(ai.response_model.as_ref()),
        number(ai.input_tokens),
        number(ai.output_tokens),
        list(ai.finish_reasons.iter()),
        text(ai.conversation.as_ref()),
        text(ai.agent.as_ref()),
        text(ai.tool_name.as_ref()),
        text(ai.tool_call_id.as_ref()),
    ]);
}

/// A text that cannot become a formula.
#[must_use]
pub fn csv_safe(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn text<'a>(text: Option<&'a Cow<'_, str>>) -> Cow<'a, str> {
    text.map_or(Cow::Borrowed(""), |text| csv_safe(text))
}

fn number<'a, N: ToString>(number: Option<N>) -> Cow<'a, str> {
    number.map_or(Cow::Borrowed(""), |number| Cow::Owned(number.to_string()))
}

fn list<'a>(items: impl Iterator<Item = &'a Cow<'a, str>>) -> Cow<'a, str> {
    let mut joined = String::new();
    for (place, item) in items.enumerate() {
        if place > 0 {
            joined.push(';');
        }
        if item.contains([';', '"']) {
            joined.push('"');
            joined.push_str(&item.replace('"', "\"\""));
            joined.push('"');
        } else {
            joined.push_str(item);
        }
    }
    match csv_safe(&joined) {
        Cow::Owned(safe) => Cow::Owned(safe),
        Cow::Borrowed(_) => Cow::Owned(joined),
    }
}

fn attributes<'a>(attributes: &[(Cow<'_, str>, Value<'_>)]) -> Cow<'a, str> {
    if attributes.is_empty() {
        return Cow::Borrowed("");
    }
    let mut bytes = Vec::new();
    Value::Object(attributes.to_vec()).write_canonical(&mut bytes);
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str) -> Vec<String> {
        let mut out = Vec::new();
        csv_header(&mut out).unwrap();
        csv_row(7, event.as_bytes(), &mut out).unwrap();
        let mut reader = csv::Reader::from_reader(out.as_slice());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), CSV_COLUMNS);
        reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect()
    }

    fn cell(row: &[String], column: &str) -> String {
        row[CSV_COLUMNS.iter().position(|name| *name == column).unwrap()].clone()
    }

    #[test]
    fn a_cell_never_becomes_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\\t=1", "\\r=1", "\\n=1", "＝1", "＋1", "－1", "＠1"] {
            let event = format!(
                "{{\"id\":\"i\",\"actor\":{{\"id\":\"{evil}\",\"roles\":[\"{evil}\"]}},\"purpose\":\"{evil}\",\"time\":\"{evil}\",\
                 \"resources\":[{{\"id\":\"{evil}\"}}]}}"
            );
            let row = row(&event);
            for column in ["actor_id", "actor_roles", "purpose", "resource_ids", "time"] {
                assert!(cell(&row, column).starts_with('\''), "{column}: {evil}");
            }
        }
    }

    #[test]
    fn quotes_line_ends_and_lists_survive_a_csv_reader() {
        let event = "{\"id\":\"i\",\"actor\":{\"id\":\"a\\\"b,c\\nd\"},\"resources\":[{\"id\":\"x;y\",\"count\":2},\
                     {\"id\":\"z\",\"name\":\"n\",\"count\":3}],\"attributes\":{\"b\":1,\"a\":true}}";
        let row = row(event);
        assert_eq!(cell(&row, "index"), "7");
        assert_eq!(cell(&row, "actor_id"), "a\"b,c\nd");
        assert_eq!(cell(&row, "resource_ids"), "\"x;y\";z");
        assert_eq!(cell(&row, "resource_names"), ";n");
        assert_eq!(cell(&row, "resource_types"), "");
        assert_eq!(cell(&row, "resource_count"), "5");
        assert_eq!(cell(&row, "attributes"), "{\"a\":true,\"b\":1}");
    }

    #[test]
    fn every_field_of_an_event_has_its_cell() {
        let event = crate::testing::WHOLE_EVENT;
        let row = row(event);
        let empty: Vec<&str> =
            CSV_COLUMNS.into_iter().zip(&row).filter(|(_, cell)| cell.is_empty()).map(|(name, _)| name).collect();
        assert_eq!(empty, [""; 0]);
        assert_eq!(row.len(), CSV_COLUMNS.len());
        assert_eq!(cell(&row, "time"), "2026-11-23T10:15:30.5+01:00[Europe/Berlin]");
        assert_eq!(cell(&row, "ai_tool_call_id"), "call-1");
        assert_eq!(cell(&row, "span_id"), "00f067aa0ba902b7");
        assert_eq!(cell(&row, "on_behalf_of"), "svc;ana");
    }

    #[test]
    fn what_is_no_event_stops_the_export_with_its_index() {
        let error = csv_row(9, b"{\"id\":", &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("entry 9"));
    }
}
