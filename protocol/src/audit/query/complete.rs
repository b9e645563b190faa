//! Whether the logs are complete: what cannot be read, silence, starts and stops, and releases that
//! only one side knows.

use std::collections::BTreeSet;

use super::answer::{Answer, Cell, Table};
use super::history::{History, LogView, Release, Word};
use super::{Ask, when};
use crate::audit::verify::Verdict;

/// Answers the question.
pub(super) fn answer(history: &History, (ask, verdict): (&Ask, &Verdict), answer: &mut Answer) {
    let [gaps, quiet, moments] = views(history, ask, answer);
    let sided = one_sided(history, ask, answer);
    let unread: u64 = history.logs.iter().map(|log| log.unread).sum();
    let failures: usize = verdict
        .archives
        .iter()
        .map(|report| report.failures.len())
        .sum();
    let rows = |table: &Table| table.rows.len() as u64 + table.more;
    answer.says.push(match failures {
        0 => "The verification found no failure.".to_owned(),
        failures => format!("Failures of the verification: {failures}; see `verify`."),
    });
    answer.says.push(format!(
        "Entries that cannot be read: {unread}. Quiet periods longer than {}: {}. Releases that \
         only one side shows: {}.",
        when::show_span(ask.quiet_us),
        rows(&quiet),
        rows(&sided)
    ));
    for table in [logs(history), gaps, quiet, moments, sided] {
        answer.list(table);
    }
    answer.miss(history.nameless, "entries on access that name no grant");
}

/// One row for each archive.
fn logs(history: &History) -> Table {
    let columns = &[
        "archive", "log", "entries", "unread", "first", "last", "cosigned",
    ];
    let mut table = Table::new("logs", columns);
    for log in &history.logs {
        let time = |time: Option<u64>| time.map_or(Cell::Nothing, Cell::Time);
        table.push(vec![
            log.label.clone().into(),
            (&*log.origin).into(),
            log.size.into(),
            log.unread.into(),
            time(log.first.map(|first| first.time_us)),
            time(log.last.map(|last| last.time_us)),
            time(log.cosigned_us),
        ]);
    }
    table
}

/// Gaps, quiet periods, and the nodes' lives.
fn views(history: &History, ask: &Ask, answer: &mut Answer) -> [Table; 3] {
    let mut gaps = Table::new(
        "entries that cannot be read",
        &["log", "from", "to", "entries"],
    );
    let columns = &["log", "after entry", "from", "to", "lasted", "before it"];
    let mut quiet = Table::new("quiet periods", columns);
    let columns = &["time", "log", "entry", "what"];
    let mut moments = Table::new("starts, stops and clock anomalies", columns);
    for log in &history.logs {
        let origin = || Cell::from(&*log.origin);
        for (first, end) in &log.gaps {
            let count = end - first;
            gaps.push(vec![
                origin(),
                (*first).into(),
                (end - 1).into(),
                count.into(),
            ]);
        }
        for period in &log.quiet {
            let lasted = period.to_us.saturating_sub(period.from_us);
            let before = if period.stopped {
                "the node stopped"
            } else {
                ""
            };
            quiet.push(vec![
                origin(),
                period.after.into(),
                Cell::Time(period.from_us),
                Cell::Time(period.to_us),
                when::show_span(lasted).into(),
                before.into(),
            ]);
        }
        tail(log, ask, &mut quiet);
        let mut count = [
            ("node started", 0),
            ("node stopped", 0),
            ("clock anomaly", 0),
        ];
        for moment in &log.moments {
            for (what, count) in &mut count {
                *count += u64::from(*what == moment.what);
            }
            moments.push(vec![
                Cell::Time(moment.place.time_us),
                origin(),
                moment.place.index.into(),
                moment.what.into(),
            ]);
        }
        let [(_, starts), (_, stops), (_, anomalies)] = count;
        answer.says.push(format!(
            "{}: starts {starts}, stops {stops}, clock anomalies {anomalies}.",
            log.origin
        ));
    }
    [gaps, quiet, moments]
}

/// The silence between the last entry and the last cosignature on the checkpoint.
fn tail(log: &LogView, ask: &Ask, quiet: &mut Table) {
    let (Some(last), Some(cosigned)) = (log.last, log.cosigned_us) else {
        return;
    };
    let lasted = cosigned.saturating_sub(last.time_us);
    if lasted > ask.quiet_us && (ask.at(last.time_us) || ask.at(cosigned)) {
        quiet.push(vec![
            (&*log.origin).into(),
            last.index.into(),
            Cell::Time(last.time_us),
            Cell::Time(cosigned),
            when::show_span(lasted).into(),
            "the last entry; then a cosignature".into(),
        ]);
    }
}

/// Releases that only one side shows. What an archive that is not given would show is not seen.
fn one_sided(history: &History, ask: &Ask, answer: &mut Answer) -> Table {
    let columns = &["time", "log", "entry", "what", "grant"];
    let mut table = Table::new("one-sided releases", columns);
    let mut absent = BTreeSet::new();
    for (hash, release) in &history.releases {
        let Some(place) = release.place().filter(|place| ask.at(place.time_us)) else {
            continue;
        };
        let (from, to) = release.pair();
        if (release.known.is_some() || release.told.is_some()) && !ask.between(from, to) {
            continue;
        }
        let given = |log: Option<&Word>| log.is_some_and(|log| history.given(log));
        let owner = release.known.as_ref().map(|known| &known.origin);
        let reader = release
            .known
            .as_ref()
            .and_then(|known| known.reader_log.as_ref());
        absent.extend(
            owner
                .into_iter()
                .chain(reader)
                .filter(|log| !history.given(log)),
        );
        if let Some(what) = sides(release, (given(owner), given(reader))) {
            table.push(vec![
                Cell::Time(place.time_us),
                history.log(place).into(),
                place.index.into(),
                what.into(),
                hash.to_hex().into(),
            ]);
        }
    }
    let absent = absent.len() as u64;
    answer.miss(
        absent,
        "logs of the other side of these releases, which are not given",
    );
    table
}

/// What is wrong with the two sides of a release, given whether the owner's log and the reader's
/// are there.
fn sides(release: &Release, (owner, reader): (bool, bool)) -> Option<&'static str> {
    match (release.granted, release.accepted, release.receipt) {
        (Some(_), Some(_), None) => Some("granted and accepted, the receipt never arrived"),
        (Some(_), None, None) => Some("granted, no receipt"),
        (Some(_), None, Some(_)) if reader => Some("a receipt, and the reader's log has no entry"),
        (None, Some(_), _) if owner => Some("accepted, and the owner's log has no grant"),
        (None, None, Some(_)) => Some("a receipt without a grant"),
        (Some(_) | None, _, _) => None,
    }
}
