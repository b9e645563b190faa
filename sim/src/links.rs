//! Re-identification: from logs without openings, whether entries of different leases of one
//! patient, or of one reader, can be linked.
//!
//! The logs are those of whole runs, written by real cores. An attacker sees every entry of every
//! log and no payload. Times are clear and link what happens together: they are the log's to show,
//! and only entries of one class and one hour are compared.

use std::collections::{BTreeMap, BTreeSet};

use protocol::audit::entry::{Entry, Field, Openings, commitment};

use protocol::ids::SubjectId;

use crate::run;

/// Entries of leases that are looked at.
const ENTRIES: usize = 10_000;
/// More seeds than that takes.
const SEEDS: u64 = 2_000;
/// An hour, in microseconds.
const HOUR_US: u64 = 3_600 * 1_000_000;
/// Standard deviations that pure chance does not reach in a fixed run of this size.
const SIGMAS: f64 = 5.0;
/// Bits of a commitment.
const BITS: f64 = 256.0;

/// What the attacker sees of an entry, and what is true of it.
struct Case {
    /// The clear header without its time and its grant, and the hour.
    class: (Vec<u8>, u64),
    lease: Vec<u8>,
    /// Every value of 32 bytes that is not the lease's own.
    values: Vec<Vec<u8>>,
    committed: BTreeMap<i32, Vec<u8>>,
    openings: Openings,
    patient: Option<SubjectId>,
}

impl Case {
    fn of(stored: &crate::disk::Stored) -> Option<Self> {
        let entry = Entry::decode_bytes(&stored.entry).expect("an entry");
        let mut header = entry.header();
        let lease = std::mem::take(&mut header.grant_hash);
        if lease.is_empty() {
            return None;
        }
        let hour = std::mem::take(&mut header.time_us) / HOUR_US;
        header.uncertainty_us = 0;
        let committed = entry.commitments.iter();
        let committed: BTreeMap<i32, Vec<u8>> =
            committed.map(|c| (c.field, c.value.clone())).collect();
        let mut values: Vec<Vec<u8>> = committed.values().cloned().collect();
        values.extend([entry.nonce.clone(), entry.payload_digest.clone()]);
        values.retain(|value| !value.is_empty());
        Some(Self {
            class: (protocol::audit::header::encode(&header), hour),
            lease,
            values,
            committed,
            openings: Openings::decode_bytes(&stored.payload).expect("a payload"),
            patient: stored.subject,
        })
    }

    fn patient(&self) -> Option<&[u8]> {
        self.patient
            .as_ref()
            .map(SubjectId::as_bytes)
            .map(|bytes| &bytes[..])
    }

    fn reader(&self) -> Option<&[u8]> {
        self.openings.value(Field::Person)
    }
}

/// Whom an attacker wants to know again, and the committed field that could tell.
type Link = (fn(&Case) -> Option<&[u8]>, Field);
const LINKS: [Link; 6] = [
    (Case::patient, Field::Case),
    (Case::patient, Field::Record),
    (Case::reader, Field::Person),
    (Case::reader, Field::Credential),
    (Case::reader, Field::Desk),
    (Case::reader, Field::Record),
];

/// The entries of leases of all logs of whole runs.
fn cases() -> Vec<(u64, Case)> {
    let mut cases = Vec::new();
    for seed in 0..SEEDS {
        let hosts = run::hosts(seed).expect("a run that keeps its promises");
        let stored = hosts.iter().flat_map(|host| &host.disk.entries);
        cases.extend(stored.filter_map(Case::of).map(|case| (seed, case)));
        if cases.len() >= ENTRIES {
            break;
        }
    }
    assert!(cases.len() >= ENTRIES, "only {} entries", cases.len());
    cases
}

/// Values that entries of different leases share.
fn shared<'a>(cases: impl Iterator<Item = (&'a [u8], &'a [Vec<u8>])>) -> usize {
    let mut leases: BTreeMap<&[u8], BTreeSet<&[u8]>> = BTreeMap::new();
    for (lease, values) in cases {
        for value in values {
            leases.entry(value).or_default().insert(lease);
        }
    }
    leases.values().filter(|leases| leases.len() > 1).count()
}

fn distance(a: &[u8], b: &[u8]) -> f64 {
    let bits: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
    f64::from(bits)
}

/// The mean distance between commitments of pairs that are of one person, and of pairs that are
/// not, with their counts: pairs of different leases in one class and hour of one run.
fn distances(cases: &[(u64, Case)], (truth, field): Link) -> [(f64, usize); 2] {
    let mut classes: BTreeMap<_, Vec<&Case>> = BTreeMap::new();
    for (seed, case) in cases {
        classes.entry((seed, &case.class)).or_default().push(case);
    }
    let mut sums = [(0.0, 0); 2];
    for class in classes.values() {
        for (place, one) in class.iter().enumerate() {
            for other in &class[place + 1..] {
                let (Some(a), Some(b)) = (truth(one), truth(other)) else {
                    continue;
                };
                let (committed, others) = (&one.committed, &other.committed);
                let key = &(field as i32);
                let (Some(x), Some(y)) = (committed.get(key), others.get(key)) else {
                    continue;
                };
                if one.lease != other.lease {
                    let sum = &mut sums[usize::from(a != b)];
                    *sum = (sum.0 + distance(x, y), sum.1 + 1);
                }
            }
        }
    }
    sums.map(|(sum, count)| (sum / count.max(1) as f64, count))
}

#[test]
fn leases_of_one_patient_or_reader_do_not_link() {
    let cases = cases();
    let seen = cases.iter().map(|(_, case)| (&*case.lease, &*case.values));
    assert_eq!(shared(seen), 0);
    for link in LINKS {
        let field = link.1;
        let [(same, ones), (different, others)] = distances(&cases, link);
        assert!(
            ones > 100 && others > 100,
            "{field:?}: {ones} and {others} pairs are too few"
        );
        // A bit differs with a half's chance: a mean of n pairs has this deviation.
        let deviation = |n: usize| (BITS / 4.0 / n as f64).sqrt();
        for (mean, n) in [(same, ones), (different, others)] {
            let off = (mean - BITS / 2.0).abs() / deviation(n);
            assert!(off < SIGMAS, "{field:?}: {off} deviations over {n} pairs");
        }
    }
}

#[test]
fn without_salt_and_nonce_they_would() {
    let cases = cases();
    for (truth, field) in [LINKS[0], LINKS[2]] {
        let bare = cases.iter().filter_map(|(_, case)| {
            let bare = commitment(field, &[], &[], truth(case)?);
            Some((&*case.lease, vec![bare.as_bytes().to_vec()]))
        });
        let bare: Vec<_> = bare.collect();
        assert!(shared(bare.iter().map(|(lease, values)| (*lease, &**values))) > 0);
    }
}
