//! A report at a receiver that is not ours: DCMTK takes it, and its reader understands it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use harness::Process;
use node::dicom::ae::AeTitle;
use node::dicom::scu::{self, FileStatus, ScuConfig};
use node::dicom::sr;
use node::phi::Phi;
use node::store::objects::{StudyFields, StudySummary};
use protocol::audit::record::OrderRecord;
use protocol::ids::{CaseId, NodeId};
use protocol::io::Delivery;
use tempfile::TempDir;

use crate::dcmtk::{self, BOUND};

const RECEIVER: &str = "REPORTS";
const STUDY: &str = "1.2.826.0.1.3680043.8.498.1";
/// Some of it is outside ASCII: the character set must be declared and right.
const TEXT: &str = "FINAL REPORT\nfindings: Größe 3 mm, keine Blutung.\nimpression: 出血なし";

fn study() -> StudySummary {
    StudySummary {
        study_uid: Phi::new(STUDY.to_owned()),
        fields: StudyFields {
            patient_id: Phi::new("P1".to_owned()),
            patient_name: Phi::new("PHANTOM^RADMESH".to_owned()),
            accession: Phi::new("A1".to_owned()),
            date: Phi::new("20260102".to_owned()),
            ..StudyFields::default()
        },
        modalities: vec!["CT".to_owned()],
        series: 1,
        objects: 1,
        bytes: 1,
        first_arrival_ms: 0,
        last_arrival_ms: 0,
        patient_conflict: false,
    }
}

fn delivery(report: &[u8]) -> Delivery {
    Delivery {
        case: CaseId::from_bytes([1; 16]),
        studies: Vec::new(),
        order: OrderRecord::default(),
        report: report.to_vec(),
        reader: NodeId::from_bytes([2; 32]),
    }
}

/// A `storescp` that keeps what it takes, and where it listens.
fn receiver(folder: &TempDir) -> Result<(Process, SocketAddr)> {
    // The port is free again when storescp binds it; nothing else of this test takes one.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new("storescp");
    command.args(["-v", "-aet", RECEIVER, "-od"]);
    command.arg(folder.path()).arg(address.port().to_string());
    let process = Process::start(&mut command, folder.path()).context("run scripts/setup")?;
    let until = Instant::now() + BOUND;
    while TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < until, "storescp does not listen");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok((process, address))
}

fn send(report: &[u8], to: SocketAddr, folder: &TempDir) -> Result<FileStatus> {
    let file = sr::write(folder.path(), &study(), &delivery(report), TEXT)?;
    let config = ScuConfig::new(AeTitle::parse("RADMESH")?, AeTitle::parse(RECEIVER)?, to);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let reports = runtime.block_on(scu::store(&config, vec![file.path().to_owned()]));
    let status = reports.into_iter().next().map(|report| report.status);
    status.context("no answer")
}

#[test]
fn a_report_is_taken_and_understood_by_dcmtk() -> Result<()> {
    let (folder, taken) = (TempDir::new()?, TempDir::new()?);
    let (mut process, to) = receiver(&taken)?;
    // The same report again is the same object at the receiver.
    for report in [b"one", b"one", b"two"] {
        let status = send(report, to, &folder)?;
        ensure!(
            matches!(status, FileStatus::Stored { .. }),
            "{status:?}\n{}",
            process.story()
        );
    }
    process.kill();
    let files = dcmtk::files(taken.path())?;
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        understood(file, &folder)?;
    }
    assert_eq!(
        fs::read_dir(folder.path())?.count(),
        0,
        "temporary files stay"
    );
    Ok(())
}

/// `dsrdump` reads the document, whole and without a complaint.
fn understood(file: PathBuf, folder: &TempDir) -> Result<()> {
    let mut command = Command::new("dsrdump");
    // In UTF-8, with everything that is in it.
    command.args(["+U8", "+Pl"]).arg(file);
    let read = harness::run(&mut command, folder.path(), BOUND).context("run scripts/setup")?;
    let told = format!("{}\n{}", read.stdout, read.stderr);
    ensure!(read.status.success(), "{told}");
    for part in ["PHANTOM^RADMESH", "Größe 3 mm", "出血なし", "Basic Text SR"] {
        ensure!(told.contains(part), "no {part}: {told}");
    }
    let complaint = |line: &&str| {
        let known = line.contains("The VR checker does not support this Specific Character Set");
        (line.starts_with("W: ") || line.starts_with("E: ")) && !known
    };
    ensure!(told.lines().find(complaint).is_none(), "{told}");
    Ok(())
}
