//! Times in answers about alerts: inside they are nanoseconds, which a JavaScript number cannot hold; outside they are RFC 3339.

use indelible_event::time::RecordedTime;
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;

const SUFFIX: &str = "_unix_ns";

/// A value as JSON, with each `…_unix_ns` as a text under its name without the suffix.
pub(super) fn with_times(value: impl Serialize) -> Result<Value, Problem> {
    let mut value = serde_json::to_value(value).map_err(Problem::internal)?;
    rewrite(&mut value);
    Ok(value)
}

// as deep as our own types, which do not nest without end
fn rewrite(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(object) => {
            let times: Vec<(String, i64)> = object
                .iter()
                .filter_map(|(name, value)| Some((name.strip_suffix(SUFFIX)?.to_owned(), value.as_i64()?)))
                .collect();
            for (name, time) in times {
                object.remove(&format!("{name}{SUFFIX}"));
                object.insert(name, Value::String(RecordedTime(time).to_string()));
            }
            object.values_mut().for_each(rewrite);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nanoseconds_become_times_however_deep() {
        let inside = json!({"alerts": [{"opened_unix_ns": 1_795_425_330_500_000_000_i64, "findings": 2}], "until_unix_ns": null});
        let outside =
            json!({"alerts": [{"opened": "2026-11-23T09:15:30.500000000Z", "findings": 2}], "until_unix_ns": null});
        assert_eq!(with_times(inside).unwrap(), outside);
    }
}
