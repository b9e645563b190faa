//! Attacks on the desk's promises: what it counts, what it keeps, what it drops.

mod desk;

use std::time::Duration;

use super::*;
use crate::io::Event;
use crate::limits;
use crate::wire::case::{Denial, Deny};
use desk::{Desk, hospital};

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
    let told = desk.events.iter().find_map(|event| match event {
        Event::Denied { rules, reason, .. } => Some((rules, reason)),
        _ => None,
    });
    let (rules, reason) = told.expect("a denial is told");
    assert_eq!(reason.len(), limits::TEXT_MAX);
    assert_eq!(rules.len(), limits::RULES_MAX);
    assert!(rules.iter().all(|rule| rule.len() <= limits::RULE_NAME_MAX));
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
    let mut draft = desk::draft();
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
