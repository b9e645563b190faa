//! Reviews and retention: what a log can say of the duties of whoever keeps it.

use super::answer::{Answer, Cell, Table};
use super::history::History;
use super::{Ask, when};

/// Whether reviews were done when due.
pub(super) fn reviews(answer: &mut Answer) {
    answer.says.push(
        "This version of radmesh logs no reviews: these logs say neither that one was done nor \
         that one was missed. Ask for the records of whoever keeps the log."
            .to_owned(),
    );
    answer.lacks("reviews of the log, of which this version keeps no entries");
}

/// How far back each log reaches, and whether that is as far as it should.
pub(super) fn retention(history: &History, ask: &Ask, answer: &mut Answer) {
    let columns = &[
        "log",
        "oldest",
        "latest",
        "reaches back",
        "needed from",
        "covered",
    ];
    let mut table = Table::new("retention", columns);
    let (mut covered, mut young, mut cut) = (0, 0, 0);
    for log in &history.logs {
        // The end of the range that was asked about, if the log reaches it; else its own latest.
        let latest = log
            .latest_us()
            .map(|latest| latest.min(ask.until_us.saturating_sub(1)));
        let (Some(first), Some(latest)) = (log.first, latest) else {
            cut += 1;
            continue;
        };
        let needed = when::years_before(latest, ask.years);
        let whole = log.unread == 0;
        let old = first.time_us <= needed;
        cut += u64::from(!whole);
        young += u64::from(whole && !old);
        covered += u64::from(whole && old);
        table.push(vec![
            (&*log.origin).into(),
            Cell::Time(first.time_us),
            Cell::Time(latest),
            when::show_span(latest.saturating_sub(first.time_us)).into(),
            Cell::Time(needed),
            match (whole, old) {
                (true, true) => "yes",
                (true, false) => "no: the log begins later, with its first entry",
                (false, _) => "no: entries are missing",
            }
            .into(),
        ]);
    }
    let years = ask.years;
    answer.says.push(format!(
        "Logs that cover {years} years before their latest entry or cosignature: {covered} of {}.",
        history.logs.len()
    ));
    if young > 0 {
        answer.says.push(format!(
            "Whole and younger than that: {young}. Nothing older was ever in them; whether older \
             records were kept elsewhere, no log says."
        ));
    }
    answer.list(table);
    answer.miss(cut, "logs with entries that cannot be read");
}
