//! On duty: the session certificate, and adverts signed by the person.

use super::Reader;
use crate::core::context::Context;
use crate::core::then::Pending;
use crate::document::{Document, advert::Advert, session};
use crate::io::{CommandError, Effect, KeyRole, Outcome};
use crate::limits;
use crate::time::Wall;
use prost::Message as _;

impl Reader {
    pub(super) fn advertise(
        &mut self,
        envelope: Vec<u8>,
        slots: u32,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        let checked = session::check(
            &envelope,
            self.config.person,
            ctx.identity.node,
            ctx.now.wall,
        )
        .map_err(|_| CommandError::Invalid("the session certificate is not valid here"))?;
        self.session = Some((envelope, checked));
        self.slots = slots;
        self.advert_due = Some(ctx.now.tick);
        self.advertise_if_due(ctx);
        self.resume_unfinished(ctx);
        Ok(())
    }

    /// Signs a new advert when one is due; an ended session goes off duty.
    pub(super) fn advertise_if_due(&mut self, ctx: &mut Context) {
        if self.advert_due.is_none_or(|due| ctx.now.tick < due) {
            return;
        }
        let Some((_, session)) = &self.session else {
            self.advert_due = None;
            return;
        };
        if session.not_after_us <= ctx.now.wall.unix_us {
            self.advert_due = None;
            self.session = None;
            return;
        }
        self.advert_due = Some(ctx.now.tick.plus(limits::ADVERT_HEARTBEAT));
        let issued_us = ctx.now.wall.unix_us.max(self.last_advert_us + 1);
        self.last_advert_us = issued_us;
        self.advertised = self.free_slots(ctx.now.wall);
        let advert = Advert {
            version: 1,
            node: ctx.identity.node.to_vec(),
            issued_us,
            expires_us: ctx.now.wall.plus_us(limits::ADVERT_TTL),
            country: session.country.clone(),
            slots: self.advertised,
            subspecialties: Vec::new(),
            modalities: Vec::new(),
            since_us: *self.on_duty_since_us.get_or_insert(issued_us),
        };
        let payload = advert.encode_to_vec();
        ctx.start(Pending::SignAdvert, |id| Effect::Sign {
            id,
            key: KeyRole::Person,
            payload_type: Advert::TYPE,
            payload,
        });
    }

    pub(super) fn advert_signed(&self, outcome: Outcome, ctx: &mut Context) {
        if let Outcome::Signed { envelope, .. } = outcome {
            ctx.run(Effect::PublishAdvert { advert: envelope });
        }
    }

    /// Reads that can be taken on now. What is handed back, reported or over takes no slot.
    pub(super) fn free_slots(&self, wall: Wall) -> u32 {
        let read = self.leases.values().filter(|reading| reading.is_read());
        let claims = self.offers.values().filter(|o| o.is_pending(wall));
        let busy = u32::try_from(read.count() + claims.count()).unwrap_or(u32::MAX);
        self.slots.saturating_sub(busy)
    }

    /// A slot may be free again: takes the next case, or says so.
    pub(super) fn freed(&mut self, ctx: &mut Context) {
        self.claim_if_idle(ctx);
        if self.free_slots(ctx.now.wall) > self.advertised {
            self.advertise_soon(ctx);
        }
    }

    /// Says at once that the capacity changed.
    pub(super) fn advertise_soon(&mut self, ctx: &Context) {
        if self.session.is_some() {
            self.advert_due = Some(ctx.now.tick);
        }
    }
}
