//! Times: against one another, and against what witnesses saw.

use super::attacks::with;
use super::world::{World, header};
use super::*;
use crate::audit::header::{Header, Kind};
use crate::audit::record::{CaseNote, Record};

#[test]
fn times_do_not_run_back_unless_the_node_says_so() {
    let mut world = World::new();
    world.idle(true);
    let at = |us: u64, kind| Header {
        time_us: us,
        uncertainty_us: 50_000,
        ..header(kind)
    };
    let record = Record::CaseClosed(CaseNote::default());
    let now = world.now * 1_000_000;
    // Within both uncertainties and the time that a grant may wait for its signature.
    let earlier = |us: u64| at(now - us, Kind::CaseClosed);
    world.append_as_is(true, earlier(10_090_000), record.clone());
    assert_eq!(failures(&world.archive(true)), []);
    world.append_as_is(true, earlier(10_200_000), record.clone());
    let file = "log/tile/entries/000.p/4".to_owned();
    let back = Fault::TimeRunsBack(10_100_000);
    assert_eq!(only(&world.archive(true)), (Check::Entries, file, back));

    let mut world = World::new();
    world.idle(true);
    world.append_as_is(true, at(1_000_000, Kind::ClockAnomaly), record.clone());
    world.append_as_is(true, at(1_000_001, Kind::CaseClosed), record);
    let found = verdict(&[&world.archive(true)]);
    assert!(found.holds());
    let anomaly = found.archives[0]
        .remarks
        .iter()
        .find(|n| n.remark == Remark::ClockAnomaly);
    assert_eq!(anomaly.and_then(|noted| noted.entry), Some(2));
}

#[test]
fn an_entry_dated_before_a_tree_without_it_is_a_finding() {
    let mut world = World::new();
    world.grant();
    // A witness saw the tree of two entries five minutes on; then an entry claims an earlier time.
    world.now += 300;
    let shown = world.prove(true, 1, true);
    world.now -= 300;
    world.idle(true);
    let archive = world.archive(true);
    let found = verdict(&[&with(&world, &archive, "proofs/1.tlog-proof", &shown)]);
    assert!(found.holds(), "{}", describe(&found));
    let dated = |noted: &&Noted| matches!(noted.remark, Remark::BackDated(_));
    let noted = found.archives[0]
        .remarks
        .iter()
        .find(dated)
        .expect("a finding");
    assert_eq!(
        (noted.entry, &noted.remark),
        (Some(2), &Remark::BackDated(299))
    );
}

#[test]
fn an_entry_dated_after_the_cosignature_that_covers_it_is_a_finding() {
    let mut world = World::new();
    world.now += 600;
    world.idle(true);
    world.now -= 600;
    let found = verdict(&[&world.archive(true)]);
    assert!(found.holds());
    // Less the second until the cosignature, the tolerated skew, and the entry's own uncertainty.
    let dated = |noted: &Noted| noted.remark == Remark::ForwardDated(568);
    assert!(
        found.archives[0].remarks.iter().any(dated),
        "{}",
        describe(&found)
    );
}
