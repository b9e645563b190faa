//! Clocks that are set: the log says so itself, once, before anything that is dated by them.

use protocol::audit::header::{Header, Kind};
use protocol::audit::record::Record;

use super::{ANNA, Bench, HOSPITAL};
use crate::world;

const S: u64 = 1_000_000;

/// Whether times run back in a log otherwise than at an anomaly, as a verifier sees it.
fn runs_back(log: &[(Header, Record)]) -> bool {
    let mut earliest = 0;
    for (header, _) in log {
        let (time, off) = (header.time_us, header.uncertainty_us);
        if header.kind == Kind::ClockAnomaly as i32 {
            earliest = time - off;
        } else if time + off + 10 * S < earliest {
            return true;
        }
        earliest = earliest.max(time - off);
    }
    false
}

fn anomalies(bench: &Bench) -> usize {
    assert!(!runs_back(&bench.log()));
    bench.logged(Kind::ClockAnomaly)
}

#[test]
fn a_clock_that_is_set_back_is_logged_once() {
    let (mut bench, _, fence) = Bench::reading();
    assert_eq!(anomalies(&bench), 0);
    bench.hosts[HOSPITAL].skew_us -= 3_600 * S;
    bench.advance(60);
    bench.report(ANNA, fence);
    bench.store(world::study_id(HOSPITAL, 2));
    assert_eq!(anomalies(&bench), 1);
    bench.hosts[HOSPITAL].skew_us -= 3_600 * S;
    bench.store(world::study_id(HOSPITAL, 3));
    assert_eq!(anomalies(&bench), 2);
    bench.restart(HOSPITAL, 1);
    assert_eq!(anomalies(&bench), 2);
}

#[test]
fn a_clock_that_is_set_back_while_the_node_is_down_is_logged_first() {
    let (mut bench, ..) = Bench::reading();
    bench.crash(HOSPITAL);
    bench.hosts[HOSPITAL].skew_us -= 3_600 * S;
    bench.start(HOSPITAL);
    assert_eq!(anomalies(&bench), 1);
    bench.restart(HOSPITAL, 1);
    assert_eq!(anomalies(&bench), 1);
}

#[test]
fn a_clock_that_is_set_back_during_a_signature_condemns_no_grant() {
    let mut bench = Bench::new();
    bench.on_duty(ANNA);
    bench.set_back_us = 20 * 60 * S;
    bench.store(world::study_id(HOSPITAL, 1));
    assert_eq!(bench.case().state, "reading");
    bench.advance(60);
    assert_eq!(anomalies(&bench), 1);
}

#[test]
fn a_clock_that_jumps_ahead_of_the_tick_is_logged_once() {
    let (mut bench, ..) = Bench::reading();
    bench.hosts[HOSPITAL].skew_us += 600 * S;
    bench.advance(120);
    bench.store(world::study_id(HOSPITAL, 2));
    assert_eq!(anomalies(&bench), 1);
    bench.restart(HOSPITAL, 1);
    assert_eq!(anomalies(&bench), 1);
    bench.crash(HOSPITAL);
    bench.hosts[HOSPITAL].skew_us += 600 * S;
    bench.start(HOSPITAL);
    assert_eq!(anomalies(&bench), 2);
    bench.restart(HOSPITAL, 1);
    assert_eq!(anomalies(&bench), 2);
}

#[test]
fn a_clock_that_is_corrected_a_little_is_no_anomaly() {
    let (mut bench, ..) = Bench::reading();
    for by in [5, 60, 200] {
        bench.hosts[HOSPITAL].skew_us += by * S;
        bench.advance(30);
    }
    bench.hosts[HOSPITAL].skew_us -= 5 * S;
    bench.store(world::study_id(HOSPITAL, 2));
    bench.restart(HOSPITAL, 600);
    assert_eq!(anomalies(&bench), 0);
}
