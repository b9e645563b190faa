//! The walk over one archive's entries. It trusts nothing that it reads, and judges nothing that
//! the verification judges: what does not read is counted as not read.

use std::convert::Infallible;

use crypto::digest::Digest;

use super::Ask;
use super::history::{Flag, Heading, History, LogView, Moment, Place, Quiet, Words};
use crate::audit::archive::FileName;
use crate::audit::bundles::{self, Found};
use crate::audit::entry::{Entry, Field, Openings};
use crate::audit::header::{Header, Kind};
use crate::audit::review::{Ledger, Reviews};
use crate::audit::verify::trust::Trust;
use crate::audit::verify::{Input, Options, Report, Source};
use crate::time::Wall;

/// Walks over an archive whose verification gave `report`.
pub(super) fn archive(
    history: &mut History,
    words: &mut Words,
    (input, report, options): (&Input<'_>, &Report, Options),
    ask: &Ask,
) {
    let trust = Trust::open(input.source, options, &mut Report::new(input.label));
    let origin = report
        .origin
        .as_ref()
        .map_or("unknown log", |name| name.as_str());
    let organisation = report
        .organisation
        .as_deref()
        .unwrap_or("unknown organisation");
    let cosigned = report.witnesses.values().max();
    history.logs.push(LogView {
        label: super::history::clean(input.label, 200),
        origin: words.word(origin),
        organisation: words.word(organisation),
        size: report.size,
        unread: 0,
        gaps: Vec::new(),
        unknown: 0,
        first: None,
        last: None,
        quiet: Vec::new(),
        moments: Vec::new(),
        cosigned_us: cosigned.map(|seconds| seconds.saturating_mul(1_000_000)),
        reviews: Reviews::default(),
    });
    let mut walk = Walk {
        source: input.source,
        trust: &trust,
        at: history.logs.len() - 1,
        ask,
        history,
        words,
        stopped: false,
        reviews: Ledger::new(ask.review_days.into()),
    };
    walk.all(report.size);
    let reviews = std::mem::take(&mut walk.reviews);
    let log = walk.log();
    log.reviews = reviews.finish(log.latest_us().unwrap_or_default());
}

pub(super) struct Walk<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) trust: &'a Trust,
    /// The archive's number.
    pub(super) at: usize,
    pub(super) ask: &'a Ask,
    pub(super) history: &'a mut History,
    pub(super) words: &'a mut Words,
    /// The entry before was the node's stop.
    stopped: bool,
    reviews: Ledger,
}

/// An entry that reads.
pub(super) struct Seen {
    pub(super) place: Place,
    pub(super) header: Header,
    pub(super) kind: Kind,
    leaf: Digest,
    pub(super) grant: Option<Digest>,
}

impl Seen {
    pub(super) const fn wall(&self) -> Wall {
        Wall {
            unix_us: self.header.time_us,
            uncertainty_us: self.header.uncertainty_us,
        }
    }
}

impl Walk<'_> {
    fn all(&mut self, size: u64) {
        let Ok(()) = bundles::entries::<Infallible>(self.source, size, |found| {
            match found {
                Found::Entry(index, bytes) => self.entry(index, bytes),
                Found::Gap(first, end) => self.gap(first, end),
            }
            Ok(())
        });
    }

    fn log(&mut self) -> &mut LogView {
        // The walk added its own view before it began.
        &mut self.history.logs[self.at]
    }

    /// Notes that entries from `first` up to `end` cannot be read.
    fn gap(&mut self, first: u64, end: u64) {
        let log = &mut self.history.logs[self.at];
        log.unread = log.unread.saturating_add(end - first);
        match log.gaps.last_mut() {
            Some(last) if last.1 == first => last.1 = end,
            Some(_) | None => History::hold(&mut log.gaps, (first, end), &mut self.history.dropped),
        }
    }

    fn entry(&mut self, index: u64, bytes: &[u8]) {
        let Ok(entry) = Entry::decode_bytes(bytes) else {
            return self.gap(index, index + 1);
        };
        let header = entry.header();
        let place = Place {
            archive: self.at,
            index,
            time_us: header.time_us,
        };
        self.silence(place);
        self.reviews.visit(index, &header);
        let Ok(kind) = Kind::try_from(header.kind) else {
            self.log().unknown += 1;
            return;
        };
        let seen = Seen {
            place,
            kind,
            leaf: crypto::log::merkle::leaf_hash(bytes),
            grant: header.grant_hash.as_slice().try_into().ok().map(Digest),
            header,
        };
        let openings = self.openings(index, &entry);
        self.by_kind(&seen);
        self.flagged(&seen, openings.as_ref());
        if let Some(openings) = openings {
            self.opened(&seen, &openings);
        }
    }

    /// Notes how long it was silent before an entry.
    fn silence(&mut self, place: Place) {
        let stopped = std::mem::take(&mut self.stopped);
        let (quiet_us, asked) = (self.ask.quiet_us, self.ask.at(place.time_us));
        let log = &mut self.history.logs[self.at];
        log.first.get_or_insert(place);
        let Some(last) = log.last.replace(place) else {
            return;
        };
        let silent = place.time_us.saturating_sub(last.time_us) > quiet_us;
        if silent && (asked || self.ask.at(last.time_us)) {
            let quiet = Quiet {
                after: last.index,
                from_us: last.time_us,
                to_us: place.time_us,
                stopped,
            };
            History::hold(&mut log.quiet, quiet, &mut self.history.dropped);
        }
    }

    /// The disclosed openings of an entry that match its commitments.
    fn openings(&self, index: u64, entry: &Entry) -> Option<Openings> {
        if !self.ask.question.opens() {
            return None;
        }
        let name = FileName::Opening(index);
        let bytes = self.source.read(&name.to_string(), name.max_len()).ok()?;
        let mut openings = Openings::decode_bytes(&bytes).ok()?;
        openings
            .openings
            .retain(|opening| entry.check_opening(opening).is_ok());
        Some(openings)
    }

    fn by_kind(&mut self, seen: &Seen) {
        match seen.kind {
            Kind::NodeStarted => self.moment(seen, "node started"),
            Kind::NodeStopped => {
                self.stopped = true;
                self.moment(seen, "node stopped");
            }
            Kind::ClockAnomaly => self.moment(seen, "clock anomaly"),
            Kind::ReleaseRefused => self.refused(seen),
            Kind::ReleaseGranted
            | Kind::GrantAccepted
            | Kind::ReceiptAccepted
            | Kind::AccessBegun
            | Kind::AccessEnded
            | Kind::ReportSigned
            | Kind::ReportReceived => self.of_release(seen),
            Kind::Unspecified
            | Kind::CredentialAccepted
            | Kind::OrderReceived
            | Kind::StudyReceived
            | Kind::CaseOpened
            | Kind::CaseOffered
            | Kind::CaseClaimed
            | Kind::CaseHandedBack
            | Kind::LeaseExpired
            | Kind::LeaseResumed
            | Kind::CaseEscalated
            | Kind::CaseClosed
            | Kind::CaseCancelled
            | Kind::ReportDelivered
            | Kind::LogReviewed
            | Kind::OpeningDisclosed => (),
        }
    }

    fn moment(&mut self, seen: &Seen, what: &'static str) {
        if self.ask.at(seen.place.time_us) {
            let moment = Moment {
                place: seen.place,
                what,
            };
            let History { logs, dropped, .. } = &mut *self.history;
            History::hold(&mut logs[self.at].moments, moment, dropped);
        }
    }

    pub(super) fn asked(&self, seen: &Seen) -> bool {
        let header = &seen.header;
        self.ask.at(seen.place.time_us)
            && self.ask.between(&header.from_country, &header.to_country)
    }

    /// Whether an entry is to be counted under one heading: another archive may be of the same log.
    pub(super) fn counts(&mut self, seen: &Seen, heading: Heading) -> bool {
        let first = self.words.first((heading, seen.leaf));
        self.history.dropped += u64::from(first.is_none());
        first == Some(true)
    }

    fn refused(&mut self, seen: &Seen) {
        if !self.asked(seen) || !self.counts(seen, Heading::Refused) {
            return;
        }
        self.history.refusals += 1;
        let mut rules: Vec<_> = seen
            .header
            .rules
            .iter()
            .take(crate::limits::RULES_MAX)
            .map(|rule| self.words.word(rule))
            .collect();
        if rules.is_empty() {
            rules.push(self.words.word("(no rule: it failed)"));
        }
        for rule in rules {
            let refused = &mut self.history.refused;
            if refused.len() < super::HELD_MAX || refused.contains_key(&rule) {
                *refused.entry(rule).or_default() += 1;
            } else {
                self.history.dropped += 1;
            }
        }
    }

    fn flagged(&mut self, seen: &Seen, openings: Option<&Openings>) {
        if !seen.header.emergency || !self.asked(seen) || !self.counts(seen, Heading::Flag) {
            return;
        }
        let reason = openings.and_then(|openings| openings.value(Field::Reason));
        let reason = reason.map(|reason| self.words.word(&String::from_utf8_lossy(reason)));
        let flag = Flag {
            place: seen.place,
            kind: seen.kind,
            from: self.words.word(&seen.header.from_country),
            to: self.words.word(&seen.header.to_country),
            purpose: self.words.word(&seen.header.purpose),
            reason,
        };
        History::hold(&mut self.history.flags, flag, &mut self.history.dropped);
    }
}
