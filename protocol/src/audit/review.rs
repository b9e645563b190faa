//! Reviews of a log: what was reviewed, what is due, and which reviews were missed. One pass over
//! the clear headers, for the node that keeps the log and for whoever verifies it.
//!
//! The rule: every entry is reviewed within [`crate::limits::REVIEW_DAYS`] days of the day that it
//! bears. A review counts if it goes on where the reviews before it ended and covers only what
//! stands before it. Days are UTC; a review is due at the end of its day.

use std::collections::VecDeque;
use std::fmt;

use super::header::{Header, Kind, Reviewed};
use super::query::when::day;
use crate::limits;

/// A day, in microseconds.
pub const DAY_US: u64 = 86_400_000_000;

/// Most changes of the day that are held between two reviews: a hundred and eighty years. What
/// comes later counts as of the last day that is held, so it is due no later than it should be.
const DAYS_MAX: usize = 1 << 16;

/// Most reviews, and most missed ones, that are held: eighty years of a review a day. What is not
/// held is counted.
const HELD_MAX: usize = 1 << 15;

/// One review, as its entry's header states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Index of its entry.
    pub index: u64,
    /// When, microseconds since the Unix epoch.
    pub time_us: u64,
    /// What it covered.
    pub reviewed: Reviewed,
}

impl Done {
    /// Whether it covered the entry at `index`.
    #[must_use]
    pub const fn covers(&self, index: u64) -> bool {
        self.reviewed.first <= index && index < self.reviewed.end
    }
}

/// Entries that were not reviewed when they should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Index of the first of them.
    pub first: u64,
    /// The beginning of the day that it bears, microseconds since the Unix epoch.
    pub from_us: u64,
    /// The beginning of the day by whose end they were to be reviewed.
    pub due_us: u64,
    /// When a review came after all, or else as far as the log is known.
    pub until_us: u64,
    /// A review came after all.
    pub done: bool,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, done, .. } = self;
        let [from, until, due] = [self.from_us, self.until_us, self.due_us].map(day);
        write!(
            f,
            "no review of the entries from {first} on between {from} and {until}, due by {due}"
        )?;
        match done {
            true => f.write_str("; it came late"),
            false => Ok(()),
        }
    }
}

/// What is known of a log's reviews.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviews {
    /// Every review that states a range before itself, in order.
    pub done: Vec<Done>,
    /// Every review that was missed, in order.
    pub missed: Vec<Missed>,
    /// Entries up to here, itself not included, were reviewed without a gap.
    pub reviewed_to: u64,
    /// The beginning of the day by whose end the next review is due; `None` for an empty log.
    pub due_us: Option<u64>,
    /// Reviews and missed ones that are not held for want of room.
    pub dropped: u64,
}

impl Reviews {
    /// The review that covered the entry at `index`, the first if there are several.
    #[must_use]
    pub fn of(&self, index: u64) -> Option<&Done> {
        self.done.iter().find(|done| done.covers(index))
    }
}

/// The pass over a log's headers.
#[derive(Clone, Debug)]
pub struct Ledger {
    period_us: u64,
    found: Reviews,
    /// Days of the entries that are not reviewed: index of the first entry of each run, and the
    /// day.
    days: VecDeque<(u64, u64)>,
    next: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(limits::REVIEW_DAYS)
    }
}

impl Ledger {
    /// A ledger for reviews that are due within `days` days.
    #[must_use]
    pub const fn new(days: u64) -> Self {
        Self {
            period_us: days.saturating_mul(DAY_US),
            found: Reviews {
                done: Vec::new(),
                missed: Vec::new(),
                reviewed_to: 0,
                due_us: None,
                dropped: 0,
            },
            days: VecDeque::new(),
            next: 0,
        }
    }

    /// Takes in the next entry. Entries that cannot be read are left out.
    pub fn visit(&mut self, index: u64, header: &Header) {
        let day = header.time_us - header.time_us % DAY_US;
        let same = self.days.back().is_some_and(|(_, last)| *last == day);
        if !same && self.days.len() < DAYS_MAX {
            self.days.push_back((index, day));
        }
        self.next = self.next.max(index.saturating_add(1));
        let Some(reviewed) = header.reviewed else {
            return;
        };
        if header.kind == Kind::LogReviewed as i32 && reviewed.is_before(index) {
            let time_us = header.time_us;
            self.review(Done {
                index,
                time_us,
                reviewed,
            });
        }
    }

    fn review(&mut self, done: Done) {
        hold(&mut self.found.done, done, &mut self.found.dropped);
        let Reviewed { first, end, .. } = done.reviewed;
        let to = self.found.reviewed_to;
        if first > to || end <= to {
            return;
        }
        self.late(done.time_us, true);
        self.found.reviewed_to = end;
        // The run that the next entry to review stands in begins with it now.
        while self.days.get(1).is_some_and(|(next, _)| *next <= end) {
            self.days.pop_front();
        }
        if let Some(run) = self.days.front_mut() {
            run.0 = run.0.max(end);
        }
    }

    /// Notes that what is not reviewed was due before `time_us`, if it was.
    fn late(&mut self, time_us: u64, done: bool) {
        let Some((first, from_us)) = self.days.front().copied() else {
            return;
        };
        let due_us = from_us.saturating_add(self.period_us);
        if time_us >= due_us.saturating_add(DAY_US) {
            let missed = Missed {
                first,
                from_us,
                due_us,
                until_us: time_us,
                done,
            };
            hold(&mut self.found.missed, missed, &mut self.found.dropped);
        }
    }

    /// What is known of the log's reviews at `now_us`: now, for its own node; the latest time that
    /// is proved, for anybody else.
    #[must_use]
    pub fn finish(mut self, now_us: u64) -> Reviews {
        if self.found.reviewed_to < self.next {
            self.late(now_us, false);
            let first = self.days.front().map(|(_, day)| *day);
            self.found.due_us = first.map(|day| day.saturating_add(self.period_us));
        }
        self.found
    }
}

fn hold<T>(list: &mut Vec<T>, item: T, dropped: &mut u64) {
    if list.len() < HELD_MAX {
        list.push(item);
    } else {
        *dropped += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = DAY_US;

    /// A log of one entry a day; `reviews` are days with the range that a review covers then.
    fn log(days: u64, reviews: &[(u64, u64, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        let mut index = 0;
        for day in 0..days {
            let mut header = Header {
                kind: Kind::CaseOpened as i32,
                time_us: day * DAY + 5,
                ..Header::default()
            };
            ledger.visit(index, &header);
            index += 1;
            for (_, first, end) in reviews.iter().filter(|(on, _, _)| *on == day) {
                header.kind = Kind::LogReviewed as i32;
                header.reviewed = Some(Reviewed {
                    first: *first,
                    end: *end,
                    ..Reviewed::default()
                });
                ledger.visit(index, &header);
                index += 1;
            }
        }
        ledger
    }

    #[test]
    fn a_review_is_due_at_the_end_of_the_thirty_first_day() {
        let young = log(20, &[]).finish(32 * DAY - 1);
        assert_eq!((young.due_us, young.missed.len()), (Some(31 * DAY), 0));
        let late = log(20, &[]).finish(32 * DAY);
        let missed = Missed {
            first: 0,
            from_us: 0,
            due_us: 31 * DAY,
            until_us: 32 * DAY,
            done: false,
        };
        assert_eq!(late.missed, [missed]);
        assert_eq!(Ledger::default().finish(u64::MAX), Reviews::default());
    }

    #[test]
    fn a_review_in_time_moves_the_due_day_on_and_a_late_one_does_not_undo_the_gap() {
        let kept = log(60, &[(30, 0, 31)]).finish(60 * DAY);
        // The review's own entry is what is to be reviewed next.
        assert_eq!((kept.reviewed_to, kept.due_us), (31, Some(61 * DAY)));
        assert!(kept.missed.is_empty() && kept.of(30).is_some() && kept.of(31).is_none());
        let late = log(60, &[(40, 0, 41)]).finish(60 * DAY);
        assert_eq!(late.missed.len(), 1);
        let missed = late.missed[0];
        assert!(missed.done);
        assert_eq!((missed.due_us, missed.until_us), (31 * DAY, 40 * DAY + 5));
    }

    #[test]
    fn a_review_that_skips_or_repeats_entries_moves_nothing() {
        for (first, end) in [(1, 31), (0, 0), (0, 32), (5, 3)] {
            let found = log(60, &[(30, first, end)]).finish(60 * DAY);
            assert_eq!(found.reviewed_to, 0, "{first} {end}");
            assert_eq!(found.missed.len(), 1);
        }
        // A part: the rest is due by its own day.
        let part = log(34, &[(30, 0, 3)]).finish(34 * DAY);
        assert_eq!((part.reviewed_to, part.due_us), (3, Some(34 * DAY)));
        assert!(part.missed.is_empty());
        let again = log(34, &[(30, 0, 31), (31, 0, 31)]).finish(34 * DAY);
        assert_eq!((again.reviewed_to, again.done.len()), (31, 2));
    }

    #[test]
    fn times_at_the_end_of_time_are_only_late() {
        let mut ledger = Ledger::default();
        let header = Header {
            kind: Kind::NodeStarted as i32,
            time_us: u64::MAX,
            ..Header::default()
        };
        ledger.visit(u64::MAX, &header);
        assert!(ledger.finish(u64::MAX).due_us.is_some());
    }
}
