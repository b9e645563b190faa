//! An answer for people: the verdict first, then sentences and tables, and whether it is complete.
//! No line is longer than [`WIDTH`].

use std::fmt::Write as _;

use super::answer::{Answer, Cell, Table};
use super::when;
use crate::audit::verify::Verdict;
use crate::audit::verify::text as verified;

/// Columns of a line.
const WIDTH: usize = 100;
/// Between two columns of a table.
const GAP: &str = "  ";
/// Before a table's line.
const INDENT: &str = "  ";
/// After these a cell may go on in the next line: names of logs and paths are long.
const BREAKS: [char; 3] = [' ', '/', '.'];
/// No column is made narrower: with eleven columns a table still fits.
const NARROWEST: usize = 4;

/// What is said before the answer: the verdict of the verification, and loudly if it failed.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    let mut out = String::new();
    paragraph(&mut out, verified::sentence(verdict).trim_end());
    if !verdict.holds() {
        out.push_str(
            "!! THESE ARCHIVES DO NOT VERIFY. What follows is what they say; nothing proves it.\n\
             !! `radmesh-audit verify` lists what fails.\n",
        );
    } else if let Some(to_compare) = verified::to_compare(verdict) {
        paragraph(&mut out, &to_compare);
    }
    out.push('\n');
    out
}

/// Describes an answer in words and tables.
#[must_use]
pub fn describe(answer: &Answer) -> String {
    let mut out = String::new();
    for line in &answer.scope {
        paragraph(&mut out, &format!("{INDENT}{line}"));
    }
    out.push('\n');
    for sentence in &answer.says {
        paragraph(&mut out, sentence);
    }
    for listed in &answer.tables {
        let _ = writeln!(out, "\n{}", listed.name);
        table(&mut out, listed);
    }
    out.push('\n');
    paragraph(&mut out, &answer.closing());
    out
}

/// Writes a paragraph in lines of at most [`WIDTH`] columns.
pub(in crate::audit) fn paragraph(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH, &[' ']) {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn table(out: &mut String, table: &Table) {
    let heads: Vec<String> = table
        .columns
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| row.iter().map(shown).collect())
        .collect();
    let widths = widths(&heads, &rows);
    line(out, &heads, &widths, None);
    for (cells, row) in rows.iter().zip(&table.rows) {
        line(out, cells, &widths, Some(row));
    }
    if table.more > 0 {
        let _ = writeln!(
            out,
            "{INDENT}and {} rows more that are not listed",
            table.more
        );
    }
}

/// A cell in words.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::List(texts) => texts.join(", "),
        Cell::Count(count) => count.to_string(),
        // A space in place of the T, as RFC 3339 allows: there the line may break.
        Cell::Time(us) => when::show(*us).replacen('T', " ", 1),
        Cell::Nothing => "-".to_owned(),
    }
}

/// Widths of the columns: what they need, the widest made narrower until a line fits.
fn widths(heads: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let gaps = INDENT.len() + GAP.len() * heads.len().saturating_sub(1);
    for width in &mut widths {
        *width = (*width).min(WIDTH);
    }
    while widths.iter().sum::<usize>() + gaps > WIDTH {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            Some(_) | None => break,
        }
    }
    widths
}

/// Writes a row: as many lines as its longest cell needs. Numbers stand to the right.
fn line(out: &mut String, cells: &[String], widths: &[usize], row: Option<&Vec<Cell>>) {
    let parts: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrapped(cell, *width, &BREAKS))
        .collect();
    let height = parts.iter().map(Vec::len).max().unwrap_or(0);
    for at in 0..height {
        let mut written = INDENT.to_owned();
        for (column, (part, width)) in parts.iter().zip(widths).enumerate() {
            let text = part.get(at).map_or("", String::as_str);
            let cell = row.and_then(|row| row.get(column));
            let gap = if column == 0 { "" } else { GAP };
            let _ = if matches!(cell, Some(Cell::Count(_))) {
                write!(written, "{gap}{text:>width$}")
            } else {
                write!(written, "{gap}{text:<width$}")
            };
        }
        out.push_str(written.trim_end());
        out.push('\n');
    }
}

/// A text in lines of at most `width` characters, broken after one of `breaks` where there are any.
fn wrapped(text: &str, width: usize, breaks: &[char]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(breaks) {
        let long = word.trim_end().chars().count();
        if used > 0 && used + long > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for c in word.chars() {
            if used == width {
                if c == ' ' {
                    continue;
                }
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += 1;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 7, &[' ']), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 4, &[' ']), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 4, &BREAKS), [""]);
        assert_eq!(
            wrapped("north.example/log", 14, &BREAKS),
            ["north.example/", "log"]
        );
    }

    #[test]
    fn no_line_is_longer_than_the_width() {
        let mut listed = Table::new("t", &["a", "number", "text", "b", "c", "d", "e", "f", "g"]);
        let row = |length: usize| {
            let mut row = vec![Cell::Time(1_800_000_000_000_000), Cell::Count(u64::MAX)];
            row.resize(9, Cell::Text("é".repeat(length)));
            row
        };
        listed.push(row(3));
        listed.push(row(170));
        let mut out = String::new();
        table(&mut out, &listed);
        assert!(
            out.lines().all(|line| line.chars().count() <= WIDTH),
            "{out}"
        );
        assert_eq!(out.matches('é').count(), 7 * 173, "{out}");
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let mut listed = Table::new("t", &["name", "n"]);
        listed.push(vec!["a".into(), 7_u64.into()]);
        listed.push(vec!["bb".into(), 1_000_u64.into()]);
        let mut out = String::new();
        table(&mut out, &listed);
        assert_eq!(out, "  name  n\n  a        7\n  bb    1000\n");
    }
}
