//! The walk over one archive's entries. It trusts nothing that it reads, and judges nothing that
//! the verification judges: what does not read is counted as not read.

use std::collections::BTreeSet;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::log::reader::read_bundle;
use crypto::log::tile::{TILE_WIDTH, Tile, TileKind, parse_bundle};

use super::Ask;
use super::history::{
    Flag, Heading, History, Known, Lapse, LogView, Moment, Place, Quiet, Told, Words,
};
use crate::audit::archive::FileName;
use crate::audit::entry::{Entry, Field, Openings};
use crate::audit::header::{Header, Kind};
use crate::audit::record::Record;
use crate::audit::verify::trust::Trust;
use crate::audit::verify::{Input, LogFiles, Options, Report, Source};
use crate::document;
use crate::document::grant::Grant;
use crate::ids::PersonId;
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
    });
    let mut walk = Walk {
        source: input.source,
        trust: &trust,
        at: history.logs.len() - 1,
        ask,
        history,
        words,
        stopped: false,
    };
    walk.all(report.size);
}

struct Walk<'a> {
    source: &'a dyn Source,
    trust: &'a Trust,
    /// The archive's number.
    at: usize,
    ask: &'a Ask,
    history: &'a mut History,
    words: &'a mut Words,
    /// The entry before was the node's stop.
    stopped: bool,
}

/// An entry that reads.
struct Seen {
    place: Place,
    header: Header,
    kind: Kind,
    leaf: Digest,
    grant: Option<Digest>,
}

impl Seen {
    const fn wall(&self) -> Wall {
        Wall {
            unix_us: self.header.time_us,
            uncertainty_us: self.header.uncertainty_us,
        }
    }
}

impl Walk<'_> {
    /// Every entry of a bundle that is there: a size is only a claim, files are not.
    fn all(&mut self, size: u64) {
        let count = TileKind::Entries.count(size);
        let mut bundles = BTreeSet::new();
        for name in self
            .source
            .paths()
            .iter()
            .filter_map(|path| FileName::parse(path))
        {
            if let FileName::Tile(tile) = name
                && tile.kind() == TileKind::Entries
                && tile.index() < count
            {
                bundles.insert(tile.index());
            }
        }
        let mut next = 0;
        for bundle in bundles {
            let first = bundle * TILE_WIDTH;
            self.gap(next, first);
            let Some(tile) = Tile::in_tree(TileKind::Entries, bundle, size) else {
                continue;
            };
            next = first + u64::from(tile.width());
            let bytes = read_bundle(&LogFiles(self.source), &tile).unwrap_or_default();
            match parse_bundle(&bytes, tile.width()) {
                Err(_) => self.gap(first, next),
                Ok(entries) => {
                    for (index, entry) in (first..).zip(entries) {
                        self.entry(index, entry);
                    }
                }
            }
        }
        self.gap(next, size);
    }

    fn log(&mut self) -> &mut LogView {
        // The walk added its own view before it began.
        &mut self.history.logs[self.at]
    }

    /// Notes that entries from `first` up to `end` cannot be read.
    fn gap(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
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
            | Kind::ReportDelivered => (),
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

    fn asked(&self, seen: &Seen) -> bool {
        let header = &seen.header;
        self.ask.at(seen.place.time_us)
            && self.ask.between(&header.from_country, &header.to_country)
    }

    /// Whether an entry is to be counted under one heading: another archive may be of the same log.
    fn counts(&mut self, seen: &Seen, heading: Heading) -> bool {
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
            .map(|rule| self.words.word(rule))
            .collect();
        if rules.is_empty() {
            rules.push(self.words.word("(no rule: it failed)"));
        }
        for rule in rules {
            *self.history.refused.entry(rule).or_default() += 1;
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
            kind: kind_name(seen.kind),
            from: self.words.word(&seen.header.from_country),
            to: self.words.word(&seen.header.to_country),
            purpose: self.words.word(&seen.header.purpose),
            reason,
        };
        History::hold(&mut self.history.flags, flag, &mut self.history.dropped);
    }

    /// An entry that belongs to a release.
    fn of_release(&mut self, seen: &Seen) {
        let Some(hash) = seen.grant else {
            if self.asked(seen) && self.counts(seen, Heading::Nameless) {
                self.history.nameless += 1;
            }
            return;
        };
        let room = self.history.releases.len() < super::HELD_MAX;
        if !room && !self.history.releases.contains_key(&hash) {
            self.history.dropped += 1;
            return;
        }
        let (mut told, mut known) = (None, None);
        if matches!(seen.kind, Kind::ReleaseGranted | Kind::GrantAccepted) {
            told = self.told(seen, hash);
            known = self.known(seen, hash);
        }
        let release = self.history.releases.entry(hash).or_default();
        release.told = release.told.take().or(told);
        release.known = release.known.take().or(known);
        let time = seen.place.time_us;
        let (first, last) = release.span_us.unwrap_or((time, time));
        release.span_us = Some((first.min(time), last.max(time)));
        let place = Some(seen.place);
        if seen.kind == Kind::ReleaseGranted {
            release.granted = release.granted.or(place);
        } else if seen.kind == Kind::GrantAccepted {
            release.accepted = release.accepted.or(place);
        } else if seen.kind == Kind::ReceiptAccepted {
            release.receipt = release.receipt.or(place);
        } else if seen.kind == Kind::AccessBegun {
            release.begun_us = Some(release.begun_us.map_or(time, |begun| begun.min(time)));
        } else if seen.kind == Kind::AccessEnded {
            release.ended_us = release.ended_us.max(Some(time));
        }
        self.credential(seen, hash);
    }

    /// What the owner's entry says: this one, or the copy of it that the reader's log keeps.
    fn told(&mut self, seen: &Seen, hash: Digest) -> Option<Told> {
        let header = if seen.kind == Kind::ReleaseGranted {
            seen.header.clone()
        } else {
            let name = FileName::PeerEntry(seen.place.index);
            let bytes = self.source.read(&name.to_string(), name.max_len()).ok()?;
            let header = Entry::decode_bytes(&bytes).ok()?.header();
            let same = header.grant_hash == hash.as_bytes();
            Some(header).filter(|h| same && h.kind == Kind::ReleaseGranted as i32)?
        };
        let rules = header.rules.iter().take(crate::limits::RULES_MAX);
        Some(Told {
            rules: rules.map(|rule| self.words.word(rule)).collect(),
            from: self.words.word(&header.from_country),
            to: self.words.word(&header.to_country),
            role: self.words.word(&header.legal_role),
            basis: self.words.word(&header.basis),
            purpose: self.words.word(&header.purpose),
            emergency: header.emergency,
        })
    }

    /// What the exact grant says. Whether its signature holds is the verification's to say.
    fn known(&mut self, seen: &Seen, hash: Digest) -> Option<Known> {
        let name = FileName::Grant(seen.place.index);
        let bytes = self.source.read(&name.to_string(), name.max_len()).ok()?;
        if Digest::sha256(&bytes) != hash {
            return None;
        }
        let grant: Grant = document::decode(&Envelope::decode(&bytes).ok()?.payload).ok()?;
        let credential = self.trust.credential(grant.credential);
        let person = PersonId::from_slice(&grant.person)?;
        let credential = credential.filter(|credential| credential.person == Some(person));
        let organisation = credential.map(|found| self.words.word(&found.organisation));
        let log = credential.and_then(|found| found.log_key().ok().flatten());
        let reader_log = log.map(|log| self.words.word(log.name().as_str()));
        let prepared = grant.prepared.as_ref();
        Some(Known {
            origin: self.words.word(&grant.log_origin),
            reader_log,
            from: self.words.word(&grant.from_country),
            to: self.words.word(&grant.to_country),
            bytes: prepared.map_or(0, |prepared| prepared.bytes),
            objects: prepared.map_or(0, |prepared| prepared.objects),
            person: *person.as_bytes(),
            serial: grant.credential,
            organisation,
            has_rule: !grant.rules.is_empty(),
        })
    }

    /// Whether the reader's credential was valid at this very entry.
    fn credential(&mut self, seen: &Seen, hash: Digest) {
        let moments = [
            (Kind::ReleaseGranted, "not valid when it was granted"),
            (Kind::GrantAccepted, "not valid when it was accepted"),
            (Kind::ReceiptAccepted, "not valid when the receipt came"),
            (Kind::AccessBegun, "not valid when access began"),
        ];
        let Some((_, what)) = moments.into_iter().find(|(kind, _)| *kind == seen.kind) else {
            return;
        };
        let known = self
            .history
            .releases
            .get(&hash)
            .and_then(|release| release.known.as_ref());
        let Some(known) = known.filter(|known| self.ask.between(&known.from, &known.to)) else {
            return;
        };
        let (serial, person) = (known.serial, PersonId::from_bytes(known.person));
        let held = self.trust.reader(serial, seen.wall());
        let lapsed = held.is_none_or(|held| held.person != Some(person));
        if lapsed && self.ask.at(seen.place.time_us) && self.counts(seen, Heading::Lapse) {
            let lapse = Lapse {
                place: seen.place,
                hash,
                serial,
                what,
            };
            History::hold(&mut self.history.lapses, lapse, &mut self.history.dropped);
        }
    }

    /// What disclosed openings say of a release, a study, an order or a case.
    fn opened(&mut self, seen: &Seen, openings: &Openings) {
        let record = Record::decode(seen.header.kind, openings).ok();
        let of_patient = self.ask.patient.as_deref().and_then(|patient| {
            let told = openings.value(Field::Patient);
            told.map(|told| told == patient.as_bytes())
        });
        let at = (seen.place, record.as_ref());
        super::who::note(self.history, (self.ask, of_patient), at);
        let Some(hash) = seen.grant else { return };
        let policy = self.trust.policy_hash;
        let decidable = openings.value(Field::Facts).is_some()
            && policy.is_some_and(|hash| hash.as_bytes() == seen.header.policy_hash.as_slice());
        let origin = self.history.logs[self.at].origin.clone();
        let Some(release) = self.history.releases.get_mut(&hash) else {
            return;
        };
        if seen.kind == Kind::ReleaseGranted {
            release.decidable |= decidable;
        }
        release.of_patient = release.of_patient.or(of_patient);
        // In the reader's log the case is the offer: only the owner's entries name the case.
        let owner = release
            .known
            .as_ref()
            .is_some_and(|known| known.origin == origin);
        if owner && release.case.is_none() {
            let case = super::who::case(record.as_ref(), openings);
            release.case = case.map(|case| (origin, case));
        }
    }
}

/// A kind in words.
const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "unspecified",
        Kind::NodeStarted => "node started",
        Kind::NodeStopped => "node stopped",
        Kind::ClockAnomaly => "clock anomaly",
        Kind::CredentialAccepted => "credential accepted",
        Kind::OrderReceived => "order received",
        Kind::StudyReceived => "study received",
        Kind::CaseOpened => "case opened",
        Kind::CaseOffered => "case offered",
        Kind::CaseClaimed => "case claimed",
        Kind::CaseHandedBack => "case handed back",
        Kind::LeaseExpired => "lease expired",
        Kind::LeaseResumed => "lease resumed",
        Kind::CaseEscalated => "case escalated",
        Kind::CaseClosed => "case closed",
        Kind::CaseCancelled => "case cancelled",
        Kind::ReleaseGranted => "release granted",
        Kind::ReleaseRefused => "release refused",
        Kind::GrantAccepted => "grant accepted",
        Kind::ReceiptAccepted => "receipt accepted",
        Kind::AccessBegun => "access begun",
        Kind::AccessEnded => "access ended",
        Kind::ReportSigned => "report signed",
        Kind::ReportReceived => "report received",
        Kind::ReportDelivered => "report delivered",
    }
}
