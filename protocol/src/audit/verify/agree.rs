//! Several archives together: they must rest on one consortium; its quorum files are compared.

use super::fault::{Check, Fault};
use super::remark::Remark;
use super::report::Report;
use crate::audit::archive::FileName;
use crate::member::QuorumPaper;

/// Compares what each archive's trust rests on. Each quorum file was signed by the council; one
/// that is older than another archive's may be all that its node knew when it wrote the archive.
pub(super) fn check(reports: &mut [Report]) {
    let Some(first) = reports.iter().find_map(|report| report.genesis) else {
        return;
    };
    let papers: Vec<QuorumPaper> = reports.iter().filter_map(|report| report.quorum).collect();
    let newest = papers.iter().map(|paper| paper.serial).max().unwrap_or(0);
    for report in reports {
        if report.genesis.is_some_and(|genesis| genesis != first) {
            let fault = Fault::TwoConsortia(first);
            report.fail(Check::Genesis, FileName::Genesis, None, fault);
        }
        let Some(own) = report.quorum else { continue };
        let serial = own.serial;
        let other = |paper: &QuorumPaper| {
            let same = paper.genesis == own.genesis && paper.serial == serial;
            same && paper.sha256 != own.sha256
        };
        if papers.iter().any(other) {
            let fault = Fault::QuorumSerial(serial);
            report.fail(Check::Witnesses, FileName::QuorumPaper, None, fault);
        }
        if serial < newest {
            let remark = Remark::OlderQuorum { serial, newest };
            report.remark(Check::Witnesses, None, remark);
        }
    }
}
