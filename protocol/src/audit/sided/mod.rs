//! What only one side of a release shows: a hospital's own archive laid beside its peers'.
//!
//! ```text
//! grant ─ acceptance ─ receipt ─ report signed ─ report received
//! owner    reader      owner     reader          owner
//! ```
//! Each of these stands in one log and needs its neighbour in the other one. The verification holds
//! proofs against the logs; this compares entry with entry, so that every omission is listed with
//! where and when the side that does show it has it. Only clear headers, grants and receipts are
//! read. A header does not name the report, so that reports of one grant are compared in number.
//!
//! What an archive that is not given would show is not guessed: its log is named as absent.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use crypto::digest::Digest;
use crypto::envelope::Envelope;

use super::archive::FileName;
use super::bundles::{self, Found};
use super::entry::Entry;
use super::header::Kind;
use super::query::{HELD_MAX, clean};
use super::verify::{Input, Source, Verdict};
use crate::document::grant::Grant;
use crate::document::receipt::Receipt;
use crate::document::{self, Document};
use crate::limits;

pub use text::{describe, json};

/// What one side shows and the other does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The owner granted; its log has no receipt, and the reader's log, if given, no acceptance.
    GrantWithoutReceipt,
    /// The owner granted and the reader accepted; the owner's log has no receipt.
    ReceiptNeverArrived,
    /// A log holds a receipt of a grant that it did not grant before.
    ReceiptWithoutGrant,
    /// The owner's log has a receipt; the reader's log has no acceptance.
    ReceiptWithoutAcceptance,
    /// The reader accepted; the owner's log has no grant.
    AcceptanceWithoutGrant,
    /// The reader signed more reports than the owner received.
    ReportNotReceived,
    /// The owner received more reports than the reader signed.
    ReportNotSigned,
}

/// An entry, by its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The log's origin.
    pub log: String,
    /// The entry's index.
    pub index: u64,
    /// The entry's time, microseconds since the Unix epoch.
    pub time_us: u64,
}

/// One omission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// What is one-sided.
    pub what: What,
    /// SHA-256 of the grant's envelope.
    pub grant: Digest,
    /// The entry that has no counterpart.
    pub shown: Place,
    /// The log that lacks the counterpart, where it is known.
    pub lacking: Option<String>,
    /// The lacking log's archive ends before the time of the entry: a later archive may have it.
    pub archive_ends_before: bool,
}

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneSided {
    /// Every omission, in the order of time.
    pub omissions: Vec<Omission>,
    /// Releases that were looked at.
    pub releases: u64,
    /// The other side's logs of the first archive's releases, of which no archive is given.
    pub absent: BTreeSet<String>,
    /// Releases between other logs than the first archive's that could not be compared, for want
    /// of an archive.
    pub elsewhere: u64,
    /// Entries that are missing from an archive, do not read, or name no grant.
    pub unread: u64,
    /// Entries beyond what is held in memory.
    pub dropped: u64,
}

impl OneSided {
    /// Everything that was to be compared was compared. Releases between others are not.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.absent.is_empty() && self.unread == 0 && self.dropped == 0
    }

    /// Nothing is one-sided, and nothing was left out of the comparison.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.omissions.is_empty() && self.is_complete()
    }
}

/// Compares both sides of every release. The first archive is whoever asks's own. `verdict` is the
/// verification of the same archives: without it nothing that is said here is proved.
#[must_use]
pub fn one_sided(inputs: &[Input<'_>], verdict: &Verdict) -> OneSided {
    let mut sides = Sides::default();
    for (input, report) in inputs.iter().zip(&verdict.archives) {
        let Some(origin) = &report.origin else {
            // It could not be read, which fails the verification.
            sides.found.unread += 1;
            continue;
        };
        sides.log(input.source, (&word(&origin.to_string()), report.size));
    }
    let own = verdict.archives.first();
    let own = own.and_then(|report| report.origin.as_ref());
    sides.judge(own.map(|origin| word(&origin.to_string())))
}

/// The two sides of one grant.
#[derive(Default)]
struct Release {
    granted: Option<Place>,
    accepted: Option<Place>,
    receipt: Option<Place>,
    signed: BTreeMap<u64, Place>,
    received: BTreeMap<u64, Place>,
    /// The owner's log by the grant, the reader's by the receipt.
    owner: Option<String>,
    reader: Option<String>,
}

#[derive(Default)]
struct Sides {
    releases: BTreeMap<Digest, Release>,
    /// Time of the last entry of each log given.
    ends: BTreeMap<String, u64>,
    /// Entries held.
    held: usize,
    found: OneSided,
}

impl Sides {
    fn log(&mut self, source: &dyn Source, (origin, size): (&str, u64)) {
        self.ends.entry(origin.to_owned()).or_default();
        let walked = bundles::entries(source, size, |found| {
            match found {
                Found::Gap(first, end) => self.found.unread += end - first,
                Found::Entry(index, bytes) => self.entry(source, (origin, index), bytes),
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match walked {
            Ok(()) => (),
            Err(never) => match never {},
        }
    }

    fn entry(&mut self, source: &dyn Source, (origin, index): (&str, u64), bytes: &[u8]) {
        let entry = Entry::decode_bytes(bytes).ok();
        let Some(header) = entry.and_then(|entry| entry.header) else {
            self.found.unread += 1;
            return;
        };
        let time_us = header.time_us;
        if let Some(end) = self.ends.get_mut(origin) {
            *end = time_us.max(*end);
        }
        let Some(kind) = Kind::try_from(header.kind).ok().filter(is_sided) else {
            return;
        };
        let Some(hash) = header.grant_hash.as_slice().try_into().ok().map(Digest) else {
            self.found.unread += 1;
            return;
        };
        if self.held >= HELD_MAX {
            self.found.dropped += 1;
            return;
        }
        self.held += 1;
        let place = Place {
            log: origin.to_owned(),
            index,
            time_us,
        };
        let release = self.releases.entry(hash).or_default();
        release.note(kind, place);
        release.parties(source, kind, index);
    }

    fn judge(mut self, own: Option<String>) -> OneSided {
        self.found.releases = self.releases.len() as u64;
        for (hash, release) in &self.releases {
            for (what, shown, lacking) in release.omissions(&self.ends) {
                let end = lacking.as_ref().and_then(|log| self.ends.get(log));
                self.found.omissions.push(Omission {
                    what,
                    grant: *hash,
                    archive_ends_before: end.is_some_and(|end| *end < shown.time_us),
                    shown: shown.clone(),
                    lacking,
                });
            }
            let logs = [release.owner_log(), release.reader_log()];
            let given = |log: &&String| self.ends.contains_key(*log);
            let mut absent = logs.iter().flatten().filter(|log| !given(log)).peekable();
            let of_own = logs.iter().flatten().any(|log| Some(*log) == own.as_ref());
            if of_own {
                self.found.absent.extend(absent.map(|log| (*log).clone()));
            } else if absent.peek().is_some() {
                self.found.elsewhere += 1;
            }
        }
        let key = |omission: &Omission| (omission.shown.time_us, omission.what, omission.grant);
        self.found.omissions.sort_by_key(key);
        self.found
    }
}

impl Release {
    /// Notes an entry; the first of a kind stays, and a second copy of one log adds nothing.
    fn note(&mut self, kind: Kind, place: Place) {
        if kind == Kind::ReportSigned {
            self.signed.insert(place.index, place);
        } else if kind == Kind::ReportReceived {
            self.received.insert(place.index, place);
        } else if kind == Kind::ReleaseGranted {
            self.granted.get_or_insert(place);
        } else if kind == Kind::GrantAccepted {
            self.accepted.get_or_insert(place);
        } else if kind == Kind::ReceiptAccepted {
            self.receipt.get_or_insert(place);
        }
    }

    /// Notes what an entry's documents say of the other side's log. Documents that do not read, or
    /// that nobody signed, fail the verification.
    fn parties(&mut self, source: &dyn Source, kind: Kind, index: u64) {
        if kind == Kind::GrantAccepted && self.owner.is_none() {
            let grant = payload::<Grant>(source, FileName::Grant(index));
            self.owner = grant.map(|grant| word(&grant.log_origin));
        } else if kind == Kind::ReceiptAccepted && self.reader.is_none() {
            let receipt = payload::<Receipt>(source, FileName::Receipt(index));
            self.reader = receipt.map(|receipt| word(&receipt.log_origin));
        }
    }

    fn owner_log(&self) -> Option<&String> {
        let granted = self.granted.as_ref().map(|place| &place.log);
        granted.or(self.owner.as_ref())
    }

    fn reader_log(&self) -> Option<&String> {
        let accepted = self.accepted.as_ref().map(|place| &place.log);
        accepted.or(self.reader.as_ref())
    }

    /// What is one-sided, the entry that shows it, and the log that lacks the counterpart. `given`
    /// has the logs whose archives can be looked at.
    fn omissions(&self, given: &BTreeMap<String, u64>) -> Vec<(What, &Place, Option<String>)> {
        let known = |log: Option<&String>| log.filter(|log| given.contains_key(*log)).cloned();
        let (owner, reader) = (known(self.owner_log()), known(self.reader_log()));
        let mut found = Vec::new();
        match (&self.granted, &self.accepted, &self.receipt) {
            (Some(granted), Some(_), None) => {
                found.push((What::ReceiptNeverArrived, granted, owner.clone()));
            }
            (Some(granted), None, None) => {
                found.push((What::GrantWithoutReceipt, granted, owner.clone()));
            }
            (Some(_) | None, Some(_) | None, _) => (),
        }
        if let Some(receipt) = &self.receipt {
            let granted = self.granted.as_ref();
            if granted.is_none_or(|granted| granted.log != receipt.log) {
                let here = Some(receipt.log.clone());
                found.push((What::ReceiptWithoutGrant, receipt, here));
            }
            if self.accepted.is_none() && reader.is_some() {
                found.push((What::ReceiptWithoutAcceptance, receipt, reader.clone()));
            }
        }
        if let (Some(accepted), None, Some(_)) = (&self.accepted, &self.granted, &owner) {
            found.push((What::AcceptanceWithoutGrant, accepted, owner.clone()));
        }
        let (signed, received) = (self.signed.len(), self.received.len());
        if owner.is_some() {
            let more = self.signed.values().skip(received);
            found.extend(more.map(|place| (What::ReportNotReceived, place, owner.clone())));
        }
        if reader.is_some() {
            let more = self.received.values().skip(signed);
            found.extend(more.map(|place| (What::ReportNotSigned, place, reader.clone())));
        }
        found
    }
}

/// The kinds that have a counterpart in another log.
fn is_sided(kind: &Kind) -> bool {
    [
        Kind::ReleaseGranted,
        Kind::GrantAccepted,
        Kind::ReceiptAccepted,
        Kind::ReportSigned,
        Kind::ReportReceived,
    ]
    .contains(kind)
}

/// A log's name, safe to print; the same for the same name.
fn word(origin: &str) -> String {
    clean(origin, limits::LOG_NAME_MAX)
}

fn payload<D: Document + Default>(source: &dyn Source, name: FileName) -> Option<D> {
    let bytes = source.read(&name.to_string(), name.max_len()).ok()?;
    document::decode(&Envelope::decode(&bytes).ok()?.payload).ok()
}

#[cfg(test)]
mod tests;
