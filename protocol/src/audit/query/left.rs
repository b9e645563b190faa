//! What left a country: per pair of countries, to whom, how much, in which role, on which basis,
//! by which rule, for which purpose, and by day.
//!
//! Volumes are exact, from the grant's manifest: what was released to the reader, whether or not
//! all of it was fetched.

use std::collections::BTreeMap;

use super::answer::{Answer, Cell, Table};
use super::history::{History, Release};
use super::{Ask, when};
use crate::audit::verify::text::counted;

/// Releases and their volume.
#[derive(Clone, Copy, Default)]
struct Sum {
    releases: u64,
    bytes: u64,
    objects: u64,
}

impl Sum {
    const fn add(&mut self, (bytes, objects): (u64, u64)) {
        self.releases += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.objects = self.objects.saturating_add(objects);
    }
}

/// Sums by a pair of countries and one thing more.
type Groups = BTreeMap<(String, String, String), Sum>;

const BY: [(&str, &[&str]); 7] = [
    (
        "by pair of countries",
        &["from", "to", "leaves", "releases", "bytes", "objects"],
    ),
    (
        "by reader's organisation",
        &["from", "to", "organisation", "releases", "bytes", "objects"],
    ),
    (
        "by legal role",
        &["from", "to", "role", "releases", "bytes", "objects"],
    ),
    (
        "by basis",
        &["from", "to", "basis", "releases", "bytes", "objects"],
    ),
    (
        "by instrument (rule)",
        &["from", "to", "rule", "releases", "bytes", "objects"],
    ),
    (
        "by purpose",
        &["from", "to", "purpose", "releases", "bytes", "objects"],
    ),
    (
        "by day (UTC)",
        &["from", "to", "day", "releases", "bytes", "objects"],
    ),
];

/// Answers the question.
pub(super) fn answer(history: &History, ask: &Ask, answer: &mut Answer) {
    let mut groups: [Groups; 7] = Default::default();
    let (mut all, mut abroad) = (Sum::default(), Sum::default());
    let (mut no_grant, mut no_entry, mut no_organisation) = (0, 0, 0);
    for (place, _, release) in history.releases_in(ask) {
        let known = release.known.as_ref();
        no_grant += u64::from(known.is_none());
        no_entry += u64::from(release.told.is_none());
        no_organisation += u64::from(known.is_some_and(|known| known.organisation.is_none()));
        let volume = known.map_or((0, 0), |known| (known.bytes, known.objects));
        let (from, to) = release.pair();
        all.add(volume);
        if from != to {
            abroad.add(volume);
        }
        for (group, names) in groups.iter_mut().zip(names(release, place.time_us)) {
            for name in names {
                let key = (from.to_owned(), to.to_owned(), name);
                group.entry(key).or_default().add(volume);
            }
        }
    }
    answer.says.push(format!(
        "{} to another country, with {} bytes in {} objects.",
        counted(abroad.releases, "release"),
        abroad.bytes,
        abroad.objects
    ));
    answer.says.push(format!(
        "{} in all, with {} bytes in {} objects. A release under several rules counts \
         under each.",
        counted(all.releases, "release"),
        all.bytes,
        all.objects
    ));
    for ((name, columns), group) in BY.into_iter().zip(groups) {
        answer.list(table(name, columns, group));
    }
    answer.miss(
        no_grant,
        "releases whose grant cannot be read: their volume is not counted",
    );
    answer.miss(
        no_entry,
        "releases without the owner's entry: role, basis and purpose unknown",
    );
    answer.miss(
        no_organisation,
        "releases whose reader's credential is not in the archives",
    );
    let unknown = history.releases.values().filter(|release| {
        let at = release.place().is_none_or(|place| ask.at(place.time_us));
        at && release.granted.is_none() && release.accepted.is_none()
    });
    answer.miss(
        unknown.count() as u64,
        "grants that are named, and granted in no log given",
    );
}

/// Under what a release stands in each table.
fn names(release: &Release, time_us: u64) -> [Vec<String>; 7] {
    let one = |text: &str| {
        let text = if text.is_empty() { "(none)" } else { text };
        vec![text.to_owned()]
    };
    let (from, to) = release.pair();
    let told = release.told.as_ref();
    let of = |of: fn(&super::history::Told) -> &str| one(told.map_or("?", of));
    let rules = told.map_or_else(
        || one("?"),
        |told| {
            let rules: Vec<String> = told.rules.iter().map(ToString::to_string).collect();
            if rules.is_empty() { one("") } else { rules }
        },
    );
    [
        one(if from == to { "no" } else { "yes" }),
        one(release.organisation()),
        of(|told| &told.role),
        of(|told| &told.basis),
        rules,
        of(|told| &told.purpose),
        one(&when::day(time_us)),
    ]
}

fn table(name: &'static str, columns: &'static [&'static str], group: Groups) -> Table {
    let mut table = Table::new(name, columns);
    for ((from, to, of), sum) in group {
        table.push(vec![
            from.into(),
            to.into(),
            of.into(),
            Cell::Count(sum.releases),
            Cell::Count(sum.bytes),
            Cell::Count(sum.objects),
        ]);
    }
    table
}
