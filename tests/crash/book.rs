//! The hospital's log, read from its files: continuing from a checkpoint seen earlier, and at most
//! one lease and one report a case.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::merkle::tree_root;
use crypto::log::reader::{TileReader, TileTree, read_bundle};
use crypto::log::tile::{TileKind, parse_bundle, tiles};
use node::driver::log::unframe;
use protocol::audit::entry::{Entry, Openings};
use protocol::audit::record::Record;
use serde_json::json;

use crate::net::{LIFE, LOOK, Net, Node};
use crate::sent::open_store;
use crate::world::{Who, World};

/// A checkpoint as it was read from a folder.
pub struct Seen(SignedCheckpoint);

impl Seen {
    /// The checkpoints that a hospital has shown to others: its own, and the cosigned one.
    pub fn all(world: &World) -> Result<Vec<Self>> {
        let mut seen = Vec::new();
        for name in ["checkpoint", "cosigned"] {
            let file = world.data(Who::Hospital).join("store/log").join(name);
            match fs::read(&file) {
                Ok(bytes) => seen.push(Self(SignedCheckpoint::parse(&bytes)?)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(seen)
    }

    /// How many entries it covers.
    pub fn size(&self) -> u64 {
        self.0.head().size
    }

    /// Holds a log's folder against this: the same tree, grown.
    pub fn continues(&self, log: &Path) -> Result<()> {
        let (old, new) = (self.0.head(), size(log)?);
        ensure!(old.size <= new, "the log shrank: {} to {new}", old.size);
        let tree = TileTree::new(Tiles(log.to_owned()), new)?;
        ensure!(
            tree_root(&tree, old.size)? == old.root,
            "another tree at size {}",
            old.size
        );
        Ok(())
    }
}

fn size(log: &Path) -> Result<u64> {
    let checkpoint = SignedCheckpoint::parse(&fs::read(log.join("checkpoint"))?)?;
    let (size, root) = (checkpoint.head().size, checkpoint.head().root);
    let tree = TileTree::new(Tiles(log.to_owned()), size)?;
    ensure!(tree_root(&tree, size)? == root, "the checkpoint's root");
    Ok(size)
}

struct Tiles(PathBuf);

impl TileReader for Tiles {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(path)).ok()
    }
}

/// Waits until the witness has cosigned everything, and writes the archive of each log. The tool of
/// the regulator accepts both.
pub fn export(net: &Net<'_>) -> Result<PathBuf> {
    let folder = net.world.root().join("archives");
    let mut verify = Command::new(harness::binary("radmesh-audit")?);
    verify.arg("verify");
    verify.args(["--genesis", &net.world.genesis().to_hex()]);
    for (who, node) in [(Who::Hospital, &net.hospital), (Who::Reader, &net.reader)] {
        cosigned(node)?;
        let dir = folder.join(who.name());
        node.ask(&json!({ "cmd": "export", "dir": dir }))?;
        verify.arg(dir);
    }
    let verified = harness::run(&mut verify, net.world.root(), LIFE)?;
    ensure!(verified.status.success(), "{verified:?}");
    Ok(folder.join(Who::Hospital.name()).join("log"))
}

fn cosigned(node: &Node<'_>) -> Result<()> {
    let until = Instant::now() + LIFE;
    loop {
        let log = node.ask(&json!({ "cmd": "status" }))?["log"].take();
        if log["size"].as_u64().is_some() && log["size"] == log["cosigned"] {
            return Ok(());
        }
        ensure!(Instant::now() < until, "not cosigned: {log}");
        std::thread::sleep(LOOK);
    }
}

/// What the log says of one case so far.
#[derive(Debug, Default)]
struct Life {
    opened: u32,
    /// The fence of the lease that is held.
    held: Option<u64>,
    /// The fence that the primary report came on.
    reported: Option<u64>,
    delivered: u32,
    closed: u32,
}

/// What a hospital's log says of its cases.
#[derive(Debug, Default)]
pub struct Cases {
    lives: BTreeMap<Vec<u8>, Life>,
    /// The fences of all grants.
    pub granted: BTreeSet<u64>,
    /// The fences of all reports that were received.
    pub reported: BTreeSet<u64>,
    /// How many reports were delivered.
    pub delivered: usize,
}

impl Cases {
    /// How many cases there are.
    pub fn count(&self) -> usize {
        self.lives.len()
    }

    /// How many cases are closed.
    pub fn ended(&self) -> usize {
        self.lives.values().filter(|life| life.closed > 0).count()
    }

    /// How many cases there are, all of them closed.
    pub fn closed(&self) -> Result<usize> {
        for life in self.lives.values() {
            let whole = (life.opened, life.closed) == (1, 1) && life.delivered > 0;
            ensure!(whole && life.reported.is_some(), "not closed: {life:?}");
        }
        Ok(self.count())
    }
}

/// What the log in the data folder of a hospital that does not run says of its cases. Its payloads
/// are opened with its own keys.
///
/// # Errors
/// Where a case is granted while a lease of it is held, has two primary reports, or was opened or
/// closed twice.
pub fn cases(world: &World, data: &Path) -> Result<Cases> {
    let store = open_store(world, data)?;
    let log = data.join("store/log");
    let mut cases = Cases::default();
    for (index, entry) in (0..).zip(entries(&log)?) {
        let sealed = store.payloads().get(index)?;
        let sealed = sealed.with_context(|| format!("entry {index} has no payload"))?;
        let place = u64::to_be_bytes(index);
        let framed = store.subjects().open_payload(&place, &sealed.bytes)?;
        let unsealed = unframe(&framed).context("a payload's frame")?;
        let openings = Openings::decode_bytes(&unsealed.openings)?;
        let record = Record::decode(entry.header().kind, &openings)?;
        note(&mut cases, index, &record)
            .with_context(|| format!("entry {index}, {:?}", record.kind()))?;
    }
    for life in cases.lives.values() {
        ensure!(life.opened == 1 && life.closed <= 1, "{life:?}");
    }
    Ok(cases)
}

fn entries(log: &Path) -> Result<Vec<Entry>> {
    let tiles_of = Tiles(log.to_owned());
    let mut entries = Vec::new();
    for tile in tiles(size(log)?).filter(|tile| tile.kind() == TileKind::Entries) {
        let bundle = read_bundle(&tiles_of, &tile)?;
        for bytes in parse_bundle(&bundle, tile.width())? {
            entries.push(Entry::decode_bytes(bytes)?);
        }
    }
    Ok(entries)
}

fn note(cases: &mut Cases, index: u64, record: &Record) -> Result<()> {
    let lives = &mut cases.lives;
    match record {
        Record::CaseOpened(case) => lives.entry(case.case.clone()).or_default().opened += 1,
        Record::ReleaseGranted(granted) => {
            let life = lives.entry(granted.case.clone()).or_default();
            if let Some(held) = life.held.replace(index) {
                bail!("granted while the lease with fence {held} is held");
            }
            ensure!(life.reported.is_none(), "granted after its report");
            cases.granted.insert(index);
        }
        Record::LeaseExpired(ended) | Record::CaseHandedBack(ended) => {
            lives.entry(ended.case.clone()).or_default().held = None;
        }
        Record::LeaseResumed(resumed) => {
            let life = lives.entry(resumed.case.clone()).or_default();
            let held = life.held.replace(resumed.fence);
            ensure!(held.is_none(), "resumed while {held:?} is held");
        }
        Record::ReportReceived(report) if !report.additional => {
            let life = lives.entry(report.case.clone()).or_default();
            ensure!(life.held == Some(report.fence), "a report on another fence");
            let before = life.reported.replace(report.fence);
            ensure!(before.is_none(), "a second primary report");
            cases.reported.insert(report.fence);
        }
        Record::ReportDelivered(report) => {
            lives.entry(report.case.clone()).or_default().delivered += 1;
            cases.delivered += 1;
        }
        Record::CaseClosed(closed) => {
            let life = lives.entry(closed.case.clone()).or_default();
            life.closed += 1;
            life.held = None;
        }
        Record::CaseCancelled(_) => bail!("nobody cancelled a case"),
        Record::ReportReceived(_)
        | Record::NodeStarted(_)
        | Record::NodeStopped(_)
        | Record::ClockAnomaly(_)
        | Record::CredentialAccepted(_)
        | Record::OrderReceived(_)
        | Record::StudyReceived(_)
        | Record::CaseOffered(_)
        | Record::CaseClaimed(_)
        | Record::CaseEscalated(_)
        | Record::ReleaseRefused(_)
        | Record::GrantAccepted(_)
        | Record::ReceiptAccepted(_)
        | Record::AccessBegun(_)
        | Record::AccessEnded(_)
        | Record::ReportSigned(_)
        | Record::LogReviewed(_)
        | Record::OpeningDisclosed(_) => {}
    }
    Ok(())
}
