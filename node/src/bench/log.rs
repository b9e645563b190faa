//! How many entries a second the log takes durably, and how long one entry takes.
//!
//! What is measured is the node's own path: drafts with commitments and salts, payloads sealed
//! under subjects' keys, staged, synced, committed by a signed checkpoint, in tiles. Beside it, in
//! each round, the same bytes on the same disk: appended to one file with one sync for as many
//! entries as the log gathers into a commit (the floor), and inserted into SQLite, where Python is
//! there to drive it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use crypto::keys::{SigningKey, SymmetricKey};
use crypto::note::KeyName;
use protocol::audit::entry::{EntryDraft, Field, SubjectPlace};
use protocol::audit::header::{Action, Header, Kind, Outcome};
use protocol::audit::record::{Record, StudyRecord};
use protocol::ids::SubjectId;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde::Serialize;

use super::spread::Spread;
use crate::daemon::{Names, Vault};
use crate::driver::log::{self, Cosigner, LogHandle};
use crate::journal::LogIdentity;
use crate::store::root::MasterKey;
use crate::store::space::Reserve;
use crate::store::{Store, StoreOptions};

/// Entries of one sync in the peers: as many as the log's writer gathers.
const GATHERED: u64 = 1024;
/// The seed of the measured logs' key, which signs nothing else.
pub(super) const LOG_SEED: [u8; 32] = [5; 32];
/// Entries of one patient: an order, a few studies, their releases and reports.
const PER_SUBJECT: u64 = 20;
/// Entries appended one by one, for the time that one takes.
const SINGLES: u64 = 200;
/// SQLite in its durable mode, with the same bytes and as many rows a transaction.
const SQLITE: &str = r#"
import os, sqlite3, sys, time
path, rows, entry, payload, gathered = sys.argv[1], *map(int, sys.argv[2:])
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE log (entry BLOB NOT NULL, payload BLOB NOT NULL)")
entry, payload = os.urandom(entry), os.urandom(payload)
start = time.perf_counter()
for first in range(0, rows, gathered):
    db.execute("BEGIN")
    some = min(gathered, rows - first)
    db.executemany("INSERT INTO log VALUES (?, ?)", ((entry, payload) for _ in range(some)))
    db.execute("COMMIT")
print(rows / (time.perf_counter() - start), sqlite3.sqlite_version)
"#;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A folder on the disk that is meant; the measurement makes folders in it and removes them.
    pub folder: PathBuf,
    /// Entries a round.
    pub entries: u64,
    /// Rounds.
    pub rounds: u32,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Entries a round.
    pub entries: u64,
    /// Mean bytes of an entry.
    pub entry_bytes: u64,
    /// Mean bytes of its sealed payload.
    pub payload_bytes: u64,
    /// Durable entries a second.
    pub log: Spread,
    /// The same bytes in one file.
    pub file: Spread,
    /// The same bytes in SQLite, and its version.
    pub sqlite: Option<(Spread, String)>,
    /// The log's rate by that of the file, round by round.
    pub by_file: Spread,
    /// The log's rate by that of SQLite, round by round.
    pub by_sqlite: Option<Spread>,
    /// Milliseconds from an entry that comes alone to its being durable: the half of them, 99 of a
    /// hundred, and the slowest.
    pub single_ms: (f64, f64, f64),
}

/// One round.
struct Round {
    log: f64,
    file: f64,
    sqlite: Option<(f64, String)>,
}

/// A log in a folder of its own, removed with it.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(parent: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = parent.join(format!("radmesh-bench-{}-{name}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is named for what it is.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Measures.
///
/// # Errors
/// The disk's, or the log's.
pub fn measure(plan: &Plan) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut rounds = Vec::new();
    let mut sizes = (0, 0);
    let mut singles = Vec::new();
    for round in 0..plan.rounds {
        let scratch = Scratch::new(&plan.folder, &format!("log-{round}"))?;
        let log = runtime.block_on(async {
            let (mut bench, cosigner) = Bench::open(&scratch.0, u64::from(round))?;
            cosigner.unwatched();
            let rate = bench.throughput(plan.entries).await?;
            singles.extend(bench.singles().await?);
            sizes = bench.sizes()?;
            bench.close()?;
            Ok::<_, anyhow::Error>(rate)
        })?;
        let file = one_file(&scratch.0, plan.entries, sizes)?;
        let sqlite = sqlite(&scratch.0, plan.entries, sizes);
        rounds.push(Round { log, file, sqlite });
    }
    singles.sort_by(f64::total_cmp);
    sum_up(plan, sizes, &rounds, &singles)
}

fn sum_up(
    plan: &Plan,
    (entry_bytes, payload_bytes): (u64, u64),
    rounds: &[Round],
    singles: &[f64],
) -> anyhow::Result<Measured> {
    let spread = |figures: Vec<f64>| Spread::of(&figures).context("nothing was measured");
    let each = |of: fn(&Round) -> f64| spread(rounds.iter().map(of).collect());
    let sqlite: Vec<&(f64, String)> = rounds.iter().filter_map(|r| r.sqlite.as_ref()).collect();
    let rates: Vec<f64> = sqlite.iter().map(|(rate, _)| *rate).collect();
    let with_sqlite = rounds.iter().filter_map(|r| {
        let sqlite = r.sqlite.as_ref()?;
        Some(r.log / sqlite.0)
    });
    let with_sqlite: Vec<f64> = with_sqlite.collect();
    let at = |hundredths: usize| {
        let place = (singles.len() * hundredths / 100).min(singles.len().saturating_sub(1));
        singles.get(place).copied().unwrap_or_default()
    };
    Ok(Measured {
        entries: plan.entries,
        entry_bytes,
        payload_bytes,
        log: each(|r| r.log)?,
        file: each(|r| r.file)?,
        by_file: each(|r| r.log / r.file)?,
        by_sqlite: Spread::of(&with_sqlite),
        sqlite: Spread::of(&rates).zip(sqlite.first().map(|(_, version)| version.clone())),
        single_ms: (at(50), at(99), at(100)),
    })
}

/// An open log, and what makes its drafts.
pub(super) struct Bench {
    pub(super) handle: LogHandle,
    writer: std::thread::JoinHandle<()>,
    rng: ChaCha20Rng,
    next: u64,
}

impl Bench {
    pub(super) fn open(folder: &Path, round: u64) -> anyhow::Result<(Self, Cosigner)> {
        let master = SymmetricKey::from_bytes(&[7; 32]);
        let names = Names::new(&master);
        let master = MasterKey {
            version: 1,
            key: master,
        };
        let options = StoreOptions {
            reserve: Reserve {
                bytes: 0,
                percent: 0,
            },
            ..StoreOptions::default()
        };
        let store = Arc::new(Store::open(&folder.join("store"), &master, options)?);
        let identity = LogIdentity {
            origin: origin(round)?,
            key: SigningKey::from_seed(&LOG_SEED),
        };
        let vault = Vault::new(Arc::clone(&store), names);
        let opened = log::open(store.layout(), identity, store.payloads(), Arc::new(vault))?;
        let bench = Self {
            handle: opened.handle,
            writer: opened.writer,
            rng: ChaCha20Rng::seed_from_u64(round),
            next: 0,
        };
        Ok((bench, opened.cosigner))
    }

    /// Entries a second: from the first draft to the last entry's being durable.
    async fn throughput(&mut self, entries: u64) -> anyhow::Result<f64> {
        let start = Instant::now();
        for _ in 0..entries {
            self.append().await?;
        }
        self.handle.wait_for_all().await;
        let seconds = start.elapsed().as_secs_f64();
        anyhow::ensure!(self.handle.reader().size() == self.next, "the log stopped");
        #[allow(clippy::cast_precision_loss, reason = "a count of entries")]
        Ok(entries as f64 / seconds)
    }

    /// Milliseconds of entries that come one by one.
    async fn singles(&mut self) -> anyhow::Result<Vec<f64>> {
        let mut all = Vec::new();
        for _ in 0..SINGLES {
            let start = Instant::now();
            self.append().await?;
            self.handle.wait_for_all().await;
            all.push(start.elapsed().as_secs_f64() * 1_000.0);
        }
        anyhow::ensure!(self.handle.reader().size() == self.next, "the log stopped");
        Ok(all)
    }

    pub(super) async fn append(&mut self) -> anyhow::Result<()> {
        let draft = draft(self.next, &mut self.rng);
        self.handle.append(self.next, draft).await?;
        self.next += 1;
        Ok(())
    }

    /// Mean bytes of an entry and of its payload, over some that are spread over the log.
    fn sizes(&self) -> anyhow::Result<(u64, u64)> {
        let step = usize::try_from(self.next / 100)?.max(1);
        let (mut entries, mut payloads, mut count) = (0, 0, 0);
        for index in (0..self.next).step_by(step) {
            entries += self.handle.reader().entry(index)?.len();
            let payload = self.handle.reader().payload(index)?;
            payloads += payload.context("an entry has no payload")?.bytes.len();
            count += 1;
        }
        let mean = |sum: usize| anyhow::Ok(u64::try_from(sum / usize::max(count, 1))?);
        Ok((mean(entries)?, mean(payloads)?))
    }

    pub(super) fn close(self) -> anyhow::Result<()> {
        drop(self.handle);
        let ended = self.writer.join();
        ended.map_err(|_| anyhow::anyhow!("the log's writer panicked"))
    }
}

/// The name of the log of one round: a witness that saw one round's log refuses another of the
/// same name.
pub(super) fn origin(round: u64) -> anyhow::Result<KeyName> {
    Ok(KeyName::new(&format!("bench.radmesh/log/{round}"))?)
}

/// A study's arrival, as a hospital logs it.
fn draft(index: u64, rng: &mut ChaCha20Rng) -> EntryDraft {
    let (subject, sequence) = (index / PER_SUBJECT, index % PER_SUBJECT);
    let mut name = [0; SubjectId::LEN];
    name[..8].copy_from_slice(&subject.to_be_bytes());
    let place = SubjectPlace {
        subject: SubjectId::from_bytes(name),
        sequence,
        previous: index.saturating_sub(1),
    };
    let uid = format!("1.2.826.0.1.3680043.8.498.{index}");
    let patient = format!("{subject:010}^^^HOSPITAL");
    let record = Record::StudyReceived(StudyRecord {
        study: name[..16].to_vec(),
        study_uid: uid.clone(),
        objects: 120,
        bytes: 63_000_000,
        modality: "CT".to_owned(),
        body_part: "CHEST".to_owned(),
        description: "CT chest without contrast".to_owned(),
        accession: format!("A{index:09}"),
        patient: patient.clone(),
        ..StudyRecord::default()
    });
    let header = Header {
        version: 1,
        kind: Kind::StudyReceived as i32,
        action: Action::Create as i32,
        outcome: Outcome::Success as i32,
        ..Header::default()
    };
    let fields = vec![
        (Field::Record, record.encode()),
        (Field::Patient, patient.into_bytes()),
        (Field::Study, uid.into_bytes()),
    ];
    EntryDraft::new(header, Some(place), fields, rng)
}

/// The floor: the same bytes at the end of one file, synced as often as the log commits.
fn one_file(folder: &Path, entries: u64, (entry, payload): (u64, u64)) -> anyhow::Result<f64> {
    let path = folder.join("one-file");
    let mut file = File::create(&path)?;
    let one = vec![0x5a; usize::try_from(entry + payload)?];
    let some = one.repeat(usize::try_from(GATHERED)?);
    let start = Instant::now();
    let mut left = entries;
    while left > 0 {
        let take = left.min(GATHERED);
        file.write_all(&some[..one.len() * usize::try_from(take)?])?;
        file.sync_data()?;
        left -= take;
    }
    let seconds = start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    #[allow(clippy::cast_precision_loss, reason = "a count of entries")]
    Ok(entries as f64 / seconds)
}

/// Rows a second, and SQLite's version; `None` on a machine without Python.
fn sqlite(folder: &Path, entries: u64, (entry, payload): (u64, u64)) -> Option<(f64, String)> {
    let database = folder.join("sqlite");
    let numbers = [entries, entry, payload, GATHERED];
    let ran = Command::new("python3")
        .args(["-c", SQLITE])
        .arg(&database)
        .args(numbers.map(|number| number.to_string()))
        .output()
        .ok()
        .filter(|ran| ran.status.success())?;
    let said = String::from_utf8(ran.stdout).ok()?;
    let (rate, version) = said.trim().split_once(' ')?;
    Some((rate.parse().ok()?, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_log_is_measured_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = Plan {
            folder: folder.path().to_owned(),
            entries: 300,
            rounds: 1,
        };
        let measured = measure(&plan).expect("measured");
        assert!(measured.log.median > 0.0 && measured.file.median > 0.0);
        assert!(measured.entry_bytes > 150 && measured.payload_bytes > 200);
        let (half, most, slowest) = measured.single_ms;
        assert!(0.0 < half && half <= most && most <= slowest);
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 0);
    }
}
