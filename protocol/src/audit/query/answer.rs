//! An answer: sentences, tables, and what could not be seen.

use super::history::History;
use super::when;
use super::{Ask, Question};

/// Most rows of one table that are printed, as text and as JSON. How many more there are is said.
pub const ROWS_MAX: usize = 10_000;

/// One value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// Several of them.
    List(Vec<String>),
    /// A number.
    Count(u64),
    /// Microseconds since the Unix epoch.
    Time(u64),
    /// Nothing that the archives say.
    Nothing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// A table of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it lists: a name in JSON, a heading in text.
    pub name: &'static str,
    /// Names of its columns.
    pub columns: &'static [&'static str],
    /// At most [`ROWS_MAX`] rows, a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// Rows that are not listed here.
    pub more: u64,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub const fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self {
            name,
            columns,
            rows: Vec::new(),
            more: 0,
        }
    }

    /// Adds a row, or counts it if there are enough.
    pub fn push(&mut self, row: Vec<Cell>) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        } else {
            self.more += 1;
        }
    }
}

/// Something that an answer would need and that the archives do not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// How many, where it can be counted.
    pub count: Option<u64>,
    /// What.
    pub what: String,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub question: Question,
    /// Of what it is the answer: logs, times, countries.
    pub scope: Vec<String>,
    /// What is to be said, the result first.
    pub says: Vec<String>,
    /// What is to be listed.
    pub tables: Vec<Table>,
    /// What is missing.
    pub unseen: Vec<Unseen>,
}

impl Answer {
    /// An answer that says nothing yet, but for what no question could be answered from.
    pub(super) fn new(ask: &Ask, history: &History) -> Self {
        let mut answer = Self {
            question: ask.question,
            scope: scope(ask, history),
            says: Vec::new(),
            tables: Vec::new(),
            unseen: Vec::new(),
        };
        let unread: u64 = history.logs.iter().map(|log| log.unread).sum();
        let kinds: u64 = history.logs.iter().map(|log| log.unknown).sum();
        let none = history.logs.iter().filter(|log| log.size == 0).count();
        answer.miss(none as u64, "archives whose log cannot be read");
        answer.miss(unread, "entries that cannot be read");
        answer.miss(kinds, "entries of a kind that this release does not know");
        answer.miss(history.dropped, "facts beyond the number that is held");
        answer
    }

    /// Notes that `count` things could not be seen, if any.
    pub(super) fn miss(&mut self, count: u64, what: &str) {
        if count > 0 {
            let (count, what) = (Some(count), what.to_owned());
            self.unseen.push(Unseen { count, what });
        }
    }

    /// Notes something that could not be seen and cannot be counted.
    pub(super) fn lacks(&mut self, what: &str) {
        let what = what.to_owned();
        self.unseen.push(Unseen { count: None, what });
    }

    /// Adds a table, if it has rows.
    pub(super) fn list(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.tables.push(table);
        }
    }

    /// Nothing is missing that the question needs.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unseen.is_empty()
    }

    /// Whether the answer is complete, in a sentence.
    #[must_use]
    pub fn closing(&self) -> String {
        if self.is_complete() {
            return "COMPLETE: nothing that the question needs is missing from these logs, up to \
                    their checkpoints."
                .to_owned();
        }
        let missing = |unseen: &Unseen| match unseen.count {
            Some(count) => format!("{} ({count})", unseen.what),
            None => unseen.what.clone(),
        };
        let missing: Vec<String> = self.unseen.iter().map(missing).collect();
        format!("NOT COMPLETE. Not seen: {}.", missing.join("; "))
    }
}

/// What the answer is about.
fn scope(ask: &Ask, history: &History) -> Vec<String> {
    let mut lines = Vec::new();
    for log in &history.logs {
        let (label, origin, organisation) = (&log.label, &log.origin, &log.organisation);
        lines.push(format!(
            "{label}: {origin} of {organisation}, {} entries",
            log.size
        ));
    }
    match (ask.from_us, ask.until_us) {
        (0, u64::MAX) => lines.push("all times".to_owned()),
        (from, u64::MAX) => lines.push(format!("from {} on", when::show(from))),
        (from, until) => {
            let (from, until) = (when::show(from), when::show(until));
            lines.push(format!("from {from} until before {until}"));
        }
    }
    if let Some(country) = &ask.from_country {
        lines.push(format!("of data in {country}"));
    }
    if let Some(country) = &ask.to_country {
        lines.push(format!("seen from {country}"));
    }
    lines
}
