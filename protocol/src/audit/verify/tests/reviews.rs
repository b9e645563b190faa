//! Reviews of the log: stated, signed, and missed.

use super::attacks::with;
use super::world::{self, World, header};
use super::*;
use crate::audit::header::{Header, Kind, Reviewed};
use crate::audit::record::{Record, ReviewRecord};
use crate::audit::review::{DAY_US, Missed};
use crate::document::DocumentError;
use crate::document::review::Review;
use crate::limits;
use crypto::envelope::EnvelopeError;

const DAY: u64 = 86_400;

impl World {
    /// A review of entries of the hospital's log, signed by a key of the caller's choice.
    pub(in crate::audit) fn review(&mut self, (first, end): (u64, u64), by: u8) -> u64 {
        let review = Review {
            version: 1,
            log_origin: self.hospital.name.to_string(),
            first,
            end,
            by: "privacy officer".to_owned(),
            found: "nothing unusual".to_owned(),
            findings: 0,
            time_us: self.now * 1_000_000,
        };
        let day = (self.now + 1) / DAY;
        let header = Header {
            reviewed: Some(Reviewed {
                first,
                end,
                findings: 0,
                next_due_us: (day + limits::REVIEW_DAYS) * DAY_US,
            }),
            ..header(Kind::LogReviewed)
        };
        let review = world::envelope(&review, by);
        self.append(true, header, Record::LogReviewed(ReviewRecord { review }))
    }
}

/// The reviews that a report says were missed.
fn missed(report: &Report) -> Vec<Missed> {
    let remarks = report.remarks.iter();
    let missed = remarks.filter_map(|noted| {
        if let Remark::ReviewMissed(missed) = noted.remark {
            Some(missed)
        } else {
            None
        }
    });
    missed.collect()
}

#[test]
fn a_review_that_is_missing_is_a_finding() {
    let mut world = World::new();
    world.now += 33 * DAY;
    let archive = world.archive(true);
    let found = verdict(&[&archive]);
    assert!(found.holds(), "{}", describe(&found));
    let only = missed(&found.archives[0]);
    assert_eq!((only.len(), only[0].first, only[0].done), (1, 0, false));
    let words = "no review of the entries from 0 on between 2027-01-15 and 2027-02-17, due by \
                 2027-02-15";
    assert_eq!(only[0].to_string(), words);
    // Reviewed in time, nothing is said.
    let mut world = World::new();
    world.now += 31 * DAY;
    world.review((0, 1), world::HOSPITAL_GRANTS);
    world.now += 31 * DAY;
    let found = verdict(&[&world.archive(true)]);
    assert!(found.holds() && missed(&found.archives[0]).is_empty());
}

#[test]
fn a_review_states_entries_before_its_own() {
    for range in [(0, 0), (1, 1), (0, 2), (1, u64::MAX)] {
        let mut world = World::new();
        world.review(range, world::HOSPITAL_GRANTS);
        assert_eq!(
            only(&world.archive(true)).2,
            Fault::ReviewRange,
            "{range:?}"
        );
    }
    let mut world = World::new();
    let empty = Record::LogReviewed(ReviewRecord::default());
    world.append(true, header(Kind::LogReviewed), empty);
    assert_eq!(only(&world.archive(true)).2, Fault::ReviewRange);
}

#[test]
fn a_disclosed_review_is_held_against_its_signer_and_its_header() {
    let disclosed = |world: &mut World| {
        let archive = world.archive(true);
        let payload = world.hospital.payloads[1].clone();
        failures(&with(world, &archive, "openings/1.bin", &payload))
    };
    let mut world = World::new();
    world.review((0, 1), world::HOSPITAL_GRANTS);
    assert_eq!(disclosed(&mut world), []);

    let mut world = World::new();
    world.review((0, 1), 77);
    let source = EnvelopeError::NotSignedBy(world::key(world::HOSPITAL_GRANTS).verifying_key());
    let unsigned = Fault::Document(DocumentError::Envelope {
        what: "review",
        source,
    });
    let found = disclosed(&mut world);
    let at = (Check::Openings, "openings/1.bin".to_owned(), unsigned);
    assert_eq!(found, [at]);

    // A good signature under a header that says more.
    let mut world = World::new();
    world.idle(true);
    world.review((0, 1), world::HOSPITAL_GRANTS);
    let Some(Record::LogReviewed(record)) = world.hospital.records.pop() else {
        panic!("a review")
    };
    let mut world = World::new();
    let header = Header {
        reviewed: Some(Reviewed {
            first: 0,
            end: 1,
            findings: 3,
            next_due_us: 0,
        }),
        ..header(Kind::LogReviewed)
    };
    world.append(true, header, Record::LogReviewed(record));
    let faults: Vec<Fault> = disclosed(&mut world).into_iter().map(|f| f.2).collect();
    assert_eq!(faults, [Fault::Mismatch("number of findings")]);
}
