//! Attacks on the bounds of documents: signed by the right key, and still refused.

use crypto::envelope::Envelope;
use crypto::keys::SigningKey;

use super::advert::Advert;
use super::grant::{Grant, Prepared};
use super::receipt::Receipt;
use super::report::{Report, Section};
use super::session::Session;
use super::*;
use crate::ids::PersonId;
use crate::limits;
use crate::time::Wall;

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn signed<D: Document>(payload: Vec<u8>) -> Vec<u8> {
    let envelope = Envelope::sign(D::TYPE, payload, &[&key()]);
    envelope.expect("within an envelope's bounds").encode()
}

/// Opens a document that its signer signed.
fn opened<D: Document>(document: &D) -> Result<D, DocumentError> {
    open(
        &signed::<D>(document.encode_to_vec()),
        &key().verifying_key(),
    )
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

/// The largest grant.
fn grant() -> Grant {
    Grant {
        version: 1,
        offer: vec![1; 16],
        owner: vec![2; 32],
        person: vec![3; 32],
        node: vec![4; 32],
        prekey: vec![5; 32],
        fence: u64::MAX,
        lease_us: u64::MAX,
        expires_us: u64::MAX,
        prepared: Some(Prepared {
            sealed_release_key: vec![6; limits::SEALED_KEY_MAX],
            release_key_commitment: vec![7; 32],
            manifest_id: vec![8; 16],
            manifest_digest: vec![9; 32],
            manifest_length: u64::MAX,
            manifest_root: vec![10; 32],
            objects: u64::MAX,
            bytes: u64::MAX,
        }),
        policy_hash: vec![11; 32],
        rules: vec![text(limits::RULE_NAME_MAX); limits::RULES_MAX],
        from_country: text(2),
        to_country: text(2),
        report_language: text(35),
        credential: u64::MAX,
        log_origin: text(limits::LOG_NAME_MAX),
    }
}

#[test]
fn a_padded_certificate_is_refused_however_well_it_is_signed() {
    let wall = Wall {
        unix_us: 5,
        uncertainty_us: 0,
    };
    let person = PersonId::from_bytes(*key().verifying_key().as_bytes());
    let node = crate::ids::NodeId::from_bytes([4; 32]);
    let session = Session {
        version: 1,
        person: person.to_vec(),
        node: node.to_vec(),
        prekey: vec![9; 32],
        not_before_us: 0,
        not_after_us: 10,
        country: "DE".to_owned(),
    };
    let mut payload = session.encode_to_vec();
    let fits = signed::<Session>(payload.clone());
    assert!(session::check(&fits, person, node, wall).is_ok());
    // A field that no release knows: 1,048,000 bytes of nothing.
    payload.extend([0xfa, 0x7f, 0xc0, 0xfb, 0x3f]);
    payload.resize(payload.len() + 1_048_000, 0);
    let padded = signed::<Session>(payload);
    let error = DocumentError::TooLong("session certificate", padded.len());
    assert_eq!(session::check(&padded, person, node, wall), Err(error));
}

#[test]
fn the_largest_grant_opens() {
    assert_eq!(opened(&grant()), Ok(grant()));
}

/// Puts one field of a grant beyond its bound.
type Change = fn(&mut Grant);

#[test]
fn a_grant_is_bounded_in_every_field() {
    let beyond: [(&'static str, Change); 10] = [
        ("offer", |grant| grant.offer.push(1)),
        ("owner", |grant| grant.owner.push(1)),
        ("prekey", |grant| grant.prekey.push(1)),
        ("policy_hash", |grant| grant.policy_hash.push(1)),
        ("rules", |grant| grant.rules.push("x".to_owned())),
        ("rules", |grant| grant.rules[0].push('x')),
        ("from_country", |grant| grant.from_country.push('x')),
        ("to_country", |grant| grant.to_country.push('x')),
        ("report_language", |grant| grant.report_language.push('x')),
        ("log_origin", |grant| grant.log_origin.push('x')),
    ];
    for (field, change) in beyond {
        let mut changed = grant();
        change(&mut changed);
        assert_eq!(opened(&changed), Err(DocumentError::Field("grant", field)));
    }
    let mut changed = grant();
    if let Some(prepared) = &mut changed.prepared {
        prepared.manifest_root.pop();
    }
    assert_eq!(
        opened(&changed),
        Err(DocumentError::Field("grant", "prepared"))
    );
}

#[test]
fn a_grant_of_many_rules_is_refused() {
    // What once made the reader's own entry too long for its log.
    let mut changed = grant();
    changed.rules = vec![text(limits::RULE_NAME_MAX); 600];
    let envelope = signed::<Grant>(changed.encode_to_vec());
    assert_eq!(
        open::<Grant>(&envelope, &key().verifying_key()),
        Err(DocumentError::TooLong("grant", envelope.len()))
    );
}

#[test]
fn receipts_reports_and_adverts_are_bounded() {
    let receipt = Receipt {
        version: 1,
        log_origin: text(limits::LOG_NAME_MAX + 1),
        ..Receipt::default()
    };
    assert_eq!(
        opened(&receipt),
        Err(DocumentError::Field("receipt", "log_origin"))
    );
    let report = Report {
        version: 1,
        sections: vec![Section::default(); limits::SECTIONS_MAX + 1],
        ..Report::default()
    };
    let error = DocumentError::Field("report", "sections");
    assert!(opened(&report) == Err(error));
    let advert = Advert {
        version: 1,
        modalities: vec![text(limits::TEXT_MAX + 1)],
        ..Advert::default()
    };
    assert_eq!(
        opened(&advert),
        Err(DocumentError::Field("advert", "modalities"))
    );
}
