//! The canonical text comes back as the same facts, and nothing else is read.

use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;

/// A release that the shipped policy allows: read in the patient's country by a licensed reader.
pub(crate) fn allowed() -> Facts {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    Facts {
        hospital_organisation: "Nord Hospital".to_owned(),
        hospital_country: "DE".to_owned(),
        patient_jurisdiction: "DE".to_owned(),
        resident: false,
        study_modalities: list(&["CT"]),
        subspecialty: "neuro".to_owned(),
        urgency: Urgency::Stat,
        purpose: PURPOSE_TREATMENT.to_owned(),
        report_language: "de".to_owned(),
        reader_organisation: "Sued Radiology".to_owned(),
        desk_country: "DE".to_owned(),
        desk_country_evidence: CountryEvidence::Organisation,
        licences: list(&["DE", "FR"]),
        languages: list(&["de", "fr"]),
        modalities: list(&["CT", "MR"]),
        subspecialties: list(&["neuro"]),
        credential_valid: true,
        now_unix_s: 1_790_000_000,
    }
}

/// Any facts, with texts of any characters.
pub(crate) fn any_facts() -> impl Strategy<Value = Facts> {
    let list = || btree_set(any::<String>(), 0..4).prop_map(|set| set.into_iter().collect());
    let lists: [_; 5] = std::array::from_fn(|_| list());
    let texts: [_; 8] = std::array::from_fn(|_| any::<String>());
    (texts, lists, any::<[bool; 3]>(), 1_u32..5, any::<u64>()).prop_map(
        |(texts, lists, flags, urgency, now_unix_s)| {
            let [a, b, c, d, e, f, g, h] = texts;
            let [
                licences,
                languages,
                modalities,
                subspecialties,
                study_modalities,
            ] = lists;
            Facts {
                hospital_organisation: a,
                hospital_country: b,
                patient_jurisdiction: c,
                resident: flags[0],
                study_modalities,
                subspecialty: d,
                urgency: Urgency::from_u32(urgency).unwrap(),
                purpose: e,
                report_language: f,
                reader_organisation: g,
                desk_country: h,
                desk_country_evidence: match flags[1] {
                    true => CountryEvidence::Organisation,
                    false => CountryEvidence::Declared,
                },
                licences,
                languages,
                modalities,
                subspecialties,
                credential_valid: flags[2],
                now_unix_s,
            }
        },
    )
}

#[test]
fn the_text_is_fixed() {
    let mut facts = allowed();
    facts.hospital_organisation = "a\\b\nc=d".to_owned();
    facts.licences.reverse();
    let expected = "radmesh-facts/1\n\
        credential_valid=true\n\
        desk_country=DE\n\
        desk_country_evidence=organisation\n\
        hospital_country=DE\n\
        hospital_organisation=a\\u{5c}b\\u{a}c=d\n\
        languages=de\n\
        languages=fr\n\
        licences=DE\n\
        licences=FR\n\
        modalities=CT\n\
        modalities=MR\n\
        now_unix_s=1790000000\n\
        patient_jurisdiction=DE\n\
        purpose=TREAT\n\
        reader_organisation=Sued Radiology\n\
        report_language=de\n\
        resident=false\n\
        study_modalities=CT\n\
        subspecialties=neuro\n\
        subspecialty=neuro\n\
        urgency=stat\n";
    assert_eq!(facts.canonical_text(), expected);
}

#[test]
fn only_the_canonical_text_is_read() {
    let text = allowed().canonical_text();
    let read = |text: &str| Facts::parse_canonical(text);
    assert_eq!(read(&text), Ok(allowed()));
    assert_eq!(read(""), Err(FactsError::Header));
    assert_eq!(
        read(&text.replace("facts/1", "facts/2")),
        Err(FactsError::Header)
    );
    let cases = [
        (
            text.replace("resident=false", "resident=no"),
            FactsError::Field("resident"),
        ),
        (
            text.replace("urgency=stat", "urgency=now"),
            FactsError::Field("urgency"),
        ),
        (
            text.replace("urgency=stat\n", ""),
            FactsError::Field("urgency"),
        ),
        (
            text.clone() + "urgency=stat\n",
            FactsError::Field("urgency"),
        ),
        (text.clone() + "zeta=1\n", FactsError::NotCanonical),
        (text.clone() + "\n", FactsError::NotCanonical),
        (text.trim_end().to_owned(), FactsError::NotCanonical),
        (
            text.replace("licences=DE\nlicences=FR", "licences=FR\nlicences=DE"),
            FactsError::NotCanonical,
        ),
        (
            text.replace("=1790000000", "=01790000000"),
            FactsError::NotCanonical,
        ),
        (text.replace("Nord", "N\\u{6f}rd"), FactsError::NotCanonical),
        (text.replace("Nord", "N\\ord"), FactsError::Line(6)),
        (
            text.replace("hospital_country=DE", "hospital_country"),
            FactsError::Line(5),
        ),
        ("x".repeat(limits::MESSAGE_MAX + 1), FactsError::TooLong),
    ];
    for (text, error) in cases {
        assert_eq!(read(&text), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn facts_survive_their_text(facts in any_facts()) {
        let text = facts.canonical_text();
        prop_assert_eq!(Facts::parse_canonical(&text), Ok(facts));
    }

    #[test]
    fn any_text_that_is_read_is_canonical(
        text in "radmesh-facts/1\n([a-z_]{0,9}=[a-z\\\\{}u]{0,9}\n){0,6}",
    ) {
        if let Ok(facts) = Facts::parse_canonical(&text) {
            prop_assert_eq!(facts.canonical_text(), text);
        }
    }
}

#[test]
fn a_release_counts_what_holds_now() {
    use crate::ids::PersonId;
    use crate::member::credential::tests::{at, hospital, reader};
    let (owner, who) = (hospital(10), reader(1));
    let mut session = CheckedSession {
        person: PersonId::from_bytes([1; 32]),
        prekey: [9; 32],
        country: "DE".to_owned(),
        not_after_us: u64::MAX,
    };
    let case = CaseFacts {
        jurisdiction: "FR".to_owned(),
        resident: true,
        modalities: vec!["CT".to_owned()],
        subspecialty: String::new(),
        urgency: Urgency::Urgent,
        report_language: "fr".to_owned(),
    };
    let day = 24 * 3_600;
    let parties = Parties {
        hospital: &owner,
        reader: &who,
        session: &session,
    };
    let facts = Facts::for_release(parties, &case, at(2 * day));
    assert_eq!(facts.licences, ["DE", "FR"]);
    assert!(facts.credential_valid && facts.is_bounded() && facts.resident);
    assert_eq!(facts.desk_country_evidence, CountryEvidence::Organisation);
    assert_eq!(
        (facts.purpose.as_str(), facts.now_unix_s),
        ("TREAT", 2 * day)
    );
    let late = Facts::for_release(parties, &case, at(120 * day));
    assert_eq!(late.licences, ["FR"]);
    assert!(!late.credential_valid);
    session.country = "CH".to_owned();
    let parties = Parties {
        hospital: &owner,
        reader: &who,
        session: &session,
    };
    let abroad = Facts::for_release(parties, &case, at(2 * day));
    assert_eq!(abroad.desk_country_evidence, CountryEvidence::Declared);
    assert_eq!(
        (
            abroad.hospital_country.as_str(),
            abroad.desk_country.as_str()
        ),
        ("DE", "CH")
    );
}
