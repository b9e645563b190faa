//! Attacks on renewals: which answer counts, and from when.

use std::time::Duration;

use super::desk::Desk;
use crate::io::Verdict;
use crate::limits;
use crate::time::shortened;
use crate::wire::Message;

#[test]
fn an_answer_from_before_a_restart_holds_nothing() {
    let mut desk = Desk::new(2);
    let offer = desk.claim(7);
    let (_, grant) = desk.grant(offer);
    assert_eq!(desk.hears(&Message::Grant(grant)), Verdict::Accept);
    let old = desk.renewals()[0];
    desk.restart(Duration::from_secs(80));
    assert_eq!(desk.on_duty(2), Ok(()));
    let new = desk.renewals()[0];
    assert_ne!(old.sequence, new.sequence);
    let late = Verdict::Ignore("the answer to an earlier renewal");
    assert_eq!(desk.hears(&Message::Renewed(old)), late);
    assert!(!desk.core.leases()[0].held);
    assert_eq!(desk.hears(&Message::Renewed(new)), Verdict::Accept);
    assert!(desk.core.leases()[0].held);
}

#[test]
fn a_lease_is_counted_from_when_its_renewal_was_sent() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    desk.pass(limits::RENEW + Duration::from_secs(20));
    // Sent 20 seconds ago, answered now.
    desk.renewed();
    let left = shortened(limits::LEASE) - Duration::from_secs(20);
    desk.pass(left - Duration::from_millis(1));
    assert_eq!(desk.state(fence), Some("reading"));
    desk.pass(Duration::from_millis(1));
    assert_eq!(desk.state(fence), Some("lease lost"));
}

#[test]
fn each_renewal_has_the_next_number_and_only_the_newest_counts() {
    let mut desk = Desk::new(2);
    desk.reads(7);
    desk.pass(limits::RENEW * 2);
    let renewals = desk.renewals();
    let numbers: Vec<u64> = renewals.iter().map(|renewal| renewal.sequence).collect();
    let next: Vec<u64> = (0..3).map(|n| numbers[0].wrapping_add(n)).collect();
    assert_eq!(numbers, next);
    let late = Verdict::Ignore("the answer to an earlier renewal");
    assert_eq!(desk.hears(&Message::Renewed(renewals[1])), late);
    assert_eq!(desk.hears(&Message::Renewed(renewals[2])), Verdict::Accept);
}

#[test]
fn an_answer_after_the_report_holds_no_images() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    desk.pass(limits::RENEW);
    assert_eq!(desk.reports(fence), Ok(()));
    let renewal = desk.renewals()[1];
    let late = Verdict::Ignore("the answer comes too late to hold the lease");
    assert_eq!(desk.hears(&Message::Renewed(renewal)), late);
    desk.pass(limits::LEASE + limits::LEASE_GRACE);
    assert_eq!(desk.purges, vec![fence]);
}

#[test]
fn a_lease_from_a_second_claim_counts_only_when_renewed() {
    // The owner may have granted the first one, whose grant was lost.
    let mut desk = Desk::new(2);
    let offer = desk.claim(7);
    let (_, grant) = desk.grant(offer);
    desk.pass(limits::CLAIM + limits::RESEND_MAX);
    assert_eq!(desk.core.offers(), vec![]);
    assert_eq!(desk.claim(7), offer);
    assert_eq!(desk.hears(&Message::Grant(grant)), Verdict::Accept);
    assert!(!desk.core.leases()[0].held);
    desk.renewed();
    assert!(desk.core.leases()[0].held);
}
