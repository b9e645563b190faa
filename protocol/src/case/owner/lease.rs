//! A lease from its receipt to its end: receipt, renewal, expiry, hand-back, purge.

use super::Owner;
use super::case::Lease;
use crate::audit::entry::{Entry as LogEntry, Field};
use crate::audit::header::{Action, Kind};
use crate::audit::record::{AccessRecord, CaseNote, Record, ReleaseRecord};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{OwnerStep, Then};
use crate::document::open;
use crate::document::receipt::Receipt;
use crate::ids::{CaseId, Fence, NodeId};
use crate::io::{CommandError, Event, Transmit, Verdict};
use crate::limits;
use crate::time::lengthened;
use crate::wire::Message;
use crate::wire::case::{Lease as LeaseMessage, LeaseEnd, ReceiptMessage};
use crypto::keys::VerifyingKey;
use crypto::log::proof::LogProof;
use crypto::note::VerifierKey;

impl Owner {
    pub(super) fn on_receipt(
        &mut self,
        from: NodeId,
        message: &ReceiptMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let fence = Fence(message.fence);
        let Some((id, lease)) = self.lease_from(from, fence) else {
            return Verdict::Ignore("a receipt for no lease of this desk");
        };
        if self
            .cases
            .get(&id)
            .is_none_or(|case| !case.is_current(fence))
        {
            revoke(from, fence, "the lease is over", ctx);
            return Verdict::Ignore("a receipt for a lease that is over");
        }
        if lease.receipted {
            if lease.fetchable {
                ctx.send(
                    from,
                    Message::ReceiptAck(LeaseMessage {
                        fence: fence.0,
                        sequence: 0,
                    }),
                );
            }
            return Verdict::Accept;
        }
        if let Err(why) = check_receipt(message, &lease, ctx) {
            return Verdict::Reject(why);
        }
        if ctx.log.is_full() {
            return Verdict::Ignore("the log is behind");
        }
        self.log_receipt(id, &lease, message, ctx);
        Verdict::Accept
    }

    /// Logs the receipt and the beginning of access; the acknowledgement waits for both.
    fn log_receipt(
        &mut self,
        id: CaseId,
        lease: &Lease,
        message: &ReceiptMessage,
        ctx: &mut Context,
    ) {
        let fence = lease.fence;
        let record = Record::ReceiptAccepted(ReleaseRecord {
            case: id.to_vec(),
            offer: lease.offer.to_vec(),
            peer: lease.node.to_vec(),
            person: lease.person.to_vec(),
            fence: fence.0,
            receipt: message.receipt.clone(),
            proof: message.proof.clone(),
            peer_entry: message.entry.clone(),
            ..ReleaseRecord::default()
        });
        let fields = |id: CaseId| {
            vec![
                (Field::Case, id.to_vec()),
                (Field::Person, lease.person.to_vec()),
            ]
        };
        self.log_of_lease((id, lease), (record, fields(id)), vec![], ctx);
        let begun = Record::AccessBegun(AccessRecord {
            case: id.to_vec(),
            fence: fence.0,
            grant_hash: lease.grant_hash.as_bytes().to_vec(),
            ..AccessRecord::default()
        });
        let then = vec![Then::Owner(OwnerStep::Received(id, fence))];
        self.log_of_lease((id, lease), (begun, fields(id)), then, ctx);
    }

    /// Appends an entry that belongs to a lease's release.
    pub(super) fn log_of_lease(
        &mut self,
        (id, lease): (CaseId, &Lease),
        (record, fields): (Record, Vec<(Field, Vec<u8>)>),
        then: Vec<Then>,
        ctx: &mut Context,
    ) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let (subject, urgency) = (Some(case.subject), case.urgency);
        let index = ctx.log.next();
        self.apply(&record, index, ctx.now);
        let mut header = ctx
            .header(&record, Action::Read)
            .with_grant(lease.grant_hash)
            .with_urgency(urgency);
        header.from_country = lease.from_to.0.clone();
        header.to_country = lease.from_to.1.clone();
        if matches!(record.kind(), Kind::AccessEnded) {
            header = header.with_volume(lease.bytes, lease.files);
        }
        ctx.append(
            Entry::new(record, header, subject, fields),
            Need::Durable,
            then,
        );
    }

    /// The receipt is durable: images may be fetched.
    pub(super) fn receipt_durable(&mut self, id: CaseId, fence: Fence, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let Some(lease) = case.lease.as_mut().filter(|lease| lease.fence == fence) else {
            return;
        };
        lease.fetchable = true;
        lease.unheard = false;
        lease.expires = ctx.now.tick.plus(lengthened(limits::LEASE));
        let node = lease.node;
        ctx.tell(Event::CaseState {
            case: id,
            state: "reading",
        });
        ctx.send(
            node,
            Message::ReceiptAck(LeaseMessage {
                fence: fence.0,
                sequence: 0,
            }),
        );
    }

    pub(super) fn on_renew(
        &mut self,
        from: NodeId,
        renew: LeaseMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let fence = Fence(renew.fence);
        let Some((id, lease)) = self.lease_from(from, fence) else {
            revoke(from, fence, "there is no such lease", ctx);
            return Verdict::Ignore("a renewal of no lease of this desk");
        };
        let Some(case) = self.cases.get_mut(&id) else {
            return Verdict::Ignore("no such case");
        };
        let over = ctx.now.wall.unix_us >= lease.ends_us;
        if over && case.is_current(fence) && case.holds_lease() {
            if !ctx.log.is_full() {
                self.log_expiry(id, &lease, "held longer than a read may take", ctx);
            }
            revoke(
                from,
                fence,
                "the lease was held longer than a read may take",
                ctx,
            );
            return Verdict::Accept;
        }
        if let Some(current) = case.lease.as_mut().filter(|lease| lease.fence == fence) {
            if current.resuming {
                return Verdict::Ignore("the resumption is being logged");
            }
            if !current.receipted && ctx.now.tick > current.receipt_due {
                // What was promised is kept: it runs out by itself.
                return Verdict::Ignore("no receipt has come: the lease is not renewed");
            }
            current.expires = ctx.now.tick.plus(lengthened(limits::LEASE));
            current.unheard = false;
            ctx.send(from, Message::Renewed(renew));
            return Verdict::Accept;
        }
        if case
            .report
            .as_ref()
            .is_some_and(|report| report.fence == fence)
        {
            return Verdict::Ignore("the report is in");
        }
        if !case.may_resume(fence, ctx.now) || ctx.log.is_full() {
            revoke(from, fence, "the lease is over", ctx);
            return Verdict::Accept;
        }
        let then = vec![Then::Send(Transmit {
            to: from,
            message: Message::Renewed(renew),
        })];
        self.resume(id, &lease, then, ctx);
        Verdict::Accept
    }

    /// Logs that the holder of an expired lease goes on; they do when that is durable.
    pub(super) fn resume(&mut self, id: CaseId, lease: &Lease, said: Vec<Then>, ctx: &mut Context) {
        let note = CaseNote {
            case: id.to_vec(),
            fence: lease.fence.0,
            reason: "resumed within grace".to_owned(),
            peer: lease.node.to_vec(),
        };
        let fields = vec![(Field::Case, id.to_vec())];
        let mut then = vec![Then::Owner(OwnerStep::Resumed(id, lease.fence))];
        then.extend(said);
        self.log_of_lease((id, lease), (Record::LeaseResumed(note), fields), then, ctx);
        self.void_offers(id, Some(lease.node), ctx);
        if let Some(lease) = self.cases.get_mut(&id).and_then(|case| case.lease.as_mut()) {
            lease.resuming = true;
            lease.sendable = true;
        }
    }

    /// The resumption is durable: images may be fetched again.
    pub(super) fn resume_durable(&mut self, id: CaseId, fence: Fence, ctx: &Context) {
        let lease = self.cases.get_mut(&id).and_then(|case| case.lease.as_mut());
        if let Some(lease) = lease.filter(|lease| lease.fence == fence) {
            lease.resuming = false;
            lease.fetchable = lease.receipted;
            lease.expires = ctx.now.tick.plus(lengthened(limits::LEASE));
        }
    }

    pub(super) fn on_hand_back(
        &mut self,
        from: NodeId,
        end: LeaseEnd,
        ctx: &mut Context,
    ) -> Verdict {
        let fence = Fence(end.fence);
        let Some((id, lease)) = self.lease_from(from, fence) else {
            revoke(from, fence, "there is no such lease", ctx);
            return Verdict::Ignore("a hand-back of no lease of this desk");
        };
        if self
            .cases
            .get(&id)
            .is_none_or(|case| !case.is_current(fence))
        {
            revoke(from, fence, "the lease is over", ctx);
            return Verdict::Accept;
        }
        if ctx.log.is_full() {
            return Verdict::Ignore("the log is behind");
        }
        let reason: String = end.reason.chars().take(limits::TEXT_MAX).collect();
        let note = CaseNote {
            case: id.to_vec(),
            fence: fence.0,
            reason: reason.clone(),
            peer: from.to_vec(),
        };
        self.end_access(id, &lease, false, ctx);
        let fields = vec![
            (Field::Case, id.to_vec()),
            (Field::Reason, reason.into_bytes()),
        ];
        let over = LeaseEnd {
            fence: fence.0,
            reason: "handed back".to_owned(),
            purged: false,
        };
        let then = vec![
            Then::Send(Transmit {
                to: from,
                message: Message::Revoked(over),
            }),
            Then::Tell(Event::CaseState {
                case: id,
                state: "open",
            }),
        ];
        self.log_of_lease(
            (id, &lease),
            (Record::CaseHandedBack(note), fields),
            then,
            ctx,
        );
        Verdict::Accept
    }

    /// The desk says that it dropped keys and plaintext: logged once, when the lease is over.
    pub(super) fn on_purged(&mut self, from: NodeId, end: &LeaseEnd, ctx: &mut Context) -> Verdict {
        let fence = Fence(end.fence);
        let Some((id, lease)) = self.lease_from(from, fence) else {
            return Verdict::Ignore("a purge of no lease of this desk");
        };
        let ack = Message::PurgedAck(LeaseMessage {
            fence: fence.0,
            sequence: 0,
        });
        let case = self.cases.get(&id);
        if case.is_some_and(|case| case.is_current(fence) && case.holds_lease()) {
            return Verdict::Ignore("a purge under a lease that stands");
        }
        if !end.purged {
            // The end of access is logged with the lease's: this adds nothing to it.
            return Verdict::Reject("a purge that says that nothing was purged");
        }
        if let Some(index) = self.purged.get(&fence) {
            if ctx.log.is_durable(*index) {
                ctx.send(from, ack);
            }
            return Verdict::Accept;
        }
        if ctx.log.is_full() {
            return Verdict::Ignore("the log is behind");
        }
        let then = vec![Then::Send(Transmit {
            to: from,
            message: ack,
        })];
        self.log_access_end((id, &lease), true, then, ctx);
        Verdict::Accept
    }

    /// Logs that access under a lease ended, if it had begun.
    pub(super) fn end_access(
        &mut self,
        id: CaseId,
        lease: &Lease,
        purged: bool,
        ctx: &mut Context,
    ) {
        if lease.receipted {
            self.log_access_end((id, lease), purged, vec![], ctx);
        }
    }

    fn log_access_end(
        &mut self,
        (id, lease): (CaseId, &Lease),
        purged: bool,
        then: Vec<Then>,
        ctx: &mut Context,
    ) {
        let record = Record::AccessEnded(AccessRecord {
            case: id.to_vec(),
            fence: lease.fence.0,
            bytes: lease.bytes,
            objects: lease.files,
            purged,
            grant_hash: lease.grant_hash.as_bytes().to_vec(),
            ..AccessRecord::default()
        });
        let counts = format!("{} bytes, {} files", lease.bytes, lease.files);
        let fields = vec![
            (Field::Case, id.to_vec()),
            (Field::Counts, counts.into_bytes()),
        ];
        self.log_of_lease((id, lease), (record, fields), then, ctx);
    }

    /// Ends a lease that ran out.
    pub(super) fn expire_lease(&mut self, id: CaseId, ctx: &mut Context) {
        let tick = ctx.now.tick;
        let held = self.cases.get_mut(&id).filter(|case| case.holds_lease());
        let Some(lease) = held.and_then(|case| case.lease.as_mut()) else {
            return;
        };
        if tick < lease.due() {
            return;
        }
        lease.look_again = None;
        if tick < lease.expires {
            return;
        }
        if ctx.log.is_full() {
            lease.look_again = Some(tick.plus(limits::LOG_BEHIND));
            return;
        }
        let lease = lease.clone();
        self.log_expiry(id, &lease, "no renewal in time", ctx);
    }

    /// Logs that a lease ran out.
    fn log_expiry(&mut self, id: CaseId, lease: &Lease, reason: &str, ctx: &mut Context) {
        let note = CaseNote {
            case: id.to_vec(),
            fence: lease.fence.0,
            reason: reason.to_owned(),
            peer: lease.node.to_vec(),
        };
        self.end_access(id, lease, false, ctx);
        let fields = vec![(Field::Case, id.to_vec())];
        let then = vec![Then::Tell(Event::CaseState {
            case: id,
            state: "open",
        })];
        self.log_of_lease((id, lease), (Record::LeaseExpired(note), fields), then, ctx);
    }

    /// Counts what was served.
    pub(super) fn served(&mut self, fence: Fence, bytes: u64, files: u64) {
        let Some(case) = self
            .fences
            .get(&fence)
            .and_then(|id| self.cases.get_mut(id))
        else {
            return;
        };
        let lease = match &mut case.lease {
            Some(lease) if lease.fence == fence => Some(lease),
            _ => case.past.get_mut(&fence),
        };
        if let Some(lease) = lease {
            lease.bytes = lease.bytes.saturating_add(bytes);
            lease.files = lease.files.saturating_add(files);
        }
    }

    pub(super) fn cancel(
        &mut self,
        id: CaseId,
        reason: String,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        let case = self.cases.get(&id).ok_or(CommandError::Unknown("case"))?;
        if case.state.after(crate::case::state::Step::Cancel).is_none() {
            return Err(CommandError::NotNow(
                "a case with a report cannot be cancelled",
            ));
        }
        if ctx.log.is_full() {
            return Err(CommandError::LogBehind);
        }
        let (subject, lease) = (case.subject, case.lease.clone());
        if let Some(lease) = &lease {
            self.end_access(id, lease, false, ctx);
        }
        let fence = lease.as_ref().map_or(0, |lease| lease.fence.0);
        let record = Record::CaseCancelled(CaseNote {
            case: id.to_vec(),
            fence,
            reason: reason.clone(),
            ..CaseNote::default()
        });
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Delete);
        let fields = vec![
            (Field::Case, id.to_vec()),
            (Field::Reason, reason.into_bytes()),
        ];
        let mut then = self.drop_dead(id);
        then.push(Then::Tell(Event::CaseState {
            case: id,
            state: "cancelled",
        }));
        if let Some(lease) = lease {
            let reason = "the hospital cancelled the case".to_owned();
            let end = LeaseEnd {
                fence: lease.fence.0,
                reason,
                purged: false,
            };
            let message = Message::Revoked(end);
            then.push(Then::Send(Transmit {
                to: lease.node,
                message,
            }));
        }
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            then,
        );
        self.void_offers(id, None, ctx);
        Ok(())
    }

    /// The lease with this fence, if it is this desk's.
    pub(super) fn lease_from(&self, from: NodeId, fence: Fence) -> Option<(CaseId, Lease)> {
        let id = *self.fences.get(&fence)?;
        let lease = self.cases.get(&id)?.lease_of(fence)?;
        (lease.node == from).then(|| (id, lease.clone()))
    }
}

/// Tells a desk that a lease is over.
fn revoke(to: NodeId, fence: Fence, reason: &str, ctx: &mut Context) {
    let end = LeaseEnd {
        fence: fence.0,
        reason: reason.to_owned(),
        purged: false,
    };
    ctx.send(to, Message::Revoked(end));
}

/// Checks a receipt: signed by the reader, for this grant, with an entry of the reader's own log
/// that is proved.
fn check_receipt(
    message: &ReceiptMessage,
    lease: &Lease,
    ctx: &Context,
) -> Result<(), &'static str> {
    let member = ctx
        .roster
        .by_node(&lease.node)
        .ok_or("a receipt of no member")?;
    let signer = VerifyingKey::from_bytes(lease.person.as_bytes()).map_err(|_| "no person")?;
    let receipt: Receipt = open(&message.receipt, &signer).map_err(|_| "a bad receipt")?;
    if receipt.grant_hash != lease.grant_hash.as_bytes() || receipt.fence != lease.fence.0 {
        return Err("a receipt for another grant");
    }
    let log = member
        .credential
        .log
        .as_deref()
        .ok_or("a reader without a log")?;
    let log = VerifierKey::parse(log).map_err(|_| "a reader with a bad log key")?;
    let proof = LogProof::parse(&message.proof).map_err(|_| "a receipt with a bad proof")?;
    let verdict = proof.verify(&message.entry, &log, &ctx.quorum);
    if verdict.signed.is_err() || verdict.included.is_err() || proof.index != receipt.log_index {
        return Err("a receipt whose entry is not in the reader's log");
    }
    if receipt.log_origin != log.name().as_str() {
        return Err("a receipt of another log");
    }
    let entry = LogEntry::decode_bytes(&message.entry).map_err(|_| "a receipt with a bad entry")?;
    let header = entry.header();
    let same = header.grant_hash == lease.grant_hash.as_bytes();
    if !same || header.kind != Kind::GrantAccepted as i32 {
        return Err("a receipt whose entry is of another grant");
    }
    Ok(())
}
