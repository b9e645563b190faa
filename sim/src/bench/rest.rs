//! A core that cannot go on waits, with a timer that is yet to come; a desk that was off is asked
//! again.

use protocol::audit::header::Kind;
use protocol::ids::StudyId;
use protocol::io::Command;
use protocol::limits;
use protocol::wire::Message;

use super::{ANNA, BORIS, Bench, HOSPITAL};
use crate::world;

/// The hospital's log takes no more: studies without orders, none of them durable.
fn fill(bench: &mut Bench) {
    bench.stuck = true;
    for number in 0..limits::APPEND_QUEUE_MAX as u32 + 10 {
        let mut bytes = [3; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let study = StudyId::from_bytes(bytes);
        let mut alone = world::describe(study);
        alone.order = None;
        bench.described.insert(study, alone);
        let stored = bench.command(HOSPITAL, Command::ObjectStored { study });
        stored.expect("a hospital");
    }
    bench.advance(6);
}

#[test]
fn a_full_log_does_not_make_the_timers_spin() {
    let mut bench = Bench::new();
    bench.on_duty(ANNA);
    bench.store(world::study_id(HOSPITAL, 1));
    bench.lost = |message| matches!(message, Message::Offer(_));
    bench.on_duty(BORIS);
    bench.crash(ANNA);
    bench.store(world::study_id(HOSPITAL, 2));
    let states = |bench: &Bench| {
        let cases = bench.cases();
        let mut states: Vec<_> = cases.iter().map(|case| case.state).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(states(&bench), ["offered", "reading"]);
    fill(&mut bench);
    // A lease runs out, a deadline passes: neither can be logged.
    bench.advance(7_200);
    assert_eq!(states(&bench), ["offered", "reading"]);
    bench.unstick();
    bench.advance(120);
    assert_eq!(states(&bench), ["escalated", "escalated"]);
    assert_eq!(bench.logged(Kind::LeaseExpired), 1);
}

#[test]
fn a_desk_that_was_off_is_asked_again() {
    let mut bench = Bench::new();
    bench.lost = |message| matches!(message, Message::Offer(_));
    bench.on_duty(ANNA);
    bench.store(world::study_id(HOSPITAL, 1));
    assert_eq!(bench.case().state, "offered");
    bench.lost = |_| false;
    bench.restart(ANNA, 5);
    assert_eq!(bench.case().state, "offered");
    // At once, and not when the ring is repeated.
    bench.on_duty(ANNA);
    assert_eq!(bench.case().state, "reading");
}

#[test]
fn late_images_of_another_modality_are_judged_with_the_rest() {
    let mut bench = Bench::new();
    bench.lost = |message| matches!(message, Message::Offer(_));
    bench.on_duty(ANNA);
    let study = world::study_id(HOSPITAL, 1);
    bench.store(study);
    let mut late = world::describe(study);
    late.study.objects += 1;
    late.study.modalities = vec!["CT".to_owned(), "MG".to_owned()];
    bench.described.insert(study, late);
    bench.store(study);
    assert_eq!(bench.logged(Kind::StudyReceived), 2);
    // The reader reads no mammograms: what came later is not read as what came first.
    bench.lost = |_| false;
    bench.restart(ANNA, 5);
    bench.on_duty(ANNA);
    bench.advance(120);
    assert_eq!(bench.case().state, "escalated");
    assert_eq!(bench.logged(Kind::ReleaseRefused), 1);
}
