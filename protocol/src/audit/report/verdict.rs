//! The verdict in plain words, and what failed, what is to be known, and what could not be checked.

use std::collections::BTreeMap;

use super::html::Html;
use super::titled;
use crate::audit::query::{Cell, Table};
use crate::audit::verify::{Anchor, Verdict, text};

/// Heading of the section.
pub(super) const CHECKS: &str = "What failed, what was found, what could not be checked";

/// The verdict, which comes first.
pub(super) fn banner(html: &mut Html, verdict: &Verdict) {
    let (class, word, plain) = in_words(verdict);
    let class = format!("verdict {class}");
    let attributes = [("class", class.as_str()), ("aria-label", "Verdict")];
    html.within("section", &attributes, |html| {
        html.within("p", &[("class", "word")], |html| html.text(word));
        html.within("p", &[("class", "plain")], |html| html.text(plain));
        html.within("p", &[("class", "plain")], |html| {
            html.within("code", &[], |html| {
                html.text(text::sentence(verdict).trim_end());
            });
        });
        if let Some(genesis) = verdict.genesis() {
            html.within("p", &[("class", "plain")], |html| {
                html.text("SHA-256 of the consortium's founding document: ");
                html.within("code", &[], |html| html.text(&genesis.to_hex()));
            });
        }
    });
}

fn in_words(verdict: &Verdict) -> (&'static str, &'static str, &'static str) {
    if !verdict.holds() {
        return (
            "bad",
            "NOT VERIFIED",
            "At least one check fails. Everything below is what the archives say; nothing proves \
             it. The section on what failed names each failure and its file.",
        );
    }
    match verdict.anchor {
        Anchor::Pinned => (
            "good",
            "VERIFIED",
            "Every check that could be made holds. The logs are whole up to their checkpoints, \
             independent witnesses countersigned them, and they belong to the consortium whose \
             founding document was named by whoever asked. What could not be checked is listed \
             below.",
        ),
        Anchor::Archive => (
            "warn",
            "CONSISTENT, BY THE ARCHIVES' OWN FOUNDING DOCUMENT",
            "Every check that could be made holds, but whoever wrote the archives also supplied \
             the founding document that they were held against, and whoever asked accepted that. \
             Compare its SHA-256 with the one that the founders announced before you rely on this \
             page.",
        ),
        Anchor::Nothing => (
            "warn",
            "CONSISTENT, BUT WHOSE IT IS WAS NOT PROVEN",
            "Every check that could be made holds, but whoever wrote the archives also supplied \
             the founding document that they were held against. Compare its SHA-256 with the one \
             that the founders announced, and ask again with it (--genesis), before you rely on \
             this page.",
        ),
    }
}

/// What failed, what was found, and what could not be checked.
pub(super) fn faults(html: &mut Html, verdict: &Verdict) {
    titled(html, ("checks", CHECKS), |html| {
        let failures = failures(verdict);
        if failures.rows.is_empty() {
            html.say("p", "Nothing failed.");
        } else {
            html.table(&failures);
        }
        let (findings, gaps) = remarks(verdict);
        if findings.rows.is_empty() {
            html.say("p", "Nothing was found that is worth a note.");
        } else {
            html.say(
                "p",
                "Findings fail no check, but a person should look at them.",
            );
            html.table(&findings);
        }
        if !gaps.rows.is_empty() {
            html.say(
                "p",
                "No archive can answer everything. What follows was not checked, or cannot be.",
            );
            html.table(&gaps);
        }
    });
}

fn failures(verdict: &Verdict) -> Table {
    let columns = &["check", "what is wrong", "file", "entry", "archive"];
    let mut table = Table::new("what failed", columns);
    for report in &verdict.archives {
        for failure in &report.failures {
            table.push(vec![
                failure.check.name().into(),
                failure.fault.to_string().into(),
                failure.file.as_str().into(),
                failure.entry.map_or(Cell::Nothing, Cell::Count),
                report.label.as_str().into(),
            ]);
        }
    }
    table
}

/// Findings, and what was not checked; the same words are told once.
fn remarks(verdict: &Verdict) -> (Table, Table) {
    let mut found = Table::new("findings", &["what was found", "times", "where"]);
    let mut gaps = Table::new("not checked", &["what was not checked", "times", "where"]);
    let mut places: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for report in &verdict.archives {
        for noted in &report.remarks {
            let place = match noted.entry {
                Some(entry) => format!("{} entry {entry}", report.label),
                None => report.label.clone(),
            };
            let key = (noted.remark.is_gap(), noted.remark.to_string());
            places.entry(key).or_default().push(place);
        }
    }
    for ((gap, what), places) in places {
        let table = if gap { &mut gaps } else { &mut found };
        let times = places.len() as u64;
        table.push(vec![
            super::html::capital(&what).into(),
            times.into(),
            Cell::List(places),
        ]);
    }
    (found, gaps)
}
