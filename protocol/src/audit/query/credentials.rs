//! Releases and access without a credential that was valid at that moment, or without a rule that
//! permits it.

use super::Ask;
use super::answer::{Answer, Cell, Table};
use super::history::{History, Place};
use crate::audit::verify::{Check, Verdict};

/// The checks whose failures belong to the question.
const OF: [Check; 7] = [
    Check::Credentials,
    Check::Grants,
    Check::Receipts,
    Check::Access,
    Check::Peers,
    Check::Openings,
    Check::Decisions,
];

/// Answers the question.
pub(super) fn answer(history: &History, (ask, verdict): (&Ask, &Verdict), answer: &mut Answer) {
    let mut lapses = Table::new(
        "without a valid credential",
        &["time", "log", "entry", "credential", "what", "grant"],
    );
    for lapse in &history.lapses {
        lapses.push(vec![
            Cell::Time(lapse.place.time_us),
            history.log(lapse.place).into(),
            lapse.place.index.into(),
            lapse.serial.into(),
            lapse.what.into(),
            lapse.hash.to_hex().into(),
        ]);
    }
    let mut ruleless = Table::new("without a rule", &["time", "log", "entry", "what"]);
    let (mut releases, mut unread, mut undecided) = (0, 0, 0);
    for (place, _, release) in history.releases_in(ask) {
        releases += 1;
        unread += u64::from(release.known.is_none());
        undecided += u64::from(!(cfg!(feature = "policy") && release.decidable));
        if release
            .told
            .as_ref()
            .is_some_and(|told| told.rules.is_empty())
        {
            ruleless.push(row(history, place, "the owner's entry names no rule"));
        }
        if release.known.as_ref().is_some_and(|known| !known.has_rule) {
            ruleless.push(row(history, place, "the grant names no rule"));
        }
    }
    let failures = failures(verdict);
    let found = [&lapses, &ruleless, &failures].map(|table| table.rows.len() as u64 + table.more);
    answer.says.push(format!(
        "Releases: {releases}. Entries without a valid credential: {}. Without a rule: {}.",
        found[0], found[1]
    ));
    if found[2] > 0 {
        answer.says.push(format!(
            "Failures of the verification on credentials, grants, access and decisions: {}, in the \
             whole logs, whatever the limits of this question.",
            found[2]
        ));
    }
    [lapses, ruleless, failures]
        .into_iter()
        .for_each(|table| answer.list(table));
    answer.miss(unread, "releases whose grant cannot be read");
    answer.miss(
        undecided,
        "releases whose decision was not made again (facts sealed, policy text \
         not in the archive, or no policy engine in this program)",
    );
    answer.miss(history.nameless, "entries on access that name no grant");
    answer.lacks("whether a credential was suspended or revoked: this version logs neither");
}

fn row(history: &History, place: Place, what: &str) -> Vec<Cell> {
    vec![
        Cell::Time(place.time_us),
        history.log(place).into(),
        place.index.into(),
        what.into(),
    ]
}

/// What the verification found of it.
fn failures(verdict: &Verdict) -> Table {
    let columns = &["archive", "check", "file", "what"];
    let mut table = Table::new("failures of the verification", columns);
    for report in &verdict.archives {
        for failure in report
            .failures
            .iter()
            .filter(|failure| OF.contains(&failure.check))
        {
            table.push(vec![
                super::history::clean(&report.label, 200).into(),
                failure.check.name().into(),
                super::history::clean(&failure.file, 200).into(),
                super::history::clean(&failure.fault.to_string(), 400).into(),
            ]);
        }
    }
    table
}
