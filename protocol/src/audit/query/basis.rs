//! Releases whose entry or grant names no basis: neither in words, nor a rule that has one.

use super::Ask;
use super::answer::{Answer, Cell, Table};
use super::history::History;

/// Answers the question.
pub(super) fn answer(history: &History, ask: &Ask, answer: &mut Answer) {
    let columns = &["time", "log", "entry", "from", "to", "what"];
    let mut table = Table::new("releases without a basis", columns);
    let (mut releases, mut without, mut unread, mut untold) = (0, 0, 0, 0);
    for (place, _, release) in history.releases_in(ask) {
        releases += 1;
        unread += u64::from(release.known.is_none());
        untold += u64::from(release.told.is_none());
        let told = release.told.as_ref();
        let lacks = [
            (
                told.is_some_and(|told| told.basis.trim().is_empty()),
                "no basis in the entry",
            ),
            (
                told.is_some_and(|told| told.rules.is_empty()),
                "no rule in the entry",
            ),
            (
                release.known.as_ref().is_some_and(|known| !known.has_rule),
                "no rule in the grant",
            ),
        ];
        let lacks = lacks.iter().filter(|(lacks, _)| *lacks);
        let lacks: Vec<String> = lacks.map(|(_, what)| (*what).to_owned()).collect();
        if lacks.is_empty() {
            continue;
        }
        without += 1;
        let (from, to) = release.pair();
        table.push(vec![
            Cell::Time(place.time_us),
            history.log(place).into(),
            place.index.into(),
            from.into(),
            to.into(),
            Cell::List(lacks),
        ]);
    }
    answer.says.push(format!(
        "Releases without a basis: {without} of {releases}."
    ));
    answer.says.push(
        "A basis is what the deciding rule names. This version logs no consent and no withdrawal: \
         whether one was needed or taken back is not in these logs."
            .to_owned(),
    );
    answer.list(table);
    answer.miss(unread, "releases whose grant cannot be read");
    answer.miss(untold, "releases without the owner's entry");
}
