//! Reviews: done, late, missed, and of which emergency access.

use super::*;

const DAY: u64 = 86_400;

/// A hospital's log with a release under an emergency flag, and a review after so many days.
fn reviewed(days: u64) -> (World, u64) {
    let mut world = World::new();
    world.release.emergency = true;
    let granted = world.grant();
    world.now += days * DAY;
    let end = world.hospital.writer.size();
    world.review((0, end), world::HOSPITAL_GRANTS);
    (world, granted.fence)
}

#[test]
fn a_log_that_is_reviewed_in_time_is_said_to_be_and_when_it_is_due_again() {
    let (mut world, _) = reviewed(31);
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Reviews));
    assert_eq!(
        answer.says,
        [
            "Reviews: 1. Missed, at 31 days for each entry: 0.",
            "nord.example/log: the entries from 2 on are to be reviewed by 2027-03-18.",
        ]
    );
    let due = "2027-03-18T00:00:00Z";
    let expected = format!("2027-02-15T08:00:04Z nord.example/log 2 0 1 0 {due}");
    assert_eq!(rows(&answer, "reviews"), [expected]);
    assert!(answer.is_complete(), "{}", answer.closing());
}

#[test]
fn a_missed_review_is_said_with_its_days_and_a_late_one_too() {
    let mut world = World::new();
    world.now += 40 * DAY;
    let archive = world.archive(true);
    let answer = asked(&[&archive], &Ask::of(Question::Reviews));
    assert_eq!(
        answer.says[..2],
        [
            "Reviews: 0. Missed, at 31 days for each entry: 1.",
            "nord.example/log: no review of the entries from 0 on between 2027-01-15 and \
             2027-02-24, due by 2027-02-15.",
        ]
    );
    let rest = "0 2027-01-15 2027-02-24 2027-02-15 still not reviewed";
    let expected = format!("nord.example/log {rest}");
    assert_eq!(rows(&answer, "reviews missed"), [expected]);
    // It is what the log says, and so it is complete.
    assert!(answer.is_complete(), "{}", answer.closing());
    let longer = Ask {
        review_days: 60,
        ..Ask::of(Question::Reviews)
    };
    let answer = asked(&[&archive], &longer);
    let first = "Reviews: 0. Missed, at 60 days for each entry: 0.";
    assert_eq!(answer.says[0], first);

    let (mut world, _) = reviewed(40);
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Reviews));
    let late = "2027-01-15 and 2027-02-24, due by 2027-02-15; it came late.";
    assert!(answer.says[1].ends_with(late), "{}", answer.says[1]);
    assert!(rows(&answer, "reviews missed")[0].ends_with(" reviewed late"));
}

#[test]
fn an_override_is_reviewed_by_a_review_that_covers_it() {
    let (mut world, fence) = reviewed(1);
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Overrides));
    let first = "Of these in no review of their log, up to its checkpoint: 0.";
    assert_eq!(answer.says[1], first);
    let row = &rows(&answer, "emergency flags")[0];
    assert!(row.ends_with(" - 2027-01-16T08:00:04Z 2"), "{row}");

    let mut world = World::new();
    world.release.emergency = true;
    world.grant();
    world.review((0, fence), world::HOSPITAL_GRANTS);
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Overrides));
    assert!(rows(&answer, "emergency flags")[0].ends_with(" - no -"));
}
