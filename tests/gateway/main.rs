//! The gateway and the desk in the hands of others: DCMTK and pynetdicom send, pydicom and
//! dicomweb-client read. Real processes, real sockets; a machine without DCMTK fails.

mod dcmtk;
mod reading;
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::Network;
use harness::network::{HOSPITAL_AE, PACS_AE};
use serde_json::json;

/// A line of a node's log, when what it is about has happened.
const LOGGED: Duration = Duration::from_secs(30);
/// The hospital that is called.
const HOSPITAL: &str = "hospital-a";
/// The one of the default images that DCMTK will not send: its identifiers are marked unknown
/// (UN), in which DCMTK 3.6.7 does not look for them.
const NOT_FOR_DCMTK: &str = "rtdose_rle.dcm";

#[test]
fn senders_are_answered_and_refused_as_the_standard_says() -> Result<()> {
    let network = Network::start()?;
    let to = network.dicom(HOSPITAL)?;
    let good = dcmtk::echo(to, PACS_AE, HOSPITAL_AE, network.folder())?;
    ensure!(good.status.success(), "{good:?}");

    let wrong = [
        (
            (PACS_AE, "NOBODY"),
            "Called AE Title Not Recognized",
            "called AE title is not ours",
        ),
        (
            ("STRANGER", HOSPITAL_AE),
            "Calling AE Title Not Recognized",
            "calling AE title or address is not on the list",
        ),
    ];
    for ((calling, called), told, logged) in wrong {
        let from = network.log(HOSPITAL)?.len();
        let refused = dcmtk::echo(to, calling, called, network.folder())?;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let words = format!("{}{}", refused.stdout, refused.stderr);
        ensure!(words.contains("Association Rejected"), "{words}");
        ensure!(words.contains(told), "{words}");
        let line = network.wait_log(HOSPITAL, from, LOGGED, logged)?;
        ensure!(
            line.contains("WARN") && line.contains("127.0.0.1"),
            "{line}"
        );
    }
    Ok(())
}

#[test]
fn nothing_broken_is_stored_or_listed() -> Result<()> {
    let network = Network::start()?;
    let before = listed(&network)?;
    let slice = synthetic(&network)?;
    let bytes = fs::read(&slice)?;
    let head = node::dicom::part10::read(&mut fs::File::open(&slice)?)?.dataset_offset;
    let head = bytes.get(..usize::try_from(head)?).context("no head")?;
    let mut broken = Vec::new();
    // A text under a good head; a file cut in its header, in its pixels, and by its last byte.
    broken.push([head, b"This is a letter and no image.".as_slice()].concat());
    for length in [head.len() + 100, bytes.len() / 2, bytes.len() - 1] {
        broken.push(bytes.get(..length).context("too short")?.to_vec());
    }
    for (at, bytes) in broken.iter().enumerate() {
        let file = network.folder().join(format!("broken-{at}.dcm"));
        fs::write(&file, bytes)?;
        let from = network.log(HOSPITAL)?.len();
        let status = send_raw(&network, &file)?;
        assert_eq!(status, "c000", "broken-{at}: cannot understand");
        network.wait_log(HOSPITAL, from, LOGGED, "an instance was refused")?;
        assert_eq!(listed(&network)?, before, "broken-{at} is listed");
        assert_eq!(half_written(&network)?, Vec::<PathBuf>::new());
    }

    let (to, from) = (network.dicom(HOSPITAL)?, network.log(HOSPITAL)?.len());
    dcmtk::killed_within(&slice, to, HOSPITAL_AE, network.folder())?;
    network.wait_log(HOSPITAL, from, LOGGED, "a DICOM association broke off")?;
    assert_eq!(listed(&network)?, before, "half an image is listed");
    assert_eq!(half_written(&network)?, Vec::<PathBuf>::new());

    // What was refused or cut does not stand in the way of the whole image.
    dcmtk::store(&[slice], to, HOSPITAL_AE, network.folder())?;
    let after = listed(&network)?;
    let fresh: Vec<u64> = after
        .iter()
        .filter(|(study, _)| !before.contains_key(*study))
        .map(|(_, objects)| *objects)
        .collect();
    assert_eq!(fresh, [1]);
    assert_eq!(after.len(), before.len() + 1);
    Ok(())
}

#[test]
fn every_default_image_reaches_the_reader_as_it_was_sent() -> Result<()> {
    let cache = harness::place::cache().context("no cache: run scripts/setup")?;
    let images = cache.join("demo-images");
    let network = Network::start()?;
    let all = dcmtk::files(&images).context("run scripts/setup")?;
    let files: Vec<PathBuf> = all
        .iter()
        .filter(|file| !file.ends_with(NOT_FOR_DCMTK))
        .cloned()
        .collect();
    let to = network.dicom(HOSPITAL)?;
    dcmtk::store(&files, to, HOSPITAL_AE, network.folder())?;
    assert_eq!(send_raw(&network, &images.join(NOT_FOR_DCMTK))?, "0000");
    let compared = reading::read_all(&network, &images, all.len())?;
    assert_eq!(compared.instances, all.len());
    assert!(compared.frames > all.len(), "no image of many frames");
    Ok(())
}

#[test]
fn a_real_ct_reaches_the_reader_as_it_was_sent() -> Result<()> {
    const NAME: &str = "a_real_ct_reaches_the_reader_as_it_was_sent";
    let Some(folder) = harness::corpus(NAME, "dicom/ct-philips-head-stereotaxis-58")? else {
        return Ok(());
    };
    let network = Network::start()?;
    let files = dcmtk::files(&folder)?;
    let to = network.dicom(HOSPITAL)?;
    dcmtk::store(&files, to, HOSPITAL_AE, network.folder())?;
    let compared = reading::read_all(&network, &folder, files.len())?;
    assert_eq!(compared.instances, files.len());
    assert_eq!(compared.frames, files.len());
    Ok(())
}

/// The objects of every study that the hospital lists.
fn listed(network: &Network) -> Result<BTreeMap<String, u64>> {
    let answer = network.ask(HOSPITAL, &json!({ "cmd": "studies" }))?;
    let studies = answer["studies"].as_array().context("no studies")?;
    let of = |study: &serde_json::Value| {
        let name = study["study"].as_str().context("a study without a name")?;
        let objects = study["objects"].as_u64().context("no count of objects")?;
        Ok((name.to_owned(), objects))
    };
    studies.iter().map(of).collect()
}

/// Files that the hospital's store has begun and not finished.
fn half_written(network: &Network) -> Result<Vec<PathBuf>> {
    let folder = network.of(HOSPITAL)?.join("data/store/tmp");
    let items = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    items.map(|item| Ok(item?.path())).collect()
}

/// One slice of a study that the hospital has not seen.
fn synthetic(network: &Network) -> Result<PathBuf> {
    let folder = network.folder().join("slice");
    let mut command = Command::new(harness::binary("radmesh")?);
    command.args(["study", "synth", "--seed", "77", "--slices", "1"]);
    command.arg(&folder);
    let made = harness::run(&mut command, network.folder(), dcmtk::BOUND)?;
    ensure!(made.status.success(), "{made:?}");
    let slice = dcmtk::files(&folder)?.pop();
    slice.context("no slice was made")
}

/// Sends a file as it is, whatever is in it, and gives the hospital's status in hexadecimal.
fn send_raw(network: &Network, file: &Path) -> Result<String> {
    let to = network.dicom(HOSPITAL)?;
    let mut command = Command::new(harness::python()?);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway/send_raw.py"))
        .args([to.ip().to_string(), to.port().to_string()])
        .args([PACS_AE, HOSPITAL_AE])
        .arg(file);
    let sent = harness::run(&mut command, network.folder(), dcmtk::BOUND)?;
    ensure!(sent.status.success(), "{sent:?}");
    Ok(sent.stdout.trim().to_owned())
}
