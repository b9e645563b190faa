//! The report: signed, logged, and said until its owner has it.

use super::Reader;
use super::lease::Phase;
use crate::audit::entry::Field;
use crate::audit::header::Action;
use crate::audit::record::{Record, ReportRecord};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{Pending, ReaderStep, Then};
use crate::document::Document;
use crate::document::report::{Report, ReportState};
use crate::ids::{Fence, NodeId};
use crate::io::{CommandError, Effect, Event, KeyRole, Outcome, ReportDraft, Verdict};
use crate::limits;
use crate::wire::Message;
use crate::wire::case::{ReportAck, ReportMessage};
use crypto::envelope::digest_of;
use prost::Message as _;

/// What is told of a lease whose report could not be signed, or no longer.
pub const UNSIGNED: &str = "report not signed";

impl Reader {
    pub(super) fn report(
        &mut self,
        key: (NodeId, Fence),
        draft: ReportDraft,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        let reading = self
            .leases
            .get_mut(&key)
            .ok_or(CommandError::Unknown("lease"))?;
        if reading.phase != Phase::Reading || reading.signing {
            return Err(CommandError::NotNow("the lease is not being read"));
        }
        if draft
            .sections
            .iter()
            .all(|section| section.text.trim().is_empty())
        {
            return Err(CommandError::Invalid("the report is empty"));
        }
        let state = if draft.is_final {
            ReportState::Final
        } else {
            ReportState::Preliminary
        };
        let report = Report {
            version: 1,
            grant_hash: reading.grant_hash.as_bytes().to_vec(),
            manifest_root: reading.prepared.manifest_root.clone(),
            opened: draft.opened.concat(),
            state: state as i32,
            template: draft.template,
            language: draft.language,
            sections: draft.sections,
            signed_us: ctx.now.wall.unix_us,
            fence: key.1.0,
        };
        if report.wrong_field().is_some() {
            return Err(CommandError::Invalid(
                "the report has too many sections, or a name or language that is too long",
            ));
        }
        let payload = report.encode_to_vec();
        if payload.len() + ENVELOPE_ROOM > limits::REPORT_MAX {
            return Err(CommandError::Invalid("the report is longer than 256 KiB"));
        }
        reading.signing = true;
        ctx.start(Pending::SignReport(key.0, key.1), |id| Effect::Sign {
            id,
            key: KeyRole::Person,
            payload_type: Report::TYPE,
            payload,
        });
        Ok(())
    }

    /// The report is signed: log it, then send it.
    pub(super) fn report_signed(
        &mut self,
        key: (NodeId, Fence),
        outcome: Outcome,
        ctx: &mut Context,
    ) {
        let Some(reading) = self.leases.get_mut(&key) else {
            return;
        };
        reading.signing = false;
        let unsigned = Event::LeaseState {
            fence: key.1,
            owner: key.0,
            state: UNSIGNED,
        };
        let Outcome::Signed { envelope, .. } = outcome else {
            return ctx.tell(unsigned);
        };
        if reading.phase != Phase::Reading {
            // The lease ended meanwhile: whoever wrote the report must hear of it.
            return ctx.tell(unsigned);
        }
        let hash = digest_of(&envelope);
        let grant_hash = reading.grant_hash;
        let offer = reading.offer.to_vec();
        let record = Record::ReportSigned(ReportRecord {
            case: offer.clone(),
            fence: key.1.0,
            report: envelope,
            report_hash: hash.as_bytes().to_vec(),
            peer: key.0.to_vec(),
            ..ReportRecord::default()
        });
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Create).with_grant(grant_hash);
        let fields = vec![(Field::Case, offer)];
        let then = vec![Then::Reader(ReaderStep::Reported(key.0, key.1))];
        ctx.append(
            Entry::new(record, header, None, fields),
            Need::Durable,
            then,
        );
        self.tell_lease(key, ctx);
        self.freed(ctx);
    }

    pub(super) fn send_report(&mut self, key: (NodeId, Fence), ctx: &mut Context) {
        let reading = self.leases.get_mut(&key);
        let Some(reading) = reading.filter(|reading| reading.phase == Phase::Reported) else {
            return;
        };
        let Some(report) = reading.report.clone() else {
            return;
        };
        reading.resend.sent(ctx.now.tick);
        ctx.send(
            key.0,
            Message::Report(ReportMessage {
                fence: key.1.0,
                report,
            }),
        );
    }

    pub(super) fn on_report_ack(
        &mut self,
        from: NodeId,
        ack: &ReportAck,
        ctx: &mut Context,
    ) -> Verdict {
        let key = (from, Fence(ack.fence));
        let Some(reading) = self.leases.get(&key) else {
            return Verdict::Ignore("no such lease here");
        };
        let mine = reading
            .report
            .as_ref()
            .is_some_and(|report| digest_of(report).as_bytes().as_slice() == ack.report_hash);
        if reading.phase != Phase::Reported || !mine {
            return Verdict::Ignore("no such report is unacknowledged");
        }
        self.answered(key, ctx);
        Verdict::Accept
    }
}

/// Room for the envelope around a report's payload: magic, type, lengths, one signature.
const ENVELOPE_ROOM: usize = 256;
