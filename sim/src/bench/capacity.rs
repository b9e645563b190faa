//! How many cases a hospital can have: at once, and in its life.

use protocol::io::{Command, Event};
use protocol::limits;

use super::{ANNA, Bench, HOSPITAL};
use crate::world;

fn study(number: u32) -> protocol::ids::StudyId {
    let mut bytes = [9; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    protocol::ids::StudyId::from_bytes(bytes)
}

/// Opens `count` cases, and cancels them when `cancel` says so.
fn open(bench: &mut Bench, numbers: std::ops::Range<u32>, cancel: bool) {
    for number in numbers {
        let study = study(number);
        bench
            .command(HOSPITAL, Command::ObjectStored { study })
            .expect("a hospital");
    }
    bench.advance(6);
    if cancel {
        for case in bench.cases() {
            let reason = "ordered twice".to_owned();
            let cancel = Command::CancelCase {
                case: case.case,
                reason,
            };
            let done = bench.command(HOSPITAL, cancel);
            assert_eq!(done.is_ok(), case.state != "cancelled");
        }
    }
}

fn live(bench: &Bench) -> usize {
    let cases = bench.cases().into_iter();
    cases.filter(|case| case.state != "cancelled").count()
}

#[test]
fn ended_cases_take_no_room_and_a_study_without_room_comes_again() {
    let most = limits::CASES_MAX as u32;
    let mut bench = Bench::new();
    open(&mut bench, 0..most, true);
    open(&mut bench, most..2 * most + 1, false);
    assert_eq!(live(&bench), limits::CASES_MAX);
    let waits = |event: &Event| matches!(event, Event::StudyWaits { .. });
    assert!(bench.told.iter().any(waits));
    let some = bench.cases().into_iter().find(|c| c.state != "cancelled");
    let cancel = Command::CancelCase {
        case: some.expect("a live case").case,
        reason: "ordered twice".to_owned(),
    };
    bench
        .command(HOSPITAL, cancel)
        .expect("it may be cancelled");
    bench.advance(61);
    assert_eq!(live(&bench), limits::CASES_MAX);
}

#[test]
fn an_ended_case_leaves_memory_and_its_study_does_not_open_another() {
    let (mut bench, _, fence) = Bench::reading();
    bench.report(ANNA, fence);
    assert_eq!(bench.case().state, "closed");
    bench.crash(ANNA);
    bench.advance(limits::ENDED_KEPT.as_secs());
    // Whatever is logged next shows how late it is: the case goes.
    bench.store(world::study_id(HOSPITAL, 2));
    assert_eq!(bench.case().state, "escalated");
    for _ in 0..2 {
        bench.store(world::study_id(HOSPITAL, 1));
        assert_eq!(bench.case().state, "escalated");
        let mut late = world::describe(world::study_id(HOSPITAL, 1));
        late.study.objects += 1;
        bench.described.insert(world::study_id(HOSPITAL, 1), late);
        bench.store(world::study_id(HOSPITAL, 1));
        assert_eq!(bench.case().state, "escalated");
        bench.restart(HOSPITAL, 1);
        assert_eq!(bench.case().state, "escalated");
    }
    let kept = bench.hosts[HOSPITAL].core.as_ref().expect("it is up");
    assert!(kept.known_studies().contains(&world::study_id(HOSPITAL, 1)));
    use protocol::audit::header::Kind;
    assert_eq!(bench.logged(Kind::CaseOpened), 2);
    assert_eq!(
        bench.logged(Kind::StudyReceived),
        3,
        "late images are logged once"
    );
}
