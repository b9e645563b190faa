//! Every entry with the emergency flag.

use super::answer::{Answer, Cell, Table};
use super::history::History;

/// Answers the question.
pub(super) fn answer(history: &History, answer: &mut Answer) {
    let columns = &[
        "time", "log", "entry", "what", "from", "to", "purpose", "reason",
    ];
    let mut table = Table::new("emergency flags", columns);
    let mut sealed = 0;
    for flag in &history.flags {
        sealed += u64::from(flag.reason.is_none());
        table.push(vec![
            Cell::Time(flag.place.time_us),
            history.log(flag.place).into(),
            flag.place.index.into(),
            flag.kind.into(),
            (&*flag.from).into(),
            (&*flag.to).into(),
            (&*flag.purpose).into(),
            flag.reason.as_deref().map_or(Cell::Nothing, Cell::from),
        ]);
    }
    let flags = history.flags.len();
    answer.says.push(match flags {
        0 => "No entry has the emergency flag.".to_owned(),
        1 => "1 entry has the emergency flag.".to_owned(),
        flags => format!("{flags} entries have the emergency flag."),
    });
    answer.says.push(
        "This version logs neither downloads of studies nor reviews of emergency access."
            .to_owned(),
    );
    answer.list(table);
    answer.miss(sealed, "reasons that are not opened");
    if flags > 0 {
        answer.lacks("whether the emergency access was reviewed: this version logs no reviews");
    }
}
