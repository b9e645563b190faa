//! The commands as people give them: from nothing to a node whose configuration is good.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use crypto::keys::VerifyingKey;
use crypto::note::{KeyName, KeyType, VerifierKey};
use serde_json::Value;

use super::output::one_line;
use super::*;

/// Runs one command in a folder whose paths are written `@/`, and gives its answers.
fn run(folder: &Path, command: &str) -> Result<Vec<Value>, String> {
    let at = format!("{}/", folder.display());
    let arguments = std::iter::once("radmesh".to_owned()).chain(
        command
            .split_whitespace()
            .map(|word| word.replace("@/", &at).replace('_', " ")),
    );
    let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
    let out = Output::keeping();
    cli.noun.run(&out).map_err(|error| one_line(&error))?;
    Ok(out.taken())
}

fn done(folder: &Path, command: &str) -> Vec<Value> {
    run(folder, command).unwrap_or_else(|error| panic!("{command}: {error}"))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// Three council members found a consortium; gives the genesis's hash.
fn found(folder: &Path) -> String {
    let mut members = String::new();
    for council in ["a", "b", "c"] {
        let new = done(
            folder,
            &format!("key new --keys @/{council} --unencrypted council"),
        );
        members += &format!(
            " --member Hospital_{council},DE,{}",
            text(&new[0], "public")
        );
    }
    let found = "consortium found --name Reading_Network --threshold 2 --out @/genesis.request";
    done(folder, &format!("{found}{members}"));
    for council in ["a", "b", "c"] {
        let sign = format!("--key @/{council}/council.key --unencrypted --out @/genesis.{council}");
        done(folder, &format!("consortium sign @/genesis.request {sign}"));
    }
    let few = "consortium found --signed @/genesis.a --signed @/genesis.b --out @/few";
    let error = run(folder, few).unwrap_err();
    assert_eq!(
        error,
        "2 of 3 founders signed the genesis; all must, and nobody else"
    );
    let all = "--signed @/genesis.a --signed @/genesis.b --signed @/genesis.c";
    let founded = done(folder, &format!("consortium found {all} --out @/genesis"));
    text(&founded[0], "genesis_hash")
}

/// A quorum file that two of the three council members sign.
fn quorum(folder: &Path) {
    done(folder, "key new --keys @/witness --unencrypted witness");
    let shown = done(folder, "key show --keys @/witness --unencrypted");
    let key = VerifyingKey::from_hex(&text(&shown[0], "public")).unwrap();
    let name = KeyName::new("witness.example").unwrap();
    let key = VerifierKey::new(name, KeyType::Cosignature, key);
    let ask = "consortium quorum @/quorum --genesis @/genesis";
    fs::write(folder.join("quorum"), "quorum none\n").unwrap();
    let error = run(folder, &format!("{ask} --out @/quorum.request")).unwrap_err();
    assert_eq!(error, "the quorum file demands no witness");
    fs::write(
        folder.join("quorum"),
        format!("witness w {key}\nquorum w\n"),
    )
    .unwrap();
    let asked = done(folder, &format!("{ask} --serial 7 --out @/quorum.request"));
    assert_eq!(
        (&asked[0]["serial"], &asked[0]["signed"]),
        (&7.into(), &false.into())
    );
    for council in ["a", "c"] {
        let sign = format!("--key @/{council}/council.key --unencrypted --out @/quorum.{council}");
        let signed = done(folder, &format!("consortium sign @/quorum.request {sign}"));
        assert_eq!(text(&signed[0], "paper"), "quorum");
    }
    let short = format!("{ask} --signed @/quorum.a --out @/quorum.envelope");
    let error = run(folder, &short).unwrap_err();
    assert_eq!(
        error,
        "paper for the quorum file: 1 of the allowed keys signed, 2 must"
    );
    let both = format!("{ask} --signed @/quorum.a --signed @/quorum.c --out @/quorum.envelope");
    assert_eq!(done(folder, &both)[0]["signed"], true);
}

/// A hospital with credential and configuration.
fn hospital(folder: &Path, hash: &str) {
    done(
        folder,
        "key new --keys @/keys --unencrypted transport log hospital master",
    );
    done(
        folder,
        "consortium request --keys @/keys --unencrypted --genesis @/genesis --kind hospital \
         --organisation Nord --country DE --log-name log.nord.example --out @/request",
    );
    for council in ["a", "b"] {
        let sign = format!("--key @/{council}/council.key --unencrypted --out @/own.{council}");
        done(folder, &format!("consortium sign @/request {sign}"));
    }
    let admit =
        format!("consortium admit --genesis @/genesis --genesis-hash {hash} --into @/members");
    let error = run(folder, &format!("{admit} @/own.a")).unwrap_err();
    assert_eq!(error, "credential: 1 of the allowed keys signed, 2 must");
    let admitted = done(folder, &format!("{admit} @/own.a @/own.b"));
    assert_eq!(
        done(folder, &format!("{admit} @/own.b @/own.a")),
        admitted,
        "twice is once"
    );
    fs::copy(text(&admitted[0], "file"), folder.join("own.credential")).unwrap();
    let policy = |name: &str| format!("{}/../configs/policy/{name}", env!("CARGO_MANIFEST_DIR"));
    quorum(folder);
    let config = include_str!("../../../configs/node-hospital.toml")
        .replace("/var/lib/radmesh", &folder.display().to_string())
        .replace("# unencrypted = true", "unencrypted = true")
        .replace("passphrase_file", "# passphrase_file")
        .replace(&"0".repeat(64), hash)
        .replace("consortium/genesis.envelope", "genesis")
        .replace("consortium/credentials", "members")
        .replace("consortium/own.credential", "own.credential")
        .replace("consortium/quorum.policy", "quorum")
        .replace("policy/consortium.cedar", &policy("consortium.cedar"))
        .replace("policy/schema.cedarschema", &policy("schema.cedarschema"));
    fs::write(folder.join("node.toml"), config).unwrap();
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn from_nothing_to_a_good_configuration() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let hash = found(folder);
    hospital(folder, &hash);
    let checked = done(folder, "node check-config @/node.toml");
    assert_eq!(text(&checked[0], "organisation"), "Nord");
    assert_eq!(checked[0]["members"], 1);
    let status = done(folder, "consortium status @/node.toml");
    assert_eq!(text(&status[0], "genesis_hash"), hash);
    assert_eq!(status[0]["members"][0]["own"], true);
    let shown = done(folder, "consortium show @/own.credential");
    assert_eq!(shown[0]["signed_by"].as_array().unwrap().len(), 2);

    // A damaged credential of somebody else is named and ignored; one's own stops the node.
    fs::write(folder.join("members/x.credential"), b"RME1").unwrap();
    let checked = done(folder, "node check-config @/node.toml");
    assert!(
        checked[0]["ignored"][0]
            .as_str()
            .unwrap()
            .contains("x.credential: credential: ")
    );
    let own = folder.join("own.credential");
    let mut damaged = fs::read(&own).unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(&own, &damaged).unwrap();
    let error = run(folder, "node check-config @/node.toml").unwrap_err();
    assert!(
        error.contains("own.credential: credential: the signature by"),
        "{error}"
    );
    damaged[last] ^= 1;
    fs::write(&own, &damaged).unwrap();

    // Other keys than the credential's, and a missing one.
    fs::remove_file(folder.join("keys/log.key")).unwrap();
    let error = run(folder, "node check-config @/node.toml").unwrap_err();
    assert!(error.starts_with("keys: make missing ones"), "{error}");
    done(folder, "key new --keys @/keys --unencrypted log");
    let error = run(folder, "node check-config @/node.toml").unwrap_err();
    assert!(
        error.starts_with("the log key is not the one in the credential"),
        "{error}"
    );

    // Another genesis than the pinned one.
    let config = fs::read_to_string(folder.join("node.toml")).unwrap();
    fs::write(
        folder.join("node.toml"),
        config.replace(&hash, &"1".repeat(64)),
    )
    .unwrap();
    let error = run(folder, "node check-config @/node.toml").unwrap_err();
    assert!(
        error.contains(&format!("has the hash {hash}, but 1111")),
        "{error}"
    );
}

#[test]
fn a_quorum_file_that_the_council_did_not_sign_stops_the_node() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let hash = found(folder);
    hospital(folder, &hash);
    let check = |expected: &str| {
        let error = run(folder, "node check-config @/node.toml").unwrap_err();
        assert!(error.contains(expected), "{error}");
        let mend = "have the council sign ";
        assert!(error.contains(mend) && !error.contains('\n'), "{error}");
        assert!(error.contains("`radmesh consortium quorum`"), "{error}");
    };
    let signed = fs::read(folder.join("quorum")).unwrap();
    fs::write(folder.join("quorum"), "quorum none\n").unwrap();
    check("quorum: the quorum file has the SHA-256 ");
    fs::write(folder.join("quorum"), signed).unwrap();
    done(folder, "node check-config @/node.toml");
    fs::copy(folder.join("quorum.a"), folder.join("quorum.envelope")).unwrap();
    check("quorum.envelope: paper for the quorum file: 1 of the allowed keys signed, 2 must");
    fs::remove_file(folder.join("quorum.envelope")).unwrap();
    check("quorum.envelope: No such file");
}

#[test]
fn a_key_is_made_once_and_shown() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let made = done(
        folder,
        "key new --keys @/keys --unencrypted transport master",
    );
    assert_eq!(done(folder, "key show --keys @/keys --unencrypted"), made);
    assert_eq!(made[1]["public"], Value::Null);
    let again = run(folder, "key new --keys @/keys --unencrypted log transport").unwrap_err();
    assert!(
        again.ends_with("the transport key exists already, and is not overwritten"),
        "{again}"
    );
    assert!(!folder.join("keys/log.key").exists());
    assert!(
        run(folder, "key new --keys @/keys transport").is_err(),
        "the passphrase is asked for"
    );
    let error = run(folder, "key new --keys @/keys --unencrypted secret").unwrap_err();
    assert!(error.contains("there is no secret key"), "{error}");
    assert!(run(folder, "key show --keys @/none --unencrypted").is_err());
}

#[test]
fn a_policy_is_checked_and_explained() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/policy");
    for name in ["consortium.cedar", "schema.cedarschema"] {
        fs::copy(
            configs.join(name),
            folder.join(name.split('.').next().unwrap()),
        )
        .unwrap();
    }
    let policy = "--rules @/consortium --schema @/schema";
    let checked = done(folder, &format!("policy check {policy}"));
    assert_eq!(checked[0]["rules"].as_array().unwrap().len(), 9);
    let facts = serde_json::json!({
        "hospital_organisation": "Nord", "hospital_country": "DE", "patient_jurisdiction": "DE",
        "study_modalities": ["CT"], "urgency": "stat", "purpose": "TREAT", "report_language": "de",
        "reader_organisation": "Sued", "desk_country": "FR", "desk_country_evidence": "declared",
        "licences": ["FR"], "languages": ["de"], "modalities": ["CT"], "credential_valid": true,
        "now_unix_s": 1_790_000_000,
    });
    fs::write(folder.join("facts"), facts.to_string()).unwrap();
    let explain = format!("policy explain {policy} @/facts");
    let refused = done(folder, &explain);
    assert_eq!(refused[0]["allowed"], false);
    assert_eq!(refused[0]["rules"][0]["id"], "licence-required");
    // The logged text of the facts gives the same decision.
    fs::write(folder.join("facts"), text(&refused[0], "facts")).unwrap();
    assert_eq!(done(folder, &explain), refused);
    let licensed = text(&refused[0], "facts").replace("licences=FR", "licences=DE");
    fs::write(folder.join("facts"), licensed).unwrap();
    assert_eq!(done(folder, &explain)[0]["allowed"], true);
    fs::write(folder.join("facts"), "{\"study_modalities\": 7}").unwrap();
    let error = run(folder, &explain).unwrap_err();
    assert!(error.contains("facts: not facts: "), "{error}");
    fs::write(folder.join("schema"), "entity").unwrap();
    let error = run(folder, &format!("policy check {policy}")).unwrap_err();
    assert!(
        error.contains("schema: the schema does not parse: "),
        "{error}"
    );
}
