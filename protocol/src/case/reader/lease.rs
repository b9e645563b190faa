//! A lease at the desk: renewed while it is read, counted shorter than its owner counts it.

use super::Reader;
use crate::audit::record::ReleaseRecord;
use crate::core::context::Context;
use crate::core::resend::Resend;
use crate::document::decode;
use crate::document::grant::{Grant, Prepared};
use crate::ids::{Fence, NodeId, OfferId};
use crate::io::{Event, Verdict};
use crate::limits;
use crate::time::{Tick, shortened};
use crate::wire::Message;
use crate::wire::case::Lease as LeaseMessage;
use crypto::digest::Digest;
use crypto::envelope::Envelope;

/// Where a lease stands at the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The grant is logged; the receipt is being made or is unanswered.
    Accepted,
    /// The receipt is acknowledged: images may be fetched.
    Reading,
    /// The report is logged; its acknowledgement is awaited.
    Reported,
    /// Given back; the owner's answer is awaited.
    HandingBack,
    /// Over: keys and plaintext are being dropped.
    Purging,
    /// Dropped and logged; the owner's acknowledgement is awaited.
    Purged,
}

/// One lease.
pub(super) struct Reading {
    pub(super) owner: NodeId,
    pub(super) fence: Fence,
    pub(super) offer: OfferId,
    pub(super) grant: Vec<u8>,
    pub(super) grant_hash: Digest,
    pub(super) prepared: Prepared,
    pub(super) session: Vec<u8>,
    /// Index of its entry in this desk's own log.
    pub(super) index: u64,
    pub(super) phase: Phase,
    /// Until when the lease is held for certain; `None` after a restart, until it is renewed.
    pub(super) held_until: Option<Tick>,
    /// The unanswered renewal: its number and when it was sent.
    pub(super) renewal: Option<(u64, Tick)>,
    /// The newest renewal's number. The first is random: an answer from before a restart must not
    /// pass for an answer to a renewal of now.
    pub(super) renewals: Option<u64>,
    pub(super) renew_due: Option<Tick>,
    pub(super) receipt: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    pub(super) proved: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) report: Option<Vec<u8>>,
    pub(super) signing: bool,
    pub(super) hand_back: Option<String>,
    pub(super) resend: Resend,
    /// When an effect that failed is tried again.
    pub(super) retry: Resend,
    /// How often the receipt could not be made.
    pub(super) tries: u32,
    /// When a lost lease is given up.
    pub(super) give_up: Option<Tick>,
    /// Keys and plaintext are being dropped.
    pub(super) purging: bool,
    /// Keys and plaintext were gone then (the record's time, microseconds since the Unix epoch).
    pub(super) ended_us: Option<u64>,
    /// The entry that says so is durable.
    pub(super) end_logged: bool,
}

/// A lease, for a worklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// The fence.
    pub fence: Fence,
    /// The owner.
    pub owner: NodeId,
    /// The offer it came from.
    pub offer: OfferId,
    /// Its state.
    pub state: &'static str,
    /// This desk may go on reading now.
    pub held: bool,
    /// The manifest's root.
    pub manifest_root: Vec<u8>,
    /// SHA-256 of the grant.
    pub grant_hash: Digest,
    /// Objects granted.
    pub objects: u64,
}

impl Reading {
    /// The lease that an accepted grant's record makes.
    pub(super) fn from_record(record: &ReleaseRecord, index: u64) -> Option<Self> {
        let envelope = Envelope::decode(&record.grant).ok()?;
        let grant: Grant = decode(&envelope.payload).ok()?;
        Some(Self {
            owner: NodeId::from_slice(&record.peer)?,
            fence: Fence(grant.fence),
            offer: OfferId::from_slice(&grant.offer)?,
            grant: record.grant.clone(),
            grant_hash: Digest::sha256(&record.grant),
            prepared: grant.prepared?,
            session: record.session.clone(),
            index,
            phase: Phase::Accepted,
            held_until: None,
            renewal: None,
            renewals: None,
            renew_due: None,
            receipt: None,
            proved: None,
            report: None,
            signing: false,
            hand_back: None,
            resend: Resend::default(),
            retry: Resend::default(),
            tries: 0,
            give_up: None,
            purging: false,
            ended_us: None,
            end_logged: false,
        })
    }

    /// It takes a slot: a person reads it, or is about to.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.phase, Phase::Accepted | Phase::Reading)
    }

    /// Nobody loses anything if it is forgotten once keys and plaintext are gone: there is no
    /// report that its owner may not have.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Purged | Phase::HandingBack)
    }

    /// The earliest thing that is due.
    pub(super) fn next_due(&self) -> Option<(Tick, &'static str)> {
        let resend = self
            .resend
            .due()
            .map(|due| (due, "a message is unanswered"));
        let renew = self.renew_due.map(|due| (due, "a renewal is due"));
        let held = self.held_until.map(|due| (due, "a lease ends"));
        let give_up = self.give_up.map(|due| (due, "a lost lease is given up"));
        let retry = self.retry.due().map(|due| (due, "an effect had failed"));
        [resend, retry, renew, held, give_up]
            .into_iter()
            .flatten()
            .min()
    }

    const fn name(&self) -> &'static str {
        match self.phase {
            Phase::Accepted => "leased",
            Phase::Reading if self.held_until.is_none() => "lease lost",
            Phase::Reading => "reading",
            Phase::Reported => REPORTED,
            Phase::HandingBack => "handed back",
            Phase::Purging => PURGING,
            Phase::Purged => PURGED,
        }
    }
}

/// A lease whose report is signed, and logged next.
pub const REPORTED: &str = "reported";
/// A lease whose keys and plaintext are going.
pub const PURGING: &str = "purging";
/// A lease whose keys and plaintext are gone.
pub const PURGED: &str = "purged";

impl Reader {
    /// Does what is due for one lease.
    pub(super) fn tend(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let tick = ctx.now.tick;
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        if reading.held_until.is_some_and(|until| tick >= until) {
            reading.held_until = None;
            reading.give_up = Some(tick.plus(limits::LEASE_GRACE));
            self.tell_lease(key, ctx);
        }
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        if reading.give_up.is_some_and(|at| tick >= at) {
            reading.give_up = None;
            // A report may still be unanswered then; the images are not its business.
            return self.purge(key, ctx);
        }
        if reading.renew_due.is_some_and(|due| tick >= due) {
            self.send_renewal(key, ctx);
        }
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        if reading.retry.is_due(tick) {
            reading.retry.taken_up();
            return self.try_again(key, ctx);
        }
        if reading.resend.is_due(tick) {
            match reading.phase {
                Phase::Accepted => self.send_receipt(key, ctx),
                Phase::Reported => self.send_report(key, ctx),
                Phase::HandingBack => self.send_hand_back(key, ctx),
                Phase::Purged => self.send_purged(key, ctx),
                Phase::Reading | Phase::Purging => {}
            }
        }
    }

    /// Tries what had failed: the purge for as long as it takes, the receipt so many times.
    fn try_again(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get(&key) else {
            return;
        };
        if reading.purging {
            self.start_purge(key, ctx);
        } else if reading.phase == Phase::Accepted && reading.receipt.is_none() {
            self.make_receipt(key, ctx);
        }
    }

    /// Renews; the answer counts from when this was sent.
    pub(super) fn send_renewal(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        if !matches!(reading.phase, Phase::Accepted | Phase::Reading) {
            reading.renew_due = None;
            return;
        }
        let sequence = match reading.renewals {
            Some(newest) => newest.wrapping_add(1),
            None => u64::from_le_bytes(ctx.random()),
        };
        reading.renewals = Some(sequence);
        reading.renewal = Some((sequence, ctx.now.tick));
        reading.renew_due = Some(ctx.now.tick.plus(limits::RENEW));
        let renew = LeaseMessage {
            fence: key.1.0,
            sequence,
        };
        ctx.send(key.0, Message::Renew(renew));
    }

    pub(super) fn on_renewed(
        &mut self,
        from: NodeId,
        renewed: LeaseMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let key = (from, Fence(renewed.fence));
        let Some(reading) = self.leases.get_mut(&key) else {
            return Verdict::Ignore("no such lease here");
        };
        let Some((sequence, sent)) = reading.renewal else {
            return Verdict::Ignore("no renewal is unanswered");
        };
        if sequence != renewed.sequence {
            return Verdict::Ignore("the answer to an earlier renewal");
        }
        reading.renewal = None;
        let until = sent.plus(shortened(limits::LEASE));
        if until <= ctx.now.tick || !reading.is_read() {
            return Verdict::Ignore("the answer comes too late to hold the lease");
        }
        let regained = reading.held_until.is_none();
        reading.held_until = Some(until);
        reading.give_up = None;
        if regained {
            self.tell_lease(key, ctx);
        }
        Verdict::Accept
    }

    /// Tells people how a lease stands.
    pub(super) fn tell_lease(&self, key: (NodeId, Fence), ctx: &mut Context) {
        if let Some(reading) = self.leases.get(&key) {
            let state = reading.name();
            ctx.tell(Event::LeaseState {
                fence: key.1,
                owner: key.0,
                state,
            });
        }
    }

    /// All leases, by owner and fence.
    pub(crate) fn lease_views(&self) -> Vec<LeaseView> {
        let view = |reading: &Reading| LeaseView {
            fence: reading.fence,
            owner: reading.owner,
            offer: reading.offer,
            state: reading.name(),
            held: reading.held_until.is_some()
                && matches!(reading.phase, Phase::Accepted | Phase::Reading),
            manifest_root: reading.prepared.manifest_root.clone(),
            grant_hash: reading.grant_hash,
            objects: reading.prepared.objects,
        };
        self.leases.values().map(view).collect()
    }
}
