//! What the walk gathers of a release: the owner's entry, the exact grant, the reader's credential
//! at every step, and what is disclosed.

use crypto::digest::Digest;
use crypto::envelope::Envelope;

use super::history::{Heading, History, Known, Lapse, Told};
use super::walk::{Seen, Walk};
use crate::audit::archive::FileName;
use crate::audit::entry::{Entry, Field, Openings};
use crate::audit::header::Kind;
use crate::audit::record::Record;
use crate::document;
use crate::document::grant::Grant;
use crate::ids::PersonId;

impl Walk<'_> {
    /// An entry that belongs to a release.
    pub(super) fn of_release(&mut self, seen: &Seen) {
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
    pub(super) fn opened(&mut self, seen: &Seen, openings: &Openings) {
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
