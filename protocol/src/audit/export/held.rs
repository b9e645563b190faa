//! What earlier entries of a log said of the studies, cases and grants that later ones name.

use std::collections::{BTreeMap, VecDeque};

use crypto::digest::Digest;

use crate::audit::record::Record;
use crate::document::grant::Grant;

use super::event::Side;
use super::text::{self, TEXT_MAX, UID_MAX};

/// Most studies and orders, most cases, and most grants that are held; the oldest go first. A
/// release ends within hours of its grant, and a case within days: no hospital has as many open.
/// Together at most some tens of megabytes.
pub const HELD_MAX: usize = 1 << 15;
/// Most studies of one case that are named; how many more there are is said.
pub(super) const STUDIES_MAX: usize = 16;
/// Longest identifier that is held, in bytes: ours are 16.
const IDENTIFIER_MAX: usize = 64;

/// A map that forgets its oldest entries.
struct Bounded<K, V> {
    map: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Ord + Clone, V> Bounded<K, V> {
    const fn new() -> Self {
        Self {
            map: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    fn put(&mut self, key: K, value: V) {
        if self.map.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > HELD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
    }
}

/// A study or an order.
#[derive(Clone)]
struct Item {
    uid: Option<String>,
    patient: Option<String>,
}

/// What a case is of.
#[derive(Clone, Default)]
pub(super) struct Contents {
    /// Study Instance UIDs.
    pub(super) studies: Vec<String>,
    /// Studies that are not among them: sealed, no longer held, or too many.
    pub(super) more: u64,
    /// The patient, if all that is known names one.
    pub(super) patient: Option<String>,
}

/// The two sides of a release, from its exact grant.
#[derive(Clone)]
pub(super) struct Sides {
    /// Who wrote the log that this is from.
    pub(super) side: Side,
    pub(super) owner: String,
    pub(super) desk: String,
    pub(super) person: String,
    pub(super) credential: u64,
}

/// What a case lists: studies and orders, and how many of the first are not held.
type Listed = (Vec<Vec<u8>>, Vec<Vec<u8>>, u64);

/// Everything held of one log.
pub(super) struct Held {
    studies: Bounded<Vec<u8>, Item>,
    orders: Bounded<Vec<u8>, Item>,
    cases: Bounded<Vec<u8>, Listed>,
    grants: Bounded<Digest, Sides>,
}

impl Held {
    pub(super) const fn new() -> Self {
        Self {
            studies: Bounded::new(),
            orders: Bounded::new(),
            cases: Bounded::new(),
            grants: Bounded::new(),
        }
    }

    /// Notes what an opened record says.
    pub(super) fn record(&mut self, record: &Record) {
        if let Record::StudyReceived(study) = record {
            let item = Item {
                uid: text::line(&study.study_uid, UID_MAX),
                patient: text::line(&study.patient, TEXT_MAX),
            };
            if is_short(&study.study) {
                self.studies.put(study.study.clone(), item);
            }
        }
        if let Record::OrderReceived(order) = record {
            let patient = text::line(&order.patient, TEXT_MAX);
            if is_short(&order.order) {
                let item = Item { uid: None, patient };
                self.orders.put(order.order.clone(), item);
            }
        }
        if let Record::CaseOpened(case) = record
            && is_short(&case.case)
        {
            let some = |ids: &[Vec<u8>]| {
                let ids = ids.iter().filter(|id| is_short(id)).take(STUDIES_MAX);
                ids.cloned().collect::<Vec<_>>()
            };
            let (studies, orders) = (some(&case.studies), some(&case.orders));
            let more = (case.studies.len() - studies.len()) as u64;
            self.cases.put(case.case.clone(), (studies, orders, more));
        }
    }

    /// Notes a grant that was read.
    pub(super) fn grant(&mut self, hash: Digest, grant: &Grant, side: Side) {
        let sides = Sides {
            side,
            owner: text::hex(&grant.owner),
            desk: text::hex(&grant.node),
            person: text::hex(&grant.person),
            credential: grant.credential,
        };
        self.grants.put(hash, sides);
    }

    /// The two sides of a release.
    pub(super) fn sides(&self, hash: &Digest) -> Option<&Sides> {
        self.grants.map.get(hash)
    }

    /// What a case is of; `None` if its opening is sealed or no longer held.
    pub(super) fn case(&self, case: &[u8]) -> Option<Contents> {
        let (studies, orders, more) = self.cases.map.get(case)?;
        let mut contents = Contents {
            more: *more,
            ..Contents::default()
        };
        let mut patients: Vec<String> = Vec::new();
        for id in studies {
            let item = self.studies.map.get(id);
            match item.and_then(|item| item.uid.clone()) {
                Some(uid) => contents.studies.push(uid),
                None => contents.more += 1,
            }
            patients.extend(item.and_then(|item| item.patient.clone()));
        }
        for id in orders {
            let item = self.orders.map.get(id);
            patients.extend(item.and_then(|item| item.patient.clone()));
        }
        patients.sort();
        patients.dedup();
        // A message is of one patient (PS3.15 A.5.3.6): two names are none.
        contents.patient = patients.pop().filter(|_| patients.is_empty());
        Some(contents)
    }
}

fn is_short(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= IDENTIFIER_MAX
}
