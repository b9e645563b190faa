//! Times: against one another, and against what witnesses saw.

use super::attacks::with;
use super::world::{World, header};
use super::*;
use crate::audit::header::{Header, Kind};
use crate::audit::record::{CaseNote, Record};

#[test]
fn times_do_not_run_back() {
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
}

/// An hour, in microseconds.
const HOUR: u64 = 3_600_000_000;

/// A log of two entries, then entries of these kinds, dated so much before (negative) or after the
/// second one; and what is found at each.
fn dated(entries: &[(i64, Kind)]) -> (Vec<Fault>, Vec<(Option<u64>, Remark)>) {
    let mut world = World::new();
    world.idle(true);
    let now = world.now * 1_000_000;
    for (us, kind) in entries {
        let header = Header {
            time_us: now.saturating_add_signed(*us),
            uncertainty_us: 50_000,
            ..header(*kind)
        };
        let record = Record::CaseClosed(CaseNote::default());
        world.append_as_is(true, header, record);
    }
    let found = verdict(&[&world.archive(true)]);
    let faults = faults_of(&found.archives[0]).into_iter().map(|f| f.2);
    let remarks = found.archives[0].remarks.iter();
    let clock = remarks.filter(|noted| {
        matches!(
            noted.remark,
            Remark::ClockAnomaly | Remark::ClockSetBack(_) | Remark::BackDated(_)
        )
    });
    let clock = clock.map(|noted| (noted.entry, noted.remark.clone()));
    (faults.collect(), clock.collect())
}

#[test]
fn a_clock_set_back_is_explained_by_the_anomaly_before_it() {
    let hour = -(HOUR as i64);
    let closed = Kind::CaseClosed;
    // The jump is what lies between the anomaly and what stands before it, less both uncertainties.
    let set_back = (Some(2), Remark::ClockSetBack(HOUR - 100_000));
    let told = dated(&[(hour, Kind::ClockAnomaly), (hour + 1, closed)]);
    assert_eq!(told, (vec![], vec![set_back.clone()]));
    // Untold, or told too late: the entry dated by the clock as set stands before the anomaly.
    let back = Fault::TimeRunsBack(HOUR - 100_000);
    assert_eq!(dated(&[(hour, closed)]), (vec![back.clone()], vec![]));
    let late = dated(&[(hour, closed), (hour + 1, Kind::ClockAnomaly)]);
    let after = (Some(3), Remark::ClockSetBack(HOUR - 100_001));
    assert_eq!(late, (vec![back], vec![after]));
    // An anomaly that carries the old time explains nothing of what follows.
    let old = dated(&[(0, Kind::ClockAnomaly), (hour, closed)]);
    let anomaly = (Some(2), Remark::ClockAnomaly);
    let back = Fault::TimeRunsBack(HOUR - 100_000);
    assert_eq!(old, (vec![back], vec![anomaly.clone()]));
    // It explains its own jump alone: the next one is measured from it.
    let again = dated(&[
        (hour, Kind::ClockAnomaly),
        (hour, closed),
        (2 * hour, closed),
    ]);
    let back = Fault::TimeRunsBack(HOUR - 100_000);
    assert_eq!(again, (vec![back], vec![set_back]));
    // A clock that was set forward, or a boot that did not continue: noted, and no jump back.
    let forward = dated(&[(-hour, Kind::ClockAnomaly), (-hour, closed)]);
    assert_eq!(forward, (vec![], vec![anomaly]));
}

#[test]
fn an_anomaly_explains_nothing_to_a_witness() {
    let mut world = World::new();
    let (now, record) = (world.now, Record::CaseClosed(CaseNote::default()));
    for (ahead, kind) in [(3_600, Kind::CaseClosed), (1, Kind::ClockAnomaly)] {
        let header = Header {
            time_us: (now + ahead) * 1_000_000,
            ..header(kind)
        };
        world.append_as_is(true, header, record.clone());
    }
    let found = verdict(&[&world.archive(true)]);
    let ahead = |noted: &Noted| matches!(noted.remark, Remark::ForwardDated(_));
    assert!(found.holds() && found.archives[0].remarks.iter().any(ahead));

    let mut world = World::new();
    world.grant();
    let shown = world.prove(true, 1, true);
    let header = Header {
        time_us: (world.now - 300) * 1_000_000,
        uncertainty_us: 0,
        ..header(Kind::ClockAnomaly)
    };
    let record = Record::CaseClosed(CaseNote::default());
    world.append_as_is(true, header, record);
    let archive = world.archive(true);
    let found = verdict(&[&with(&world, &archive, "proofs/1.tlog-proof", &shown)]);
    assert!(found.holds(), "{}", describe(&found));
    let dated = |noted: &Noted| noted.entry == Some(2) && noted.remark == Remark::BackDated(301);
    assert!(found.archives[0].remarks.iter().any(dated));
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
