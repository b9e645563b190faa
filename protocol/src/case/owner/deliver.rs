//! Delivery of a report to the hospital's receiving system, until it is acknowledged or closed by
//! hand.

use super::Owner;
use crate::audit::entry::Field;
use crate::audit::header::Action;
use crate::audit::record::{CaseNote, Record, ReportRecord};
use crate::case::State;
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{Pending, Then};
use crate::ids::CaseId;
use crate::io::{CommandError, Delivery, Effect, Event, Outcome};
use crate::limits;

/// Why a case is closed without a person.
const ACKNOWLEDGED: &str = "the receiving system acknowledged the report";

impl Owner {
    /// Starts a delivery.
    pub(super) fn deliver(&mut self, id: CaseId, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        // Done or not, it is not due any more: what is under way plans its own repetition.
        case.delivery_due = None;
        let Some(report) = &case.report else { return };
        if case.delivering || case.state != State::Reported {
            return;
        }
        case.delivering = true;
        let delivery = Box::new(Delivery {
            case: id,
            studies: case.studies.clone(),
            order: case.order.clone(),
            report: report.envelope.clone(),
            reader: report.node,
        });
        ctx.start(Pending::Deliver(id), |id| Effect::Deliver { id, delivery });
    }

    /// A delivery went out, or failed and is tried again.
    pub(super) fn delivered(&mut self, id: CaseId, outcome: Outcome, ctx: &mut Context) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        case.delivering = false;
        let Outcome::Delivered {
            destination,
            acknowledged,
            ..
        } = outcome
        else {
            case.delivery_due = Some(ctx.now.tick.plus(limits::RESEND_MAX));
            return;
        };
        if case.state != State::Reported || ctx.log.is_full() {
            case.delivery_due =
                (case.state == State::Reported).then(|| ctx.now.tick.plus(limits::RESEND_MAX));
            return;
        }
        let Some(report) = &case.report else { return };
        let (subject, hash, fence) = (case.subject, report.hash, report.fence);
        let record = Record::ReportDelivered(ReportRecord {
            case: id.to_vec(),
            fence: fence.0,
            destination,
            acknowledged,
            report_hash: hash.as_bytes().to_vec(),
            ..ReportRecord::default()
        });
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Execute);
        let fields = vec![(Field::Case, id.to_vec())];
        let then = vec![Then::Tell(Event::CaseState {
            case: id,
            state: "delivered",
        })];
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            then,
        );
        if acknowledged {
            self.close(id, ACKNOWLEDGED.to_owned(), ctx);
        }
    }

    /// After a crash: closes what was acknowledged and not yet closed.
    pub(super) fn close_acknowledged(&mut self, ctx: &mut Context) {
        let cases = self.cases.values();
        let open = cases.filter(|case| case.acknowledged && case.state == State::Delivered);
        let open: Vec<CaseId> = open.map(|case| case.id).collect();
        for id in open {
            self.close(id, ACKNOWLEDGED.to_owned(), ctx);
        }
    }

    /// A person closes a delivered case.
    pub(super) fn close_by_hand(
        &mut self,
        id: CaseId,
        reason: String,
        ctx: &mut Context,
    ) -> Result<(), CommandError> {
        let case = self.cases.get(&id).ok_or(CommandError::Unknown("case"))?;
        if case.state != State::Delivered {
            return Err(CommandError::NotNow("only a delivered case can be closed"));
        }
        if reason.trim().is_empty() {
            return Err(CommandError::Invalid("closing by hand needs a reason"));
        }
        if ctx.log.is_full() {
            return Err(CommandError::LogBehind);
        }
        self.close(id, reason, ctx);
        Ok(())
    }

    fn close(&mut self, id: CaseId, reason: String, ctx: &mut Context) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let subject = case.subject;
        let note = CaseNote {
            case: id.to_vec(),
            reason: reason.clone(),
            ..CaseNote::default()
        };
        let record = Record::CaseClosed(note);
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Execute);
        let fields = vec![
            (Field::Case, id.to_vec()),
            (Field::Reason, reason.into_bytes()),
        ];
        let mut then = self.drop_dead(id);
        then.push(Then::Tell(Event::CaseState {
            case: id,
            state: "closed",
        }));
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            then,
        );
    }
}
