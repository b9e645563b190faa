//! Policies: the specification's rules line by line, and `sigsum`'s judgement on random policies.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{TIME, cosigned, log_of, log_verifier, name, three_of_four, witness};
use crate::keys::SigningKey;
use crate::log::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::log::fuzz::fuzz_quorum;
use crate::log::quorum::*;
use crate::note::*;

fn parse(text: &str) -> Result<Quorum, PolicyError> {
    let parsed = Quorum::parse(text.as_bytes());
    fuzz_quorum(text.as_bytes());
    parsed
}

fn refused(text: &str) -> (usize, PolicyProblem) {
    let error = parse(text).expect_err("a refused policy");
    (error.line, error.problem)
}

#[test]
fn the_specifications_example_in_its_nested_groups() {
    // c2sp.org/tlog-policy, section "Example policy", with keys in the places it elides.
    let w = |n: u8| witness(n).2;
    let text = format!(
        "log {}\n\n witness X1 {}\nwitness\tX2 {}\t\nwitness X3 {}\n\
         group X-witnesses 2 X1 X2 X3\n\n# six in all\n\
         witness Y1 {}\nwitness Y2 {}\nwitness Y3 {}\n\
         group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n\
         quorum X-and-Y\n",
        log_verifier(),
        w(1),
        w(2),
        w(3),
        w(4),
        w(5),
        w(6)
    );
    let policy = parse(&text).expect("the example");
    let short = |names: &[&str]| policy.shortfalls(&names.iter().copied().collect());
    assert_eq!(short(&["X1", "X3", "Y2"]), vec![]);
    let short = short(&["X1", "Y2"]);
    let found: Vec<String> = short.iter().map(Shortfall::to_string).collect();
    assert_eq!(
        found,
        [
            "X-and-Y has 1 of 2 needed; absent: X-witnesses",
            "X-witnesses has 1 of 2 needed; absent: X2, X3",
        ]
    );
    assert_eq!(parse(&policy.to_text()), Ok(policy));
}

#[test]
fn each_rule_of_the_format_has_its_error() {
    let (log, w1, w2) = (log_verifier(), witness(1).2, witness(2).2);
    let base = format!("log {log}\nwitness a {w1}\nwitness b {w2}\n");
    let at4 = |line: &str| refused(&format!("{base}{line}\nquorum none\n"));
    assert_eq!(at4("group g 0 a b"), (4, PolicyProblem::Threshold));
    assert_eq!(at4("group g 3 a b"), (4, PolicyProblem::Threshold));
    assert_eq!(at4("group g 01 a b"), (4, PolicyProblem::Threshold));
    assert_eq!(at4("group g some a b"), (4, PolicyProblem::Threshold));
    assert_eq!(at4("group g 1"), (4, PolicyProblem::Words));
    assert_eq!(at4("group g 1 a c"), (4, PolicyProblem::UndefinedName));
    assert_eq!(at4("group g 1 a none"), (4, PolicyProblem::UndefinedName));
    assert_eq!(at4("group g 1 g"), (4, PolicyProblem::UndefinedName));
    assert_eq!(at4("group g 1 a a"), (4, PolicyProblem::SecondMembership));
    assert_eq!(
        at4("group g 1 a\ngroup h 1 a b"),
        (5, PolicyProblem::SecondMembership)
    );
    assert_eq!(at4("group a 1 b"), (4, PolicyProblem::DuplicateName));
    assert_eq!(at4("group none 1 b"), (4, PolicyProblem::DuplicateName));
    assert_eq!(
        at4(&format!("witness c {w1}")),
        (4, PolicyProblem::DuplicateKey)
    );
    assert_eq!(
        at4(&format!("witness a {}", witness(3).2)),
        (4, PolicyProblem::DuplicateName)
    );
    assert_eq!(
        at4(&format!("witness c {log}")),
        (4, PolicyProblem::KeyType)
    );
    assert_eq!(at4(&format!("log {w1}")), (4, PolicyProblem::KeyType));
    let renamed = VerifierKey::new(name("other"), KeyType::Ed25519, *log.key());
    assert_eq!(
        at4(&format!("log {renamed}")),
        (4, PolicyProblem::DuplicateKey)
    );
    assert_eq!(at4("log"), (4, PolicyProblem::Words));
    assert_eq!(at4("log a b c"), (4, PolicyProblem::Words));
    assert_eq!(
        at4("log a+b+c"),
        (4, PolicyProblem::Key(NoteError::VerifierKey))
    );
    assert_eq!(at4("Log x"), (4, PolicyProblem::Keyword));
    assert_eq!(at4("quorum a"), (5, PolicyProblem::SecondQuorum));
    assert_eq!(at4("quorum c"), (4, PolicyProblem::UndefinedName));
    assert_eq!(at4("# a\u{7f}"), (4, PolicyProblem::ControlCharacter));
    assert_eq!(at4("\r"), (4, PolicyProblem::ControlCharacter));
    // Only space and tab part words.
    assert_eq!(at4("group\u{2003}g 1 a b"), (4, PolicyProblem::Keyword));
    assert_eq!(refused(&base), (4, PolicyProblem::NoQuorum));
    assert_eq!(refused("quorum none"), (1, PolicyProblem::Unterminated));
    assert_eq!(
        Quorum::parse(b"#\xff\n").map_err(|e| e.problem),
        Err(PolicyProblem::NotUtf8)
    );
    let long = vec![b'\n'; MAX_POLICY_LEN + 1];
    assert_eq!(
        Quorum::parse(&long).map_err(|e| e.problem),
        Err(PolicyProblem::TooLong)
    );
    assert!(
        parse("quorum none\n")
            .expect("no witness needed")
            .rule()
            .is_none()
    );
    let with_urls = format!("log {log} https://a\nwitness a {w1} https://b\nquorum a\n");
    assert_eq!(parse(&with_urls).expect("a policy").to_text(), with_urls);
}

#[test]
fn the_limits_are_above_what_the_specification_asks_for() {
    let policy = |count: u8| {
        let mut text = String::new();
        for n in 0..count {
            text += &format!("witness w{n} {}\ngroup g{n} 1 w{n}\n", witness(n).2);
        }
        parse(&(text + "quorum none\n")).map_err(|error| error.problem)
    };
    assert!(policy(64).is_ok());
    assert_eq!(policy(65), Err(PolicyProblem::TooMany));
}

#[test]
fn three_of_four_are_a_quorum_and_two_are_not() {
    let (_, plain) = log_of(42);
    let head = *plain.head();
    let policy = three_of_four();
    let evaluate = |signed: &SignedCheckpoint| policy.evaluate(signed, &log_verifier());
    let good = evaluate(&cosigned(head, [3, 0, 2])).expect("valid");
    assert!(good.satisfied());
    let times = [
        ("w0".to_owned(), TIME),
        ("w2".into(), TIME + 2),
        ("w3".into(), TIME + 3),
    ];
    assert_eq!(good.counted, BTreeMap::from(times));
    let short = evaluate(&cosigned(head, [0, 2])).expect("valid");
    let missing = Shortfall {
        name: "all-witnesses".into(),
        needed: 3,
        present: vec!["w0".into(), "w2".into()],
        absent: vec!["w1".into(), "w3".into()],
    };
    assert_eq!(
        (short.satisfied(), short.shortfalls),
        (false, vec![missing])
    );
    // Strangers do not count, however many.
    assert!(
        !evaluate(&cosigned(head, [0, 2, 4, 5, 6, 7]))
            .expect("valid")
            .satisfied()
    );
    assert!(evaluate(&plain).expect("valid").counted.is_empty());
}

#[test]
fn a_policy_counts_nothing_for_an_unlisted_or_silent_log() {
    let (_, plain) = log_of(42);
    let policy = three_of_four();
    let other = SigningKey::from_seed(&[8; 32]);
    let key = VerifierKey::new(
        log_verifier().name().clone(),
        KeyType::Ed25519,
        other.verifying_key(),
    );
    let forged = plain.checkpoint().clone().sign(&other);
    assert_eq!(
        policy.evaluate(&forged, &key),
        Err(QuorumError::LogNotListed)
    );
    let silent = CheckpointError::Note(NoteError::NoTrustedSignature);
    assert_eq!(
        policy.evaluate(&forged, &log_verifier()),
        Err(silent.into())
    );
    // One bad line by a known witness condemns the checkpoint, though three good ones are there.
    let mut bad = cosigned(*plain.head(), [0, 1, 2]);
    let (_, later) = log_of(43);
    let foreign = cosigned(*later.head(), [3]).note().signatures()[1].clone();
    bad.add(foreign).expect("room");
    let condemned = CheckpointError::Note(NoteError::BadSignature(witness(3).0));
    assert_eq!(
        policy.evaluate(&bad, &log_verifier()),
        Err(condemned.into())
    );
}

#[test]
fn sigsum_judges_random_policies_alike() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut below = |n: u32| rng.next_u32() % n;
    for round in 0..200 {
        let count = 1 + below(9) as u8;
        let (mut ours, mut theirs) = (String::new(), String::new());
        let mut free: Vec<String> = Vec::new();
        for n in 0..count {
            let key = witness(n).2;
            ours += &format!("witness w{n} {key}\n");
            theirs += &format!("witness w{n} {}\n", key.key().to_hex());
            free.push(format!("w{n}"));
        }
        for g in 0..below(4) {
            let take = 1 + below(free.len() as u32) as usize;
            let start = below((free.len() - take + 1) as u32) as usize;
            let members: Vec<String> = free.drain(start..start + take).collect();
            let k = [
                "any".into(),
                "all".into(),
                (1 + below(take as u32)).to_string(),
            ][below(3) as usize]
                .clone();
            let line = format!("group g{g} {k} {}\n", members.join(" "));
            ours += &line;
            theirs += &line;
            free.push(format!("g{g}"));
        }
        let rule = format!("quorum {}\n", free[below(free.len() as u32) as usize]);
        let ours = parse(&(ours + &rule)).expect("a policy");
        let theirs = sigsum::Policy::parse(&(theirs + &rule)).expect("a policy");
        for set in 0u32..1 << count {
            let names: Vec<String> = (0..count)
                .filter(|n| set >> n & 1 == 1)
                .map(|n| format!("w{n}"))
                .collect();
            let hashes: Vec<sigsum::Hash> = (0..count)
                .filter(|n| set >> n & 1 == 1)
                .map(|n| sigsum::Hash::new(witness(n).2.key().as_bytes()))
                .collect();
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let satisfied = ours.shortfalls(&names).is_empty();
            assert_eq!(
                satisfied,
                theirs.check_quorum(&hashes),
                "round {round}, set {set:#b}"
            );
        }
    }
}
