//! The same case at the reading desk: offers in a book, claims, grants that are verified before
//! they count.
//!
//! ```text
//! seen ─ claim (logged) ─ CLAIM ... GRANT ─ verify ─ log ─ prove ─ sign ─ RECEIPT ...
//! RECEIPT_ACK ─ fetch
//! reading ─ sign ─ log ─ REPORT ... REPORT_ACK ─ purge ─ log ─ PURGED ... PURGED_ACK ─ done
//! reading ─ log ─ purge ─ log, and HAND_BACK ... REVOKED ─ PURGED ... PURGED_ACK ─ done
//! ```
//! Keys and plaintext never wait for an answer beyond the end of the lease and its grace.
//! The lease is counted from before its owner counts it, and shortened by the drift: this desk
//! stops first.

mod advert;
mod apply;
mod end;
mod grant;
mod lease;
mod offer;
mod report;

use std::collections::{BTreeMap, VecDeque};

pub use lease::{LeaseView, PURGED, PURGING, REPORTED};
pub use offer::OfferView;
pub use report::UNSIGNED;

use lease::Reading;
use offer::Offered;

use crate::core::config::ReaderConfig;
use crate::core::context::Context;
use crate::core::then::{Pending, ReaderStep};
use crate::document::session::CheckedSession;
use crate::ids::{Fence, NodeId, OfferId};
use crate::io::{Command, CommandError, Outcome, Verdict};
use crate::time::Tick;
use crate::wire::Message;

/// The reader's machine.
pub(crate) struct Reader {
    config: ReaderConfig,
    session: Option<(Vec<u8>, CheckedSession)>,
    slots: u32,
    /// Free slots in the newest advert.
    advertised: u32,
    /// The replay is over.
    started: bool,
    advert_due: Option<Tick>,
    last_advert_us: u64,
    /// When this desk came on duty, since it was started.
    on_duty_since_us: Option<u64>,
    offers: BTreeMap<OfferId, Offered>,
    /// The newest offers that were claimed, in order.
    claimed: VecDeque<OfferId>,
    leases: BTreeMap<(NodeId, Fence), Reading>,
}

impl Reader {
    pub(crate) const fn new(config: ReaderConfig) -> Self {
        Self {
            config,
            session: None,
            slots: 0,
            advertised: 0,
            started: false,
            advert_due: None,
            last_advert_us: 0,
            on_duty_since_us: None,
            offers: BTreeMap::new(),
            claimed: VecDeque::new(),
            leases: BTreeMap::new(),
        }
    }

    /// The replay is over: what is too old is dropped, what is unfinished goes on.
    pub(crate) fn start(&mut self, ctx: &mut Context) {
        self.started = true;
        self.drop_stale_claims(ctx.now.wall);
        self.forget_ended(ctx.now.wall);
        self.resume_ended(ctx);
    }

    pub(crate) fn command(
        &mut self,
        command: Command,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        match command {
            Command::Advertise { session, slots } => self.advertise(session, slots, ctx),
            Command::Claim { offer, owner } => self.claim(offer, owner, ctx),
            Command::HandBack {
                fence,
                owner,
                reason,
            } => self.hand_back((owner, fence), reason, ctx),
            Command::Report {
                fence,
                owner,
                draft,
            } => self.report((owner, fence), draft, ctx),
            Command::ObjectStored { .. }
            | Command::CloseCase { .. }
            | Command::CancelCase { .. }
            | Command::Served { .. } => Err(CommandError::NoRole("hospital")),
            Command::LogReview { .. } | Command::LogDisclosure { .. } => Err(
                CommandError::Invalid("the log's own commands are not a role's"),
            ),
        }
    }

    pub(crate) fn message(&mut self, from: NodeId, message: Message, ctx: &mut Context) -> Verdict {
        match message {
            Message::Offer(offer) => self.on_offer(from, offer, ctx),
            Message::Taken(taken) => self.on_taken(from, &taken, ctx),
            Message::Deny(deny) => self.on_deny(from, deny, ctx),
            Message::Grant(grant) => self.on_grant(from, grant, ctx),
            Message::ReceiptAck(ack) => self.on_receipt_ack(from, ack, ctx),
            Message::Renewed(renewed) => self.on_renewed(from, renewed, ctx),
            Message::Revoked(end) => self.on_revoked(from, &end, ctx),
            Message::ReportAck(ack) => self.on_report_ack(from, &ack, ctx),
            Message::PurgedAck(ack) => self.on_purged_ack(from, ack, ctx),
            Message::Claim(_)
            | Message::Receipt(_)
            | Message::Renew(_)
            | Message::HandBack(_)
            | Message::Report(_)
            | Message::Purged(_) => Verdict::Ignore("not for a reader"),
        }
    }

    pub(crate) fn step(&mut self, step: ReaderStep, ctx: &mut Context) {
        match step {
            ReaderStep::Claimed(offer) => self.send_claim(offer, ctx),
            ReaderStep::Accepted(owner, fence) => self.prove_receipt((owner, fence), ctx),
            ReaderStep::Reported(owner, fence) => self.send_report((owner, fence), ctx),
            ReaderStep::Purged(owner, fence) => self.purge_logged((owner, fence), ctx),
            ReaderStep::HandedBack(owner, fence) => self.send_hand_back((owner, fence), ctx),
        }
    }

    pub(crate) fn outcome(&mut self, pending: Pending, outcome: Outcome, ctx: &mut Context) {
        match pending {
            Pending::SignAdvert => self.advert_signed(outcome, ctx),
            Pending::ProveReceipt(owner, fence) => {
                self.receipt_proved((owner, fence), outcome, ctx);
            }
            Pending::SignReceipt(owner, fence) => self.receipt_signed((owner, fence), outcome, ctx),
            Pending::SignReport(owner, fence) => self.report_signed((owner, fence), outcome, ctx),
            Pending::Purge(owner, fence) => self.purge_done((owner, fence), outcome, ctx),
            Pending::Describe(_)
            | Pending::Prepare(_)
            | Pending::SignGrant(..)
            | Pending::ProveGrant(..)
            | Pending::Deliver(_) => {}
        }
    }

    pub(crate) fn timeout(&mut self, ctx: &mut Context) {
        self.resend_claims(ctx);
        self.forget_ended(ctx.now.wall);
        let keys: Vec<(NodeId, Fence)> = self.leases.keys().copied().collect();
        for key in keys {
            self.tend(key, ctx);
        }
        // Last: what came before may have freed a slot.
        self.advertise_if_due(ctx);
    }

    pub(crate) fn next_timeout(&self) -> Option<(Tick, &'static str)> {
        let advert = self.advert_due.map(|due| (due, "an advert is due"));
        let claims = self.offers.values().filter_map(|offered| {
            offered
                .resend
                .due()
                .map(|due| (due, "a claim is unanswered"))
        });
        let leases = self.leases.values().filter_map(Reading::next_due);
        advert.into_iter().chain(claims).chain(leases).min()
    }
}

#[cfg(test)]
mod tests;
