//! Readers who stand out by their number of releases or by volume, and refusals by rule.
//!
//! A reader stands out if their figure lies further from the median of all readers than three times
//! the median absolute deviation. Both medians are of the readers in the answer; of an even number,
//! the mean of the two in the middle, rounded down.

use std::collections::BTreeMap;

use super::Ask;
use super::answer::{Answer, Cell, Table};
use super::history::History;

/// With fewer readers a median says nothing about any of them.
const READERS_MIN: usize = 3;

/// How many deviations are far.
const FAR: u128 = 3;

/// A person, and what they had.
#[derive(Default)]
struct Reader {
    organisation: String,
    releases: u64,
    bytes: u64,
}

/// Median and median absolute deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spread {
    median: u64,
    deviation: u64,
}

impl Spread {
    fn of(mut figures: Vec<u64>) -> Self {
        let median = median(&mut figures);
        let mut apart: Vec<u64> = figures
            .iter()
            .map(|figure| figure.abs_diff(median))
            .collect();
        let deviation = self::median(&mut apart);
        Self { median, deviation }
    }

    fn is_far(self, figure: u64) -> bool {
        u128::from(figure.abs_diff(self.median)) > FAR * u128::from(self.deviation)
    }
}

fn median(figures: &mut [u64]) -> u64 {
    figures.sort_unstable();
    let middle = figures.len() / 2;
    match (figures.get(middle), figures.len() % 2) {
        (None, _) => 0,
        (Some(one), 1) => *one,
        (Some(upper), _) => {
            let lower = figures[middle - 1];
            lower + (upper - lower) / 2
        }
    }
}

/// Answers the question.
pub(super) fn answer(history: &History, ask: &Ask, answer: &mut Answer) {
    let mut readers: BTreeMap<[u8; 32], Reader> = BTreeMap::new();
    let mut organisations: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut unknown = 0;
    for (_, _, release) in history.releases_in(ask) {
        let Some(known) = &release.known else {
            unknown += 1;
            continue;
        };
        let reader = readers.entry(known.person).or_default();
        reader.organisation = release.organisation().to_owned();
        reader.releases += 1;
        reader.bytes = reader.bytes.saturating_add(known.bytes);
        let (releases, bytes) = organisations
            .entry(reader.organisation.clone())
            .or_default();
        *releases += 1;
        *bytes = bytes.saturating_add(known.bytes);
    }
    let releases = Spread::of(readers.values().map(|reader| reader.releases).collect());
    let bytes = Spread::of(readers.values().map(|reader| reader.bytes).collect());
    let enough = readers.len() >= READERS_MIN;
    say(answer, (releases, bytes), (enough, readers.len()));
    answer.says.push(format!("Refusals: {}.", history.refusals));
    answer.list(table(&readers, (releases, bytes), enough));
    answer.list(by_organisation(organisations));
    let mut refused = Table::new("refusals by rule", &["rule", "refusals"]);
    for (rule, count) in &history.refused {
        refused.push(vec![(&**rule).into(), (*count).into()]);
    }
    answer.list(refused);
    answer.miss(
        unknown,
        "releases whose grant cannot be read: of an unknown reader",
    );
}

fn say(answer: &mut Answer, (releases, bytes): (Spread, Spread), (enough, readers): (bool, usize)) {
    if !enough {
        answer.says.push(format!(
            "Readers: {readers}, too few to say that one stands out; {READERS_MIN} are needed."
        ));
        return;
    }
    let spread = |spread: Spread, what: &str| {
        let (median, deviation) = (spread.median, spread.deviation);
        format!("{what} a reader: median {median}, median absolute deviation {deviation}")
    };
    answer.says.push(format!(
        "Readers: {readers}. {}; {}. A reader stands out beyond {FAR} deviations.",
        spread(releases, "Releases"),
        spread(bytes, "bytes")
    ));
}

fn table(
    readers: &BTreeMap<[u8; 32], Reader>,
    (releases, bytes): (Spread, Spread),
    enough: bool,
) -> Table {
    let columns = &[
        "person",
        "organisation",
        "releases",
        "bytes",
        "stands out by",
    ];
    let mut table = Table::new("readers", columns);
    let mut rows: Vec<(bool, Vec<Cell>)> = Vec::with_capacity(readers.len());
    for (person, reader) in readers {
        let far = [
            (releases.is_far(reader.releases), "releases"),
            (bytes.is_far(reader.bytes), "bytes"),
        ];
        let far = far.iter().filter(|(far, _)| enough && *far);
        let far: Vec<String> = far.map(|(_, by)| (*by).to_owned()).collect();
        let hex: String = person.iter().map(|byte| format!("{byte:02x}")).collect();
        let row = vec![
            hex.into(),
            reader.organisation.clone().into(),
            reader.releases.into(),
            reader.bytes.into(),
            Cell::List(far.clone()),
        ];
        rows.push((far.is_empty(), row));
    }
    // Those who stand out come first, so that no bound cuts them off.
    rows.sort_by_key(|(plain, _)| *plain);
    rows.into_iter().for_each(|(_, row)| table.push(row));
    table
}

fn by_organisation(organisations: BTreeMap<String, (u64, u64)>) -> Table {
    let mut table = Table::new("by organisation", &["organisation", "releases", "bytes"]);
    for (organisation, (releases, bytes)) in organisations {
        table.push(vec![organisation.into(), releases.into(), bytes.into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_deviations_are_those_of_the_definition() {
        let spread = |figures: &[u64]| {
            let spread = Spread::of(figures.to_vec());
            (spread.median, spread.deviation)
        };
        assert_eq!(spread(&[]), (0, 0));
        assert_eq!(spread(&[7]), (7, 0));
        assert_eq!(spread(&[1, 4]), (2, 1));
        // Deviations from 2: 1, 1, 0, 0, 2, 4, 7, in order 0, 0, 1, 1, 2, 4, 7.
        assert_eq!(spread(&[1, 1, 2, 2, 4, 6, 9]), (2, 1));
        assert_eq!(spread(&[u64::MAX, u64::MAX]), (u64::MAX, 0));
        let spread = Spread::of(vec![1, 1, 2, 2, 4, 6, 9]);
        let far = [1, 5, 6, u64::MAX].map(|figure| spread.is_far(figure));
        assert_eq!(far, [false, false, true, true]);
    }
}
