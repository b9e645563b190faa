//! Records applied to the reader's state: the same code live and in replay.

use super::Reader;
use super::lease::{Phase, Reading};
use super::offer::Offered;
use crate::audit::record::{Record, ReleaseRecord};
use crate::ids::{Fence, NodeId, OfferId};
use crate::limits;
use crate::time::Now;
use crate::urgency::Urgency;
use crate::wire::case::Offer;

impl Reader {
    /// Applies a record that has, or is about to get, this index.
    pub(crate) fn apply(&mut self, record: &Record, index: u64, now: Now) {
        match record {
            Record::CaseClaimed(claim) => self.apply_claim(claim, now),
            Record::GrantAccepted(accepted) => {
                if let Some(reading) = Reading::from_record(accepted, index) {
                    self.offers.remove(&reading.offer);
                    self.leases.insert((reading.owner, reading.fence), reading);
                }
            }
            Record::ReportSigned(report) => {
                let key = NodeId::from_slice(&report.peer).map(|node| (node, Fence(report.fence)));
                if let Some(reading) = key.and_then(|key| self.leases.get_mut(&key)) {
                    reading.report = Some(report.report.clone());
                    reading.phase = Phase::Reported;
                }
            }
            Record::CaseHandedBack(note) => {
                let key = NodeId::from_slice(&note.peer).map(|node| (node, Fence(note.fence)));
                if let Some(reading) = key.and_then(|key| self.leases.get_mut(&key)) {
                    reading.hand_back = Some(note.reason.clone());
                    reading.phase = Phase::HandingBack;
                }
            }
            Record::AccessEnded(access) => {
                let fence = Fence(access.fence);
                let found = self.leases.iter_mut().find(|((_, of), reading)| {
                    *of == fence && reading.grant_hash.as_bytes().as_slice() == access.grant_hash
                });
                if let Some((_, reading)) = found {
                    reading.purging = false;
                    reading.ended_us = Some(now.wall.unix_us);
                    if !access.unanswered {
                        reading.phase = Phase::Purged;
                    }
                }
                self.forget_ended(now.wall);
            }
            Record::NodeStarted(_)
            | Record::NodeStopped(_)
            | Record::ClockAnomaly(_)
            | Record::CredentialAccepted(_)
            | Record::OrderReceived(_)
            | Record::StudyReceived(_)
            | Record::CaseOpened(_)
            | Record::CaseOffered(_)
            | Record::LeaseExpired(_)
            | Record::LeaseResumed(_)
            | Record::CaseEscalated(_)
            | Record::CaseClosed(_)
            | Record::CaseCancelled(_)
            | Record::ReleaseGranted(_)
            | Record::ReleaseRefused(_)
            | Record::ReceiptAccepted(_)
            | Record::AccessBegun(_)
            | Record::ReportReceived(_)
            | Record::ReportDelivered(_)
            | Record::LogReviewed(_)
            | Record::OpeningDisclosed(_) => {}
        }
    }

    /// A claim of a lost or denied offer leaves no record of its end: it ends by its age.
    fn apply_claim(&mut self, claim: &ReleaseRecord, now: Now) {
        let (Some(id), Some(owner)) = (
            OfferId::from_slice(&claim.offer),
            NodeId::from_slice(&claim.peer),
        ) else {
            return;
        };
        self.drop_stale_claims(now.wall);
        if self.offers.len() >= limits::OFFERS_MAX && !self.offers.contains_key(&id) {
            return;
        }
        let deadline = now.tick.plus(limits::LEASE);
        let offer = Offer {
            offer: claim.offer.clone(),
            ..Offer::default()
        };
        let fresh = || Offered::new(owner, offer, Urgency::Routine, deadline);
        let offered = self.offers.entry(id).or_insert_with(fresh);
        offered.claimed_us = Some(now.wall.unix_us);
        offered.counts = self.started && !self.claimed.contains(&id);
        offered.session.clone_from(&claim.session);
        if self.claimed.len() >= limits::CLAIMED_MAX {
            self.claimed.pop_front();
        }
        self.claimed.push_back(id);
    }
}
