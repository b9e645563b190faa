//! From a claim to a sent grant: checked again, prepared, signed with its own index as fence,
//! logged, cosigned.

use super::Owner;
use super::case::{Granting, Unmade};
use super::offer::{decision_record, refusal_sentence};
use crate::audit::entry::Field;
use crate::audit::header::{Action, Outcome as Logged};
use crate::audit::record::{Record, ReleaseRecord};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{OwnerStep, Pending, Then};
use crate::document::grant::{Grant, Prepared};
use crate::document::{Document, session};
use crate::ids::{CaseId, Fence, NodeId, OfferId};
use crate::io::{Effect, Event, KeyRole, Outcome, Verdict};
use crate::limits;
use crate::time::{lengthened, micros};
use crate::wire::Message;
use crate::wire::case::{Claim, Denial, Deny, GrantMessage};
use crypto::digest::Digest;
use crypto::envelope::digest_of;
use prost::Message as _;

impl Owner {
    pub(super) fn on_claim(&mut self, from: NodeId, claim: &Claim, ctx: &mut Context) -> Verdict {
        let Some(offer) = OfferId::from_slice(&claim.offer) else {
            return Verdict::Reject("a claim without an offer");
        };
        let Some((id, to)) = self.offers.get(&offer).copied() else {
            deny(
                (from, offer),
                Denial::UnknownOffer,
                "there is no such offer",
                &[],
                ctx,
            );
            return Verdict::Ignore("a claim of an unknown offer");
        };
        let Some(case) = self.cases.get(&id) else {
            return Verdict::Ignore("no such case");
        };
        if let Some(lease) = &case.lease
            && lease.offer == offer
            && lease.node == from
        {
            self.prove_grant(id, lease.fence, ctx);
            return Verdict::Accept;
        }
        if case
            .granting
            .as_ref()
            .is_some_and(|g| g.offer == offer && g.node == from)
        {
            return Verdict::Ignore("the claim is being worked on");
        }
        if ctx.log.is_full() {
            return Verdict::Ignore("the log is behind");
        }
        if case.holds_lease() && case.lease.as_ref().is_some_and(|lease| lease.unheard) {
            let reason = "after a restart it is not known yet whether somebody still reads it";
            deny((from, offer), Denial::Unavailable, reason, &[], ctx);
            return Verdict::Accept;
        }
        if !case.state.is_grantable() || case.granting.is_some() {
            deny(
                (from, offer),
                Denial::Taken,
                "somebody else has the case, or it ended",
                &[],
                ctx,
            );
            return Verdict::Accept;
        }
        let unmade = case.unmade.as_ref();
        if let Some(unmade) = unmade.filter(|unmade| ctx.now.tick < unmade.until) {
            deny((from, offer), Denial::Unavailable, &unmade.reason, &[], ctx);
            return Verdict::Accept;
        }
        self.judge_claim(id, (from, offer, to), claim, ctx)
    }

    /// Checks session and policy, and starts the release. The offer must have been made to the
    /// claimant.
    fn judge_claim(
        &mut self,
        id: CaseId,
        (from, offer, to): (NodeId, OfferId, NodeId),
        claim: &Claim,
        ctx: &mut Context,
    ) -> Verdict {
        let Some(case) = self.cases.get(&id) else {
            return Verdict::Ignore("no such case");
        };
        let wall = ctx.now.wall;
        let member = ctx.roster.valid_node(&from, wall).ok();
        let Some(person) = member.and_then(|member| member.credential.person) else {
            let reason = "no valid credential of a reader";
            deny((from, offer), Denial::Credential, reason, &[], ctx);
            return Verdict::Reject("a claim of no valid reader");
        };
        let session = match session::check(&claim.session, person, from, wall) {
            Ok(session) => session,
            Err(error) => {
                let reason = error.to_string();
                deny((from, offer), Denial::Credential, &reason, &[], ctx);
                return Verdict::Reject("a claim with a bad session certificate");
            }
        };
        let Some(judged) = Self::judge(case, from, &session, ctx) else {
            return Verdict::Ignore("the claimant is no member any more");
        };
        if !judged.decision.allowed {
            let (rules, reason) = (
                judged.decision.rules.clone(),
                refusal_sentence(&judged.decision),
            );
            if case.is_new_refusal(&from, &rules) {
                self.log_refusal(id, (from, Some(offer)), judged, ctx);
            }
            deny((from, offer), Denial::Policy, &reason, &rules, ctx);
            return Verdict::Accept;
        }
        if to != from {
            deny(
                (from, offer),
                Denial::UnknownOffer,
                "the offer is not yours",
                &[],
                ctx,
            );
            return Verdict::Reject("a claim of somebody else's offer");
        }
        let granting = Granting {
            offer,
            node: from,
            credential: judged.credential,
            session_bytes: claim.session.clone(),
            decision: judged.decision,
            facts: judged.facts,
            session,
            manifest: None,
            volume: (0, 0),
        };
        self.prepare(id, granting, ctx);
        Verdict::Accept
    }

    /// Has the release made.
    fn prepare(&mut self, id: CaseId, granting: Granting, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let (studies, offer, prekey) = (
            case.studies.clone(),
            granting.offer,
            granting.session.prekey,
        );
        let modalities = granting.facts.study_modalities.clone();
        case.granting = Some(granting);
        let effect = |id| Effect::PrepareRelease {
            id,
            studies,
            modalities,
            offer,
            prekey,
        };
        ctx.start(Pending::Prepare(id), effect);
    }

    /// The release is made: reserve the index that becomes the fence, and have the grant signed.
    pub(super) fn prepared(&mut self, id: CaseId, outcome: Outcome, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let made = manifest_of(&outcome);
        let Some(granting) = &mut case.granting else {
            return drop_release(made, ctx);
        };
        let prepared = match outcome {
            Outcome::Prepared { prepared, .. } => prepared,
            Outcome::Failed { reason, .. } => {
                let to = (granting.node, granting.offer);
                return self.not_prepared(id, to, reason, ctx);
            }
            Outcome::Durable { .. }
            | Outcome::Witnessed { .. }
            | Outcome::Proved { .. }
            | Outcome::Signed { .. }
            | Outcome::Described { .. }
            | Outcome::Delivered { .. }
            | Outcome::Purged { .. } => return,
        };
        if !case.state.is_grantable() || ctx.log.is_full() {
            case.granting = None;
            return drop_release(made, ctx);
        }
        case.unmade = None;
        granting.manifest = made;
        granting.volume = (prepared.bytes, prepared.objects);
        let fence = ctx.reserve();
        let payload = grant_payload(granting, prepared, fence, &case.order.report_language, ctx);
        ctx.start(Pending::SignGrant(id, fence), |id| Effect::Sign {
            id,
            key: KeyRole::Hospital,
            payload_type: Grant::TYPE,
            payload,
        });
    }

    /// No release can be made: the claim is denied, it is tried again slowly, and people are told
    /// when that goes on.
    fn not_prepared(
        &mut self,
        id: CaseId,
        (node, offer): (NodeId, OfferId),
        reason: String,
        ctx: &mut Context,
    ) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        case.granting = None;
        let until = ctx.now.tick.plus(limits::RESEND_MAX);
        case.ring_due = Some(until);
        let before = case.unmade.as_ref();
        let times = before.map_or(0, |unmade| unmade.times).saturating_add(1);
        let paged = before.is_some_and(|unmade| unmade.paged);
        let pages = !paged && times >= limits::UNMADE_PAGED && !ctx.log.is_full();
        case.unmade = Some(Unmade {
            reason: reason.clone(),
            times,
            until,
            paged: paged || pages,
        });
        ctx.tell(Event::Refused {
            case: id,
            node,
            rules: vec![],
            reason: reason.clone(),
        });
        deny((node, offer), Denial::Unavailable, &reason, &[], ctx);
        if pages {
            self.escalate(id, format!("no release can be made: {reason}"), ctx);
        }
    }

    /// The grant is signed: its entry takes the reserved index. A failure takes it too, as a
    /// refusal: an index that stays empty would hold back the log for ever.
    pub(super) fn grant_signed(
        &mut self,
        id: CaseId,
        index: u64,
        outcome: Outcome,
        ctx: &mut Context,
    ) {
        let case = self.cases.get_mut(&id);
        let grantable = case.as_ref().is_some_and(|case| case.state.is_grantable());
        let granting = case.and_then(|case| case.granting.take());
        match (granting, outcome) {
            (Some(granting), Outcome::Signed { envelope, .. }) if grantable => {
                self.log_grant((id, index), &granting, envelope, ctx);
            }
            (granting, Outcome::Failed { reason, .. }) => {
                self.log_no_grant((id, index), granting.as_ref(), reason, ctx);
            }
            (granting, _) => {
                let reason = "the case ended before its grant was logged".to_owned();
                self.log_no_grant((id, index), granting.as_ref(), reason, ctx);
            }
        }
    }

    /// Logs the grant; it goes out when its entry is cosigned.
    fn log_grant(
        &mut self,
        (id, index): (CaseId, u64),
        granting: &Granting,
        grant: Vec<u8>,
        ctx: &mut Context,
    ) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let subject = Some(case.subject);
        let (urgency, (bytes, objects)) = (case.urgency, granting.volume);
        let hash = digest_of(&grant);
        let mut release = release_record(id, index, granting);
        release.grant = grant;
        let record = Record::ReleaseGranted(release);
        self.apply(&record, index, ctx.now);
        let mut header = ctx
            .header(&record, Action::Execute)
            .with_urgency(urgency)
            .with_grant(hash)
            .with_volume(bytes, objects);
        fill_decision(&mut header, granting);
        let fields = release_fields(id, granting);
        let mut then = self.drop_dead(id);
        then.push(Then::Owner(OwnerStep::Granted(id, Fence(index))));
        let entry = Entry::new(record, header, subject, fields);
        ctx.fill(index, entry, Need::Witnessed, then);
    }

    /// Logs that no grant took the reserved index.
    fn log_no_grant(
        &mut self,
        (id, index): (CaseId, u64),
        granting: Option<&Granting>,
        reason: String,
        ctx: &mut Context,
    ) {
        let mut release = match granting {
            Some(granting) => release_record(id, index, granting),
            None => ReleaseRecord {
                case: id.to_vec(),
                fence: index,
                ..ReleaseRecord::default()
            },
        };
        drop_release(granting.and_then(|granting| granting.manifest), ctx);
        release.reason.clone_from(&reason);
        let record = Record::ReleaseRefused(release);
        self.apply(&record, index, ctx.now);
        let mut header = ctx.header(&record, Action::Execute);
        header.outcome = Logged::Failure as i32;
        let mut fields = vec![(Field::Case, id.to_vec())];
        if let Some(granting) = granting {
            fill_decision(&mut header, granting);
            fields = release_fields(id, granting);
        }
        fields.push((Field::Reason, reason.into_bytes()));
        let subject = self.cases.get(&id).map(|case| case.subject);
        let entry = Entry::new(record, header, subject, fields);
        ctx.fill(index, entry, Need::Durable, vec![]);
    }

    /// The grant's entry is cosigned: it may go out, if the lease still stands.
    pub(super) fn grant_witnessed(&mut self, id: CaseId, fence: Fence, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let Some(lease) = case.lease.as_mut().filter(|lease| lease.fence == fence) else {
            return;
        };
        lease.sendable = true;
        lease.receipt_due = ctx.now.tick.plus(limits::UNRECEIPTED);
        lease.expires = ctx.now.tick.plus(lengthened(limits::LEASE));
        let node = lease.node;
        ctx.tell(Event::CaseState {
            case: id,
            state: "leased",
        });
        ctx.tell(Event::Granted {
            case: id,
            fence,
            node,
        });
        self.void_offers(id, Some(node), ctx);
        self.prove_grant(id, fence, ctx);
    }

    /// Has the proof made that goes with the grant.
    fn prove_grant(&self, id: CaseId, fence: Fence, ctx: &mut Context) {
        let lease = self.cases.get(&id).and_then(|case| case.lease.as_ref());
        if lease.is_some_and(|lease| lease.fence == fence && lease.sendable) {
            let effect = |id| Effect::Prove {
                id,
                index: fence.0,
                witnessed: true,
            };
            ctx.start(Pending::ProveGrant(id, fence), effect);
        }
    }

    /// Entry and proof are there: send the grant.
    pub(super) fn grant_proved(
        &mut self,
        id: CaseId,
        fence: Fence,
        outcome: Outcome,
        ctx: &mut Context,
    ) {
        let Outcome::Proved { entry, proof, .. } = outcome else {
            return;
        };
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let Some(lease) = case.lease.as_ref().filter(|lease| lease.fence == fence) else {
            return;
        };
        let Some(grant) = self.grants.get(&fence).cloned() else {
            return;
        };
        ctx.send(
            lease.node,
            Message::Grant(GrantMessage {
                grant,
                entry,
                proof,
            }),
        );
    }
}

/// The name of what was made for a release.
fn manifest_of(outcome: &Outcome) -> Option<Digest> {
    let Outcome::Prepared { prepared, .. } = outcome else {
        return None;
    };
    Some(Digest(prepared.manifest_digest.as_slice().try_into().ok()?))
}

/// Removes what was made for a release that is not granted.
fn drop_release(manifest: Option<Digest>, ctx: &mut Context) {
    if let Some(manifest) = manifest {
        ctx.run(Effect::DropRelease { manifest });
    }
}

/// Denies a claim. A denial names no patient and needs no log entry of its own.
fn deny(
    (to, offer): (NodeId, OfferId),
    denial: Denial,
    reason: &str,
    rules: &[String],
    ctx: &mut Context,
) {
    let reason = reason.to_owned();
    let deny = Deny {
        offer: offer.to_vec(),
        denial: denial as i32,
        rules: rules.to_vec(),
        reason,
    };
    ctx.send(to, Message::Deny(deny));
}

/// The grant's payload.
fn grant_payload(
    granting: &Granting,
    prepared: Prepared,
    fence: u64,
    report_language: &str,
    ctx: &Context,
) -> Vec<u8> {
    let grant = Grant {
        version: 1,
        offer: granting.offer.to_vec(),
        owner: ctx.identity.node.to_vec(),
        person: granting.session.person.to_vec(),
        node: granting.node.to_vec(),
        prekey: granting.session.prekey.to_vec(),
        fence,
        lease_us: micros(limits::LEASE),
        expires_us: granting
            .session
            .not_after_us
            .min(ctx.now.wall.plus_us(granting.facts.urgency.read_cap())),
        prepared: Some(prepared),
        policy_hash: granting.decision.policy_hash.as_bytes().to_vec(),
        rules: granting.decision.rules.clone(),
        from_country: granting.facts.hospital_country.clone(),
        to_country: granting.facts.desk_country.clone(),
        report_language: report_language.to_owned(),
        credential: granting.credential,
        log_origin: ctx.identity.log.name().as_str().to_owned(),
    };
    grant.encode_to_vec()
}

/// What the header shows of the decision.
fn fill_decision(header: &mut crate::audit::header::Header, granting: &Granting) {
    header.from_country = granting.facts.hospital_country.clone();
    header.to_country = granting.facts.desk_country.clone();
    header.legal_role = "controller".to_owned();
    if granting.facts.hospital_organisation == granting.facts.reader_organisation {
        header.legal_role = "own-staff".to_owned();
    }
    header.basis = granting.decision.basis.clone();
    header.purpose = granting.facts.purpose.clone();
    header.policy_hash = granting.decision.policy_hash.as_bytes().to_vec();
    header.rules = granting.decision.rules.clone();
}

/// What a claim's outcome logs in every case.
fn release_record(id: CaseId, index: u64, granting: &Granting) -> ReleaseRecord {
    ReleaseRecord {
        case: id.to_vec(),
        offer: granting.offer.to_vec(),
        peer: granting.node.to_vec(),
        person: granting.session.person.to_vec(),
        credential: granting.credential,
        decision: Some(decision_record(&granting.decision, &granting.facts)),
        fence: index,
        prekey: granting.session.prekey.to_vec(),
        session: granting.session_bytes.clone(),
        ..ReleaseRecord::default()
    }
}

/// The fields that are committed to one by one.
fn release_fields(id: CaseId, granting: &Granting) -> Vec<(Field, Vec<u8>)> {
    let credential = granting.credential.to_be_bytes().to_vec();
    vec![
        (Field::Case, id.to_vec()),
        (Field::Person, granting.session.person.to_vec()),
        (Field::Desk, granting.node.to_vec()),
        (Field::Credential, credential),
        (Field::Facts, granting.facts.canonical_text().into_bytes()),
    ]
}
