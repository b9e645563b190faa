//! Answers and comparisons as JSON, for programs.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Cell, Table};
use super::compare::Comparison;
use super::when;
use crate::audit::verify::{Verdict, text};

/// An answer, with the verdict on the archives that it is from.
#[must_use]
pub fn of(answer: &Answer, verdict: &Verdict) -> Value {
    let missing = |unseen: &super::Unseen| json!({ "count": unseen.count, "what": unseen.what });
    json!({
        "version": 1,
        "verified": verdict.accepted(),
        "holds": verdict.holds(),
        "verdict": text::sentence(verdict).trim_end(),
        "genesis": verdict.genesis().map(|hash| hash.to_hex()),
        "question": answer.question.name(),
        "scope": answer.scope,
        "answer": answer.says,
        "tables": answer.tables.iter().map(table).collect::<Vec<_>>(),
        "complete": answer.is_complete(),
        "closing": answer.closing(),
        "not_seen": answer.unseen.iter().map(missing).collect::<Vec<_>>(),
    })
}

/// A comparison, with the verdict on the newer archive.
#[must_use]
pub fn of_comparison(comparison: &Comparison, verdict: &Verdict) -> Value {
    json!({
        "version": 1,
        "verified": verdict.accepted(),
        "holds": verdict.holds(),
        "verdict": text::sentence(verdict).trim_end(),
        "consistent": comparison.outcome.is_consistent(),
        "outcome": comparison.outcome.name(),
        "what": comparison.outcome.to_string(),
        "old_checkpoint": comparison.old,
        "new_checkpoint": comparison.new,
    })
}

fn table(table: &Table) -> Value {
    let row = |cells: &Vec<Cell>| {
        let named = table.columns.iter().zip(cells);
        let named = named.map(|(column, cell)| (column.replace(' ', "_"), value(cell)));
        Value::Object(named.collect::<Map<String, Value>>())
    };
    json!({
        "table": table.name,
        "rows": table.rows.iter().map(row).collect::<Vec<_>>(),
        "more": table.more,
    })
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) => json!(text),
        Cell::List(texts) => json!(texts),
        Cell::Count(count) => json!(count),
        Cell::Time(us) => json!(when::show(*us)),
        Cell::Nothing => Value::Null,
    }
}
