//! Offers: who may be asked, in which ring, and when nobody answers.

use super::Owner;
use super::apply::ring_timeout;
use super::case::Case;
use crate::audit::entry::Field;
use crate::audit::header::{Action, Outcome as Logged, bucket};
use crate::audit::record::{
    CaseNote, DecisionRecord, OfferTo, OfferedRecord, Record, ReleaseRecord,
};
use crate::case::State;
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{OwnerStep, Then};
use crate::directory::OnDuty;
use crate::document::session::CheckedSession;
use crate::ids::{CaseId, NodeId, OfferId};
use crate::io::{Effect, Event};
use crate::limits;
use crate::policy::facts::{CaseFacts, Parties};
use crate::policy::{Decision, Facts};
use crate::urgency::Urgency;
use crate::wire::Message;
use crate::wire::case::{Offer, Taken};

/// A decision on one reader, with what it was made from.
pub(super) struct Judged {
    pub(super) decision: Decision,
    pub(super) facts: Facts,
    pub(super) credential: u64,
}

impl Owner {
    /// What the policy says of one reader at one desk. `None` when they are no valid member.
    pub(super) fn judge(
        case: &Case,
        node: NodeId,
        session: &CheckedSession,
        ctx: &Context,
    ) -> Option<Judged> {
        let wall = ctx.now.wall;
        let reader = &ctx.roster.valid_node(&node, wall).ok()?.credential;
        let hospital = &ctx
            .roster
            .valid_node(&ctx.identity.node, wall)
            .ok()?
            .credential;
        let case = CaseFacts {
            jurisdiction: case.order.jurisdiction.clone(),
            resident: case.order.resident,
            modalities: case.study.judged_modalities(),
            subspecialty: case.subspecialty.clone(),
            urgency: case.urgency,
            report_language: case.order.report_language.clone(),
        };
        let credential = reader.serial;
        let facts = Facts::for_release(
            Parties {
                hospital,
                reader,
                session,
            },
            &case,
            wall,
        );
        Some(Judged {
            decision: ctx.policy.decide(&facts),
            facts,
            credential,
        })
    }

    /// Asks the next readers. Those who were asked and did not answer are asked again when nobody
    /// new is there.
    pub(super) fn offer_ring(&mut self, id: CaseId, ctx: &mut Context) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        if !case.state.is_grantable() || case.granting.is_some() || ctx.log.is_full() {
            if let Some(case) = self.cases.get_mut(&id) {
                case.ring_due = case
                    .state
                    .is_grantable()
                    .then(|| ctx.now.tick.plus(limits::LOG_BEHIND));
            }
            return;
        }
        let (eligible, refused) = self.candidates(id, ctx);
        for (node, judged) in refused {
            self.log_refusal(id, (node, None), judged, ctx);
        }
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        case.ring_due = Some(ctx.now.tick.plus(ring_timeout(case)));
        let fresh: Vec<NodeId> = eligible
            .iter()
            .filter(|node| !case.asked.contains_key(node))
            .take(limits::RING)
            .copied()
            .collect();
        if fresh.is_empty() {
            let again: Vec<NodeId> = eligible
                .into_iter()
                .filter(|node| case.asked.contains_key(node))
                .collect();
            case.staggered = again.into_iter().map(|node| (ctx.now.tick, node)).collect();
            if case.staggered.is_empty() {
                self.uncovered(id, ctx);
            }
            return self.send_due_offers(id, ctx);
        }
        self.log_ring(id, fresh, ctx);
    }

    /// What the policy says of a reader who is on duty, before there is a session.
    fn judge_on_duty(case: &Case, node: NodeId, on_duty: &OnDuty, ctx: &Context) -> Option<Judged> {
        let session = CheckedSession {
            person: crate::ids::PersonId::from_bytes([0; 32]),
            prekey: [0; 32],
            country: on_duty.country.clone(),
            not_after_us: on_duty.expires_us,
        };
        Self::judge(case, node, &session, ctx)
    }

    /// Readers on duty whom the policy allows, best first, and those whom it newly refuses.
    fn candidates(&self, id: CaseId, ctx: &Context) -> (Vec<NodeId>, Vec<(NodeId, Judged)>) {
        let mut eligible = Vec::new();
        let mut refused = Vec::new();
        let Some(case) = self.cases.get(&id) else {
            return (Vec::new(), refused);
        };
        for (node, on_duty) in self.directory.on_duty(ctx.now.wall) {
            let Some(judged) = Self::judge_on_duty(case, node, on_duty, ctx) else {
                continue;
            };
            if judged.decision.allowed {
                eligible.push((std::cmp::Reverse(on_duty.slots), node));
            } else if case.is_new_refusal(&node, &judged.decision.rules) {
                refused.push((node, judged));
            }
        }
        eligible.sort_unstable();
        (
            eligible.into_iter().map(|(_, node)| node).collect(),
            refused,
        )
    }

    /// Logs a ring; its offers go out, staggered, when the entry is durable.
    fn log_ring(&mut self, id: CaseId, nodes: Vec<NodeId>, ctx: &mut Context) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let ring = case.ring + 1;
        let (subject, urgency) = (case.subject, case.urgency);
        let offers = nodes
            .iter()
            .map(|node| OfferTo {
                offer: ctx.random::<16>().to_vec(),
                node: node.to_vec(),
            })
            .collect();
        let record = Record::CaseOffered(OfferedRecord {
            case: id.to_vec(),
            ring,
            offers,
        });
        self.apply(&record, 0, ctx.now);
        let mut due = ctx.now.tick;
        if let Some(case) = self.cases.get_mut(&id) {
            for node in nodes {
                case.staggered.push((due, node));
                due = due.plus(limits::RING_STAGGER);
            }
        }
        let header = ctx.header(&record, Action::Execute).with_urgency(urgency);
        let fields = vec![(Field::Case, id.to_vec())];
        let then = vec![
            Then::Tell(Event::CaseState {
                case: id,
                state: "offered",
            }),
            Then::Owner(OwnerStep::Offered(id)),
        ];
        let entry = Entry::new(record, header, Some(subject), fields);
        self.unlogged_rings.insert(id);
        ctx.append(entry, Need::Durable, then);
    }

    /// Sends the offers whose time has come, if their ring is durable.
    pub(super) fn send_due_offers(&mut self, id: CaseId, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        if self.unlogged_rings.contains(&id) {
            return;
        }
        let tick = ctx.now.tick;
        let (due, later) = std::mem::take(&mut case.staggered)
            .into_iter()
            .partition(|(at, _)| *at <= tick);
        case.staggered = later;
        let due: Vec<(crate::time::Tick, NodeId)> = due;
        for (_, node) in due {
            if let Some(offer) = case.asked.get(&node) {
                let message = Message::Offer(offer_of(case, *offer, ctx));
                ctx.send(node, message);
            }
        }
    }

    /// The ring's entry is durable.
    pub(super) fn ring_durable(&mut self, id: CaseId, ctx: &mut Context) {
        self.unlogged_rings.remove(&id);
        self.send_due_offers(id, ctx);
    }

    /// A reader came on duty: ask them where there is room in the ring.
    pub(super) fn ask_newcomer(&mut self, node: NodeId, ctx: &mut Context) {
        let waiting: Vec<CaseId> = self
            .cases
            .values()
            .filter(|case| case.state.is_grantable() && case.asked.len() < limits::RING)
            .filter(|case| !case.asked.contains_key(&node))
            .filter(|case| case.unmade.as_ref().is_none_or(|u| ctx.now.tick >= u.until))
            .filter(|case| !self.unlogged_rings.contains(&case.id))
            .map(|case| case.id)
            .collect();
        for id in waiting {
            self.offer_ring(id, ctx);
        }
    }

    /// A desk that was off has forgotten what it was asked: it is asked again where it still may
    /// be, the most pressing first.
    pub(super) fn ask_again(&mut self, node: NodeId, ctx: &mut Context) {
        let Some(on_duty) = self.directory.get(&node).cloned() else {
            return;
        };
        let mut asked: Vec<(u64, CaseId)> = self
            .cases
            .values()
            .filter(|case| case.state.is_grantable() && case.asked.contains_key(&node))
            .filter(|case| case.unmade.as_ref().is_none_or(|u| ctx.now.tick >= u.until))
            .filter(|case| !self.unlogged_rings.contains(&case.id))
            .map(|case| (case.deadline_us, case.id))
            .collect();
        asked.sort_unstable();
        for (_, id) in asked.into_iter().take(limits::ASK_AGAIN_MAX) {
            let Some(case) = self.cases.get_mut(&id) else {
                continue;
            };
            let judged = Self::judge_on_duty(case, node, &on_duty, ctx);
            if judged.is_some_and(|judged| judged.decision.allowed) {
                case.staggered.retain(|(_, waiting)| *waiting != node);
                case.staggered.push((ctx.now.tick, node));
                self.send_due_offers(id, ctx);
            }
        }
    }

    /// Logs that a release to somebody was refused, and says so.
    pub(super) fn log_refusal(
        &mut self,
        id: CaseId,
        (node, offer): (NodeId, Option<OfferId>),
        judged: Judged,
        ctx: &mut Context,
    ) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let reason = refusal_sentence(&judged.decision);
        let person = ctx
            .roster
            .by_node(&node)
            .and_then(|member| member.credential.person);
        let rules = judged.decision.rules.clone();
        let record = Record::ReleaseRefused(ReleaseRecord {
            case: id.to_vec(),
            offer: offer.map(|offer| offer.to_vec()).unwrap_or_default(),
            peer: node.to_vec(),
            person: person.map(|person| person.to_vec()).unwrap_or_default(),
            credential: judged.credential,
            decision: Some(decision_record(&judged.decision, &judged.facts)),
            reason: reason.clone(),
            ..ReleaseRecord::default()
        });
        let mut header = ctx
            .header(&record, Action::Execute)
            .with_urgency(case.urgency);
        let subject = Some(case.subject);
        self.apply(&record, 0, ctx.now);
        header.outcome = Logged::Refused as i32;
        header.from_country = judged.facts.hospital_country.clone();
        header.to_country = judged.facts.desk_country.clone();
        header.purpose = judged.facts.purpose.clone();
        header.policy_hash = judged.decision.policy_hash.as_bytes().to_vec();
        header.rules = rules.clone();
        let fields = vec![
            (Field::Case, id.to_vec()),
            (Field::Desk, node.to_vec()),
            (Field::Facts, judged.facts.canonical_text().into_bytes()),
        ];
        let told = Event::Refused {
            case: id,
            node,
            rules,
            reason,
        };
        let entry = Entry::new(record, header, subject, fields);
        ctx.append(entry, Need::Durable, vec![Then::Tell(told)]);
    }

    /// Nobody on duty may read it: urgent cases escalate at once, routine ones after four hours.
    fn uncovered(&mut self, id: CaseId, ctx: &Context) {
        const ROUTINE_WAIT: std::time::Duration = std::time::Duration::from_secs(4 * 3_600);
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let wait = match case.urgency {
            Urgency::Stat | Urgency::Emergent | Urgency::Urgent => std::time::Duration::ZERO,
            Urgency::Routine => ROUTINE_WAIT,
        };
        let due = ctx.now.tick.plus(wait);
        if case.state != State::Escalated {
            case.escalate_due = Some(case.escalate_due.map_or(due, |planned| planned.min(due)));
        }
    }

    /// Pages the hospital's own people when it is time. Offers stay open.
    pub(super) fn escalate_if_due(&mut self, id: CaseId, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        if case.escalate_due.is_none_or(|due| ctx.now.tick < due) {
            return;
        }
        // A grant on its way has its index already: nothing of this case may come behind it.
        if ctx.log.is_full() || case.granting.is_some() {
            case.escalate_due = Some(ctx.now.tick.plus(limits::LOG_BEHIND));
            return;
        }
        case.escalate_due = None;
        self.escalate(id, "nobody has claimed the case in time".to_owned(), ctx);
    }

    /// Logs the escalation and pages, where the case's state allows it.
    pub(super) fn escalate(&mut self, id: CaseId, reason: String, ctx: &mut Context) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        if case
            .state
            .after(crate::case::state::Step::Escalate)
            .is_none()
        {
            return;
        }
        let (subject, urgency) = (case.subject, case.urgency);
        let note = CaseNote {
            case: id.to_vec(),
            reason: reason.clone(),
            ..CaseNote::default()
        };
        let record = Record::CaseEscalated(note);
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Execute).with_urgency(urgency);
        let fields = vec![(Field::Case, id.to_vec())];
        let then = vec![
            Then::Tell(Event::CaseState {
                case: id,
                state: "escalated",
            }),
            Then::Run(Effect::Page { case: id, reason }),
        ];
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            then,
        );
    }

    /// Tells everybody who was asked, but one, that the offer is void.
    pub(super) fn void_offers(&self, id: CaseId, but: Option<NodeId>, ctx: &mut Context) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        for (node, offer) in &case.asked {
            if Some(*node) != but {
                ctx.send(
                    *node,
                    Message::Taken(Taken {
                        offer: offer.to_vec(),
                    }),
                );
            }
        }
    }
}

/// The offer as one recipient gets it: no direct identifiers.
fn offer_of(case: &Case, offer: OfferId, ctx: &Context) -> Offer {
    Offer {
        offer: offer.to_vec(),
        modality: case.study.modality.clone(),
        body_part: case.study.body_part.clone(),
        subspecialty: case.subspecialty.clone(),
        report_language: case.order.report_language.clone(),
        jurisdiction: case.order.jurisdiction.clone(),
        urgency: case.urgency as u32,
        slack_us: case.deadline_us.saturating_sub(ctx.now.wall.unix_us),
        bytes_bucket: bucket(case.study.bytes),
        instances_bucket: bucket(case.study.objects),
    }
}

/// A decision as it is logged.
pub(super) fn decision_record(decision: &Decision, facts: &Facts) -> DecisionRecord {
    DecisionRecord {
        allowed: decision.allowed,
        policy_hash: decision.policy_hash.as_bytes().to_vec(),
        rules: decision.rules.clone(),
        facts: facts.canonical_text(),
        engine: decision.engine.clone(),
        basis: decision.basis.clone(),
    }
}

/// A refusal in one sentence.
pub(super) fn refusal_sentence(decision: &Decision) -> String {
    if !decision.errors.is_empty() {
        return format!(
            "the policy could not be evaluated ({})",
            decision.errors.join(", ")
        );
    }
    if decision.rules.is_empty() {
        return "no rule of the policy permits it".to_owned();
    }
    format!("the policy forbids it: {}", decision.rules.join(", "))
}
