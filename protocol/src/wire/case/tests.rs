//! Attacks on the bounds of messages, and the proof that whatever is accepted fits the log.

use crypto::digest::Digest;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::audit::entry::{EntryDraft, Field};
use crate::audit::header::{Action, Header};
use crate::audit::record::{CaseNote, DecisionRecord, Record, ReleaseRecord, ReportRecord};
use crate::limits;
use crate::member::check::LANGUAGE_MAX;
use crate::time::Wall;

/// A text of this many bytes.
fn text(length: usize) -> String {
    "x".repeat(length)
}

fn rules(count: usize, length: usize) -> Vec<String> {
    vec![text(length); count]
}

/// The largest message of each kind.
fn largest() -> Vec<Message> {
    let offer = vec![7; 16];
    let lease = Lease {
        fence: u64::MAX,
        sequence: u64::MAX,
    };
    let end = LeaseEnd {
        fence: u64::MAX,
        reason: text(limits::TEXT_MAX),
        purged: true,
    };
    vec![
        Message::Offer(largest_offer(&offer)),
        Message::Taken(Taken {
            offer: offer.clone(),
        }),
        Message::Claim(Claim {
            offer: offer.clone(),
            session: vec![1; limits::SESSION_CERTIFICATE_MAX],
        }),
        Message::Deny(Deny {
            offer,
            denial: Denial::Policy as i32,
            rules: rules(limits::RULES_MAX, limits::RULE_NAME_MAX),
            reason: text(limits::TEXT_MAX),
        }),
        Message::Grant(GrantMessage {
            grant: vec![2; limits::GRANT_MAX],
            entry: vec![3; limits::ENTRY_MAX],
            proof: vec![4; limits::PROOF_MAX],
        }),
        Message::Receipt(ReceiptMessage {
            fence: u64::MAX,
            receipt: vec![2; limits::RECEIPT_MAX],
            entry: vec![3; limits::ENTRY_MAX],
            proof: vec![4; limits::PROOF_MAX],
        }),
        Message::ReceiptAck(lease),
        Message::Renew(lease),
        Message::Renewed(lease),
        Message::Revoked(end.clone()),
        Message::HandBack(end.clone()),
        Message::Report(ReportMessage {
            fence: u64::MAX,
            report: vec![5; limits::REPORT_MAX],
        }),
        Message::ReportAck(ReportAck {
            fence: u64::MAX,
            report_hash: vec![6; 32],
            additional: true,
        }),
        Message::Purged(end),
        Message::PurgedAck(lease),
    ]
}

fn largest_offer(offer: &[u8]) -> Offer {
    Offer {
        offer: offer.to_vec(),
        modality: text(limits::TEXT_MAX),
        body_part: text(limits::TEXT_MAX),
        subspecialty: text(limits::TEXT_MAX),
        report_language: text(LANGUAGE_MAX),
        jurisdiction: text(2),
        urgency: 4,
        slack_us: u64::MAX,
        bytes_bucket: 65,
        instances_bucket: 65,
    }
}

/// What a sender without our bounds would send.
fn raw(message: &Message) -> Vec<u8> {
    Frame {
        message: Some(message.clone()),
    }
    .encode_to_vec()
}

fn refused(message: &Message, field: &'static str) {
    let error = WireError::Field(message.name(), field);
    assert_eq!(Message::decode(&raw(message)), Err(error));
}

#[test]
fn the_largest_of_each_kind_survives_the_wire() {
    for message in largest() {
        assert_eq!(Message::decode(&message.to_bytes()), Ok(message));
    }
}

#[test]
fn garbage_and_giants_are_refused() {
    assert_eq!(Message::decode(&[]), Err(WireError::Malformed));
    assert_eq!(Message::decode(&[0xff; 9]), Err(WireError::Malformed));
    assert_eq!(Message::decode(&[0; 9]), Err(WireError::Malformed));
    let mut giant = raw(&largest()[11]);
    giant.resize(limits::MESSAGE_MAX + 1, 0);
    assert_eq!(
        Message::decode(&giant),
        Err(WireError::TooLong(giant.len()))
    );
}

#[test]
fn a_kind_has_no_more_bytes_than_it_needs() {
    for message in largest() {
        let mut padded = raw(&message);
        // Field 2047 of the frame, which no release knows, and nothing but length.
        padded.extend([0xfa, 0x7f, 0xff, 0xff, 0x03]);
        padded.resize(padded.len() + 0xffff, 0);
        let length = padded.len();
        assert_eq!(Message::decode(&padded), Err(WireError::TooLong(length)));
    }
}

#[test]
fn a_second_message_in_one_frame_is_no_message() {
    let all = largest();
    let (taken, report) = (raw(&all[1]), raw(&all[11]));
    assert_eq!(
        Message::decode(&[report, taken].concat()),
        Err(WireError::Malformed)
    );
}

#[test]
fn a_padded_session_certificate_is_refused() {
    let session = vec![1; 1_048_400];
    let offer = vec![7; 16];
    let claim = raw(&Message::Claim(Claim { offer, session }));
    let length = claim.len();
    assert_eq!(Message::decode(&claim), Err(WireError::TooLong(length)));
    let Message::Claim(mut claim) = largest().remove(2) else {
        unreachable!("the third is a claim");
    };
    claim.session.push(1);
    refused(&Message::Claim(claim), "session");
}

#[test]
fn every_field_has_a_bound() {
    for message in largest() {
        match message {
            Message::Offer(offer) => offers_beyond(&offer),
            Message::Taken(_) => refused(&Message::Taken(Taken { offer: vec![1; 15] }), "offer"),
            Message::Claim(mut claim) => {
                claim.offer.push(1);
                refused(&Message::Claim(claim), "offer");
            }
            Message::Deny(deny) => denials_beyond(&deny),
            Message::Grant(grant) => grants_beyond(&grant),
            Message::Receipt(receipt) => receipts_beyond(&receipt),
            Message::Revoked(mut end) => {
                end.reason.push('x');
                refused(&Message::Revoked(end.clone()), "reason");
                refused(&Message::HandBack(end.clone()), "reason");
                refused(&Message::Purged(end), "reason");
            }
            Message::Report(mut report) => {
                report.report.push(1);
                refused(&Message::Report(report), "report");
            }
            Message::ReportAck(mut ack) => {
                ack.report_hash.pop();
                refused(&Message::ReportAck(ack), "report_hash");
            }
            Message::HandBack(_)
            | Message::Purged(_)
            | Message::ReceiptAck(_)
            | Message::Renew(_)
            | Message::Renewed(_)
            | Message::PurgedAck(_) => {}
        }
    }
}

/// Puts one field of an offer beyond its bound.
type Change = fn(&mut Offer);

fn offers_beyond(offer: &Offer) {
    let beyond: [(&'static str, Change); 6] = [
        ("offer", |offer| offer.offer.clear()),
        ("modality", |offer| offer.modality.push('x')),
        ("body_part", |offer| offer.body_part.push('x')),
        ("subspecialty", |offer| offer.subspecialty.push('x')),
        ("report_language", |offer| offer.report_language.push('x')),
        ("jurisdiction", |offer| offer.jurisdiction.push('x')),
    ];
    for (field, change) in beyond {
        let mut changed = offer.clone();
        change(&mut changed);
        refused(&Message::Offer(changed), field);
    }
}

fn denials_beyond(deny: &Deny) {
    let mut changed = deny.clone();
    changed.reason.push('x');
    refused(&Message::Deny(changed.clone()), "reason");
    changed.rules.push(String::new());
    refused(&Message::Deny(changed.clone()), "rules");
    changed.rules = rules(1, limits::RULE_NAME_MAX + 1);
    refused(&Message::Deny(changed.clone()), "rules");
    changed.offer.clear();
    refused(&Message::Deny(changed), "offer");
}

fn grants_beyond(grant: &GrantMessage) {
    let mut changed = grant.clone();
    changed.proof.push(1);
    refused(&Message::Grant(changed.clone()), "proof");
    changed.entry.push(1);
    refused(&Message::Grant(changed.clone()), "entry");
    changed.grant.push(1);
    refused(&Message::Grant(changed), "grant");
}

fn receipts_beyond(receipt: &ReceiptMessage) {
    let mut changed = receipt.clone();
    changed.proof.push(1);
    refused(&Message::Receipt(changed.clone()), "proof");
    changed.entry.push(1);
    refused(&Message::Receipt(changed.clone()), "entry");
    changed.receipt.push(1);
    refused(&Message::Receipt(changed), "receipt");
}

#[test]
fn a_sender_cuts_its_sentences_and_not_its_message() {
    let reason = "ü".repeat(limits::TEXT_MAX);
    let deny = Message::Deny(Deny {
        offer: vec![7; 16],
        denial: Denial::Policy as i32,
        rules: rules(limits::RULES_MAX + 1, limits::RULE_NAME_MAX + 1),
        reason: reason.clone(),
    });
    let Ok(Message::Deny(cut)) = Message::decode(&deny.to_bytes()) else {
        panic!("a denial is always understood");
    };
    assert_eq!(cut.reason, "ü".repeat(limits::TEXT_MAX / 2));
    assert_eq!(cut.rules, rules(limits::RULES_MAX, limits::RULE_NAME_MAX));
    let end = LeaseEnd {
        fence: 1,
        reason,
        purged: false,
    };
    assert!(Message::decode(&Message::HandBack(end).to_bytes()).is_ok());
    let mut offer = largest_offer(&[7; 16]);
    offer.body_part.push('x');
    offer.report_language.push('x');
    offer.jurisdiction.push('x');
    let Ok(Message::Offer(cut)) = Message::decode(&Message::Offer(offer).to_bytes()) else {
        panic!("an offer is always understood");
    };
    assert_eq!(cut.jurisdiction, "");
}

/// The largest record that a message of this kind makes, on either side.
fn record_of(message: &Message) -> Option<Record> {
    let release = ReleaseRecord {
        case: vec![1; 16],
        offer: vec![2; 16],
        peer: vec![3; 32],
        person: vec![4; 32],
        credential: u64::MAX,
        fence: u64::MAX,
        prekey: vec![5; 32],
        decision: Some(DecisionRecord {
            allowed: true,
            policy_hash: vec![6; 32],
            rules: rules(limits::RULES_MAX, limits::RULE_NAME_MAX),
            // A credential's lists are all of it that is long.
            facts: text(limits::CREDENTIAL_MAX),
            engine: text(limits::TEXT_MAX),
            basis: text(limits::RULES_MAX * limits::TEXT_MAX),
        }),
        reason: text(limits::TEXT_MAX),
        session: vec![7; limits::SESSION_CERTIFICATE_MAX],
        ..ReleaseRecord::default()
    };
    match message.clone() {
        Message::Claim(claim) => Some(Record::ReleaseGranted(ReleaseRecord {
            session: claim.session,
            grant: vec![2; limits::GRANT_MAX],
            ..release
        })),
        Message::Grant(grant) => Some(Record::GrantAccepted(ReleaseRecord {
            grant: grant.grant,
            peer_entry: grant.entry,
            proof: grant.proof,
            ..release
        })),
        Message::Receipt(receipt) => Some(Record::ReceiptAccepted(ReleaseRecord {
            receipt: receipt.receipt,
            peer_entry: receipt.entry,
            proof: receipt.proof,
            ..release
        })),
        Message::HandBack(end) => Some(Record::CaseHandedBack(CaseNote {
            case: vec![1; 16],
            fence: end.fence,
            reason: end.reason,
            peer: vec![3; 32],
        })),
        Message::Report(report) => Some(Record::ReportReceived(ReportRecord {
            report: report.report,
            destination: text(limits::TEXT_MAX),
            ..ReportRecord::default()
        })),
        Message::Offer(_)
        | Message::Taken(_)
        | Message::Deny(_)
        | Message::ReceiptAck(_)
        | Message::Renew(_)
        | Message::Renewed(_)
        | Message::Revoked(_)
        | Message::ReportAck(_)
        | Message::Purged(_)
        | Message::PurgedAck(_) => None,
    }
}

#[test]
fn whatever_is_accepted_fits_the_log() {
    for message in largest() {
        let Some(record) = record_of(&message) else {
            continue;
        };
        let header = Header {
            from_country: text(2),
            to_country: text(2),
            basis: text(limits::RULES_MAX * limits::TEXT_MAX),
            purpose: text(limits::TEXT_MAX),
            policy_hash: vec![6; 32],
            rules: rules(limits::RULES_MAX, limits::RULE_NAME_MAX),
            grant_hash: vec![7; 32],
            ..Header::new(
                record.kind(),
                Action::Execute,
                &text(limits::TEXT_MAX),
                Wall::default(),
            )
        };
        let fields = vec![
            (Field::Record, record.encode()),
            (Field::Facts, text(limits::CREDENTIAL_MAX).into_bytes()),
            (Field::Reason, text(limits::TEXT_MAX).into_bytes()),
            (Field::Person, vec![4; 32]),
            (Field::Case, vec![1; 16]),
        ];
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let draft = EntryDraft::new(header, None, fields, &mut rng);
        let payload = draft.payload().len();
        assert!(payload <= limits::PAYLOAD_MAX, "{}", message.name());
        let entry = draft.finish(Digest::sha256(b"sealed"));
        assert!(entry.is_ok(), "{}: {entry:?}", message.name());
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Message::decode(&bytes);
    }

    #[test]
    fn a_changed_message_is_refused_or_bounded(
        kind in 0..15_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = raw(&largest()[kind]);
        // Most changes near the front, where tags and lengths stand.
        for (at, value) in changes {
            let at = at.index(bytes.len().min(64));
            bytes[at] = value;
        }
        let _ = Message::decode(&bytes[..length.index(bytes.len() + 1)]);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.to_bytes()), Ok(message));
        }
    }
}
