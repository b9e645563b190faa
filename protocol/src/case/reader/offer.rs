//! The offer book: what came in, what is claimed, what was taken.

use super::Reader;
use super::lease::Reading;
use crate::audit::entry::Field;
use crate::audit::header::Action;
use crate::audit::record::{Record, ReleaseRecord};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::resend::Resend;
use crate::core::then::{ReaderStep, Then};
use crate::ids::{NodeId, OfferId};
use crate::io::{CommandError, Event, Verdict};
use crate::limits;
use crate::time::{Tick, Wall, micros};
use crate::urgency::Urgency;
use crate::wire::Message;
use crate::wire::case::{Claim, Deny, Offer, Taken};

/// One offer.
pub(super) struct Offered {
    pub(super) owner: NodeId,
    pub(super) offer: Offer,
    pub(super) urgency: Urgency,
    /// When its deadline passes.
    pub(super) deadline: Tick,
    /// Claimed, and the claim is logged here with this time (microseconds since the Unix epoch).
    pub(super) claimed_us: Option<u64>,
    /// When the first CLAIM of this life of the node went out.
    pub(super) first_claim: Option<Tick>,
    /// The lease may be counted from there: no CLAIM of this offer went out before it, in any life
    /// of the node. Else its owner may have granted it long ago.
    pub(super) counts: bool,
    pub(super) resend: Resend,
    /// The session under which it was claimed.
    pub(super) session: Vec<u8>,
}

/// An offer, for a worklist.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferView {
    /// The offer.
    pub offer: OfferId,
    /// Its owner.
    pub owner: NodeId,
    /// What was offered.
    pub content: Offer,
    /// Urgency.
    pub urgency: Urgency,
    /// When its deadline passes.
    pub deadline: Tick,
    /// `seen` or `claimed`.
    pub state: &'static str,
}

impl Reader {
    pub(super) fn on_offer(&mut self, from: NodeId, offer: Offer, ctx: &mut Context) -> Verdict {
        let Some(id) = OfferId::from_slice(&offer.offer) else {
            return Verdict::Reject("an offer without an identifier");
        };
        let Some(urgency) = Urgency::from_u32(offer.urgency) else {
            return Verdict::Reject("an offer without an urgency");
        };
        if !owner_is_hospital(from, ctx) {
            return Verdict::Reject("an offer of no valid hospital");
        }
        if let Some(known) = self.offers.get(&id) {
            let same = known.owner == from;
            return if same {
                Verdict::Accept
            } else {
                Verdict::Reject("somebody else's offer")
            };
        }
        let of_owner = self
            .offers
            .values()
            .filter(|known| known.owner == from)
            .count();
        if of_owner >= limits::OFFERS_PER_OWNER_MAX || self.offers.len() >= limits::OFFERS_MAX {
            return Verdict::Ignore("the offer book is full");
        }
        let slack = std::time::Duration::from_micros(offer.slack_us);
        let deadline = ctx.now.tick.plus(slack);
        self.offers
            .insert(id, Offered::new(from, offer, urgency, deadline));
        ctx.tell(Event::OfferState {
            offer: id,
            state: "seen",
            owner: from,
            urgency,
        });
        self.claim_if_idle(ctx);
        Verdict::Accept
    }

    pub(super) fn on_taken(&mut self, from: NodeId, taken: &Taken, ctx: &mut Context) -> Verdict {
        let Some(id) = OfferId::from_slice(&taken.offer) else {
            return Verdict::Reject("no offer is named");
        };
        self.drop_offer(from, id, "taken", ctx);
        self.freed(ctx);
        Verdict::Accept
    }

    pub(super) fn on_deny(&mut self, from: NodeId, deny: Deny, ctx: &mut Context) -> Verdict {
        let Some(id) = OfferId::from_slice(&deny.offer) else {
            return Verdict::Reject("no offer is named");
        };
        if self
            .offers
            .get(&id)
            .is_none_or(|offered| offered.owner != from)
        {
            return Verdict::Ignore("a denial of no offer here");
        }
        self.drop_offer(from, id, "denied", ctx);
        ctx.tell(Event::Denied {
            offer: id,
            rules: deny.rules,
            reason: deny.reason,
        });
        self.freed(ctx);
        Verdict::Accept
    }

    /// Removes an offer of this owner from the book.
    fn drop_offer(&mut self, from: NodeId, id: OfferId, state: &'static str, ctx: &mut Context) {
        let mine = self
            .offers
            .get(&id)
            .is_some_and(|offered| offered.owner == from);
        if mine && let Some(gone) = self.offers.remove(&id) {
            ctx.tell(Event::OfferState {
                offer: id,
                state,
                owner: from,
                urgency: gone.urgency,
            });
        }
    }

    /// Claims an offer. One that is not in the book can be claimed by naming its owner.
    pub(super) fn claim(
        &mut self,
        id: OfferId,
        owner: NodeId,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        let Some((session, checked)) = self.session.clone() else {
            return Err(CommandError::NotNow("go on duty first"));
        };
        if checked.not_after_us <= ctx.now.wall.unix_us {
            return Err(CommandError::NotNow("the desk session has ended"));
        }
        if ctx.log.is_full() {
            return Err(CommandError::LogBehind);
        }
        if self.open_reads(ctx.now.wall) >= limits::READS_MAX {
            return Err(CommandError::NotNow("too many reads are unfinished"));
        }
        if !self.offers.contains_key(&id) {
            if !owner_is_hospital(owner, ctx) || self.offers.len() >= limits::OFFERS_MAX {
                return Err(CommandError::Unknown("offer"));
            }
            let unknown = Offer {
                offer: id.to_vec(),
                ..Offer::default()
            };
            let deadline = ctx.now.tick.plus(limits::LEASE);
            self.offers
                .insert(id, Offered::new(owner, unknown, Urgency::Routine, deadline));
        }
        let Some(offered) = self.offers.get_mut(&id) else {
            return Err(CommandError::Unknown("offer"));
        };
        if offered.claimed_us.is_some() {
            return Err(CommandError::NotNow("it is claimed already"));
        }
        let record = Record::CaseClaimed(ReleaseRecord {
            offer: id.to_vec(),
            peer: offered.owner.to_vec(),
            person: self.config.person.to_vec(),
            session,
            ..ReleaseRecord::default()
        });
        let urgency = offered.urgency;
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Execute).with_urgency(urgency);
        let fields = vec![(Field::Case, id.to_vec())];
        let then = vec![Then::Reader(ReaderStep::Claimed(id))];
        ctx.append(
            Entry::new(record, header, None, fields),
            Need::Durable,
            then,
        );
        Ok(())
    }

    /// The claim is logged: send it, and again until it is answered.
    pub(super) fn send_claim(&mut self, id: OfferId, ctx: &mut Context) {
        let Some(offered) = self.offers.get_mut(&id).filter(|o| o.claimed_us.is_some()) else {
            return;
        };
        offered.first_claim.get_or_insert(ctx.now.tick);
        offered.resend.sent(ctx.now.tick);
        let claim = Claim {
            offer: id.to_vec(),
            session: offered.session.clone(),
        };
        ctx.send(offered.owner, Message::Claim(claim));
    }

    pub(super) fn resend_claims(&mut self, ctx: &mut Context) {
        self.drop_stale_claims(ctx.now.wall);
        let due: Vec<OfferId> = self
            .offers
            .iter()
            .filter(|(_, offered)| offered.resend.is_due(ctx.now.tick))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let over = self.offers.get(&id).is_some_and(|offered| {
                offered
                    .first_claim
                    .is_some_and(|at| ctx.now.tick > at.plus(limits::CLAIM))
            });
            if over {
                self.offers.remove(&id);
                self.freed(ctx);
            } else {
                self.send_claim(id, ctx);
            }
        }
    }

    /// Drops claims that were not sent in this life of the node and are too old to be.
    pub(super) fn drop_stale_claims(&mut self, wall: Wall) {
        self.offers
            .retain(|_, offered| offered.claimed_us.is_none() || offered.is_pending(wall));
    }

    /// Leases that are not over, reports that are unanswered, and claims.
    fn open_reads(&self, wall: Wall) -> usize {
        let open = |reading: &&Reading| reading.ended_us.is_none();
        let leases = self.leases.values().filter(open);
        let claims = self.offers.values().filter(|o| o.is_pending(wall));
        leases.count() + claims.count()
    }

    /// With `auto_claim`: takes the most pressing offer when there is a free slot. Hopeless ones
    /// come last.
    pub(super) fn claim_if_idle(&mut self, ctx: &mut Context) {
        if !self.config.auto_claim || self.session.is_none() {
            return;
        }
        if self.free_slots(ctx.now.wall) == 0 {
            return;
        }
        let tick = ctx.now.tick;
        let best = self
            .offers
            .iter()
            .filter(|(_, offered)| offered.claimed_us.is_none())
            .min_by_key(|(id, o)| (o.deadline <= tick, o.urgency, o.deadline, **id))
            .map(|(id, offered)| (*id, offered.owner));
        if let Some((id, owner)) = best {
            // A refusal leaves the offer in the book; the next message or timer tries again.
            let _ = self.claim(id, owner, ctx);
        }
    }

    /// The offer book, in identifier order.
    pub(crate) fn offer_views(&self) -> Vec<OfferView> {
        let view = |(id, offered): (&OfferId, &Offered)| OfferView {
            offer: *id,
            owner: offered.owner,
            content: offered.offer.clone(),
            urgency: offered.urgency,
            deadline: offered.deadline,
            state: offered.claimed_us.map_or("seen", |_| "claimed"),
        };
        self.offers.iter().map(view).collect()
    }
}

impl Offered {
    pub(super) fn new(owner: NodeId, offer: Offer, urgency: Urgency, deadline: Tick) -> Self {
        Self {
            owner,
            offer,
            urgency,
            deadline,
            claimed_us: None,
            first_claim: None,
            counts: false,
            resend: Resend::default(),
            session: Vec::new(),
        }
    }

    /// Claimed, and an answer may still come.
    pub(super) fn is_pending(&self, wall: Wall) -> bool {
        let fresh = |at: u64| wall.unix_us < at.saturating_add(micros(limits::CLAIM));
        self.claimed_us
            .is_some_and(|at| self.first_claim.is_some() || fresh(at))
    }
}

/// Whether a node is a hospital of the consortium now.
pub(super) fn owner_is_hospital(node: NodeId, ctx: &Context) -> bool {
    ctx.roster
        .valid_node(&node, ctx.now.wall)
        .is_ok_and(|member| member.credential.hospital_key.is_some())
}
