//! Claims that are refused, releases that cannot be made, and what a grant says that it releases.

use protocol::audit::header::{Kind, bucket};
use protocol::audit::record::Record;
use protocol::limits;
use protocol::wire::Message;
use protocol::wire::case::Denial;

use super::{ANNA, Bench, HOSPITAL};
use crate::world;

/// The reader whom no policy permits.
const UNLICENSED: usize = 4;

#[test]
fn a_policy_refusal_is_answered_each_time_and_logged_once() {
    let (mut bench, _, _) = Bench::reading();
    bench.crash(ANNA);
    bench.advance(limits::LEASE.as_secs() + 10);
    let (_, offer) = bench.offers().remove(0);
    for _ in 0..5 {
        bench.say(UNLICENSED, bench.claim(UNLICENSED, offer.clone()));
    }
    assert_eq!(bench.logged(Kind::ReleaseRefused), 1);
    bench.restart(HOSPITAL, 1);
    bench.say(UNLICENSED, bench.claim(UNLICENSED, offer));
    assert_eq!(bench.logged(Kind::ReleaseRefused), 1);
    let denied = |m: &Message| matches!(m, Message::Deny(d) if d.denial == Denial::Policy as i32);
    assert_eq!(bench.answers(UNLICENSED, denied), 6);
}

#[test]
fn a_grant_says_what_leaves() {
    let mut bench = Bench::new();
    bench.on_duty(ANNA);
    let volume = (5_000_000_000, 9_000);
    bench.volume = Some(volume);
    bench.store(world::study_id(HOSPITAL, 1));
    let log = bench.log();
    let granted = |(_, record): &(_, Record)| record.kind() == Kind::ReleaseGranted;
    let (header, _) = log.into_iter().find(granted).expect("a grant");
    let said = (header.bytes_bucket, header.instances_bucket);
    assert_eq!(said, (bucket(volume.0), bucket(volume.1)));
}

#[test]
fn a_release_that_cannot_be_made_is_tried_slowly_and_people_are_paged() {
    const REASON: &str = "the study's objects name different patients";
    let mut bench = Bench::new();
    bench.on_duty(ANNA);
    bench.unprepared = Some(REASON);
    bench.store(world::study_id(HOSPITAL, 1));
    let offers = bench.offers();
    let (_, offer) = offers.first().expect("Anna is asked");
    for _ in 0..20 {
        bench.say(ANNA, bench.claim(ANNA, offer.clone()));
    }
    assert_eq!(bench.prepared, 1);
    let denied = |m: &Message| {
        let Message::Deny(deny) = m else { return None };
        Some((deny.denial, deny.reason.clone()))
    };
    let unavailable = Some((Denial::Unavailable as i32, REASON.to_owned()));
    assert_eq!(bench.answer(ANNA, denied), unavailable);
    bench.advance(600);
    let most = 2 + 600 / limits::RESEND_MAX.as_secs() as u32;
    assert!((3..=most).contains(&bench.prepared), "{}", bench.prepared);
    let named = bench.pages.iter().filter(|page| page.contains(REASON));
    assert_eq!(named.count(), 1);
    // It can be made again: the case goes on.
    bench.unprepared = None;
    bench.advance(120);
    assert_eq!(bench.case().state, "reading");
}
