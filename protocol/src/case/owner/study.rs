//! From objects to a case: the quiet period, the order, the rule.

use super::Owner;
use super::case::Case;
use crate::audit::entry::Field;
use crate::audit::header::Action;
use crate::audit::record::{CaseRecord, OrderRecord, Record, StudyRecord};
use crate::case::rules::{Disposition, Rule, first_match};
use crate::core::context::{Context, Entry};
use crate::core::log::Need;
use crate::core::then::{OwnerStep, Pending, Then};
use crate::ids::{CaseId, StudyId, SubjectId};
use crate::io::{Effect, Event, Outcome, StudyDescription};
use crate::limits;
use crate::time::Now;
use crate::urgency::Urgency;

impl Owner {
    /// An object is durable: the study's quiet period starts again.
    pub(super) fn object_stored(&mut self, study: StudyId, ctx: &Context) {
        self.quiet
            .insert(study, ctx.now.tick.plus(self.config.quiet));
    }

    /// Asks for the description of each study that went quiet.
    pub(super) fn describe_quiet_studies(&mut self, ctx: &mut Context) {
        let tick = ctx.now.tick;
        let due: Vec<StudyId> = self
            .quiet
            .iter()
            .filter(|(_, due)| tick >= **due)
            .map(|(study, _)| *study)
            .collect();
        for study in due {
            self.quiet.remove(&study);
            let effect = |id| Effect::DescribeStudy { id, study };
            ctx.start(Pending::Describe(study), effect);
        }
    }

    /// A quiet study is described: open its case, or say why not.
    pub(super) fn described(&mut self, study: StudyId, outcome: Outcome, ctx: &mut Context) {
        let description = match outcome {
            Outcome::Described { description, .. } => *description,
            Outcome::Failed { reason, .. } => {
                ctx.tell(Event::StudyWaits { study, reason });
                self.quiet
                    .insert(study, ctx.now.tick.plus(limits::RESEND_MAX));
                return;
            }
            Outcome::Durable { .. }
            | Outcome::Witnessed { .. }
            | Outcome::Proved { .. }
            | Outcome::Signed { .. }
            | Outcome::Prepared { .. }
            | Outcome::Delivered { .. }
            | Outcome::Purged { .. } => return,
        };
        if self.log_study(study, &description, ctx) && !self.had_case(&study) {
            self.open_case(study, description, ctx);
        }
    }

    /// Logs the study as received, once for each state it is found in. False while the log is
    /// behind.
    fn log_study(
        &mut self,
        study: StudyId,
        description: &StudyDescription,
        ctx: &mut Context,
    ) -> bool {
        if ctx.log.is_full() {
            self.quiet
                .insert(study, ctx.now.tick.plus(limits::RESEND_MAX));
            return false;
        }
        if self.objects_logged(&study) == Some(description.study.objects) {
            return true;
        }
        let mut record = description.study.clone();
        record.late = self.had_case(&study);
        if record.late {
            let reason = "images arrived after the case was opened".to_owned();
            ctx.tell(Event::StudyWaits { study, reason });
        }
        let subject = description.subject;
        let fields = vec![
            (Field::Study, record.study_uid.clone().into_bytes()),
            (Field::Patient, record.patient.clone().into_bytes()),
        ];
        let volume = (record.bytes, record.objects);
        let record = Record::StudyReceived(record);
        self.apply(&record, 0, ctx.now);
        let header = ctx
            .header(&record, Action::Create)
            .with_volume(volume.0, volume.1);
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            vec![],
        );
        true
    }

    /// Opens a case when there is an order and a rule that offers the study.
    fn open_case(&mut self, study: StudyId, description: StudyDescription, ctx: &mut Context) {
        let waits = |ctx: &mut Context, reason: &str| {
            ctx.tell(Event::StudyWaits {
                study,
                reason: reason.to_owned(),
            });
        };
        let Some(order) = description.order else {
            return waits(
                ctx,
                "there is no order for it: it waits in the exceptions queue",
            );
        };
        let Some(rule) = first_match(&self.config.rules, &description.study).cloned() else {
            return waits(ctx, "no rule takes it: it waits in the exceptions queue");
        };
        if rule.disposition == Disposition::Local {
            return waits(ctx, "a rule keeps it to be read here");
        }
        if self.live_cases() >= limits::CASES_MAX {
            let again = ctx.now.tick.plus(limits::RESEND_MAX);
            self.quiet.insert(study, again);
            return waits(
                ctx,
                "too many cases are open: it is opened when some have closed",
            );
        }
        if self.unclosed_cases() >= limits::CASES_UNCLOSED_MAX {
            let again = ctx.now.tick.plus(limits::RESEND_MAX);
            self.quiet.insert(study, again);
            return waits(ctx, "too many delivered cases are not closed: close them");
        }
        let Some(ordered) = Urgency::from_u32(order.urgency_ordered) else {
            return waits(
                ctx,
                "its order has no urgency: it waits in the exceptions queue",
            );
        };
        self.log_order(order, &rule, description.subject, ctx);
        self.log_case((study, description.subject), ordered, &rule, ctx);
    }

    /// Logs the order, with what the rule adds to it.
    fn log_order(
        &mut self,
        mut order: OrderRecord,
        rule: &Rule,
        subject: SubjectId,
        ctx: &mut Context,
    ) {
        order.resident |= rule.resident;
        self.pending_order = order.order.clone();
        let fields = vec![(Field::Patient, order.patient.clone().into_bytes())];
        let record = Record::OrderReceived(order);
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Create);
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            vec![],
        );
    }

    /// Logs the case; it is offered when its entry is durable.
    fn log_case(
        &mut self,
        (study, subject): (StudyId, SubjectId),
        ordered: Urgency,
        rule: &Rule,
        ctx: &mut Context,
    ) {
        let case = CaseId::from_bytes(ctx.random());
        let attested = rule.urgency.unwrap_or(ordered);
        let span = rule.deadline.unwrap_or_else(|| attested.default_span());
        let record = Record::CaseOpened(CaseRecord {
            case: case.to_vec(),
            orders: vec![std::mem::take(&mut self.pending_order)],
            studies: vec![study.to_vec()],
            subject: subject.to_vec(),
            urgency_ordered: ordered as u32,
            urgency_attested: attested as u32,
            deadline_us: ctx.now.wall.plus_us(span),
            subspecialty: rule.subspecialty.clone(),
            rule: rule.name.clone(),
        });
        self.apply(&record, 0, ctx.now);
        let header = ctx.header(&record, Action::Create).with_urgency(attested);
        let fields = vec![(Field::Case, case.to_vec())];
        let then = vec![
            Then::Tell(Event::CaseState {
                case,
                state: "open",
            }),
            Then::Owner(OwnerStep::Opened(case)),
        ];
        ctx.append(
            Entry::new(record, header, Some(subject), fields),
            Need::Durable,
            then,
        );
    }

    /// A case from its record and the order and study logged before it.
    pub(super) fn make_case(&self, record: &CaseRecord, now: Now) -> Option<Case> {
        let order = record
            .orders
            .first()
            .and_then(|id| crate::ids::OrderId::from_slice(id))?;
        let studies: Vec<StudyId> = record
            .studies
            .iter()
            .filter_map(|id| StudyId::from_slice(id))
            .collect();
        let mut case = Case {
            id: CaseId::from_slice(&record.case)?,
            state: crate::case::State::Received.after(crate::case::state::Step::Open)?,
            order: self.orders.get(&order)?.clone(),
            study: studies
                .first()
                .and_then(|id| self.studies.get(id))
                .cloned()
                .unwrap_or_else(StudyRecord::default),
            studies,
            subject: SubjectId::from_slice(&record.subject)?,
            urgency: Urgency::from_u32(record.urgency_attested)?,
            deadline_us: record.deadline_us,
            subspecialty: record.subspecialty.clone(),
            ring: 0,
            ring_due: None,
            asked: std::collections::BTreeMap::new(),
            staggered: Vec::new(),
            refused: std::collections::BTreeMap::new(),
            escalate_due: None,
            granting: None,
            unmade: None,
            lease: None,
            past: std::collections::BTreeMap::new(),
            report: None,
            acknowledged: false,
            delivery_due: None,
            delivering: false,
        };
        Self::plan_escalation(&mut case, now);
        Some(case)
    }

    /// Escalation by rule: at the deadline at the latest.
    pub(super) fn plan_escalation(case: &mut Case, now: Now) {
        let slack =
            std::time::Duration::from_micros(case.deadline_us.saturating_sub(now.wall.unix_us));
        let escalated = case.state == crate::case::State::Escalated;
        case.escalate_due = (!escalated).then(|| now.tick.plus(slack));
    }
}
