//! Attacks on effects that fail: nothing waits for ever for what never comes.

use std::time::Duration;

use super::consortium::hospital;
use super::desk::{Desk, Failing};
use crate::audit::header::Kind;
use crate::ids::Fence;
use crate::io::{Event, Verdict};
use crate::limits;
use crate::wire::Message;

const PROVE: Failing = Failing {
    prove: true,
    sign: false,
    purge: false,
};
const SIGN: Failing = Failing {
    prove: false,
    sign: true,
    purge: false,
};
const PURGE: Failing = Failing {
    prove: false,
    sign: false,
    purge: true,
};

/// A desk with a grant whose receipt cannot be made.
fn without_receipt(failing: Failing) -> (Desk, Fence) {
    let mut desk = Desk::new(2);
    let offer = desk.claim(7);
    let (fence, grant) = desk.grant(offer);
    desk.failing = failing;
    assert_eq!(desk.hears(&Message::Grant(grant)), Verdict::Accept);
    assert_eq!(desk.said("RECEIPT"), 0);
    (desk, fence)
}

/// Time passes at a hospital that answers every renewal.
fn held(desk: &mut Desk, span: Duration) {
    for _ in 0..span.as_secs() {
        let answered = desk.renewals().len();
        desk.pass(Duration::from_secs(1));
        if desk.renewals().len() > answered {
            desk.renewed();
        }
    }
}

#[test]
fn a_receipt_is_tried_again() {
    for failing in [PROVE, SIGN] {
        let (mut desk, fence) = without_receipt(failing);
        held(&mut desk, Duration::from_secs(10));
        assert_eq!((desk.said("RECEIPT"), desk.said("HAND_BACK")), (0, 0));
        desk.failing = Failing::default();
        held(&mut desk, Duration::from_secs(10));
        assert!(desk.said("RECEIPT") > 0, "{failing:?}");
        assert_eq!(desk.state(fence), Some("leased"));
    }
}

#[test]
fn a_receipt_that_cannot_be_made_gives_the_case_back() {
    for failing in [PROVE, SIGN] {
        let (mut desk, fence) = without_receipt(failing);
        held(&mut desk, Duration::from_secs(200));
        assert_eq!(desk.logged(Kind::CaseHandedBack), 1, "{failing:?}");
        assert_eq!(desk.state(fence), Some("handed back"));
        let given_back = desk.sent.iter().any(|message| {
            let Message::HandBack(end) = message else {
                return false;
            };
            end.reason == "this desk could not make its receipt"
        });
        assert!(given_back);
        // The case is held no longer.
        let renewals = desk.renewals().len();
        desk.pass(limits::LEASE);
        assert_eq!(desk.renewals().len(), renewals);
        assert_eq!(desk.purges, vec![fence]);
    }
}

#[test]
fn a_purge_is_tried_until_it_is_done() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    desk.failing = PURGE;
    assert_eq!(desk.hands_back(fence, "not my field"), Ok(()));
    desk.pass(Duration::from_secs(600));
    let tries = desk.purges.len();
    assert!((10..=20).contains(&tries), "with back-off: {tries}");
    assert_eq!(desk.logged(Kind::AccessEnded), 0);
    desk.failing = Failing::default();
    desk.pass(limits::RESEND_MAX);
    assert_eq!(desk.logged(Kind::AccessEnded), 1);
    desk.pass(Duration::from_secs(600));
    assert_eq!(desk.purges.len(), tries + 1);
}

#[test]
fn a_report_that_is_not_signed_is_told_and_can_be_signed_again() {
    let mut desk = Desk::new(2);
    let fence = desk.reads(7);
    desk.failing = SIGN;
    assert_eq!(desk.reports(fence), Ok(()));
    let told = Event::LeaseState {
        fence,
        owner: hospital(),
        state: "report not signed",
    };
    assert!(desk.events.contains(&told));
    assert_eq!(desk.state(fence), Some("reading"));
    desk.failing = Failing::default();
    assert_eq!(desk.reports(fence), Ok(()));
    assert_eq!(
        (desk.said("REPORT"), desk.state(fence)),
        (1, Some("reported"))
    );
}
