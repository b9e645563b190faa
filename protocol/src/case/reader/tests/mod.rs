//! Attacks on the desk's promises: what it counts, what it keeps, what it drops.

mod consortium;
mod desk;
mod ends;
mod renewals;
mod stalls;

use std::time::Duration;

use super::*;
use crate::io::Event;
use crate::limits;
use crate::wire::case::{Denial, Deny};
use consortium::{draft, hospital};
use desk::Desk;

#[test]
fn a_denial_told_to_people_is_short() {
    let mut desk = Desk::new(2);
    let offer = desk.claim(7);
    desk.hears(&Message::Deny(Deny {
        offer: offer.to_vec(),
        denial: Denial::Policy as i32,
        rules: vec!["x".repeat(900); 900],
        reason: "x".repeat(100_000),
    }));
    let mut told = 0;
    for event in &desk.events {
        if let Event::Denied { rules, reason, .. } = event {
            told += 1;
            assert_eq!(reason.len(), limits::TEXT_MAX);
            assert_eq!(rules.len(), limits::RULES_MAX);
            assert!(rules.iter().all(|rule| rule.len() <= limits::RULE_NAME_MAX));
        }
    }
    assert_eq!(told, 1);
}

#[test]
fn what_a_person_types_is_bounded_before_it_is_logged() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    let refused = desk.hands_back(fence, &"x".repeat(limits::TEXT_MAX + 1));
    assert_eq!(
        refused,
        Err(CommandError::Invalid("the reason is longer than 256 bytes"))
    );
    let mut draft = draft();
    draft.language = "x".repeat(36);
    let owner = hospital();
    let refused = desk.command(Command::Report {
        fence,
        owner,
        draft,
    });
    assert!(matches!(refused, Err(CommandError::Invalid(_))));
    assert_eq!(desk.state(fence), Some("reading"));
    desk.pass(Duration::from_secs(1));
}

/// The hospital's answers after the report, but for the last.
fn reports_and_purges(desk: &mut Desk, fence: Fence) {
    assert_eq!(desk.reports(fence), Ok(()));
    let ack = ends::acknowledged(desk, fence);
    assert_eq!(desk.hears(&ack), Verdict::Accept);
    assert_eq!(desk.state(fence), Some("purged"));
}

fn free(desk: &Desk) -> u32 {
    let reader = desk.core.reader().expect("a desk");
    reader.free_slots(desk.now().wall)
}

#[test]
fn only_what_is_read_takes_a_slot() {
    let mut desk = Desk::new(2);
    assert_eq!(free(&desk), 2);
    let fence = desk.reads(7);
    assert_eq!(free(&desk), 1);
    desk.claim(8);
    assert_eq!(free(&desk), 0);
    reports_and_purges(&mut desk, fence);
    assert_eq!(free(&desk), 1);
}

#[test]
fn a_lease_that_ended_takes_no_slot_after_a_restart() {
    let mut desk = Desk::new(2);
    for number in 1..=4 {
        let fence = desk.reads(number);
        reports_and_purges(&mut desk, fence);
    }
    desk.restart(Duration::from_secs(60));
    assert_eq!(desk.said("PURGED"), 4);
    assert_eq!(desk.on_duty(2), Ok(()));
    assert_eq!(free(&desk), 2);
}

#[test]
fn an_ended_lease_is_forgotten_after_a_week_live_and_in_replay() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    reports_and_purges(&mut desk, fence);
    desk.restart(limits::ENDED_KEEP - Duration::from_secs(3_600));
    assert_eq!(desk.state(fence), Some("purged"));
    let before = desk.said("PURGED");
    desk.pass(Duration::from_secs(300));
    let more = desk.said("PURGED") - before;
    assert!((2..=10).contains(&more), "with back-off: {more}");
    desk.pass(Duration::from_secs(3_600));
    assert_eq!(desk.state(fence), None);
    desk.restart(Duration::from_secs(1));
    assert_eq!(desk.state(fence), None);
    assert_eq!(desk.said("PURGED"), 0);
}

#[test]
fn a_claim_is_said_again_only_while_it_is_young() {
    let mut desk = Desk::new(2);
    desk.claim(7);
    desk.restart(Duration::from_secs(60));
    assert_eq!(desk.on_duty(2), Ok(()));
    assert_eq!((desk.said("CLAIM"), free(&desk)), (1, 1));
    desk.restart(limits::CLAIM);
    assert_eq!(desk.on_duty(2), Ok(()));
    assert_eq!((desk.said("CLAIM"), free(&desk)), (0, 2));
    assert_eq!(desk.core.offers(), vec![]);
}

#[test]
fn a_lease_from_a_claim_before_a_restart_counts_only_when_renewed() {
    // Its owner may have granted it long before the claim was said again.
    let mut desk = Desk::new(2);
    let offer = desk.claim(7);
    let (_, grant) = desk.grant(offer);
    desk.restart(Duration::from_secs(80));
    assert_eq!(desk.on_duty(2), Ok(()));
    assert_eq!(desk.hears(&Message::Grant(grant)), Verdict::Accept);
    assert!(!desk.core.leases()[0].held);
    desk.renewed();
    assert!(desk.core.leases()[0].held);
}

#[test]
fn a_lease_that_nobody_resumes_is_given_up() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    desk.restart(Duration::from_secs(5));
    desk.pass(limits::LEASE + limits::LEASE_GRACE + Duration::from_secs(1));
    assert_eq!(desk.purges, vec![fence]);
    assert_eq!(desk.state(fence), Some("purged"));
}

#[test]
fn a_desk_takes_only_so_many_reads_at_once() {
    let mut desk = Desk::new(u32::MAX);
    for number in 0..limits::READS_MAX {
        desk.claim(u8::try_from(number).expect("256 of them"));
    }
    let offer = OfferId::from_bytes([1; 16]);
    let owner = hospital();
    let refused = desk.command(Command::Claim { offer, owner });
    let why = CommandError::NotNow("too many reads are unfinished");
    assert_eq!(refused, Err(why));
}
