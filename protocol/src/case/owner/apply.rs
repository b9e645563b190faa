//! Records applied to the owner's state: the same code live and in replay.

use crypto::digest::Digest;
use crypto::envelope::{self, Envelope};

use super::Owner;
use super::case::{Case, Ending, Lease, Primary};
use crate::audit::record::{
    AccessRecord, CaseNote, CaseRecord, OfferedRecord, Record, ReleaseRecord, ReportRecord,
    StudyRecord,
};
use crate::case::state::Step;
use crate::document::{decode, grant::Grant};
use crate::ids::{CaseId, Fence, NodeId, OfferId, OrderId, PersonId, StudyId};
use crate::limits;
use crate::time::{Now, lengthened};

impl Owner {
    /// Applies a record that has, or is about to get, this index.
    pub(crate) fn apply(&mut self, record: &Record, index: u64, now: Now) {
        self.forget_ended(now.wall);
        match record {
            Record::OrderReceived(order) => {
                if let Some(id) = OrderId::from_slice(&order.order) {
                    self.orders.insert(id, order.clone());
                }
            }
            Record::StudyReceived(study) => self.apply_study(study),
            Record::CaseOpened(opened) => self.apply_opened(opened, now),
            Record::CaseOffered(offered) => self.apply_offered(offered, now),
            Record::ReleaseGranted(granted) => self.apply_granted(granted, index, now),
            Record::ReleaseRefused(refused) => self.apply_refused(refused),
            Record::ReceiptAccepted(receipt) => {
                self.with_case(&receipt.case, |case| {
                    step(case, Step::Receipt);
                    if let Some(lease) = &mut case.lease {
                        lease.receipted = true;
                    }
                });
            }
            Record::LeaseExpired(note) => {
                let expired = Ending::Expired(now.wall.unix_us);
                self.end_lease(note, (Step::Expire, expired), now);
            }
            Record::CaseHandedBack(note) => {
                self.end_lease(note, (Step::HandBack, Ending::HandedBack), now);
            }
            Record::LeaseResumed(note) => self.apply_resumed(note, now),
            Record::CaseEscalated(note) => self.with_case(&note.case, |case| {
                step(case, Step::Escalate);
                case.escalate_due = None;
            }),
            Record::CaseCancelled(note) => {
                self.end_lease(note, (Step::Cancel, Ending::Cancelled), now);
                self.note_end(&note.case, now.wall);
            }
            Record::ReportReceived(report) => self.apply_report(report),
            Record::ReportDelivered(delivered) => self.with_case(&delivered.case, |case| {
                step(case, Step::Deliver);
                case.acknowledged = delivered.acknowledged;
                case.delivery_due = None;
            }),
            Record::CaseClosed(note) => {
                self.with_case(&note.case, |case| step(case, Step::Close));
                self.note_end(&note.case, now.wall);
            }
            Record::NodeStarted(_)
            | Record::NodeStopped(_)
            | Record::ClockAnomaly(_)
            | Record::CredentialAccepted(_)
            | Record::CaseClaimed(_)
            | Record::GrantAccepted(_)
            | Record::AccessBegun(_)
            | Record::ReportSigned(_)
            | Record::LogReviewed(_)
            | Record::OpeningDisclosed(_) => {}
            Record::AccessEnded(access) => self.apply_access_ended(access, index),
        }
    }

    /// Runs `change` on a case named by a record.
    fn with_case(&mut self, id: &[u8], change: impl FnOnce(&mut Case)) {
        let case = CaseId::from_slice(id).and_then(|id| self.cases.get_mut(&id));
        if let Some(case) = case {
            change(case);
        }
    }

    fn apply_study(&mut self, study: &StudyRecord) {
        let Some(id) = StudyId::from_slice(&study.study) else {
            return;
        };
        if self.late_of_ended(&id, study.objects) {
            return;
        }
        let case = self.by_study.get(&id);
        if let Some(case) = case.and_then(|case| self.cases.get_mut(case)) {
            // Late images are offered with the rest, and judged with it.
            (case.study.bytes, case.study.objects) = (study.bytes, study.objects);
            let mut modalities = case.study.judged_modalities();
            modalities.extend(study.judged_modalities());
            modalities.sort_unstable();
            modalities.dedup();
            case.study.modalities = modalities;
        }
        self.studies.insert(id, study.clone());
    }

    fn apply_opened(&mut self, opened: &CaseRecord, now: Now) {
        if let Some(case) = self.make_case(opened, now) {
            for study in &case.studies {
                self.by_study.insert(*study, case.id);
            }
            self.cases.insert(case.id, case);
        }
        // The case has its own copy.
        let orders = opened.orders.iter();
        for order in orders.filter_map(|id| OrderId::from_slice(id)) {
            self.orders.remove(&order);
        }
    }

    fn apply_refused(&mut self, refused: &ReleaseRecord) {
        let decision = refused.decision.as_ref().filter(|made| !made.allowed);
        if let (Some(decision), Some(node)) = (decision, NodeId::from_slice(&refused.peer)) {
            self.with_case(&refused.case, |case| {
                let by = case.refused.entry(node).or_default();
                by.insert(decision.rules.clone());
            });
        }
    }

    fn apply_resumed(&mut self, note: &CaseNote, now: Now) {
        self.with_case(&note.case, |case| {
            step(case, Step::Resume);
            case.lease = case.past.remove(&Fence(note.fence));
            if let Some(lease) = &mut case.lease {
                lease.expires = now.tick.plus(lengthened(limits::LEASE));
                lease.ending = None;
                lease.resuming = false;
                lease.unheard = false;
            }
        });
    }

    fn apply_access_ended(&mut self, access: &AccessRecord, index: u64) {
        // A reader's record names another hospital's fence, and an offer for the case.
        let fence = Fence(access.fence);
        let of = self.fences.get(&fence).copied();
        if access.purged && of.is_some() && of == CaseId::from_slice(&access.case) {
            self.purged.insert(fence, index);
        }
    }

    fn apply_offered(&mut self, offered: &OfferedRecord, now: Now) {
        let pairs: Vec<(OfferId, NodeId)> = offered
            .offers
            .iter()
            .filter_map(|to| {
                Some((
                    OfferId::from_slice(&to.offer)?,
                    NodeId::from_slice(&to.node)?,
                ))
            })
            .collect();
        let Some(id) = CaseId::from_slice(&offered.case) else {
            return;
        };
        for (offer, node) in &pairs {
            self.offers.insert(*offer, (id, *node));
        }
        self.with_case(&offered.case, |case| {
            step(case, Step::Offer);
            case.ring = offered.ring;
            case.ring_due = Some(now.tick.plus(ring_timeout(case)));
            case.asked
                .extend(pairs.iter().map(|(offer, node)| (*node, *offer)));
        });
    }

    fn apply_granted(&mut self, record: &ReleaseRecord, index: u64, now: Now) {
        let fence = Fence(index);
        let Some(lease) = lease_from(record, fence, now) else {
            return;
        };
        let Some(id) = CaseId::from_slice(&record.case) else {
            return;
        };
        self.fences.insert(fence, id);
        self.grants.insert(fence, record.grant.clone());
        self.with_case(&record.case, |case| {
            step(case, Step::Grant);
            case.granting = None;
            case.ring_due = None;
            case.staggered.clear();
            for past in case.past.values_mut() {
                if matches!(past.ending, Some(Ending::Expired(_))) {
                    past.ending = Some(Ending::Superseded);
                }
            }
            case.lease = Some(lease);
        });
    }

    fn end_lease(&mut self, note: &CaseNote, (how, ending): (Step, Ending), now: Now) {
        self.with_case(&note.case, |case| {
            step(case, how);
            case.granting = None;
            case.staggered.clear();
            case.ring_due = case.state.is_grantable().then_some(now.tick);
            if let Some(mut lease) = case.lease.take() {
                lease.ending = Some(ending);
                lease.grace = now.tick.plus(ending.grace_left(now.wall));
                lease.fetchable = false;
                lease.look_again = None;
                case.past.insert(lease.fence, lease);
            }
            if case.state.is_grantable() {
                Self::plan_escalation(case, now);
            } else {
                case.escalate_due = None;
            }
        });
    }

    fn apply_report(&mut self, report: &ReportRecord) {
        let hash = envelope::digest_of(&report.report);
        let fence = Fence(report.fence);
        let Some(node) = NodeId::from_slice(&report.peer) else {
            return;
        };
        self.with_case(&report.case, |case| {
            let lease = match &mut case.lease {
                Some(lease) if lease.fence == fence => Some(lease),
                _ => case.past.get_mut(&fence),
            };
            if let Some(lease) = lease {
                lease.reports.push(hash);
            }
            if !report.additional {
                step(case, Step::Report);
                case.escalate_due = None;
                let envelope = report.report.clone();
                case.report = Some(Primary {
                    envelope,
                    hash,
                    node,
                    fence,
                });
            }
        });
    }
}

/// Moves a case on. An illegal step in the log changes nothing: the table alone says what may
/// follow.
fn step(case: &mut Case, step: Step) {
    let next = case.state.after(step);
    debug_assert!(next.is_some(), "{:?} after {:?}", step, case.state);
    case.state = next.unwrap_or(case.state);
}

/// How long a ring may stay unanswered.
pub(super) fn ring_timeout(case: &Case) -> std::time::Duration {
    use crate::urgency::Urgency;
    match case.urgency {
        Urgency::Stat | Urgency::Emergent => limits::RING_TIMEOUT_URGENT,
        Urgency::Urgent | Urgency::Routine => limits::RING_TIMEOUT,
    }
}

/// The lease that a grant's record makes.
fn lease_from(record: &ReleaseRecord, fence: Fence, now: Now) -> Option<Lease> {
    let envelope = Envelope::decode(&record.grant).ok()?;
    let grant: Grant = decode(&envelope.payload).ok()?;
    let prepared = grant.prepared?;
    Some(Lease {
        fence,
        offer: OfferId::from_slice(&record.offer)?,
        node: NodeId::from_slice(&record.peer)?,
        person: PersonId::from_slice(&record.person)?,
        grant_hash: Digest::sha256(&record.grant),
        manifest_root: prepared.manifest_root,
        manifest_digest: prepared.manifest_digest,
        ends_us: grant.expires_us,
        from_to: (grant.from_country, grant.to_country),
        unheard: false,
        sendable: false,
        receipted: false,
        fetchable: false,
        resuming: false,
        expires: now.tick.plus(lengthened(limits::LEASE)),
        receipt_due: now.tick.plus(limits::UNRECEIPTED),
        look_again: None,
        ending: None,
        grace: now.tick,
        bytes: 0,
        files: 0,
        reports: Vec::new(),
    })
}
