//! The shipped files load; what is wrong with a file is said in one line that helps.

use std::path::Path;
use std::time::Duration;

use protocol::case::rules::Disposition;
use protocol::urgency::Urgency;

use super::*;

const HOSPITAL: &str = include_str!("../../../configs/node-hospital.toml");
const READER: &str = include_str!("../../../configs/node-reader.toml");
const WITNESS: &str = include_str!("../../../configs/node-witness.toml");
const RELAY: &str = include_str!("../../../configs/node-relay.toml");

fn parse(text: &str) -> Result<Settings, ConfigError> {
    Settings::parse(text, Path::new("/etc/radmesh/node.toml"))
}

/// The complaint about a shipped file with a change, as it is printed.
fn complaint(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    let error = parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
        .strip_prefix("/etc/radmesh/node.toml")
        .unwrap()
        .to_owned()
}

/// The file with every key that it shows as left out.
fn with_defaults(text: &str, but: &[&str]) -> String {
    let shown = |line: &str| {
        let key = line.strip_prefix("# ")?.split_once(" = ")?.0;
        let is_key = key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        (is_key && !but.contains(&key)).then(|| line.replacen("# ", "", 1))
    };
    text.lines()
        .map(|line| shown(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect()
}

#[test]
fn the_shipped_files_load() {
    let hospital = parse(HOSPITAL).unwrap();
    let role = hospital.hospital.unwrap();
    assert_eq!(role.quiet_period, Duration::from_secs(60));
    assert_eq!(role.reserve, 2 << 30);
    assert_eq!(role.rules.len(), 3);
    assert_eq!(role.rules[0].urgency, Some(Urgency::Stat));
    assert_eq!(role.rules[0].deadline, Some(Duration::from_secs(1_800)));
    assert_eq!(role.rules[1].disposition, Disposition::Local);
    assert!(
        matches!(role.delivery, DeliverySettings::Dicom { ref calling, .. }
        if calling.as_str() == "RADMESH")
    );
    assert_eq!(
        hospital.control_socket,
        Path::new("/var/lib/radmesh/control.sock")
    );
    assert_eq!(hospital.identity.keys, Path::new("/var/lib/radmesh/keys"));
    let genesis = Path::new("/etc/radmesh/consortium/genesis.envelope");
    assert_eq!(hospital.consortium.genesis, genesis);
    assert_eq!(hospital.mesh.listen.len(), 2);
    assert_eq!(hospital.mesh.bootstrap.len(), 1);
    let reader = parse(READER).unwrap();
    assert!(reader.hospital.is_none() && reader.policy.is_some());
    assert_eq!(
        reader.reader.unwrap().session,
        Duration::from_secs(8 * 3_600)
    );
    let witness = parse(WITNESS).unwrap();
    assert!(witness.witness.is_some() && !witness.relay && witness.policy.is_none());
    assert!(parse(RELAY).unwrap().relay);
}

#[test]
fn the_shown_defaults_are_the_defaults() {
    let others = [
        "passphrase_env",
        "unencrypted",
        "external",
        "folder",
        "templates",
        "witnesses",
        "http_listen",
    ];
    for text in [HOSPITAL, READER, WITNESS, RELAY] {
        let shown = with_defaults(text, &others);
        assert_ne!(shown, text);
        let (shown, silent) = (parse(&shown).unwrap(), parse(text).unwrap());
        assert_eq!(format!("{shown:?}"), format!("{silent:?}"));
    }
    // And the other choices are keys as well.
    let external = with_defaults(HOSPITAL, &["passphrase_env", "unencrypted", "folder"]);
    assert_eq!(parse(&external).unwrap().mesh.external.len(), 1);
    let templates = with_defaults(READER, &["passphrase_env", "unencrypted", "external"]);
    assert!(
        parse(&templates)
            .unwrap()
            .reader
            .unwrap()
            .templates
            .is_some()
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    assert_eq!(
        complaint(HOSPITAL, "jurisdiction = \"DE\"", "jurisdicton = \"DE\""),
        ":75: `hospital.jurisdicton`: there is no key `jurisdicton` here; \
         did you mean `jurisdiction`?"
    );
    assert_eq!(
        complaint(READER, "[control]", "[controll]"),
        ":74: `controll`: there is no key `controll` here; did you mean `control`?"
    );
    assert_eq!(
        complaint(WITNESS, "[witness]\n", "[witness]\nmirror = true\n"),
        ":48: `witness.mirror`: there is no key `mirror` here; known are http_listen, logs"
    );
}

#[test]
fn what_is_missing_is_asked_for() {
    let data_dir = "data_dir = \"/var/lib/radmesh\"\n";
    assert!(complaint(HOSPITAL, data_dir, "").contains("`data_dir` is missing: add it"));
    let passphrase = "passphrase_file = \"/run/credentials/radmesh.service/passphrase\"\n";
    assert!(complaint(HOSPITAL, passphrase, "").contains("say where the passphrase is"));
    assert!(complaint(RELAY, "[relay]\n", "").contains("no role: add [hospital]"));
    let orders = "orders_dir = \"/var/lib/radmesh/orders\"\n";
    assert!(complaint(HOSPITAL, orders, "").contains("`hospital.orders_dir`: is missing"));
    let policy = READER.find("[policy]").unwrap()..READER.find("[mesh]").unwrap();
    assert!(complaint(READER, &READER[policy], "").contains("need [policy]"));
}

/// In the hospital's file: what stands there, what is put there, what is said.
const HOSPITAL_MISTAKES: &[(&str, &str, &str)] = &[
    (
        "jurisdiction = \"DE\"",
        "jurisdiction = \"de\"",
        ":75: `hospital.jurisdiction`: \"de\" is no country: two capital letters, as \"DE\"",
    ),
    (
        "\"stat\"",
        "\"now\"",
        ":89: `hospital.rules.0.urgency`: \"now\" is not stat, emergent, urgent or routine",
    ),
    (
        "\"30m\"",
        "\"30\"",
        ":91: `hospital.rules.0.deadline`: \"30\" is no span of time",
    ),
    (
        "\"30m\"",
        "\"99d\"",
        ":91: `hospital.rules.0.deadline`: \"99d\" is out of bounds",
    ),
    (
        "modality = \"MG\"\n",
        "",
        "`hospital.rules.2.name`: can never match",
    ),
    (
        "\"everything-else\"",
        "\"stroke\"",
        "`hospital.rules.2.name`: stands twice",
    ),
    (
        "\"offer\"",
        "\"sell\"",
        ":88: `hospital.rules.action`: unknown variant `sell`",
    ),
    (
        "\"192.0.2.20\"",
        "\"pacs\"",
        "`hospital.allow`: \"pacs\" is no IP address",
    ),
    (
        "{ ae_title = \"PACS\", address = \"192.0.2.20\" },",
        "{},",
        "lets everybody send",
    ),
    (
        "{ ae_title = \"PACS\", address = \"192.0.2.20\" },",
        "",
        "nobody may send",
    ),
    (
        "\"RADMESH\"",
        "\"RADMESH-NORTH-SITE\"",
        "`hospital.ae_title`: \"RADMESH-NORTH-SITE\"",
    ),
    (
        "pacs.example.org:104",
        "pacs.example.org",
        "`hospital.delivery.address`",
    ),
    (
        "kind = \"dicom\"",
        "kind = \"folder\"",
        "needs folder, and nothing else",
    ),
    ("org/udp/4001", "org/upd/4001", "`mesh.bootstrap`"),
    ("d75a98", "d75a9", "`mesh.bootstrap`"),
    (
        "genesis_hash = \"00",
        "genesis_hash = \"0",
        "`consortium.genesis_hash`",
    ),
    (
        "# unencrypted",
        "unencrypted",
        "give one of passphrase_file",
    ),
    ("# filter = \"info\"", "filter = \"a=b=c\"", "`log.filter`"),
    (
        "report_language = \"de\"",
        "report_language = \"German\"",
        "is no language",
    ),
    (
        "data_dir = \"/var/lib/radmesh\"",
        "data_dir = 7",
        ":8: `data_dir`: invalid type: integer `7`",
    ),
    (
        "data_dir = \"/var/lib/radmesh\"",
        "data_dir = \"\"",
        ":8: `data_dir`: is empty",
    ),
];

/// The same in the reader's file.
const READER_MISTAKES: &[(&str, &str, &str)] = &[
    (
        "# dicomweb_listen = \"127.0.0.1",
        "dicomweb_listen = \"0.0.0.0",
        "must be a loopback",
    ),
    (
        "# slots = 1",
        "slots = 0",
        "`reader.slots`: is a number from 1 to 64",
    ),
    (
        "# session = \"8h\"",
        "session = \"17h\"",
        "is out of bounds: up to 57600s",
    ),
    ("# memory = \"2GiB\"", "memory = \"2GB\"", "is no size"),
    (
        "# memory = \"2GiB\"",
        "memory = \"1MiB\"",
        "is less than 64MiB",
    ),
    (
        "country = \"DE\"",
        "country = \"Germany\"",
        "`reader.country`",
    ),
];

#[test]
fn impossible_values_are_refused_where_they_stand() {
    for (text, mistakes) in [(HOSPITAL, HOSPITAL_MISTAKES), (READER, READER_MISTAKES)] {
        for (from, to, expected) in mistakes {
            let said = complaint(text, from, to);
            assert!(said.contains(expected), "{to}: {said}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Settings::load(Path::new("/nonexistent/node.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/node.toml: cannot be read: "),
        "{error}"
    );
}
