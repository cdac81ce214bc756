//! Figures of one measurement, as a table to read or as JSON to keep. Never: an address, a path or a token.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// How figures are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Figures of one measurement.
#[derive(Clone, Debug)]
pub struct Report {
    fields: Map<String, Value>,
    /// What went wrong, in sentences; empty when every answer was as it must be.
    pub faults: Vec<String>,
}

impl Report {
    /// Begins a report.
    #[must_use]
    pub fn new(scenario: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("scenario".to_owned(), json!(scenario));
        Self { fields, faults: Vec::new() }
    }

    /// Adds a figure.
    pub fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), rounded(value.into()));
    }

    /// Whether all was as it must be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.insert("faults".to_owned(), json!(self.faults));
        Value::Object(fields)
    }

    /// Prints it.
    pub fn print(&self, format: Format) {
        match format {
            Format::Json => println!("{}", self.to_json()),
            Format::Text => print!("{}", self.to_text()),
        }
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            line(&mut text, name, value);
        }
        text.push_str(&format!("{:<34} {:>16}\n", "faults", self.faults.len()));
        for fault in &self.faults {
            text.push_str(&format!("  {fault}\n"));
        }
        text
    }
}

fn line(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(map) => {
            for (part, value) in map {
                line(text, &format!("{name}.{part}"), value);
            }
        }
        Value::String(value) => text.push_str(&format!("{name:<34} {value:>16}\n")),
        other => text.push_str(&format!("{name:<34} {:>16}\n", other.to_string())),
    }
}

/// Three decimals are enough for any figure here.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or(Value::Null, |number| json!((number * 1000.0).round() / 1000.0))
        }
        Value::Object(map) => Value::Object(map.into_iter().map(|(name, value)| (name, rounded(value))).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_figures_become_lines_and_decimals_are_few() {
        let mut report = Report::new("batch");
        report.add("latency_ms", json!({ "p50": 1.23456 }));
        assert_eq!(report.to_json(), json!({ "scenario": "batch", "latency_ms": { "p50": 1.235 }, "faults": [] }));
        assert!(report.to_text().contains("latency_ms.p50"));
    }
}
