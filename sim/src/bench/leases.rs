//! A lease after restarts, after its end, and when nothing is durable.

use protocol::audit::header::Kind;
use protocol::ids::Fence;
use protocol::io::Command;
use protocol::limits;
use protocol::transfer::request::FetchStatus;
use protocol::wire::Message;
use protocol::wire::case::{Denial, Lease, LeaseEnd};

use super::{ANNA, BORIS, Bench, HOSPITAL};
use crate::world;

const LEASE_S: u64 = limits::LEASE.as_secs();

fn renew(fence: Fence) -> Message {
    Message::Renew(Lease {
        fence: fence.0,
        sequence: 1,
    })
}

fn purged(fence: Fence, purged: bool) -> Message {
    Message::Purged(LeaseEnd {
        fence: fence.0,
        reason: String::new(),
        purged,
    })
}

fn renewals(bench: &Bench) -> usize {
    bench.answers(ANNA, |m| matches!(m, Message::Renewed(_)))
}

fn acks(bench: &Bench) -> usize {
    bench.answers(ANNA, |m| matches!(m, Message::PurgedAck(_)))
}

fn fetch(bench: &Bench, fence: Fence) -> Result<(), FetchStatus> {
    let now = bench.now(HOSPITAL);
    let session = bench.consortium.hosts[ANNA].session(now.wall);
    let core = bench.hosts[HOSPITAL].core.as_ref().expect("it is up");
    let ticket = core.may_fetch(bench.node(ANNA), fence, &session, now);
    ticket.map(|_| ())
}

/// Anna's lease has expired, and her desk is down.
fn expired() -> (Bench, Fence) {
    let (mut bench, _, fence) = Bench::reading();
    bench.crash(ANNA);
    bench.advance(LEASE_S + 10);
    assert_eq!(bench.logged(Kind::LeaseExpired), 1);
    (bench, fence)
}

/// Anna has handed the case back and takes no other.
fn handed_back() -> (Bench, Fence) {
    let (mut bench, _, fence) = Bench::reading();
    let off = Command::Advertise {
        session: bench.consortium.hosts[ANNA].session(bench.now(ANNA).wall),
        slots: 0,
    };
    bench.command(ANNA, off).expect("a valid session");
    let owner = bench.node(HOSPITAL);
    let reason = "not mine".to_owned();
    let back = Command::HandBack {
        fence,
        owner,
        reason,
    };
    bench.command(ANNA, back).expect("a lease");
    bench.crash(ANNA);
    (bench, fence)
}

#[test]
fn after_a_restart_only_the_cases_that_are_held_wait() {
    for reported in [true, false] {
        let (mut bench, _, fence) = Bench::reading();
        if reported {
            bench.report(ANNA, fence);
        }
        bench.restart(HOSPITAL, 1);
        bench.on_duty(BORIS);
        bench.store(world::study_id(HOSPITAL, 2));
        let by_boris = Some(bench.node(BORIS));
        let cases = bench.cases();
        assert!(
            cases.iter().any(|case| case.reader == by_boris),
            "{reported}"
        );
    }
}

#[test]
fn a_claim_of_a_case_that_may_still_be_held_is_answered() {
    let mut bench = Bench::new();
    bench.on_duty(ANNA);
    bench.on_duty(BORIS);
    bench.store(world::study_id(HOSPITAL, 1));
    let reader = bench.case().reader.expect("a reader");
    let loser = if reader == bench.node(ANNA) {
        BORIS
    } else {
        ANNA
    };
    let offers = bench.offers().into_iter();
    let mut mine = offers.filter(|(node, _)| *node == bench.node(loser));
    let (_, offer) = mine.next().expect("both were asked");
    bench.restart(HOSPITAL, 1);
    bench.say(loser, bench.claim(loser, offer.clone()));
    let denial = |m: &Message| {
        let Message::Deny(deny) = m else { return None };
        (deny.offer == offer).then_some(deny.denial)
    };
    let later = Some(Denial::Unavailable as i32);
    assert_eq!(bench.answer(loser, denial), later);
    // The holder says that it is still there: now it is known that the case is taken.
    bench.advance(60);
    bench.say(loser, bench.claim(loser, offer.clone()));
    assert_eq!(bench.answer(loser, denial), Some(Denial::Taken as i32));
}

#[test]
fn what_was_handed_back_or_cancelled_is_not_renewed_after_a_restart() {
    let (mut bench, fence) = handed_back();
    bench.restart(HOSPITAL, 1);
    let before = renewals(&bench);
    bench.say(ANNA, renew(fence));
    assert_eq!((bench.case().fence, renewals(&bench)), (None, before));
    assert_eq!(bench.logged(Kind::LeaseResumed), 0);
    let (mut bench, case, fence) = Bench::reading();
    bench.crash(ANNA);
    let reason = "ordered twice".to_owned();
    let cancel = Command::CancelCase { case, reason };
    bench
        .command(HOSPITAL, cancel)
        .expect("it may be cancelled");
    bench.restart(HOSPITAL, 1);
    let before = renewals(&bench);
    bench.say(ANNA, renew(fence));
    assert_eq!(renewals(&bench), before);
}

#[test]
fn grace_goes_on_where_it_was_before_a_restart() {
    for (left, resumes) in [(true, 1), (false, 0)] {
        let (mut bench, fence) = expired();
        bench.advance(200);
        bench.restart(HOSPITAL, 1);
        bench.advance(if left { 30 } else { 120 });
        bench.say(ANNA, renew(fence));
        assert_eq!(bench.logged(Kind::LeaseResumed), resumes, "{left}");
    }
}

#[test]
fn a_resumed_lease_is_worth_nothing_until_it_is_logged() {
    let (mut bench, fence) = expired();
    bench.stuck = true;
    let before = renewals(&bench);
    bench.say(ANNA, renew(fence));
    bench.say(ANNA, renew(fence));
    assert!(fetch(&bench, fence).is_err());
    assert_eq!(renewals(&bench), before);
    bench.unstick();
    assert_eq!(fetch(&bench, fence), Ok(()));
    assert_eq!(renewals(&bench), before + 1);
    bench.say(ANNA, renew(fence));
    assert_eq!(renewals(&bench), before + 2);
}

#[test]
fn a_lease_without_a_receipt_is_not_renewed_for_ever() {
    let mut bench = Bench::new();
    bench.lost = |message| matches!(message, Message::Receipt(_));
    bench.on_duty(ANNA);
    bench.store(world::study_id(HOSPITAL, 1));
    let fence = bench.case().fence.expect("a lease");
    bench.crash(ANNA);
    for _ in 0..2 * LEASE_S / 30 - 1 {
        bench.advance(30);
        bench.say(ANNA, renew(fence));
    }
    assert_eq!(bench.case().fence, Some(fence));
    for _ in 0..LEASE_S / 30 + 1 {
        bench.advance(30);
        bench.say(ANNA, renew(fence));
    }
    assert_eq!(bench.case().fence, None);
    assert_eq!(bench.logged(Kind::LeaseExpired), 1);
}

#[test]
fn a_purge_is_logged_once_and_only_when_the_lease_is_over() {
    let (mut bench, _, fence) = Bench::reading();
    for _ in 0..3 {
        bench.say(ANNA, purged(fence, true));
        bench.say(ANNA, purged(fence, false));
    }
    assert_eq!((bench.logged(Kind::AccessEnded), acks(&bench)), (0, 0));
    bench.crash(ANNA);
    bench.advance(LEASE_S + 10);
    assert_eq!(bench.logged(Kind::AccessEnded), 1);
    for restart in [false, true] {
        if restart {
            bench.restart(HOSPITAL, 1);
        }
        for _ in 0..3 {
            bench.say(ANNA, purged(fence, false));
            bench.say(ANNA, purged(fence, true));
        }
        assert_eq!(bench.logged(Kind::AccessEnded), 2);
    }
    assert_eq!(acks(&bench), 6);
}

#[test]
fn an_acknowledged_delivery_is_closed_after_a_crash() {
    let (mut bench, _, fence) = Bench::reading();
    bench.stuck_at = Some(Kind::CaseClosed);
    bench.report(ANNA, fence);
    assert_eq!(bench.logged(Kind::ReportDelivered), 1);
    bench.stuck_at = None;
    bench.restart(HOSPITAL, 1);
    assert_eq!(bench.case().state, "closed");
    assert_eq!(bench.logged(Kind::CaseClosed), 1);
    let (mut bench, _, fence) = Bench::reading();
    bench.acknowledges = false;
    bench.report(ANNA, fence);
    bench.restart(HOSPITAL, 1);
    assert_eq!(bench.case().state, "delivered");
}
