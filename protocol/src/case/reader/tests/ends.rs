//! Attacks on the end of a read: what is dropped, when, and what is still said.

use std::time::Duration;

use super::consortium::hospital;
use super::desk::Desk;
use crate::audit::header::Kind;
use crate::audit::record::Record;
use crate::ids::Fence;
use crate::io::{Command, CommandError, Verdict};
use crate::limits;
use crate::wire::Message;
use crate::wire::case::{LeaseEnd, ReportAck};

/// The longest that a lease and its grace last without an answer.
const WHOLE: Duration =
    Duration::from_secs(limits::LEASE.as_secs() + limits::LEASE_GRACE.as_secs() + 1);

fn revoked(fence: Fence) -> Message {
    Message::Revoked(LeaseEnd {
        fence: fence.0,
        reason: "the lease is over".to_owned(),
        purged: false,
    })
}

/// The acknowledgement of the newest report.
pub(super) fn acknowledged(desk: &Desk, fence: Fence) -> Message {
    let mut hash = None;
    for message in &desk.sent {
        if let Message::Report(report) = message {
            hash = Some(crypto::envelope::digest_of(&report.report));
        }
    }
    let hash = hash.expect("a report is sent");
    Message::ReportAck(ReportAck {
        fence: fence.0,
        report_hash: hash.as_bytes().to_vec(),
        additional: false,
    })
}

/// What the newest end of access says of an answer that is still missing.
fn unanswered(desk: &Desk) -> Option<bool> {
    let Record::AccessEnded(access) = desk.last(Kind::AccessEnded)? else {
        return None;
    };
    Some(access.unanswered)
}

#[test]
fn a_hand_back_drops_the_images_at_once() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    assert_eq!(desk.hands_back(fence, "not my field"), Ok(()));
    assert_eq!(desk.purges, vec![fence]);
    assert_eq!(desk.logged(Kind::AccessEnded), 1);
    assert_eq!(unanswered(&desk), Some(true));
    // The owner is silent: the hand-back goes on being said, and nothing else.
    assert_eq!(desk.state(fence), Some("handed back"));
    desk.pass(Duration::from_secs(60));
    assert!(desk.said("HAND_BACK") > 2);
    assert_eq!(desk.said("PURGED"), 0);
    assert_eq!(desk.hears(&revoked(fence)), Verdict::Accept);
    assert_eq!(desk.said("PURGED"), 1);
    assert_eq!(desk.purges, vec![fence]);
    assert_eq!(desk.logged(Kind::AccessEnded), 1);
}

#[test]
fn a_hand_back_survives_a_restart_until_it_is_answered() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    assert_eq!(desk.hands_back(fence, "not my field"), Ok(()));
    desk.restart(Duration::from_secs(600));
    assert_eq!(desk.state(fence), Some("handed back"));
    assert_eq!((desk.said("HAND_BACK"), desk.said("PURGED")), (1, 0));
    assert_eq!(desk.purges, vec![]);
    assert_eq!(desk.hears(&revoked(fence)), Verdict::Accept);
    assert_eq!(desk.said("PURGED"), 1);
    desk.restart(limits::ENDED_KEEP);
    assert_eq!(desk.state(fence), None);
}

#[test]
fn a_report_keeps_no_images_beyond_its_lease() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    assert_eq!(desk.reports(fence), Ok(()));
    assert_eq!(desk.purges, vec![]);
    desk.pass(WHOLE);
    assert_eq!(desk.purges, vec![fence]);
    assert_eq!(unanswered(&desk), Some(true));
    assert_eq!(desk.state(fence), Some("reported"));
    let said = desk.said("REPORT");
    desk.pass(Duration::from_secs(300));
    assert!(desk.said("REPORT") > said);
    assert_eq!(desk.said("PURGED"), 0);
    // Nothing is lost: the report is said after a month and a restart too.
    desk.restart(Duration::from_secs(30 * 24 * 3_600));
    assert_eq!(desk.said("REPORT"), 1);
    assert_eq!(desk.purges, vec![]);
    let ack = acknowledged(&desk, fence);
    assert_eq!(desk.hears(&ack), Verdict::Accept);
    assert_eq!(
        (desk.state(fence), desk.said("PURGED")),
        (Some("purged"), 1)
    );
    assert_eq!(desk.logged(Kind::AccessEnded), 1);
}

#[test]
fn a_report_before_a_restart_keeps_no_images_either() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    assert_eq!(desk.reports(fence), Ok(()));
    desk.restart(Duration::from_secs(5));
    assert_eq!(desk.said("REPORT"), 1);
    desk.pass(WHOLE);
    assert_eq!(
        (desk.purges.clone(), unanswered(&desk)),
        (vec![fence], Some(true))
    );
}

#[test]
fn an_acknowledged_report_is_over_when_it_is_purged() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    assert_eq!(desk.reports(fence), Ok(()));
    let ack = acknowledged(&desk, fence);
    assert_eq!(desk.hears(&ack), Verdict::Accept);
    assert_eq!(unanswered(&desk), Some(false));
    desk.restart(Duration::from_secs(5));
    assert_eq!((desk.said("REPORT"), desk.said("PURGED")), (0, 1));
}

#[test]
fn what_was_handed_back_cannot_be_reported() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    assert_eq!(desk.hands_back(fence, "not my field"), Ok(()));
    let late = CommandError::NotNow("the lease is not being read");
    assert_eq!(desk.reports(fence), Err(late));
    let owner = hospital();
    let reason = String::new();
    let again = desk.command(Command::HandBack {
        fence,
        owner,
        reason,
    });
    assert_eq!(again, Err(late));
}
