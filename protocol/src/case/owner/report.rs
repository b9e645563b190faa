//! A report comes in: checked against its grant, kept whatever its fence, final only under the
//! current one.

use super::Owner;
use super::case::Lease;
use crate::audit::entry::Field;
use crate::audit::record::{Record, ReportRecord};
use crate::core::context::Context;
use crate::core::then::{OwnerStep, Then};
use crate::document::open;
use crate::document::report::{Report, ReportState};
use crate::ids::{CaseId, Fence, NodeId};
use crate::io::{Event, Transmit, Verdict};
use crate::limits;
use crate::wire::Message;
use crate::wire::case::{ReportAck, ReportMessage};
use crypto::digest::Digest;
use crypto::envelope::digest_of;
use crypto::keys::VerifyingKey;

impl Owner {
    pub(super) fn on_report(
        &mut self,
        from: NodeId,
        message: ReportMessage,
        ctx: &mut Context,
    ) -> Verdict {
        let fence = Fence(message.fence);
        let Some((id, lease)) = self.lease_from(from, fence) else {
            return Verdict::Ignore("a report for no lease of this desk");
        };
        let hash = digest_of(&message.report);
        if lease.reports.contains(&hash) {
            let primary = self.cases.get(&id).and_then(|case| case.report.as_ref());
            let additional = primary.is_none_or(|report| report.hash != hash);
            if !self.unlogged_reports.contains(&hash) {
                ctx.send(from, acknowledgement(fence, hash, additional));
            }
            return Verdict::Accept;
        }
        if let Err(why) = check_report(&message.report, &lease) {
            return Verdict::Reject(why);
        }
        if ctx.log.is_full() || lease.reports.len() >= REPORTS_PER_LEASE {
            return Verdict::Ignore("no room for the report now");
        }
        let Some(case) = self.cases.get(&id) else {
            return Verdict::Ignore("no such case");
        };
        if case.may_resume(fence, ctx.now) {
            self.resume(id, &lease, vec![], ctx);
        }
        self.log_report((id, &lease), message.report, hash, ctx);
        Verdict::Accept
    }

    /// Logs the report; the acknowledgement waits for the entry.
    fn log_report(
        &mut self,
        (id, lease): (CaseId, &Lease),
        report: Vec<u8>,
        hash: Digest,
        ctx: &mut Context,
    ) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let reading = case.state.after(crate::case::state::Step::Report).is_some();
        let additional = !(case.is_current(lease.fence) && reading);
        let record = Record::ReportReceived(ReportRecord {
            case: id.to_vec(),
            fence: lease.fence.0,
            report,
            additional,
            report_hash: hash.as_bytes().to_vec(),
            peer: lease.node.to_vec(),
            ..ReportRecord::default()
        });
        let fields = vec![
            (Field::Case, id.to_vec()),
            (Field::Person, lease.person.to_vec()),
        ];
        let ack = acknowledgement(lease.fence, hash, additional);
        let mut then = vec![Then::Send(Transmit {
            to: lease.node,
            message: ack,
        })];
        if !additional {
            then.push(Then::Tell(Event::CaseState {
                case: id,
                state: "reported",
            }));
        }
        then.push(Then::Owner(OwnerStep::Reported(id, lease.fence)));
        self.unlogged_reports.insert(hash);
        self.log_of_lease((id, lease), (record, fields), then, ctx);
    }

    /// The report is durable: deliver the primary one.
    pub(super) fn report_durable(&mut self, id: CaseId, fence: Fence, ctx: &mut Context) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        if let Some(lease) = case.lease_of(fence) {
            for hash in lease.reports.clone() {
                self.unlogged_reports.remove(&hash);
            }
        }
        let primary = case
            .report
            .as_ref()
            .is_some_and(|report| report.fence == fence);
        if primary && case.state == crate::case::State::Reported && !case.delivering {
            let lease = case.lease.clone();
            if let Some(lease) = lease {
                self.end_access(id, &lease, false, ctx);
            }
            self.drop_dead_now(id, ctx);
            self.deliver(id, ctx);
        }
    }
}

/// Reports kept for one lease: a primary and its repeats with corrections; more is not reading.
const REPORTS_PER_LEASE: usize = 16;

/// The acknowledgement of a report.
fn acknowledgement(fence: Fence, hash: Digest, additional: bool) -> Message {
    let report_hash = hash.as_bytes().to_vec();
    Message::ReportAck(ReportAck {
        fence: fence.0,
        report_hash,
        additional,
    })
}

/// Checks a report: signed by the reader, over this grant and this manifest.
fn check_report(envelope: &[u8], lease: &Lease) -> Result<(), &'static str> {
    if envelope.len() > limits::REPORT_MAX {
        return Err("a report that is too long");
    }
    let signer = VerifyingKey::from_bytes(lease.person.as_bytes()).map_err(|_| "no person")?;
    let report: Report = open(envelope, &signer).map_err(|_| "a bad report")?;
    let same = report.grant_hash == lease.grant_hash.as_bytes()
        && report.fence == lease.fence.0
        && report.manifest_root == lease.manifest_root;
    if !same {
        return Err("a report over another release");
    }
    match ReportState::try_from(report.state) {
        Ok(ReportState::Preliminary | ReportState::Final) => Ok(()),
        Ok(ReportState::Unspecified) | Err(_) => Err("a report without a state"),
    }
}
