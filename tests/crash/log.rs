//! `kill -9` of a process that does nothing but append to a log, at random moments, on one folder:
//! after each kill the log holds what was acknowledged, unchanged, and goes on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use crypto::keys::{SigningKey, SymmetricKey};
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::note::KeyName;
use node::driver::log::{self, LogNews, PayloadFault, PayloadSeal, Unsealed, frame, unframe};
use node::journal::LogIdentity;
use node::store::payloads::SealedPayload;
use node::store::root::MasterKey;
use node::store::space::Reserve;
use node::store::{Store, StoreOptions};
use protocol::audit::entry::{EntryDraft, Field};
use protocol::audit::header::{Header, Kind};
use protocol::ids::SubjectId;

use crate::kill::draw;
use crate::net::LIFE;

/// The folder that a child appends in.
pub const FOLDER: &str = "RADMESH_CRASH_LOG";
/// The test that is the child.
pub const CHILD: &str = "a_log_is_appended_to_and_each_size_is_told";
/// Before each acknowledged size, in the child's output.
const TOLD: &str = "durable ";
/// Before the size that the child's log has when it opens.
const FOUND: &str = "found ";
/// The longest life of a child after its log is open.
const LIFE_MS: u64 = 40;
/// About as long as a child takes to open its log.
const OPENING_MS: u64 = 120;
/// Entries that are under way at a time: some batches are gathered, some entries come alone.
const AHEAD: u64 = 64;

struct Seal(Arc<Store>);

impl PayloadSeal for Seal {
    fn seal(
        &self,
        index: u64,
        subject: Option<SubjectId>,
        openings: &[u8],
    ) -> Result<SealedPayload, PayloadFault> {
        let framed = frame(subject, openings);
        let subjects = self.0.subjects();
        let sealed = subjects.seal_payload(b"one", &index.to_be_bytes(), &framed);
        sealed.map_err(PayloadFault::of)
    }

    fn open(&self, index: u64, sealed: &[u8]) -> Result<Unsealed, PayloadFault> {
        let opened = self.0.subjects().open_payload(&index.to_be_bytes(), sealed);
        unframe(&opened.map_err(PayloadFault::of)?).ok_or(PayloadFault::Erased)
    }
}

fn store(folder: &Path) -> Result<Arc<Store>> {
    let master = MasterKey {
        version: 1,
        key: SymmetricKey::from_bytes(&[7; 32]),
    };
    let options = StoreOptions {
        reserve: Reserve {
            bytes: 0,
            percent: 0,
        },
        ..StoreOptions::default()
    };
    Ok(Arc::new(Store::open(folder, &master, options)?))
}

fn open(folder: &Path) -> Result<(log::Opened, Arc<Store>)> {
    let store = store(folder)?;
    let identity = LogIdentity {
        origin: KeyName::new("log.crash.radmesh")?,
        key: SigningKey::from_seed(&[5; 32]),
    };
    let seal = Arc::new(Seal(Arc::clone(&store)));
    let opened = log::open(store.layout(), identity, store.payloads(), seal)?;
    opened.cosigner.unwatched();
    Ok((opened, store))
}

fn draft(index: u64) -> Result<EntryDraft> {
    let header = Header {
        version: 1,
        kind: Kind::NodeStarted as i32,
        ..Header::default()
    };
    let fields = vec![(Field::Record, index.to_be_bytes().repeat(8))];
    Ok(EntryDraft::new(
        header,
        None,
        fields,
        &mut node::random::os_rng()?,
    ))
}

/// Appends up to `most` entries in `folder`, and tells each size once it is durable.
pub async fn append(folder: &Path, most: u64) -> Result<u64> {
    let (mut opened, store) = open(folder)?;
    let mut next = opened.handle.reader().size();
    writeln!(std::io::stdout(), "{FOUND}{next}")?;
    let (mut durable, end) = (next, next + most);
    while durable < end {
        while next < end && next < durable + AHEAD {
            opened.handle.append(next, draft(next)?).await?;
            next += 1;
        }
        match opened.handle.news().await {
            Some(LogNews::Durable(size)) => {
                durable = size;
                writeln!(std::io::stdout(), "{TOLD}{size}")?;
            }
            Some(LogNews::Witnessed(_)) => {}
            None => bail!("the log stopped"),
        }
    }
    drop((opened.handle, opened.cosigner, store));
    let ended = opened.writer.join();
    ended.map_err(|_| anyhow::anyhow!("the log's writer panicked"))?;
    Ok(durable)
}

/// When a child is killed.
enum Moment {
    /// So long after its start: some die while they open the log.
    Started(Duration),
    /// So long after its log is open.
    Opened(Duration),
}

/// One child: what it found, and the last size that it told before it was killed.
fn child(folder: &Path, moment: &Moment) -> Result<(u64, u64)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", CHILD, "--nocapture"]);
    command.env(FOLDER, folder);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("no output")?;
    let (open, opened) = std::sync::mpsc::sync_channel(1);
    let reading = std::thread::spawn(move || {
        let (mut found, mut told) = (None, None);
        for line in BufReader::new(out).lines() {
            let Ok(line) = line else { break };
            // libtest writes the test's name before its first line.
            if let Some((_, size)) = line.split_once(FOUND) {
                found = size.parse::<u64>().ok();
                // Nobody waits for it when the kill comes by the clock.
                let _ = open.send(());
            }
            // A line that the kill cut has a size that is too small: it claims less.
            if let Some(size) = line.strip_prefix(TOLD) {
                told = size.parse::<u64>().ok().max(told);
            }
        }
        (found, told)
    });
    match moment {
        Moment::Started(life) => std::thread::sleep(*life),
        Moment::Opened(life) => {
            // A child that ends by itself is told by what it found.
            let _ = opened.recv_timeout(LIFE);
            std::thread::sleep(*life);
        }
    }
    child.kill()?;
    child.wait()?;
    let read = reading.join();
    let (found, told) = read.map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    let found = found.unwrap_or_default();
    Ok((found, told.unwrap_or_default().max(found)))
}

/// Kills `count` times on one folder.
pub fn kills(count: u64) -> Result<()> {
    let root = tempfile::TempDir::new()?;
    let folder = root.path().join("store");
    let (mut told, mut roots) = (0, Vec::new());
    let mut grown = 0;
    for n in 0..count {
        let span = |most| Duration::from_millis(draw(n, 7) % most);
        let moment = match n % 4 {
            0 => Moment::Started(span(OPENING_MS)),
            _ => Moment::Opened(span(LIFE_MS)),
        };
        let (found, after) = child(&folder, &moment)?;
        ensure!(
            found == 0 || found >= told,
            "kill {n}: {told} were acknowledged, {found} are there"
        );
        grown += u64::from(after > told);
        told = told.max(after);
        let log = folder.join("log");
        if let Ok(bytes) = std::fs::read(log.join("checkpoint")) {
            roots.push(*SignedCheckpoint::parse(&bytes)?.head());
        }
        if harness::long() && n % 100 == 99 {
            harness::tell(&format!("{} of {count} kills", n + 1));
        }
    }
    ensure!(
        grown > count / 2,
        "only {grown} of {count} children appended"
    );
    let (opened, store) = open(&folder)?;
    let reader = opened.handle.reader();
    ensure!(
        reader.size() >= told,
        "{told} were acknowledged, {} are there",
        reader.size()
    );
    for head in roots {
        ensure!(
            reader.root(head.size)? == head.root,
            "another tree at size {}",
            head.size
        );
    }
    let seal = Seal(store);
    for index in 0..reader.size() {
        let sealed = reader.payload(index)?.context("no payload")?;
        let opened = seal.open(index, &sealed.bytes)?;
        ensure!(!opened.openings.is_empty(), "entry {index} has no openings");
    }
    Ok(())
}
