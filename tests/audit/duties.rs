//! A hospital's duties on a live node: a review is logged, one entry is proved, openings are given
//! out and logged before they are, in the hands of the regulator's tool and of the validators of
//! the exports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harness::{Network, Output};
use serde_json::{Value, json};

use super::{BOUND, COSIGNED, HOSPITAL, exports};

/// Runs `radmesh audit` against the hospital.
fn radmesh(network: &Network, words: &[&str]) -> Result<Output> {
    let mut command = Command::new(harness::binary("radmesh")?);
    command.args(["--json", "audit"]).args(words);
    let socket = network.of(HOSPITAL)?.join("control.sock");
    command.arg("--socket").arg(socket);
    harness::run(&mut command, network.folder(), BOUND)
}

fn answer(ran: &Output) -> Result<Value> {
    ensure!(ran.status.success(), "{ran:?}");
    Ok(serde_json::from_str(&ran.stdout)?)
}

fn auditor(network: &Network, words: &[&str]) -> Result<Output> {
    let mut command = Command::new(harness::binary("radmesh-audit")?);
    harness::run(command.args(words), network.folder(), BOUND)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// Entries in the hospital's log.
fn size(network: &Network) -> Result<u64> {
    let status = network.ask(HOSPITAL, &json!({ "cmd": "status" }))?;
    status["log"]["size"].as_u64().context("no size")
}

/// Waits until the witness has cosigned everything.
fn cosigned(network: &Network) -> Result<()> {
    network.wait(HOSPITAL, &json!({ "cmd": "status" }), COSIGNED, |status| {
        (status["log"]["cosigned"] == status["log"]["size"]).then_some(())
    })
}

/// The kinds of a log's entries, from a fresh export.
fn kinds(network: &Network, name: &str) -> Result<Vec<String>> {
    cosigned(network)?;
    let folder = network.folder().join(name);
    let words = ["export", text(&folder)?];
    answer(&radmesh(network, &words)?)?;
    let genesis = network.genesis()?;
    let words = [
        "export",
        "--as",
        "jsonl",
        "--genesis",
        &genesis,
        text(&folder)?,
    ];
    let ran = auditor(network, &words)?;
    ensure!(ran.status.success(), "{ran:?}");
    let kind = |line: &str| -> Result<String> {
        let entry: Value = serde_json::from_str(line)?;
        Ok(entry["kind"].as_str().context("no kind")?.to_owned())
    };
    ran.stdout.lines().map(kind).collect()
}

#[test]
fn a_review_is_signed_logged_and_told() -> Result<()> {
    let network = Network::start()?;
    let before = size(&network)?;
    let due = answer(&radmesh(&network, &["review"])?)?;
    ensure!(due["not_reviewed"].as_u64() >= Some(before), "{due}");
    ensure!(size(&network)? >= before, "looking logs nothing");
    let words = ["review", "--by", "Compliance", "--found", "nothing"];
    let logged = answer(&radmesh(&network, &words)?)?;
    ensure!(logged["reviewed"]["signed_by"] == "hospital", "{logged}");
    let due = answer(&radmesh(&network, &["review"])?)?;
    ensure!(due["reviewed_to"].as_u64() >= Some(before), "{due}");
    let kinds = kinds(&network, "reviewed")?;
    ensure!(kinds.iter().any(|kind| kind == "log-reviewed"), "{kinds:?}");
    let genesis = network.genesis()?;
    let archive = network.folder().join("reviewed");
    let words = ["query", "reviews", "--genesis", &genesis, text(&archive)?];
    let told = auditor(&network, &words)?;
    ensure!(told.status.success(), "{told:?}");
    ensure!(
        told.stdout.contains("Reviews: 1.") && told.stdout.contains("\nCOMPLETE"),
        "{told:?}"
    );
    Ok(())
}

#[test]
fn both_sides_of_every_release_are_laid_beside_one_another() -> Result<()> {
    let network = Network::start()?;
    let genesis = network.genesis()?;
    let archive = |node: &str| network.archives().join(node);
    let reconcile = |first: &str, second: &str| {
        let mut command = Command::new(harness::binary("radmesh")?);
        command.args(["--json", "audit", "reconcile", "--genesis", &genesis]);
        command.args([archive(first), archive(second)]);
        harness::run(&mut command, network.folder(), BOUND)
    };
    let found: Value = answer(&reconcile(HOSPITAL, "reader")?)?;
    ensure!(found["clean"] == true && found["releases"] == 1, "{found}");
    // Without the reader's archive nothing is known of its side.
    let ran = reconcile(HOSPITAL, "hospital-b")?;
    let found: Value = serde_json::from_str(&ran.stdout)?;
    ensure!(!ran.status.success() && found["clean"] == false, "{ran:?}");
    let absent = found["absent"].as_array().context("no list")?;
    ensure!(absent.len() == 1, "{found}");
    ensure!(
        ran.stderr.contains("not everything could be compared"),
        "{ran:?}"
    );
    Ok(())
}

#[test]
fn one_entry_is_proved_to_who_has_no_archive() -> Result<()> {
    let network = Network::start()?;
    cosigned(&network)?;
    let proof = network.folder().join("one.tlog-proof");
    let proved = answer(&radmesh(&network, &["prove", "3", "--out", text(&proof)?])?)?;
    let entry = proof.with_extension("entry");
    let quorum = quorum(&network)?;
    let log = proved["log"].as_str().context("no key")?.to_owned();
    let check = || {
        let files = [text(&proof)?, text(&entry)?];
        let words = ["proof", files[0], files[1], "--log", &log];
        let words = [&words[..], &["--quorum", text(&quorum)?]].concat();
        auditor(&network, &words)
    };
    let holds = check()?;
    ensure!(holds.status.success(), "{holds:?}");
    let mut bytes = fs::read(&entry)?;
    bytes[40] ^= 1;
    fs::write(&entry, bytes)?;
    ensure!(check()?.status.code() == Some(1), "an altered entry");
    Ok(())
}

fn quorum(network: &Network) -> Result<PathBuf> {
    let config = fs::read_to_string(network.of("witness")?.join("node.toml"))?;
    let mut found = config.lines().filter_map(|line| {
        let path = line.strip_prefix("quorum = \"")?;
        Some(PathBuf::from(path.strip_suffix('"')?))
    });
    let path = found.next().context("a configuration names no quorum")?;
    Ok(network.of("witness")?.join(path))
}

#[test]
fn openings_are_logged_before_they_are_given_out() -> Result<()> {
    let network = Network::start()?;
    cosigned(&network)?;
    let out = network.folder().join("disclosed");
    let disclose = |country: &str, out: &Path| {
        let to = ["--to", "Authority", "--out", text(out)?];
        radmesh(
            &network,
            &[&["disclose", "--country", country], &to[..]].concat(),
        )
    };
    // What cannot be given out is not logged as given out.
    let before = size(&network)?;
    let taken = network.archives().join(HOSPITAL);
    ensure!(!disclose("DE", &taken)?.status.success(), "a taken folder");
    ensure!(!disclose("KR", &out)?.status.success(), "nothing of Korea");
    ensure!(!out.exists(), "something of Korea");
    assert_eq!(size(&network)?, before);

    let given = answer(&disclose("DE", &out)?)?;
    ensure!(given["opened"].as_u64() > Some(10), "{given}");
    let genesis = network.genesis()?;
    let verified = auditor(&network, &["verify", "--genesis", &genesis, text(&out)?])?;
    ensure!(verified.status.success(), "{verified:?}");
    let kinds = kinds(&network, "afterwards")?;
    let disclosures = kinds.iter().filter(|kind| *kind == "opening-disclosed");
    assert_eq!(disclosures.count(), 1);

    // Opened fields, before validators that are not ours.
    for form in exports::FORMS {
        let file = network.folder().join(format!("opened.{form}"));
        let exported = exports::export(&network, form, std::slice::from_ref(&out), Some(&file))?;
        ensure!(exported.status.success(), "{form}: {exported:?}");
        let accepted = exports::check(&network, form, &file)?;
        ensure!(accepted.status.success(), "{form}: {accepted:?}");
    }
    Ok(())
}
