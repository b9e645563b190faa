//! DCMTK as the hospital's peer: its echo and its sender, and a wire that stalls in a file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::network::PACS_AE;
use harness::{Output, Process};

/// Some sixty images to a hospital on the same machine.
pub const BOUND: Duration = Duration::from_secs(120);

/// Calls a hospital with C-ECHO. A machine without DCMTK fails here, and does not skip.
pub fn echo(to: SocketAddr, calling: &str, called: &str, folder: &Path) -> Result<Output> {
    let mut command = Command::new("echoscu");
    command.args(["-aet", calling, "-aec", called]);
    command.args([to.ip().to_string(), to.port().to_string()]);
    harness::run(&mut command, folder, BOUND).context("run scripts/setup")
}

/// `storescu` on files, each in its own class and transfer syntax: without a profile that says so,
/// it would decompress, or turn bytes around, and something else than the file would be sent.
pub fn sender(files: &[PathBuf], to: SocketAddr, called: &str, folder: &Path) -> Result<Command> {
    let mut pairs = BTreeSet::new();
    for file in files {
        let part10 = node::dicom::part10::read(&mut File::open(file)?)
            .with_context(|| file.display().to_string())?;
        let class = part10.sop_class.context("a file without a SOP class")?;
        pairs.insert((class.to_string(), part10.syntax.uid));
    }
    let (mut syntaxes, mut contexts) = (String::new(), String::new());
    for (at, (class, syntax)) in pairs.iter().enumerate() {
        writeln!(syntaxes, "[Syntax{at}]\nTransferSyntax1 = {syntax}")?;
        writeln!(
            contexts,
            "PresentationContext{} = {class}\\Syntax{at}",
            at + 1
        )?;
    }
    let profile = format!(
        "[[TransferSyntaxes]]\n{syntaxes}[[PresentationContexts]]\n[AsStored]\n{contexts}\
         [[Profiles]]\n[AsStored]\nPresentationContexts = AsStored\n"
    );
    let config = folder.join("storescu.cfg");
    fs::write(&config, profile)?;
    let mut command = Command::new("storescu");
    command.args(["-v", "-aet", PACS_AE, "-aec", called, "-xf"]);
    command.arg(config).arg("AsStored");
    command.args([to.ip().to_string(), to.port().to_string()]);
    command.args(files);
    Ok(command)
}

/// Sends files in one association; every one must be answered with success.
pub fn store(files: &[PathBuf], to: SocketAddr, called: &str, folder: &Path) -> Result<()> {
    let mut command = sender(files, to, called, folder)?;
    let sent = harness::run(&mut command, folder, BOUND).context("run scripts/setup")?;
    let told = format!("{}\n{}", sent.stdout, sent.stderr);
    ensure!(sent.status.success(), "{}: {told}", sent.status);
    let stored = told.matches("Received Store Response (Success)").count();
    ensure!(stored == files.len(), "{stored} of {}: {told}", files.len());
    Ok(())
}

/// The files of a folder and of those in it, by name, without hidden ones.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for item in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let item = item?;
            if item.file_type()?.is_dir() {
                open.push(item.path());
            } else if !item.file_name().to_string_lossy().starts_with('.') {
                files.push(item.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A wire to `to` that passes `bytes` of what the sender says, and then nothing more until the
/// sender is gone. Gives its address, and the news that it stalls.
pub fn stalling(to: SocketAddr, bytes: u64) -> Result<(SocketAddr, Receiver<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // It stalls once.
    let (tell, stalled) = sync_channel(1);
    thread::spawn(move || -> io::Result<()> {
        let (mut from, _) = listener.accept()?;
        let mut into = TcpStream::connect(to)?;
        let (mut answers, mut back) = (into.try_clone()?, from.try_clone()?);
        thread::spawn(move || io::copy(&mut answers, &mut back));
        io::copy(&mut from.try_clone()?.take(bytes), &mut into)?;
        into.flush()?;
        // The test may have given up; the wire ends with its sender all the same.
        let _ = tell.send(());
        let _ = io::copy(&mut from, &mut io::sink());
        into.shutdown(Shutdown::Both)
    });
    Ok((address, stalled))
}

/// Kills a sender when `bytes` of its association have reached the hospital.
pub fn killed_within(file: &Path, to: SocketAddr, called: &str, folder: &Path) -> Result<()> {
    // More than the negotiation, less than the smallest synthetic slice.
    const BYTES: u64 = 300_000;
    ensure!(file.metadata()?.len() > BYTES, "too small to be cut");
    let (wire, stalled) = stalling(to, BYTES)?;
    let mut command = sender(&[file.to_owned()], wire, called, folder)?;
    let mut process = Process::start(&mut command, folder).context("run scripts/setup")?;
    let told = stalled.recv_timeout(BOUND);
    told.with_context(|| process.story())?;
    ensure!(!process.ended(), "it ended by itself: {}", process.story());
    process.kill();
    Ok(())
}
