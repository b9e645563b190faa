//! A grant comes in: leaf, path, checkpoint and quorum are recomputed before it counts; then the
//! receipt.

use super::Reader;
use super::lease::Phase;
use super::offer::owner_is_hospital;
use crate::audit::entry::{Entry as LogEntry, Field};
use crate::audit::header::{Action, Kind};
use crate::audit::record::{Record, ReleaseRecord};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{Pending, ReaderStep, Then};
use crate::document::grant::Grant;
use crate::document::receipt::Receipt;
use crate::document::{Document, open};
use crate::ids::{Fence, NodeId, OfferId};
use crate::io::{Effect, Event, KeyRole, Outcome, Verdict};
use crate::limits;
use crate::time::shortened;
use crate::wire::Message;
use crate::wire::case::{GrantMessage, Lease as LeaseMessage, ReceiptMessage};
use crypto::digest::Digest;
use crypto::log::proof::LogProof;
use crypto::note::VerifierKey;
use prost::Message as _;

impl Reader {
    pub(super) fn on_grant(
        &mut self,
        from: NodeId,
        message: GrantMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let hash = Digest::sha256(&message.grant);
        let known = self
            .leases
            .iter()
            .find(|(_, reading)| reading.grant_hash == hash);
        if let Some((key, reading)) = known.map(|(key, reading)| (*key, reading)) {
            if reading.phase == Phase::Accepted && reading.receipt.is_some() {
                self.send_receipt(key, ctx);
            }
            return Verdict::Accept;
        }
        let checked = match self.check_grant(from, &message, ctx) {
            Ok(checked) => checked,
            Err((offer, why)) => {
                if let Some(offer) = offer {
                    let reason = why.to_owned();
                    ctx.tell(Event::GrantRefused { offer, reason });
                }
                return Verdict::Reject(why);
            }
        };
        if ctx.log.is_full() {
            return Verdict::Ignore("the log is behind");
        }
        self.log_grant(from, message, (hash, checked), ctx);
        Verdict::Accept
    }

    /// Everything that must hold before this desk accepts.
    fn check_grant(
        &self,
        from: NodeId,
        message: &GrantMessage,
        ctx: &Context,
    ) -> Result<Grant, (Option<OfferId>, &'static str)> {
        let wall = ctx.now.wall;
        let owner = ctx
            .roster
            .valid_node(&from, wall)
            .map_err(|_| (None, "no valid member"))?;
        let key = owner
            .credential
            .hospital_key
            .ok_or((None, "not a hospital"))?;
        let grant: Grant = open(&message.grant, &key).map_err(|_| (None, "a bad grant"))?;
        let offer = OfferId::from_slice(&grant.offer);
        let refuse = |why| (offer, why);
        let offered = offer
            .and_then(|offer| self.offers.get(&offer))
            .filter(|o| o.claimed_us.is_some());
        let offered = offered.ok_or_else(|| refuse("a grant for nothing claimed here"))?;
        if offered.owner != from || grant.owner != from.as_bytes() {
            return Err(refuse("the grant names another owner"));
        }
        let mine = grant.node == ctx.identity.node.as_bytes()
            && grant.person == self.config.person.as_bytes();
        if !mine {
            return Err(refuse("the grant names another reader"));
        }
        if grant.expires_us <= wall.unix_us {
            return Err(refuse("the grant has expired"));
        }
        if grant.prepared.is_none() {
            return Err(refuse("the grant holds no release"));
        }
        let log = owner
            .credential
            .log
            .as_deref()
            .and_then(|log| VerifierKey::parse(log).ok());
        let log = log.ok_or_else(|| refuse("the owner has no log"))?;
        check_logged(message, &grant, &log, ctx).map_err(refuse)?;
        Ok(grant)
    }

    /// Logs the accepted grant, with the owner's entry and proof.
    fn log_grant(
        &mut self,
        from: NodeId,
        message: GrantMessage,
        (hash, grant): (Digest, Grant),
        ctx: &mut Context,
    ) {
        let fence = Fence(grant.fence);
        let offer = OfferId::from_slice(&grant.offer);
        let offered = offer.and_then(|offer| self.offers.get(&offer));
        let first_claim = offered.filter(|o| o.counts).and_then(|o| o.first_claim);
        let session = offered
            .map(|offered| offered.session.clone())
            .unwrap_or_default();
        let urgency = offered.map(|offered| offered.urgency);
        let record = Record::GrantAccepted(ReleaseRecord {
            offer: grant.offer.clone(),
            peer: from.to_vec(),
            person: grant.person.clone(),
            credential: grant.credential,
            grant: message.grant,
            fence: fence.0,
            proof: message.proof,
            peer_entry: message.entry,
            prekey: grant.prekey.clone(),
            session,
            ..ReleaseRecord::default()
        });
        let index = ctx.log.next();
        self.apply(&record, index, ctx.now);
        if let Some(reading) = self.leases.get_mut(&(from, fence)) {
            reading.held_until = first_claim.map(|at| at.plus(shortened(limits::LEASE)));
            let give_up = ctx.now.tick.plus(limits::LEASE).plus(limits::LEASE_GRACE);
            reading.give_up = Some(give_up).filter(|_| reading.held_until.is_none());
        }
        let mut header = ctx.header(&record, Action::Read).with_grant(hash);
        header.urgency = urgency.map_or(0, |urgency| urgency as u32);
        header.from_country = grant.from_country;
        header.to_country = grant.to_country;
        header.policy_hash = grant.policy_hash;
        header.rules = grant.rules;
        let fields = vec![(Field::Case, grant.offer), (Field::Person, grant.person)];
        let then = vec![Then::Reader(ReaderStep::Accepted(from, fence))];
        ctx.append(
            Entry::new(record, header, None, fields),
            Need::Durable,
            then,
        );
        self.tell_lease((from, fence), ctx);
    }

    /// The grant is logged here: have the entry proved for the receipt.
    pub(super) fn prove_receipt(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get(&key) else {
            return;
        };
        if reading.phase == Phase::Accepted {
            self.make_receipt(key, ctx);
            self.send_renewal(key, ctx);
        }
    }

    /// Proves the entry; the outcome goes on with the signature.
    pub(super) fn make_receipt(&self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get(&key) else {
            return;
        };
        let index = reading.index;
        let effect = |id| Effect::Prove {
            id,
            index,
            witnessed: false,
        };
        ctx.start(Pending::ProveReceipt(key.0, key.1), effect);
    }

    /// Without a receipt nothing is ever fetched, and renewals would hold the case: tries again,
    /// and in the end hands it back.
    fn receipt_failed(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        if reading.phase != Phase::Accepted {
            return;
        }
        reading.tries = reading.tries.saturating_add(1);
        reading.retry.sent(ctx.now.tick);
        if reading.tries >= limits::RECEIPT_TRIES {
            // With the log behind, the next try hands it back.
            let reason = "this desk could not make its receipt".to_owned();
            let _ = self.hand_back(key, reason, ctx);
        }
    }

    /// The proof is there: have the receipt signed.
    pub(super) fn receipt_proved(
        &mut self,
        key: (NodeId, Fence),
        outcome: Outcome,
        ctx: &mut Context,
    ) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        let Outcome::Proved {
            entry,
            proof,
            index,
            ..
        } = outcome
        else {
            return self.receipt_failed(key, ctx);
        };
        if reading.phase != Phase::Accepted {
            return;
        }
        reading.proved = Some((entry, proof));
        let receipt = Receipt {
            version: 1,
            grant_hash: reading.grant_hash.as_bytes().to_vec(),
            fence: key.1.0,
            log_origin: ctx.identity.log.name().as_str().to_owned(),
            log_index: index,
            time_us: ctx.now.wall.unix_us,
        };
        let payload = receipt.encode_to_vec();
        ctx.start(Pending::SignReceipt(key.0, key.1), |id| Effect::Sign {
            id,
            key: KeyRole::Person,
            payload_type: Receipt::TYPE,
            payload,
        });
    }

    /// The receipt is signed: send it, and again until it is acknowledged.
    pub(super) fn receipt_signed(
        &mut self,
        key: (NodeId, Fence),
        outcome: Outcome,
        ctx: &mut Context,
    ) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        let Outcome::Signed { envelope, .. } = outcome else {
            return self.receipt_failed(key, ctx);
        };
        if reading.phase != Phase::Accepted {
            return;
        }
        reading.retry.answered();
        if let Some((entry, proof)) = reading.proved.take() {
            reading.receipt = Some((envelope, entry, proof));
        }
        self.send_receipt(key, ctx);
    }

    pub(super) fn send_receipt(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        let Some((receipt, entry, proof)) = reading.receipt.clone() else {
            return;
        };
        reading.resend.sent(ctx.now.tick);
        let message = ReceiptMessage {
            fence: key.1.0,
            receipt,
            entry,
            proof,
        };
        ctx.send(key.0, Message::Receipt(message));
    }

    /// The owner logged the receipt: images may be fetched.
    pub(super) fn on_receipt_ack(
        &mut self,
        from: NodeId,
        ack: LeaseMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let key = (from, Fence(ack.fence));
        let Some(reading) = self.leases.get_mut(&key) else {
            return Verdict::Ignore("no such lease here");
        };
        if reading.phase != Phase::Accepted {
            return Verdict::Ignore("the receipt is acknowledged already");
        }
        reading.phase = Phase::Reading;
        reading.resend.answered();
        let (grant, session) = (reading.grant.clone(), reading.session.clone());
        ctx.run(Effect::Fetch {
            fence: key.1,
            owner: from,
            grant,
            session,
        });
        self.tell_lease(key, ctx);
        self.advertise_soon(ctx);
        Verdict::Accept
    }

    /// After a restart: says again what was unanswered.
    pub(super) fn resume_unfinished(&mut self, ctx: &mut Context) {
        let keys: Vec<(NodeId, Fence)> = self.leases.keys().copied().collect();
        for key in keys {
            let Some(reading) = self.leases.get(&key) else {
                continue;
            };
            let untouched = reading.resend.due().is_none();
            match reading.phase {
                Phase::Accepted if reading.receipt.is_none() && untouched => {
                    self.prove_receipt(key, ctx);
                }
                Phase::Accepted
                | Phase::Reading
                | Phase::Reported
                | Phase::HandingBack
                | Phase::Purging
                | Phase::Purged => {}
            }
        }
        self.drop_stale_claims(ctx.now.wall);
        let claimed: Vec<OfferId> = self
            .offers
            .iter()
            .filter(|(_, offered)| offered.claimed_us.is_some() && offered.first_claim.is_none())
            .filter(|(_, offered)| owner_is_hospital(offered.owner, ctx))
            .map(|(id, _)| *id)
            .collect();
        for id in claimed {
            self.send_claim(id, ctx);
        }
    }
}

/// Recomputes that the grant is logged: its hash in the entry, the entry at the fence, under a
/// quorum.
fn check_logged(
    message: &GrantMessage,
    grant: &Grant,
    log: &VerifierKey,
    ctx: &Context,
) -> Result<(), &'static str> {
    let entry = LogEntry::decode_bytes(&message.entry).map_err(|_| "a malformed log entry")?;
    let header = entry.header();
    let hash = Digest::sha256(&message.grant);
    let same = header.grant_hash == hash.as_bytes();
    if !same || header.kind != Kind::ReleaseGranted as i32 {
        return Err("the log entry is not of this grant");
    }
    let proof = LogProof::parse(&message.proof).map_err(|_| "a malformed log proof")?;
    if proof.index != grant.fence || grant.log_origin != log.name().as_str() {
        return Err("the fence is not the grant's place in the owner's log");
    }
    let verdict = proof.verify(&message.entry, log, &ctx.quorum);
    if verdict.signed.is_err() {
        return Err("the owner's checkpoint is not signed by its log");
    }
    if verdict.included.is_err() {
        return Err("the grant is not in the owner's log");
    }
    if !verdict.holds() {
        return Err("the owner's checkpoint is not cosigned by a quorum");
    }
    Ok(())
}
