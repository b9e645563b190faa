//! Writing HTML: every element is closed, every text is escaped, and what is written is bounded.
//!
//! Nothing here writes an address: the page refers to nothing but places in itself.

use crate::audit::query::{Cell, Table, clean, when};

/// Most rows of one table on the page; how many more there are is said.
pub const ROWS_SHOWN: usize = 200;

/// Most bytes of the page after which no more rows are written: a browser and a mail system still
/// take it.
pub const BYTES_MAX: usize = 8 << 20;

/// Longest text of one element, in characters; the longest sentences are lists of what is missing.
const TEXT_SHOWN: usize = 4_000;

/// Longest text of one cell, in characters.
const CELL_SHOWN: usize = 400;

/// Most items of one cell's list.
const ITEMS_SHOWN: usize = 16;

/// Attributes of an element: names are ours, values are escaped.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A page, or a part of one.
#[derive(Default)]
pub(super) struct Html {
    out: String,
}

impl Html {
    /// The page as written so far.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An element with what `inner` writes in it.
    pub(super) fn within(
        &mut self,
        tag: &'static str,
        attributes: Attributes<'_>,
        inner: impl FnOnce(&mut Self),
    ) {
        self.start(tag, attributes);
        inner(self);
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
        if !INLINE.contains(&tag) {
            self.out.push('\n');
        }
    }

    /// An element with a text in it.
    pub(super) fn say(&mut self, tag: &'static str, text: &str) {
        self.within(tag, &[], |html| html.text(text));
    }

    /// An element that has no end (`meta`).
    pub(super) fn start(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.escaped(value, CELL_SHOWN);
            self.out.push('"');
        }
        self.out.push('>');
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        self.escaped(text, TEXT_SHOWN);
    }

    /// Our own words as they are: the document's type and its style.
    pub(super) fn constant(&mut self, text: &'static str) {
        self.out.push_str(text);
    }

    fn escaped(&mut self, text: &str, longest: usize) {
        for character in clean(text, longest).chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                other => self.out.push(other),
            }
        }
    }

    /// A table with a caption; at most [`ROWS_SHOWN`] rows, and none past [`BYTES_MAX`].
    pub(super) fn table(&mut self, table: &Table) {
        let caption = capital(table.name);
        let region = [
            ("class", "scroll"),
            ("role", "region"),
            ("tabindex", "0"),
            ("aria-label", caption.as_str()),
        ];
        let mut shown = 0;
        self.within("div", &region, |html| {
            html.within("table", &[], |html| {
                html.say("caption", &caption);
                html.within("thead", &[], |html| html.heads(table));
                html.within("tbody", &[], |html| {
                    for row in table.rows.iter().take(ROWS_SHOWN) {
                        if html.out.len() > BYTES_MAX {
                            break;
                        }
                        html.row(table, row);
                        shown += 1;
                    }
                });
            });
        });
        let more = (table.rows.len() as u64).saturating_sub(shown) + table.more;
        if more > 0 {
            self.within("p", &[("class", "more")], |html| {
                html.text(&format!("{} rows more are not shown here.", grouped(more)));
            });
        }
    }

    fn heads(&mut self, table: &Table) {
        self.within("tr", &[], |html| {
            for (at, column) in table.columns.iter().enumerate() {
                let counted = |row: &Vec<Cell>| matches!(row.get(at), Some(Cell::Count(_)));
                let class = if table.rows.first().is_some_and(counted) {
                    "n"
                } else {
                    "t"
                };
                let attributes = [("scope", "col"), ("class", class)];
                html.within("th", &attributes, |html| html.text(&capital(column)));
            }
        });
    }

    fn row(&mut self, table: &Table, row: &[Cell]) {
        self.within("tr", &[], |html| {
            for (column, cell) in table.columns.iter().zip(row) {
                html.cell(column, cell);
            }
        });
    }

    fn cell(&mut self, column: &str, cell: &Cell) {
        let class = match cell {
            Cell::Count(_) => "n",
            Cell::Text(text) if is_hash(text) => "h",
            Cell::Time(_) => "w",
            Cell::Text(_) | Cell::List(_) | Cell::Nothing => "t",
        };
        self.within("td", &[("class", class)], |html| match cell {
            Cell::Text(text) => html.escaped(text, CELL_SHOWN),
            Cell::List(texts) => {
                let shown: Vec<&str> = texts.iter().take(ITEMS_SHOWN).map(|t| &**t).collect();
                html.escaped(&shown.join(", "), CELL_SHOWN);
                let more = texts.len().saturating_sub(ITEMS_SHOWN);
                if more > 0 {
                    html.escaped(&format!(" and {more} more"), CELL_SHOWN);
                }
            }
            Cell::Count(count) => {
                html.escaped(&grouped(*count), CELL_SHOWN);
                if column == "bytes" && *count >= 1_000 {
                    html.within("span", &[("class", "s")], |html| html.text(&size(*count)));
                }
            }
            Cell::Time(us) => html.escaped(&moment(*us), CELL_SHOWN),
            Cell::Nothing => html.escaped("not known", CELL_SHOWN),
        });
    }
}

/// Elements after which no line ends.
const INLINE: [&str; 8] = ["a", "b", "code", "span", "td", "th", "title", "strong"];

/// A time for people.
pub(super) fn moment(us: u64) -> String {
    let text = when::show(us).replacen('T', " ", 1);
    format!("{} UTC", text.trim_end_matches('Z'))
}

/// A number with a comma between groups of three digits.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the largest decimal unit, with one digit behind the point, rounded down.
pub(super) fn size(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000_000, "PB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{bytes} bytes"),
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", grouped(tenths / 10), tenths % 10)
        }
    }
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        None => String::new(),
        Some(first) => first.to_uppercase().chain(letters).collect(),
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
