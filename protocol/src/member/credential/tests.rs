//! A credential has one encoding and no impossible content.

use crypto::keys::SigningKey;
use crypto::note::KeyName;
use proptest::prelude::*;

use super::*;

const DAY: u64 = 24 * 3_600;

/// A key that is told by its number.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

/// A time in seconds, exact.
pub(crate) fn at(unix_s: u64) -> Wall {
    Wall {
        unix_us: unix_s * 1_000_000,
        uncertainty_us: 0,
    }
}

fn vkey_text(name: &str, kind: KeyType, number: u8) -> String {
    VerifierKey::new(
        KeyName::new(name).unwrap(),
        kind,
        key(number).verifying_key(),
    )
    .to_string()
}

/// A reader's credential, valid from day 1 to day 100, whose keys start at `number`.
pub(crate) fn reader(number: u8) -> Credential {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    let licence = |jurisdiction: &str, not_after| Licence {
        jurisdiction: jurisdiction.to_owned(),
        authority: "Chamber".to_owned(),
        number: "R-17".to_owned(),
        not_before: DAY,
        not_after,
    };
    Credential {
        genesis: Digest::sha256(b"genesis"),
        serial: u64::from(number),
        kind: MemberKind::Reader,
        organisation: "Sued Radiology".to_owned(),
        country: "DE".to_owned(),
        node: NodeId::from_bytes(*key(number).verifying_key().as_bytes()),
        log: Some(vkey_text(
            &format!("log{number}.example"),
            KeyType::Ed25519,
            number + 1,
        )),
        witness: None,
        hospital_key: None,
        person: Some(PersonId::from_bytes(
            *key(number + 2).verifying_key().as_bytes(),
        )),
        licences: vec![licence("DE", 50 * DAY), licence("FR", 200 * DAY)],
        languages: list(&["de", "fr"]),
        modalities: list(&["CT", "MR"]),
        subspecialties: list(&["neuro"]),
        not_before: DAY,
        not_after: 100 * DAY,
    }
}

/// A hospital's credential of the same validity.
pub(crate) fn hospital(number: u8) -> Credential {
    Credential {
        kind: MemberKind::Hospital,
        organisation: "Nord Hospital".to_owned(),
        person: None,
        hospital_key: Some(key(number + 2).verifying_key()),
        licences: Vec::new(),
        languages: Vec::new(),
        modalities: Vec::new(),
        subspecialties: Vec::new(),
        ..reader(number)
    }
}

/// A witness's credential of the same validity.
fn witness(number: u8) -> Credential {
    Credential {
        kind: MemberKind::Witness,
        log: None,
        witness: Some(vkey_text(
            "witness.example",
            KeyType::Cosignature,
            number + 1,
        )),
        hospital_key: None,
        ..hospital(number)
    }
}

#[test]
fn each_kind_survives_its_encoding() {
    let relay = Credential {
        kind: MemberKind::Relay,
        witness: None,
        ..witness(30)
    };
    for credential in [reader(1), hospital(10), witness(20), relay] {
        assert_eq!(Credential::decode(&credential.encode()), Ok(credential));
    }
}

#[test]
fn each_kind_needs_its_own_fields() {
    use CredentialError::Needs;
    type Change = fn(&mut Credential);
    let cases: [(Credential, Change, CredentialError); 5] = [
        (reader(1), |c| c.person = None, Needs("reader", "person")),
        (reader(1), |c| c.log = None, Needs("reader", "log")),
        (
            hospital(1),
            |c| c.hospital_key = None,
            Needs("hospital", "hospital_key"),
        ),
        (hospital(1), |c| c.log = None, Needs("hospital", "log")),
        (
            witness(1),
            |c| c.witness = None,
            Needs("witness", "witness"),
        ),
    ];
    for (mut credential, change, error) in cases {
        change(&mut credential);
        assert_eq!(Credential::decode(&credential.encode()), Err(error));
    }
}

#[test]
fn no_kind_has_anothers_fields() {
    use CredentialError::Excess;
    type Change = fn(&mut Credential);
    let cases: [(Credential, Change, CredentialError); 4] = [
        (
            hospital(9),
            |c| c.person = reader(1).person,
            Excess("hospital", "person"),
        ),
        (
            hospital(9),
            |c| c.languages = reader(1).languages,
            Excess("hospital", "languages"),
        ),
        (
            hospital(9),
            |c| c.kind = MemberKind::Relay,
            Excess("relay", "log"),
        ),
        (
            witness(9),
            |c| c.log = reader(1).log,
            Excess("witness", "log"),
        ),
    ];
    for (mut credential, change, error) in cases {
        change(&mut credential);
        assert_eq!(Credential::decode(&credential.encode()), Err(error));
    }
    // A hospital may witness as well.
    let both = Credential {
        witness: witness(20).witness,
        ..hospital(1)
    };
    assert_eq!(Credential::decode(&both.encode()), Ok(both));
}

#[test]
fn impossible_content_is_refused() {
    let text = |text: &str| text.to_owned();
    type Change = fn(&mut Credential);
    let cases: [(Change, CredentialError); 11] = [
        (
            |c| c.organisation.clear(),
            CredentialError::Field("organisation"),
        ),
        (
            |c| c.country = "de".to_owned(),
            CredentialError::Field("country"),
        ),
        (
            |c| c.languages.reverse(),
            CredentialError::List("languages"),
        ),
        (
            |c| c.languages = vec!["German".to_owned()],
            CredentialError::Field("languages"),
        ),
        (
            |c| c.modalities = vec!["CT".to_owned(); 2],
            CredentialError::List("modalities"),
        ),
        (|c| c.licences.reverse(), CredentialError::List("licences")),
        (
            |c| c.licences[0].not_after = 0,
            CredentialError::Field("licences"),
        ),
        (|c| c.not_after = c.not_before, CredentialError::Validity),
        (
            |c| c.not_after = c.not_before + 367 * DAY,
            CredentialError::Validity,
        ),
        (
            |c| c.person = Some(PersonId::from_bytes(*c.node.as_bytes())),
            CredentialError::SharedKey,
        ),
        (
            |c| c.node = NodeId::from_bytes([2; 32]),
            CredentialError::Field("node"),
        ),
    ];
    for (change, error) in cases {
        let mut credential = reader(1);
        change(&mut credential);
        assert_eq!(credential.check(), Err(error.clone()));
        assert_eq!(Credential::decode(&credential.encode()), Err(error));
    }
    let mut credential = reader(1);
    credential.log = Some(vkey_text("log.example", KeyType::Cosignature, 2));
    assert_eq!(credential.check(), Err(CredentialError::Field("log")));
    credential.log = Some(text("log.example"));
    let error = CredentialError::VerifierKey {
        field: "log",
        source: NoteError::VerifierKey,
    };
    assert_eq!(credential.check(), Err(error));
}

#[test]
fn there_is_one_encoding() {
    let bytes = reader(1).encode();
    let unknown = [bytes.as_slice(), &[0xa2, 0x06, 0x00]].concat();
    assert_eq!(
        Credential::decode(&unknown),
        Err(CredentialError::NotCanonical)
    );
    // The version again: the last one counts, and a second encoding is born.
    let twice = [bytes.as_slice(), &[0x08, 0x01]].concat();
    assert_eq!(
        Credential::decode(&twice),
        Err(CredentialError::NotCanonical)
    );
    let newer = [bytes.as_slice(), &[0x08, 0x02]].concat();
    assert_eq!(Credential::decode(&newer), Err(CredentialError::Version(2)));
    assert_eq!(
        Credential::decode(&bytes[..bytes.len() - 1]),
        Err(CredentialError::Malformed)
    );
    let long = vec![0; limits::CREDENTIAL_MAX + 1];
    assert_eq!(
        Credential::decode(&long),
        Err(CredentialError::TooLong(long.len()))
    );
}

#[test]
fn an_uncertain_clock_ends_it_early() {
    let credential = reader(1);
    let until = |uncertainty_us| Wall {
        unix_us: (100 * DAY - 1) * 1_000_000,
        uncertainty_us,
    };
    assert!(!credential.is_valid_at(at(DAY - 1)) && credential.is_valid_at(at(DAY)));
    assert!(credential.is_valid_at(until(0)) && !credential.is_valid_at(until(1_000_000)));
    assert!(!credential.is_valid_at(until(u64::MAX)));
    assert_eq!(credential.licensed_in(at(50 * DAY - 1)), ["DE", "FR"]);
    assert_eq!(credential.licensed_in(at(50 * DAY)), ["FR"]);
    assert_eq!(credential.licensed_in(at(0)), Vec::<String>::new());
}

proptest! {
    #[test]
    fn one_changed_byte_gives_another_credential_or_none(
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = reader(1).encode();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(other) = Credential::decode(&bytes) {
            prop_assert_ne!(&other, &reader(1));
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Credential::decode(&bytes);
    }
}
