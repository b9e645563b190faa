//! Which files of an archive belong to an entry, given its record.

use super::FileName;
use crate::audit::record::{Record, ReleaseRecord};

/// The files that a record brings into the archive, besides this log's own proof of a granted
/// release. Nothing in them names a patient or holds a report.
#[must_use]
pub fn files(index: u64, record: &Record) -> Vec<(FileName, &[u8])> {
    match record {
        Record::ReleaseGranted(release) => vec![(FileName::Grant(index), &release.grant)],
        Record::GrantAccepted(release) => vec![
            (FileName::Grant(index), &release.grant),
            (FileName::PeerEntry(index), &release.peer_entry),
            (FileName::PeerProof(index), &release.proof),
        ],
        Record::ReceiptAccepted(release) => receipt(index, release),
        Record::NodeStarted(_)
        | Record::NodeStopped(_)
        | Record::ClockAnomaly(_)
        | Record::CredentialAccepted(_)
        | Record::OrderReceived(_)
        | Record::StudyReceived(_)
        | Record::CaseOpened(_)
        | Record::CaseOffered(_)
        | Record::CaseClaimed(_)
        | Record::CaseHandedBack(_)
        | Record::LeaseExpired(_)
        | Record::LeaseResumed(_)
        | Record::CaseEscalated(_)
        | Record::CaseClosed(_)
        | Record::CaseCancelled(_)
        | Record::ReleaseRefused(_)
        | Record::AccessBegun(_)
        | Record::AccessEnded(_)
        | Record::ReportSigned(_)
        | Record::ReportReceived(_)
        | Record::ReportDelivered(_)
        | Record::LogReviewed(_)
        | Record::OpeningDisclosed(_) => Vec::new(),
    }
}

fn receipt(index: u64, release: &ReleaseRecord) -> Vec<(FileName, &[u8])> {
    vec![
        (FileName::Receipt(index), &release.receipt),
        (FileName::ReceiptEntry(index), &release.peer_entry),
        (FileName::ReceiptProof(index), &release.proof),
    ]
}

/// Whether this log's own cosigned proof of the entry belongs into the archive.
#[must_use]
pub const fn needs_proof(record: &Record) -> bool {
    matches!(record, Record::ReleaseGranted(_))
}
