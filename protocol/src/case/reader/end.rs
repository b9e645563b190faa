//! The end of a read: hand-back and purge, each logged before it is said.
//!
//! Keys and plaintext go when access ends, whatever the owner answers: at once at a hand-back, with
//! the acknowledgement or the end of the lease after a report. Only what is still to be said stays.

use super::Reader;
use super::lease::{Phase, Reading};
use crate::audit::entry::Field;
use crate::audit::header::Action;
use crate::audit::record::{AccessRecord, CaseNote, Record};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{Pending, ReaderStep, Then};
use crate::ids::{Fence, NodeId};
use crate::io::{CommandError, Effect, Outcome, Verdict};
use crate::limits;
use crate::time::{Wall, micros};
use crate::wire::Message;
use crate::wire::case::{Lease as LeaseMessage, LeaseEnd};

impl Reader {
    pub(super) fn hand_back(
        &mut self,
        key: (NodeId, Fence),
        reason: String,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        let reading = self
            .leases
            .get(&key)
            .ok_or(CommandError::Unknown("lease"))?;
        if !matches!(reading.phase, Phase::Accepted | Phase::Reading) || reading.signing {
            return Err(CommandError::NotNow("the lease is not being read"));
        }
        if reason.len() > limits::TEXT_MAX {
            return Err(CommandError::Invalid("the reason is longer than 256 bytes"));
        }
        if ctx.log.is_full() {
            return Err(CommandError::LogBehind);
        }
        let (grant_hash, offer) = (reading.grant_hash, reading.offer.to_vec());
        let record = Record::CaseHandedBack(CaseNote {
            case: offer.clone(),
            fence: key.1.0,
            reason: reason.clone(),
            peer: key.0.to_vec(),
        });
        self.apply(&record, 0, ctx.now);
        if let Some(reading) = self.leases.get_mut(&key) {
            // A receipt that is unanswered must not bring the hand-back forward.
            reading.resend.answered();
        }
        let header = ctx.header(&record, Action::Execute).with_grant(grant_hash);
        let fields = vec![(Field::Case, offer), (Field::Reason, reason.into_bytes())];
        let then = vec![Then::Reader(ReaderStep::HandedBack(key.0, key.1))];
        ctx.append(
            Entry::new(record, header, None, fields),
            Need::Durable,
            then,
        );
        self.tell_lease(key, ctx);
        self.purge(key, ctx);
        Ok(())
    }

    pub(super) fn send_hand_back(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let reading = self.leases.get_mut(&key);
        let Some(reading) = reading.filter(|reading| reading.phase == Phase::HandingBack) else {
            return;
        };
        let reason = reading.hand_back.clone().unwrap_or_default();
        reading.resend.sent(ctx.now.tick);
        let end = LeaseEnd {
            fence: key.1.0,
            reason,
            purged: false,
        };
        ctx.send(key.0, Message::HandBack(end));
    }

    pub(super) fn on_revoked(
        &mut self,
        from: NodeId,
        end: &LeaseEnd,
        ctx: &mut Context,
    ) -> Verdict {
        let key = (from, Fence(end.fence));
        let Some(reading) = self.leases.get_mut(&key) else {
            return Verdict::Ignore("no such lease here");
        };
        match reading.phase {
            Phase::Accepted | Phase::Reading => {
                reading.held_until = None;
                self.purge(key, ctx);
                Verdict::Accept
            }
            Phase::HandingBack => {
                self.answered(key, ctx);
                Verdict::Accept
            }
            // A report on its way is kept by the owner as an additional opinion: go on sending it.
            Phase::Reported | Phase::Purging | Phase::Purged => Verdict::Ignore("it is over here"),
        }
    }

    /// Drops from memory what ended too long ago for its owner to be told. The same in replay, by
    /// the records' times.
    pub(super) fn forget_ended(&mut self, wall: Wall) {
        self.leases.retain(|_, reading| {
            let keep = micros(match reading.phase {
                Phase::Reported => limits::REPORT_KEEP,
                Phase::Accepted
                | Phase::Reading
                | Phase::HandingBack
                | Phase::Purging
                | Phase::Purged => limits::ENDED_KEEP,
            });
            let old = |ended: u64| wall.unix_us >= ended.saturating_add(keep);
            !reading.ended_us.is_some_and(old)
        });
        let over = |reading: &Reading| reading.ended_us.filter(|_| reading.is_done());
        let ended = self.leases.iter();
        let ended = ended.filter_map(|(key, reading)| Some((over(reading)?, *key)));
        let mut ended: Vec<(u64, (NodeId, Fence))> = ended.collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(limits::LEASES_ENDED_MAX);
        for (_, key) in ended.into_iter().take(surplus) {
            self.leases.remove(&key);
        }
    }

    /// After a restart: says again what needs no person, and gives up in time what nobody resumes.
    pub(super) fn resume_ended(&mut self, ctx: &mut Context) {
        let give_up = ctx.now.tick.plus(limits::LEASE).plus(limits::LEASE_GRACE);
        let keys: Vec<(NodeId, Fence)> = self.leases.keys().copied().collect();
        for key in keys {
            let Some(reading) = self.leases.get_mut(&key) else {
                continue;
            };
            reading.end_logged = reading.ended_us.is_some();
            match reading.phase {
                Phase::Accepted | Phase::Reading => reading.give_up = Some(give_up),
                Phase::Reported => {
                    reading.give_up = Some(give_up).filter(|_| !reading.end_logged);
                    self.send_report(key, ctx);
                }
                Phase::HandingBack => {
                    self.send_hand_back(key, ctx);
                    self.purge(key, ctx);
                }
                Phase::Purged => self.send_purged(key, ctx),
                Phase::Purging => {}
            }
        }
    }

    /// Drops keys and plaintext. A report or a hand-back that is unanswered is still said.
    pub(super) fn purge(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        reading.renew_due = None;
        reading.held_until = None;
        reading.give_up = None;
        if reading.purging || reading.ended_us.is_some() {
            return;
        }
        reading.purging = true;
        reading.retry.answered();
        if reading.is_read() {
            reading.phase = Phase::Purging;
            reading.resend.answered();
            self.tell_lease(key, ctx);
        }
        self.freed(ctx);
        self.start_purge(key, ctx);
    }

    pub(super) fn start_purge(&self, (owner, fence): (NodeId, Fence), ctx: &mut Context) {
        let effect = |id| Effect::Purge { id, fence, owner };
        ctx.start(Pending::Purge(owner, fence), effect);
    }

    /// The owner answered the report or the hand-back: the purge is all that is left to say.
    pub(super) fn answered(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        reading.resend.answered();
        let ended = reading.ended_us.is_some();
        reading.phase = if ended { Phase::Purged } else { Phase::Purging };
        let sayable = reading.end_logged;
        self.tell_lease(key, ctx);
        if !ended {
            self.purge(key, ctx);
        } else if sayable {
            self.send_purged(key, ctx);
        }
    }

    /// Keys and plaintext are gone: log it, then say so.
    pub(super) fn purge_done(&mut self, key: (NodeId, Fence), outcome: Outcome, ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        let Outcome::Purged { bytes, objects, .. } = outcome else {
            // Keys must go, however often it takes.
            return reading.retry.sent(ctx.now.tick);
        };
        reading.retry.answered();
        let (grant_hash, offer) = (reading.grant_hash, reading.offer.to_vec());
        let record = Record::AccessEnded(AccessRecord {
            case: offer.clone(),
            fence: key.1.0,
            bytes,
            objects,
            purged: true,
            grant_hash: grant_hash.as_bytes().to_vec(),
            unanswered: matches!(reading.phase, Phase::Reported | Phase::HandingBack),
        });
        self.apply(&record, 0, ctx.now);
        let header = ctx
            .header(&record, Action::Delete)
            .with_grant(grant_hash)
            .with_volume(bytes, objects);
        let counts = format!("{bytes} bytes, {objects} files");
        let fields = vec![(Field::Case, offer), (Field::Counts, counts.into_bytes())];
        let then = vec![Then::Reader(ReaderStep::Purged(key.0, key.1))];
        ctx.append(
            Entry::new(record, header, None, fields),
            Need::Durable,
            then,
        );
        self.tell_lease(key, ctx);
    }

    /// The end of access is logged: say so, unless something else is still to be said first.
    pub(super) fn purge_logged(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        reading.end_logged = true;
        if reading.phase == Phase::Purged {
            self.send_purged(key, ctx);
        }
    }

    pub(super) fn send_purged(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        reading.resend.sent(ctx.now.tick);
        let end = LeaseEnd {
            fence: key.1.0,
            reason: String::new(),
            purged: true,
        };
        ctx.send(key.0, Message::Purged(end));
    }

    /// The owner logged the purge: the lease is done with.
    pub(super) fn on_purged_ack(
        &mut self,
        from: NodeId,
        ack: LeaseMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let key = (from, Fence(ack.fence));
        if self
            .leases
            .get(&key)
            .is_none_or(|reading| reading.phase != Phase::Purged)
        {
            return Verdict::Ignore("no purge is unacknowledged");
        }
        self.leases.remove(&key);
        self.freed(ctx);
        Verdict::Accept
    }
}
