//! The case at its owner: the only authority over it.
//!
//! ```text
//! study quiet ─ describe ─ open ─ offer ring ─ claim ─ prepare ─ sign ─ log+cosign ─ GRANT
//!                           ↑__________ expire / hand back __________|
//! RECEIPT ─ log ─ fetch ... REPORT ─ log ─ deliver ─ acknowledged ─ closed
//! ```
//! Every change of a case is a record: the same `apply` runs live and in replay. What a record must
//! precede is withheld until its entry is durable (a grant: until it is cosigned).

mod apply;
mod case;
mod claim;
mod deliver;
mod ended;
mod lease;
mod offer;
mod report;
mod study;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use case::Case;
use crypto::digest::Digest;
use ended::Ended;
pub use view::{CaseView, FetchTicket};

use crate::audit::record::{OrderRecord, StudyRecord};
use crate::core::config::OwnerConfig;
use crate::core::context::Context;
use crate::core::then::{OwnerStep, Pending};
use crate::directory::{Came, Directory};
use crate::ids::{CaseId, Fence, NodeId, OfferId, OrderId, StudyId};
use crate::io::{Command, CommandError, Outcome, Verdict};
use crate::limits;
use crate::time::{Tick, lengthened};
use crate::wire::Message;

/// The owner's machine.
pub(crate) struct Owner {
    config: OwnerConfig,
    cases: BTreeMap<CaseId, Case>,
    offers: BTreeMap<OfferId, (CaseId, NodeId)>,
    fences: BTreeMap<Fence, CaseId>,
    by_study: BTreeMap<StudyId, CaseId>,
    ended: Ended,
    orders: BTreeMap<OrderId, OrderRecord>,
    studies: BTreeMap<StudyId, StudyRecord>,
    quiet: BTreeMap<StudyId, Tick>,
    directory: Directory,
    /// The exact grant envelopes, to be sent again.
    grants: BTreeMap<Fence, Vec<u8>>,
    /// Leases whose desk attested its purge, with the attestation's index in the log.
    purged: BTreeMap<Fence, u64>,
    /// Reports whose entry is not durable yet: they are not acknowledged.
    unlogged_reports: BTreeSet<Digest>,
    /// Cases whose newest ring is not durable yet: its offers wait.
    unlogged_rings: BTreeSet<CaseId>,
    /// The order of the case that is being opened.
    pending_order: Vec<u8>,
}

impl Owner {
    pub(crate) fn new(config: OwnerConfig) -> Self {
        Self {
            config,
            cases: BTreeMap::new(),
            offers: BTreeMap::new(),
            fences: BTreeMap::new(),
            by_study: BTreeMap::new(),
            ended: Ended::default(),
            orders: BTreeMap::new(),
            studies: BTreeMap::new(),
            quiet: BTreeMap::new(),
            directory: Directory::default(),
            grants: BTreeMap::new(),
            purged: BTreeMap::new(),
            unlogged_reports: BTreeSet::new(),
            unlogged_rings: BTreeSet::new(),
            pending_order: Vec::new(),
        }
    }

    /// Goes on after replay: a lease that was held may still be held for its whole length, because
    /// no renewal is logged; deliveries are tried again.
    pub(crate) fn start(&mut self, ctx: &mut Context) {
        let tick = ctx.now.tick;
        let held_until = tick.plus(lengthened(limits::LEASE));
        for case in self.cases.values_mut() {
            let held = case.holds_lease();
            if let Some(lease) = &mut case.lease {
                lease.expires = held_until;
                lease.receipt_due = tick.plus(limits::UNRECEIPTED);
                lease.sendable = true;
                lease.fetchable = lease.receipted;
                lease.unheard = held;
            }
            for past in case.past.values_mut() {
                let left = past.ending.map(|ending| ending.grace_left(ctx.now.wall));
                past.grace = tick.plus(left.unwrap_or_default());
            }
            if case.state == crate::case::State::Reported {
                case.delivery_due = Some(tick);
            }
            if case.state.is_grantable() {
                case.ring_due = Some(tick);
                Self::plan_escalation(case, ctx.now);
            }
        }
        self.close_acknowledged(ctx);
    }

    pub(crate) fn command(
        &mut self,
        command: Command,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        match command {
            Command::ObjectStored { study } => {
                self.object_stored(study, ctx);
                Ok(())
            }
            Command::CloseCase { case, reason } => self.close_by_hand(case, reason, ctx),
            Command::CancelCase { case, reason } => self.cancel(case, reason, ctx),
            Command::Served {
                fence,
                bytes,
                files,
            } => {
                self.served(fence, bytes, files);
                Ok(())
            }
            Command::Advertise { .. }
            | Command::Claim { .. }
            | Command::HandBack { .. }
            | Command::Report { .. } => Err(CommandError::NoRole("reader")),
            Command::LogReview { .. } | Command::LogDisclosure { .. } => Err(
                CommandError::Invalid("the log's own commands are not a role's"),
            ),
        }
    }

    pub(crate) fn message(&mut self, from: NodeId, message: Message, ctx: &mut Context) -> Verdict {
        match message {
            Message::Claim(claim) => self.on_claim(from, &claim, ctx),
            Message::Receipt(receipt) => self.on_receipt(from, &receipt, ctx),
            Message::Renew(renew) => self.on_renew(from, renew, ctx),
            Message::HandBack(end) => self.on_hand_back(from, end, ctx),
            Message::Report(report) => self.on_report(from, report, ctx),
            Message::Purged(end) => self.on_purged(from, &end, ctx),
            Message::Offer(_)
            | Message::Taken(_)
            | Message::Deny(_)
            | Message::Grant(_)
            | Message::ReceiptAck(_)
            | Message::Renewed(_)
            | Message::Revoked(_)
            | Message::ReportAck(_)
            | Message::PurgedAck(_) => Verdict::Ignore("not for an owner"),
        }
    }

    /// Takes in a reader's advert; a reader who comes on duty is asked at once where nobody is
    /// being asked.
    pub(crate) fn advert(&mut self, from: NodeId, envelope: &[u8], ctx: &mut Context) -> Verdict {
        let wall = ctx.now.wall;
        let Ok(member) = ctx.roster.valid_node(&from, wall) else {
            return Verdict::Reject("an advert of no valid member");
        };
        let Some(person) = member.credential.person else {
            return Verdict::Reject("an advert of a member who is no reader");
        };
        match self.directory.apply(envelope, from, person, wall) {
            Ok(came) => {
                if came == Came::Again {
                    self.ask_again(from, ctx);
                }
                if came != Came::Not {
                    self.ask_newcomer(from, ctx);
                }
                Verdict::Accept
            }
            Err(crate::directory::AdvertError::Document(_)) => Verdict::Reject("a bad advert"),
            Err(crate::directory::AdvertError::Stale) => Verdict::Ignore("an old advert"),
            Err(crate::directory::AdvertError::Full) => Verdict::Ignore("the directory is full"),
        }
    }

    /// Goes on where a durable (or cosigned) entry was awaited.
    pub(crate) fn step(&mut self, step: OwnerStep, ctx: &mut Context) {
        match step {
            OwnerStep::Opened(case) => self.offer_ring(case, ctx),
            OwnerStep::Offered(case) => self.ring_durable(case, ctx),
            OwnerStep::Granted(case, fence) => self.grant_witnessed(case, fence, ctx),
            OwnerStep::Received(case, fence) => self.receipt_durable(case, fence, ctx),
            OwnerStep::Resumed(case, fence) => self.resume_durable(case, fence, ctx),
            OwnerStep::Reported(case, fence) => self.report_durable(case, fence, ctx),
        }
    }

    /// Goes on where an effect's outcome was awaited.
    pub(crate) fn outcome(&mut self, pending: Pending, outcome: Outcome, ctx: &mut Context) {
        match pending {
            Pending::Describe(study) => self.described(study, outcome, ctx),
            Pending::Prepare(case) => self.prepared(case, outcome, ctx),
            Pending::SignGrant(case, index) => self.grant_signed(case, index, outcome, ctx),
            Pending::ProveGrant(case, fence) => self.grant_proved(case, fence, outcome, ctx),
            Pending::Deliver(case) => self.delivered(case, outcome, ctx),
            Pending::SignAdvert
            | Pending::ProveReceipt(..)
            | Pending::SignReceipt(..)
            | Pending::SignReport(..)
            | Pending::Purge(..) => {}
        }
    }

    /// Does what is due. Afterwards nothing is due before a later time, whatever could not be done:
    /// else the node would spin.
    pub(crate) fn timeout(&mut self, ctx: &mut Context) {
        let tick = ctx.now.tick;
        self.describe_quiet_studies(ctx);
        let ids: Vec<CaseId> = self.cases.keys().copied().collect();
        for id in ids {
            self.expire_lease(id, ctx);
            self.send_due_offers(id, ctx);
            if self
                .cases
                .get(&id)
                .is_some_and(|case| case.ring_due.is_some_and(|due| tick >= due))
            {
                self.offer_ring(id, ctx);
            }
            // A ring without readers may make it due.
            self.escalate_if_due(id, ctx);
            if self
                .cases
                .get(&id)
                .is_some_and(|c| c.delivery_due.is_some_and(|due| tick >= due))
            {
                self.deliver(id, ctx);
            }
        }
    }

    /// The earliest thing that is due, and why.
    pub(crate) fn next_timeout(&self) -> Option<(Tick, &'static str)> {
        let studies = self.quiet.values().map(|due| (*due, "a study is quiet"));
        let cases = self.cases.values().flat_map(|case| {
            let grantable = case.state.is_grantable() && case.granting.is_none();
            let lease = case
                .lease
                .as_ref()
                .map(|lease| (lease.due(), "a lease ends"));
            let ring = case
                .ring_due
                .filter(|_| grantable)
                .map(|due| (due, "a ring ends"));
            let logged = !self.unlogged_rings.contains(&case.id);
            let stagger = case
                .staggered
                .iter()
                .filter(|_| logged)
                .map(|(due, _)| (*due, "an offer is due"))
                .min();
            let escalate = case.escalate_due.map(|due| (due, "a case escalates"));
            let delivery = case.delivery_due.map(|due| (due, "a delivery is due"));
            [
                lease.filter(|_| case.holds_lease()),
                ring,
                stagger,
                escalate,
                delivery,
            ]
        });
        studies.chain(cases.flatten()).min()
    }
}
