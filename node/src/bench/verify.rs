//! How fast an archive of any size is verified, and in how much memory.
//!
//! ```text
//! hashing      every tile and bundle: its digest against the list, every entry's leaf, every node,
//!              against `sha256sum` over the same files, in turns
//! signatures   grants, receipts and the readers' checkpoints, by the functions of the verifier
//! the whole    a child `radmesh-audit verify`: its time, and its greatest resident set
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::keys::VerifyingKey;
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::fsck::fsck;
use crypto::log::proof::LogProof;
use crypto::log::reader::TileReader;
use crypto::note::VerifierKey;
use protocol::audit::archive::FileName;
use protocol::audit::archive::name::LOG_PREFIX;
use protocol::audit::verify::Source as _;
use protocol::document::grant::Grant;
use protocol::document::receipt::Receipt;
use protocol::document::{self, Document};
use protocol::member::Credential;
use serde::Serialize;
use sim::archive::{Plan, make};

use super::FolderShelf;
use super::spread::{Spread, Took, Whose, timed};
use crate::archive::Folder;

/// Releases whose signatures are timed: a second's worth and more.
const RELEASES_TIMED: usize = 5_000;
/// Signatures of one release: its grant, its receipt, the reader's checkpoint.
const SIGNATURES_A_RELEASE: u64 = 3;
/// Files that one `sha256sum` is given: far below what a command line may hold.
const FILES_A_CALL: usize = 8_000;
/// How often a child's memory is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What to make, if the folder does not hold an archive.
    pub plan: Plan,
    /// The archive.
    pub folder: PathBuf,
    /// Rounds of hashing.
    pub rounds: usize,
    /// The regulator's tool.
    pub auditor: PathBuf,
}

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Entries in the log.
    pub entries: u64,
    /// Files of the archive.
    pub files: u64,
    /// Bytes of the log's tiles and bundles: what is hashed.
    pub log_bytes: u64,
    /// Processor time of the verifier's hashing, by that of `sha256sum`.
    pub hashing_ratio: Option<Spread>,
    /// The same by the clock.
    pub hashing_ratio_wall: Option<Spread>,
    /// Processor seconds of the verifier's hashing.
    pub hashing_s: Option<Spread>,
    /// Processor seconds of `sha256sum`.
    pub sha256sum_s: Option<Spread>,
    /// Signatures checked.
    pub signatures: u64,
    /// Signatures that one processor checks in a second.
    pub signatures_a_second: Option<f64>,
    /// The whole verification by the clock, in seconds.
    pub verify_wall_s: f64,
    /// Its processor time, in seconds.
    pub verify_cpu_s: f64,
    /// Its greatest resident set, in KiB, as seen every few milliseconds.
    pub verify_peak_kib: u64,
    /// The longest proof of one entry in the archive, in bytes.
    pub proof_bytes: Option<u64>,
}

/// Makes the archive if it is not there, and measures.
///
/// # Errors
/// The archive cannot be made or does not verify, or a program that takes part cannot be run.
pub fn run(ask: &Ask) -> anyhow::Result<Figures> {
    if !ask
        .folder
        .join(protocol::audit::archive::NOTE_PATH)
        .is_file()
    {
        let at = || format!("{}: no archive could be made", ask.folder.display());
        make(ask.plan, &mut FolderShelf::new(&ask.folder)).with_context(at)?;
    }
    let folder = Folder::open(&ask.folder)?;
    let genesis = folder
        .read("trust/genesis.env", FileName::Genesis.max_len())
        .context("trust/genesis.env")?;
    let log = Log::of(&folder)?;
    let (mut ratio, mut by_clock) = (Vec::new(), Vec::new());
    let (mut own_s, mut other_s) = (Vec::new(), Vec::new());
    for _ in 0..ask.rounds {
        let ((), other) = timed(Whose::Children, || sha256sum(&ask.folder, &log.files))?;
        let ((), own) = timed(Whose::Own, || log.hash(&folder))?;
        ratio.push(own.cpu_s / other.cpu_s);
        by_clock.push(own.wall_s / other.wall_s);
        own_s.push(own.cpu_s);
        other_s.push(other.cpu_s);
    }
    let signatures = Signatures::of(&folder)?;
    let (checked, took) = timed(Whose::Own, || signatures.check())?;
    let (peak, whole) = verified(ask, Digest::sha256(&genesis))?;
    Ok(Figures {
        entries: log.size,
        files: folder.paths().len() as u64,
        log_bytes: log.bytes,
        hashing_ratio: Spread::of(&ratio),
        hashing_ratio_wall: Spread::of(&by_clock),
        hashing_s: Spread::of(&own_s),
        sha256sum_s: Spread::of(&other_s),
        signatures: checked,
        signatures_a_second: (checked > 0).then(|| checked as f64 / took.cpu_s),
        verify_wall_s: whole.wall_s,
        verify_cpu_s: whole.cpu_s,
        verify_peak_kib: peak,
        proof_bytes: longest_proof(&folder),
    })
}

/// The log's own files.
struct Log {
    key: VerifierKey,
    size: u64,
    files: Vec<String>,
    bytes: u64,
}

impl Log {
    fn of(folder: &Folder) -> anyhow::Result<Self> {
        let signed = read(folder, FileName::Checkpoint)?;
        let signed = SignedCheckpoint::parse(&signed)?;
        let keys = credentials(folder)?;
        let keys = keys
            .iter()
            .filter_map(|credential| credential.log_key().ok().flatten());
        let mut keys = keys.filter(|key| signed.verify_log(key).is_ok());
        let key = keys.next().context("no credential names the log's key")?;
        let mut log = Self {
            key,
            size: signed.head().size,
            files: Vec::new(),
            bytes: 0,
        };
        for path in folder.paths() {
            if let Some(name @ FileName::Tile(_)) = FileName::parse(&path) {
                log.bytes += read(folder, name)?.len() as u64;
                log.files.push(path);
            }
        }
        Ok(log)
    }

    /// All hashing that the verifier does over the log's files: of each file, of each entry, of the
    /// tree. As the verifier does, it reads each file for either.
    fn hash(&self, folder: &Folder) -> anyhow::Result<()> {
        for path in &self.files {
            let name = FileName::parse(path).context("a tile")?;
            std::hint::black_box(Digest::sha256(&read(folder, name)?));
        }
        let listing = self
            .files
            .iter()
            .filter_map(|path| path.strip_prefix(LOG_PREFIX));
        let listing = listing.map(str::to_owned);
        let found = fsck(&Tiles(folder), &self.key, listing, |_, _| ());
        ensure!(
            found.intact() && found.entries == self.size,
            "the log is damaged"
        );
        Ok(())
    }
}

/// The folder as the log's mathematics reads it.
struct Tiles<'a>(&'a Folder);

impl TileReader for Tiles<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let path = format!("{LOG_PREFIX}{path}");
        let max = FileName::parse(&path)?.max_len();
        self.0.read(&path, max).ok()
    }
}

fn read(folder: &Folder, name: FileName) -> anyhow::Result<Vec<u8>> {
    let path = name.to_string();
    folder.read(&path, name.max_len()).context(path)
}

fn credentials(folder: &Folder) -> anyhow::Result<Vec<Credential>> {
    let paths = folder.paths();
    let names = paths.iter().filter_map(|path| FileName::parse(path));
    let mut found = Vec::new();
    for name in names.filter(|name| matches!(name, FileName::Credential(_))) {
        let envelope = Envelope::decode(&read(folder, name)?)?;
        found.push(Credential::decode(&envelope.payload)?);
    }
    Ok(found)
}

fn sha256sum(folder: &Path, files: &[String]) -> anyhow::Result<()> {
    for some in files.chunks(FILES_A_CALL) {
        let mut command = Command::new("sha256sum");
        let command = command.current_dir(folder).stdout(Stdio::null());
        let status = command.arg("--").args(some).status();
        ensure!(status.context("sha256sum")?.success(), "sha256sum failed");
    }
    Ok(())
}

/// Papers of some releases, read before they are timed, and the keys that must have signed them.
struct Signatures {
    hospital: VerifyingKey,
    releases: Vec<Papers>,
}

/// What is signed of one release.
struct Papers {
    grant: Vec<u8>,
    receipt: Vec<u8>,
    /// Of the reader's log.
    proof: Vec<u8>,
    /// The reader's.
    log: VerifierKey,
}

impl Signatures {
    fn of(folder: &Folder) -> anyhow::Result<Self> {
        let credentials = credentials(folder)?;
        let mut hospitals = credentials
            .iter()
            .filter_map(|credential| credential.hospital_key);
        let hospital = hospitals.next().context("no credential of a hospital")?;
        let logs = credentials
            .iter()
            .filter_map(|credential| credential.log_key().ok().flatten());
        let logs: Vec<VerifierKey> = logs.collect();
        let (mut grants, mut receipts) = (Vec::new(), Vec::new());
        for path in folder.paths() {
            match FileName::parse(&path) {
                Some(FileName::Grant(index)) => grants.push(index),
                Some(FileName::Receipt(index)) => receipts.push(index),
                Some(_) | None => (),
            }
        }
        grants.sort_unstable();
        receipts.sort_unstable();
        let mut releases = Vec::new();
        // Both come in the order of the log, and each grant that was made has its receipt.
        for (grant, receipt) in grants.into_iter().zip(receipts).take(RELEASES_TIMED) {
            let proof = read(folder, FileName::ReceiptProof(receipt))?;
            let origin = LogProof::parse(&proof)?
                .checkpoint
                .checkpoint()
                .origin
                .clone();
            let log = logs.iter().find(|log| *log.name() == origin);
            releases.push(Papers {
                grant: read(folder, FileName::Grant(grant))?,
                receipt: read(folder, FileName::Receipt(receipt))?,
                proof,
                log: log.context("no credential of a reader's log")?.clone(),
            });
        }
        Ok(Self { hospital, releases })
    }

    /// Checks them as the verifier does, and counts them.
    fn check(&self) -> anyhow::Result<u64> {
        for papers in &self.releases {
            let grant: Grant = document::open(&papers.grant, &self.hospital)?;
            let person: [u8; 32] = grant.person.as_slice().try_into()?;
            let signer = VerifyingKey::from_bytes(&person)?;
            let receipt: Receipt = document::open(&papers.receipt, &signer)?;
            ensure!(receipt.version() == 1, "another version of a receipt");
            let proof = LogProof::parse(&papers.proof)?;
            proof.checkpoint.verify_log(&papers.log)?;
        }
        Ok(self.releases.len() as u64 * SIGNATURES_A_RELEASE)
    }
}

/// Runs the regulator's tool. Gives its greatest resident set in KiB, and how long it took.
fn verified(ask: &Ask, genesis: Digest) -> anyhow::Result<(u64, Took)> {
    timed(Whose::Children, || {
        let mut command = Command::new(&ask.auditor);
        let command = command.arg("verify").arg("--genesis").arg(genesis.to_hex());
        let child = command.arg(&ask.folder).stdout(Stdio::null()).spawn();
        let mut child = child.with_context(|| format!("{}", ask.auditor.display()))?;
        let mut peak = 0;
        loop {
            peak = peak.max(high_water(&child).unwrap_or(0));
            match child.try_wait()? {
                Some(status) if status.success() => return Ok(peak),
                Some(_) => bail!("{}: does not verify", ask.folder.display()),
                None => std::thread::sleep(LOOK),
            }
        }
    })
}

/// The greatest resident set that a process had (proc(5), `VmHWM`), in KiB.
fn high_water(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn longest_proof(folder: &Folder) -> Option<u64> {
    let paths = folder.paths();
    let names = paths.iter().filter_map(|path| FileName::parse(path));
    let proofs = names.filter(|name| matches!(name, FileName::Proof(_)));
    let length = |name| read(folder, name).map_or(0, |bytes| bytes.len() as u64);
    proofs.map(length).max()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |spread: &Option<Spread>| spread.map_or("none".to_owned(), |s| s.to_string());
        let megabytes = self.log_bytes as f64 / 1e6;
        writeln!(
            f,
            "{} entries, {} files, {megabytes:.1} MB of tiles and bundles",
            self.entries, self.files
        )?;
        writeln!(
            f,
            "hashing: {} times sha256sum in processor time, {} by the clock\n  {} s against {} s",
            or_none(&self.hashing_ratio),
            or_none(&self.hashing_ratio_wall),
            or_none(&self.hashing_s),
            or_none(&self.sha256sum_s)
        )?;
        match self.signatures_a_second {
            Some(rate) => writeln!(
                f,
                "signatures: {rate:.0} a second ({} timed)",
                self.signatures
            )?,
            None => writeln!(f, "signatures: no release in the archive")?,
        }
        writeln!(
            f,
            "the whole: {:.2} s by the clock, {:.2} s of processors, at most {:.1} MiB resident",
            self.verify_wall_s,
            self.verify_cpu_s,
            self.verify_peak_kib as f64 / 1024.0
        )?;
        match self.proof_bytes {
            Some(bytes) => writeln!(f, "proof of one entry: {bytes} bytes at most"),
            None => writeln!(f, "proof of one entry: none in the archive"),
        }
    }
}
