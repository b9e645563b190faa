//! What the shipped policy decides, by which rules; and what no policy gets away with.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::policy::facts::CountryEvidence::{self, Declared, Organisation};
use crate::policy::facts::tests::{allowed, any_facts};

const POLICY: &str = include_str!("../../../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../../../configs/policy/schema.cedarschema");

static SHIPPED: LazyLock<CedarPolicy> =
    LazyLock::new(|| CedarPolicy::parse(POLICY, SCHEMA).unwrap());

/// The allowed release with a change, decided by the shipped policy.
fn decide(change: impl FnOnce(&mut Facts)) -> (bool, String) {
    let mut facts = allowed();
    change(&mut facts);
    let decision = SHIPPED.decide(&facts);
    assert_eq!(decision.errors, Vec::<String>::new());
    assert_eq!(decision.policy_hash, Digest::sha256(POLICY.as_bytes()));
    (decision.allowed, decision.rules.join(" "))
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn desk(facts: &mut Facts, country: &str, evidence: CountryEvidence) {
    facts.desk_country = country.to_owned();
    facts.desk_country_evidence = evidence;
}

/// A name, a change to the allowed release, whether it is allowed, and by which rules.
type Row = (&'static str, fn(&mut Facts), bool, &'static str);

/// What a reader lacks.
const LACKS: &[Row] = &[
    ("at home", |_| {}, true, "read-in-country read-within-eea"),
    (
        "no licence",
        |f| f.licences.clear(),
        false,
        "licence-required",
    ),
    (
        "licence elsewhere",
        |f| f.licences = list(&["FR"]),
        false,
        "licence-required",
    ),
    (
        "no language",
        |f| f.languages = list(&["fr"]),
        false,
        "language-required",
    ),
    (
        "other modality",
        |f| f.study_modalities = list(&["MG"]),
        false,
        "modality-required",
    ),
    (
        "one of two modalities",
        |f| f.study_modalities = list(&["CT", "PT"]),
        false,
        "modality-required",
    ),
    (
        "both modalities",
        |f| f.study_modalities = list(&["CT", "MR"]),
        true,
        "read-in-country read-within-eea",
    ),
    (
        "a study of nothing",
        |f| f.study_modalities.clear(),
        false,
        "modality-required",
    ),
    (
        "credential over",
        |f| f.credential_valid = false,
        false,
        "credential-valid",
    ),
    (
        "research",
        |f| f.purpose = "HRESCH".to_owned(),
        false,
        "purpose-treatment",
    ),
    (
        "everything missing",
        |f| {
            f.licences.clear();
            f.languages.clear();
            f.modalities.clear();
            f.credential_valid = false;
            resident(f, "US", Declared);
        },
        false,
        "credential-valid language-required licence-required modality-required \
         resident-stays-home",
    ),
];

/// Where the desk is, and how that is known.
const PLACES: &[Row] = &[
    ("EEA", |f| desk(f, "NO", Declared), true, "read-within-eea"),
    (
        "EEA, licensed there only",
        |f| licensed(f, "NO"),
        false,
        "licence-required",
    ),
    (
        "adequate",
        |f| desk(f, "CH", Organisation),
        true,
        "read-under-adequacy",
    ),
    (
        "adequate, unconfirmed",
        |f| desk(f, "CH", Declared),
        false,
        "",
    ),
    (
        "third country, licensed",
        |f| desk(f, "US", Organisation),
        false,
        "",
    ),
    ("from a third country", |f| korean(f, "DE"), false, ""),
    (
        "within a third country",
        |f| korean(f, "KR"),
        true,
        "read-in-country",
    ),
    (
        "resident, at home",
        |f| resident(f, "DE", Organisation),
        true,
        "read-in-country read-within-eea",
    ),
    (
        "resident, abroad",
        |f| resident(f, "FR", Organisation),
        false,
        "resident-stays-home",
    ),
    (
        "resident, unconfirmed",
        |f| resident(f, "DE", Declared),
        false,
        "resident-stays-home",
    ),
];

fn resident(facts: &mut Facts, country: &str, evidence: CountryEvidence) {
    facts.resident = true;
    desk(facts, country, evidence);
}

fn licensed(facts: &mut Facts, country: &str) {
    facts.licences = list(&[country]);
    desk(facts, country, Organisation);
}

/// A Korean patient in Korea, read from another desk by somebody licensed there.
fn korean(facts: &mut Facts, country: &str) {
    facts.hospital_country = "KR".to_owned();
    facts.patient_jurisdiction = "KR".to_owned();
    facts.licences = list(&["KR"]);
    desk(facts, country, Declared);
}

#[test]
fn the_shipped_policy_decides_as_written() {
    for (name, change, allowed, rules) in LACKS.iter().chain(PLACES) {
        assert_eq!(decide(change), (*allowed, (*rules).to_owned()), "{name}");
    }
}

#[test]
fn another_pair_of_countries_needs_a_rule_that_says_so() {
    let text = format!(
        "{POLICY}\n@id(\"read-from-us\") @legal_basis(\"agreement 7\")\n\
         permit (principal is Reader, action == Action::\"read\", resource is Study)\n\
         when {{ principal.country == \"US\" && context.now < datetime(\"2027-01-01\") }};"
    );
    let policy = CedarPolicy::parse(&text, SCHEMA).unwrap();
    let mut facts = allowed();
    desk(&mut facts, "US", CountryEvidence::Declared);
    let decision = policy.decide(&facts);
    assert!(decision.allowed);
    assert_eq!(decision.rules, ["read-from-us"]);
    assert_eq!(decision.basis, "agreement 7");
    assert_eq!(decision.policy_hash, Digest::sha256(text.as_bytes()));
    assert_eq!(decision.engine, "cedar-policy 4.14.1");
    // The rule ends with the year 2026 (UTC).
    facts.now_unix_s = 1_798_761_599;
    assert!(policy.decide(&facts).allowed);
    facts.now_unix_s += 1;
    assert!(!policy.decide(&facts).allowed);
    facts.now_unix_s = 1_790_000_000;
    facts.licences.clear();
    assert_eq!(policy.decide(&facts).rules, ["licence-required"]);
}

#[test]
fn the_basis_of_a_decision_is_named_once() {
    let decision = SHIPPED.decide(&allowed());
    assert_eq!(
        decision.basis,
        "treatment, under professional secrecy, within one country; \
         treatment; free movement of personal data within the EEA"
    );
    assert_eq!(
        SHIPPED.rule("read-within-eea").map(|rule| rule.permits),
        Some(true)
    );
    assert_eq!(SHIPPED.rule("nothing"), None);
    assert_eq!(SHIPPED.text(), POLICY);
    assert!(
        SHIPPED
            .rules()
            .is_sorted_by(|left, right| left.id < right.id)
    );
}

/// A rule that permits everybody, followed by `rest`.
fn permissive(rest: &str) -> String {
    format!("@id(\"all\") @legal_basis(\"b\") permit (principal, action, resource);\n{rest}")
}

#[test]
fn a_rule_that_errors_denies() {
    let overflow = "@id(\"broken\") forbid (principal, action, resource)\n\
         when { context.now.offset(duration(\"9223372036854775807ms\")) < context.now };";
    let policy = CedarPolicy::parse(&permissive(overflow), SCHEMA).unwrap();
    let decision = policy.decide(&allowed());
    assert!(!decision.allowed);
    assert_eq!(decision.errors, ["broken"]);
    assert_eq!(decision.rules, Vec::<String>::new());
    assert_eq!(decision.basis, "");
    // With another rule that forbids, that one is named as well.
    let both = format!("{overflow}\n@id(\"no\") forbid (principal, action, resource);");
    let decision = CedarPolicy::parse(&permissive(&both), SCHEMA)
        .unwrap()
        .decide(&allowed());
    assert_eq!(
        (decision.rules, decision.errors),
        (list(&["no"]), list(&["broken"]))
    );
}

#[test]
fn facts_beyond_their_bounds_are_refused_without_a_rule() {
    let policy = CedarPolicy::parse(&permissive(""), SCHEMA).unwrap();
    assert!(policy.decide(&allowed()).allowed);
    let changes: [fn(&mut Facts); 3] = [
        |facts| facts.now_unix_s = u64::MAX,
        |facts| facts.study_modalities = vec!["x".repeat(limits::TEXT_MAX + 1)],
        |facts| facts.licences = vec!["DE".to_owned(); limits::LIST_MAX + 1],
    ];
    for change in changes {
        let mut facts = allowed();
        change(&mut facts);
        let decision = policy.decide(&facts);
        assert!(!decision.allowed);
        assert_eq!(decision.errors, [QUESTION]);
    }
}

/// What a policy text is refused for.
fn refusal(text: &str) -> PolicyError {
    CedarPolicy::parse(text, SCHEMA).err().unwrap()
}

#[test]
fn a_policy_that_cannot_be_explained_is_refused() {
    let forbid = "forbid (principal, action, resource);";
    assert_eq!(refusal(""), PolicyError::Empty);
    assert_eq!(refusal(forbid), PolicyError::Id(1));
    assert_eq!(
        refusal(&format!("@id(\"a\") {forbid} @id(\"A b\") {forbid}")),
        PolicyError::Id(2)
    );
    assert_eq!(refusal(&format!("@id {forbid}")), PolicyError::Id(1));
    assert_eq!(
        refusal(&format!("@id(\"a\") {forbid} @id(\"a\") {forbid}")),
        PolicyError::RepeatedId("a".to_owned())
    );
    let bare = "@id(\"a\") permit (principal, action, resource);";
    assert_eq!(refusal(bare), PolicyError::LegalBasis("a".to_owned()));
    let template = "@id(\"a\") forbid (principal == ?principal, action, resource);";
    assert_eq!(refusal(template), PolicyError::Template);
    assert!(matches!(refusal("permit ("), PolicyError::Policy(_)));
    assert_eq!(
        refusal(&" ".repeat(limits::POLICY_MAX + 1)),
        PolicyError::TooLong("policy")
    );
}

#[test]
fn a_policy_that_does_not_fit_its_schema_is_refused() {
    for condition in [
        "principal.licenses.contains(resource.jurisdiction)",
        "principal.country == 7",
        "context.consent",
        "principal.country == \"D\\u{202e}E\"",
        "false && principal.credentialValid",
    ] {
        let text = permissive(&format!(
            "@id(\"a\") forbid (principal, action, resource) when {{ {condition} }};"
        ));
        let refused = refusal(&text);
        let PolicyError::Invalid { rule, complaint } = &refused else {
            panic!("{condition}: {refused:?}");
        };
        assert!(
            rule == "a" && !complaint.contains('\n'),
            "{rule}: {complaint}"
        );
    }
    let missing = SCHEMA.replace("  urgency: String,\n", "");
    assert!(matches!(
        CedarPolicy::parse(&permissive(""), &missing),
        Err(PolicyError::OtherQuestion(_))
    ));
    assert!(matches!(
        CedarPolicy::parse(POLICY, "entity"),
        Err(PolicyError::Schema(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_facts_are_decided_and_the_same_twice(facts in any_facts()) {
        let decision = SHIPPED.decide(&facts);
        prop_assert_eq!(SHIPPED.decide(&facts), decision.clone());
        // Texts of any characters are no country of the list: nothing is allowed by accident.
        prop_assert!(!decision.allowed || facts.licences.contains(&facts.patient_jurisdiction));
        prop_assert!(decision.errors.is_empty() || !decision.allowed);
    }
}
