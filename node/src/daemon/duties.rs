//! What the node does for its own log: says which reviews are due and signs them, proves single
//! entries, and gives out openings.

use std::path::Path;
use std::sync::Arc;

use crypto::envelope::Envelope;
use crypto::keys::SigningKey;
use protocol::audit::entry::Entry;
use protocol::audit::header::Kind;
use protocol::audit::query::{kind_name, when};
use protocol::audit::review::{Ledger, Missed};
use protocol::document::Document as _;
use protocol::document::review::Review;
use protocol::io::Command;
use protocol::limits;
use protocol::member::Credential;
use serde_json::{Value, json};

use super::disclose;
use super::export::Export;
use crate::archive;
use crate::control::wire::Disclosed;
use crate::control::{self, Planned, ReviewText, SignedReview};
use crate::driver::clock;
use crate::driver::ports::Undone;
use crate::keystore::Secrets;

/// Emergency accesses that wait for a review and are listed one by one: more are only counted.
const LISTED_MAX: usize = 1_000;

/// Who signs reviews at this node: the person whom its credential names, else the hospital. No
/// Debug: it holds the key.
pub(super) struct Reviewer {
    /// The key, and whose it is.
    key: Option<(SigningKey, &'static str)>,
    /// The country of the node's organisation (ISO 3166-1 alpha-2).
    country: String,
}

impl Reviewer {
    /// The first of the node's keys that its credential vouches for.
    pub(super) fn new(own: &Credential, secrets: &Secrets) -> Self {
        let person = secrets.person.as_ref().filter(|_| own.person.is_some());
        let hospital = secrets.hospital.as_ref();
        let hospital = hospital.filter(|_| own.hospital_key.is_some());
        let named = person
            .map(|key| (key, "person"))
            .or(hospital.map(|key| (key, "hospital")));
        Self {
            key: named.map(|(key, by)| (SigningKey::from_seed(&key.seed()), by)),
            country: own.country.clone(),
        }
    }
}

/// The duties.
pub(super) struct Duties {
    export: Arc<Export>,
    reviewer: Reviewer,
}

/// What a pass over the log's headers gives.
struct Pass {
    ledger: Ledger,
    size: u64,
    /// Entries with the emergency flag: index, time, kind.
    flags: Vec<(u64, u64, i32)>,
    /// More of them, which are not listed.
    more: u64,
}

impl Duties {
    pub(super) const fn new(export: Arc<Export>, reviewer: Reviewer) -> Self {
        Self { export, reviewer }
    }

    /// Reads every header of the log, one bundle in memory.
    fn pass(&self) -> Result<Pass, Undone> {
        let reader = self.export.log.reader();
        let mut pass = Pass {
            ledger: Ledger::default(),
            size: reader.size(),
            flags: Vec::new(),
            more: 0,
        };
        let mut unread = None;
        let read = reader.entries(0, pass.size, |index, bytes| {
            match Entry::decode_bytes(bytes) {
                Err(_) => unread = unread.or(Some(index)),
                Ok(entry) => {
                    let header = entry.header();
                    pass.ledger.visit(index, &header);
                    if header.emergency && pass.flags.len() < LISTED_MAX {
                        pass.flags.push((index, header.time_us, header.kind));
                    } else if header.emergency {
                        pass.more += 1;
                    }
                }
            }
        });
        read.map_err(Undone::of)?;
        match unread {
            Some(index) => Err(Undone(format!("entry {index} of the log does not read"))),
            None => Ok(pass),
        }
    }
}

impl control::Duties for Duties {
    fn review_due(&self) -> Result<Value, Undone> {
        let Pass {
            ledger,
            size,
            flags,
            more,
        } = self.pass()?;
        let found = ledger.finish(clock::wall().unix_us);
        let last = found.done.last().map(|done| when::show(done.time_us));
        let waiting = flags
            .iter()
            .filter(|(index, _, _)| found.of(*index).is_none());
        let waiting = waiting.map(|(index, time_us, kind)| {
            let kind = Kind::try_from(*kind).map_or("unknown kind", kind_name);
            json!({ "entry": index, "time": when::show(*time_us), "what": kind })
        });
        Ok(json!({
            "last_review": last,
            "reviewed_to": found.reviewed_to,
            "entries": size,
            "not_reviewed": size.saturating_sub(found.reviewed_to),
            "period_days": limits::REVIEW_DAYS,
            "due": found.due_us.map(when::day),
            "missed": found.missed.iter().map(Missed::to_string).collect::<Vec<_>>(),
            "emergency_not_reviewed": waiting.collect::<Vec<_>>(),
            "emergency_not_listed": more,
        }))
    }

    fn sign_review(&self, review: ReviewText) -> Result<SignedReview, Undone> {
        let ReviewText {
            by,
            found,
            findings,
            end,
        } = review;
        let none = || Undone("this node holds no key that signs reviews".to_owned());
        let (key, signed_by) = self.reviewer.key.as_ref().ok_or_else(none)?;
        let pass = self.pass()?;
        let now_us = clock::wall().unix_us;
        let first = pass.ledger.finish(now_us).reviewed_to;
        if end <= first || end > pass.size {
            let size = pass.size;
            return Err(Undone(format!(
                "a review goes on at entry {first}, and the log has {size}: not up to {end}"
            )));
        }
        let review = Review {
            version: 1,
            log_origin: self.export.log.reader().verifier().name().to_string(),
            first,
            end,
            by,
            found,
            findings,
            time_us: now_us,
        };
        if let Some(field) = review.wrong_field() {
            return Err(Undone(format!("`{field}` is missing, or too long")));
        }
        let payload = prost::Message::encode_to_vec(&review);
        let envelope = Envelope::sign(Review::TYPE, payload, &[key]).map_err(Undone::of)?;
        let review = envelope.encode();
        Ok(SignedReview {
            command: Command::LogReview { review },
            first,
            signed_by,
        })
    }

    fn prove(&self, index: u64) -> Result<Value, Undone> {
        let log = &self.export.log;
        let (entry, proof) = log.prove(index, true).map_err(Undone::of)?;
        let proof = String::from_utf8(proof).map_err(Undone::of)?;
        let entry: String = entry.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(json!({
            "index": index,
            "origin": log.reader().verifier().name().as_str(),
            "log": log.reader().verifier().to_string(),
            "entry": entry,
            "proof": proof,
        }))
    }

    fn plan(&self, scope: Disclosed, to: &str, dir: &Path) -> Result<Planned, Undone> {
        archive::is_free(dir).map_err(Undone::of)?;
        disclose::plan(&self.export, (scope, &self.reviewer.country), to)
    }

    fn disclose(&self, planned: &Planned, dir: &Path) -> Result<Value, Undone> {
        disclose::write(&self.export, (planned, &self.reviewer.country), dir)
    }
}
