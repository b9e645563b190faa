//! RFC 4180: a header row, every row of the same length, CRLF, quotes where a field needs them.
//!
//! A field that a spreadsheet would take for a formula (it starts with `=`, `+`, `-`, `@` or a tab)
//! gets an apostrophe before it. The text is UTF-8 without a mark.

use serde_json::Value;

use super::event::Event;
use super::jsonl;

/// The columns: fields of the JSON Lines by the same names.
const COLUMNS: [&str; 38] = [
    "verification",
    "entry",
    "origin",
    "index",
    "leaf",
    "time",
    "uncertainty_us",
    "kind",
    "action",
    "outcome",
    "dicom.event",
    "dicom.action",
    "dicom.outcome",
    "organisation",
    "source",
    "destination_node",
    "from_country",
    "to_country",
    "legal_role",
    "basis",
    "purpose",
    "policy",
    "rules",
    "urgency",
    "emergency",
    "bytes_at_most",
    "instances_at_most",
    "grant",
    "person",
    "credential",
    "patient",
    "studies",
    "case",
    "bytes",
    "instances",
    "report",
    "reason",
    "sealed",
];

/// The header row.
pub(super) fn head() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

/// One row.
pub(super) fn row(event: &Event) -> String {
    let whole = jsonl::message(event);
    let cells = COLUMNS.map(|column| field(&cell(&whole, column)));
    format!("{}\r\n", cells.join(","))
}

/// The text of a cell: empty for what is not there.
fn cell(whole: &Value, column: &str) -> String {
    let end = |role: &str| {
        let all = whole["participants"].as_array();
        let found = all.and_then(|all| all.iter().find(|one| one["role"] == role));
        found.map_or_else(String::new, |one| {
            let id = one["id"].as_str();
            id.map_or_else(|| plain(&one["what"]), str::to_owned)
        })
    };
    match column {
        "source" => end("Source Role ID"),
        "destination_node" => end("Destination Role ID"),
        _ => match column.split_once('.') {
            Some((outer, inner)) => plain(&whole[outer][inner]),
            None => plain(&whole[column]),
        },
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A field as RFC 4180 (section 2) writes it, and never a formula.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
