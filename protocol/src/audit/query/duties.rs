//! Reviews and retention: what a log can say of the duties of whoever keeps it.

use super::answer::{Answer, Cell, Table};
use super::history::History;
use super::{Ask, when};

/// Whether reviews were done when due.
pub(super) fn reviews(history: &History, ask: &Ask, answer: &mut Answer) {
    let columns = &["time", "log", "entry", "from", "to", "findings", "next due"];
    let mut done = Table::new("reviews", columns);
    let columns = &[
        "log",
        "first entry",
        "not reviewed from",
        "until",
        "due",
        "then",
    ];
    let mut missed = Table::new("reviews missed", columns);
    let mut dropped = 0;
    for log in &history.logs {
        let found = &log.reviews;
        dropped += found.dropped;
        for review in found.done.iter().filter(|review| ask.at(review.time_us)) {
            done.push(vec![
                Cell::Time(review.time_us),
                (&*log.origin).into(),
                review.index.into(),
                review.reviewed.first.into(),
                (review.reviewed.end - 1).into(),
                u64::from(review.reviewed.findings).into(),
                Cell::Time(review.reviewed.next_due_us),
            ]);
        }
        let gaps = found.missed.iter();
        for gap in gaps.filter(|gap| ask.spans(gap.due_us, gap.until_us)) {
            answer.says.push(format!("{}: {gap}.", log.origin));
            missed.push(vec![
                (&*log.origin).into(),
                gap.first.into(),
                when::day(gap.from_us).into(),
                when::day(gap.until_us).into(),
                when::day(gap.due_us).into(),
                if gap.done {
                    "reviewed late"
                } else {
                    "still not reviewed"
                }
                .into(),
            ]);
        }
        if let Some(due_us) = found.due_us {
            let (origin, due) = (&log.origin, when::day(due_us));
            let first = found.reviewed_to;
            answer.says.push(format!(
                "{origin}: the entries from {first} on are to be reviewed by {due}."
            ));
        }
    }
    let rows = |table: &Table| table.rows.len() as u64 + table.more;
    let (count, gaps) = (rows(&done), rows(&missed));
    let days = ask.review_days;
    let first = format!("Reviews: {count}. Missed, at {days} days for each entry: {gaps}.");
    answer.says.insert(0, first);
    answer.list(done);
    answer.list(missed);
    answer.miss(dropped, "reviews beyond the number that is held");
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
