//! The outcome of a verification: per archive and together, in the order of the checks.

use std::collections::BTreeMap;

use crypto::digest::Digest;
use crypto::note::KeyName;

use super::fault::{Check, Fault};
use super::remark::Remark;
use crate::member::QuorumPaper;

/// Most faults kept for one archive: an archive that is all wrong needs no longer list.
pub const FAULTS_MAX: usize = 10_000;

/// A fault, where it is, and under which check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The check.
    pub check: Check,
    /// Path of the file within the archive.
    pub file: String,
    /// Index of the entry, where there is one.
    pub entry: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

/// A remark, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The check.
    pub check: Check,
    /// Index of the entry, where there is one.
    pub entry: Option<u64>,
    /// What is to be known.
    pub remark: Remark,
}

/// How many things of each kind an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files, the note not counted.
    pub files: u64,
    /// Entries.
    pub entries: u64,
    /// Releases granted.
    pub grants: u64,
    /// Of these, those with a receipt.
    pub grants_with_receipt: u64,
    /// Receipts accepted.
    pub receipts: u64,
    /// Receipts of no grant that the log holds.
    pub receipts_without_grant: u64,
    /// Releases refused.
    pub refusals: u64,
    /// Grants accepted (a reader's log).
    pub accepted: u64,
    /// Openings disclosed.
    pub openings: u64,
}

/// How one check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds, for this many things.
    Holds(u64),
    /// There are this many faults.
    Fails(u64),
    /// There was nothing to check, or it was not reached.
    NotChecked,
}

/// The outcome for one archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the archive was called by whoever asked.
    pub label: String,
    /// The log.
    pub origin: Option<KeyName>,
    /// Its tree size.
    pub size: u64,
    /// The organisation that the log's credential names.
    pub organisation: Option<String>,
    /// SHA-256 of the genesis that everything in it was held against.
    pub genesis: Option<Digest>,
    /// What the council signed of the quorum file.
    pub quorum: Option<QuorumPaper>,
    /// Witnesses that cosigned the checkpoint, with their times (seconds since the Unix epoch).
    pub witnesses: BTreeMap<String, u64>,
    /// What was counted.
    pub counts: Counts,
    /// Everything that does not hold, in the order of the checks.
    pub failures: Vec<Failure>,
    /// Everything else worth saying.
    pub remarks: Vec<Noted>,
    passed: BTreeMap<Check, u64>,
}

impl Report {
    /// An empty report.
    pub(in crate::audit) fn new(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            origin: None,
            size: 0,
            organisation: None,
            genesis: None,
            quorum: None,
            witnesses: BTreeMap::new(),
            counts: Counts::default(),
            failures: Vec::new(),
            remarks: Vec::new(),
            passed: BTreeMap::new(),
        }
    }

    /// Everything asked for holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }

    /// How a check went.
    #[must_use]
    pub fn status(&self, check: Check) -> Status {
        let faults = self
            .failures
            .iter()
            .filter(|failure| failure.check == check)
            .count();
        match (faults, self.passed.get(&check)) {
            (0, None) => Status::NotChecked,
            (0, Some(count)) => Status::Holds(*count),
            (faults, _) => Status::Fails(faults as u64),
        }
    }

    /// Notes that a check looked at something.
    pub(super) fn looked(&mut self, check: Check) {
        *self.passed.entry(check).or_default() += 1;
    }

    /// Notes a fault; beyond [`FAULTS_MAX`] only that there are more.
    pub(super) fn fail(
        &mut self,
        check: Check,
        file: impl ToString,
        entry: Option<u64>,
        fault: impl Into<Fault>,
    ) {
        if self.failures.len() < FAULTS_MAX {
            let (file, fault) = (file.to_string(), fault.into());
            self.failures.push(Failure {
                check,
                file,
                entry,
                fault,
            });
        } else if self
            .remarks
            .last()
            .is_none_or(|last| last.remark != Remark::MoreFaults)
        {
            self.remark(check, None, Remark::MoreFaults);
        }
    }

    /// Notes a remark. Bounded by the archive: one an entry and check.
    pub(super) fn remark(&mut self, check: Check, entry: Option<u64>, remark: Remark) {
        self.remarks.push(Noted {
            check,
            entry,
            remark,
        });
    }

    /// Puts failures and remarks in the order of the checks, then of the entries.
    pub(super) fn sort(&mut self) {
        self.failures
            .sort_by_key(|failure| (failure.check, failure.entry));
        self.remarks.sort_by_key(|noted| (noted.check, noted.entry));
    }
}
