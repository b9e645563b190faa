//! Reviews of the log and disclosures from it: logged like everything else, and replayed.

use crypto::envelope::Envelope;
use prost::Message as _;
use protocol::audit::header::Kind;
use protocol::audit::record::DisclosureRecord;
use protocol::document::Document as _;
use protocol::document::review::Review;
use protocol::io::{Command, CommandError};

use super::{ANNA, Bench, HOSPITAL};

/// A review of a host's entries before `end`, signed by its own key or by another's.
fn review(bench: &Bench, (host, end): (usize, u64), signer: usize) -> Command {
    let signer = &bench.consortium.hosts[signer];
    let review = Review {
        version: 1,
        log_origin: bench.consortium.hosts[host].origin.to_string(),
        first: 0,
        end,
        by: "privacy officer".to_owned(),
        found: "nothing unusual".to_owned(),
        findings: 0,
        time_us: bench.now(host).wall.unix_us,
    };
    let key = match signer.is_hospital {
        true => &signer.hospital,
        false => &signer.person,
    };
    let envelope = Envelope::sign(Review::TYPE, review.encode_to_vec(), &[key]);
    Command::LogReview {
        review: envelope.expect("within bounds").encode(),
    }
}

fn disclosure(to: &str, entries: &[u64]) -> Command {
    Command::LogDisclosure {
        disclosure: DisclosureRecord {
            to: to.to_owned(),
            scope: "index".to_owned(),
            entries: entries.to_vec(),
            patient: String::new(),
        },
        subject: None,
        country: "DE".to_owned(),
    }
}

#[test]
fn a_review_is_logged_if_a_key_of_the_node_signed_it_and_it_covers_what_is_there() {
    let (mut bench, ..) = Bench::reading();
    let size = bench.log().len() as u64;
    let of = |bench: &Bench, end, signer| review(bench, (HOSPITAL, end), signer);
    for (end, signer) in [(size + 1, HOSPITAL), (size, ANNA), (0, HOSPITAL)] {
        let refused = of(&bench, end, signer);
        let refused = bench.command(HOSPITAL, refused);
        assert!(
            matches!(refused, Err(CommandError::Invalid(_))),
            "{end} {signer}"
        );
    }
    let elsewhere = review(&bench, (ANNA, 1), HOSPITAL);
    assert!(bench.command(HOSPITAL, elsewhere).is_err());
    assert_eq!(bench.logged(Kind::LogReviewed), 0);
    let good = of(&bench, size, HOSPITAL);
    bench.command(HOSPITAL, good).expect("a review");
    let log = bench.log();
    let (header, _) = log.last().expect("an entry");
    let range = header.reviewed.expect("a range");
    assert_eq!((range.first, range.end, range.findings), (0, size, 0));
    assert_eq!(header.kind, Kind::LogReviewed as i32);
    // A reader's node keeps a log too, and its person signs.
    let own = review(&bench, (ANNA, 1), ANNA);
    bench.command(ANNA, own).expect("a review");
    bench.restart(HOSPITAL, 5);
    assert_eq!(bench.logged(Kind::LogReviewed), 1);
    assert_eq!(bench.case().state, "reading");
}

#[test]
fn a_disclosure_names_a_recipient_and_entries_that_are_durable_in_order() {
    let (mut bench, ..) = Bench::reading();
    let size = bench.log().len() as u64;
    for bad in [
        disclosure("", &[0]),
        disclosure("Authority", &[]),
        disclosure("Authority", &[1, 0]),
        disclosure("Authority", &[1, 1]),
        disclosure("Authority", &[0, size]),
    ] {
        let refused = bench.command(HOSPITAL, bad);
        assert!(matches!(refused, Err(CommandError::Invalid(_))));
    }
    let good = disclosure("Authority", &[0, 2, size - 1]);
    bench.command(HOSPITAL, good).expect("a disclosure");
    let log = bench.log();
    let (header, _) = log.last().expect("an entry");
    // Three entries, as a bucket; nobody's name.
    assert_eq!(header.kind, Kind::OpeningDisclosed as i32);
    assert_eq!((header.instances_bucket, &*header.to_country), (3, "DE"));
    bench.restart(HOSPITAL, 5);
    assert_eq!(bench.logged(Kind::OpeningDisclosed), 1);
}
