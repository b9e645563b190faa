//! How long an entry takes to be cosigned by a quorum: from the draft to the cosigned checkpoint on
//! the disk, with witnesses that a link may separate from the log.
//!
//! The witnesses are the node's own, over HTTP (c2sp.org/tlog-witness), and remember on the disk
//! before they answer. They are served by another process, at the far end of the link, or by this
//! one on loopback. Beside it, in the same run: the set-up of a connection on the same path, which
//! is one round trip of it, and what bounds it.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crypto::keys::SigningKey;
use crypto::log::quorum::Quorum;
use crypto::note::{KeyName, KeyType, VerifierKey};
use protocol::audit::witness::KnownLogs;
use reqwest::Url;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::log::{Bench, LOG_SEED, Scratch, origin};
use super::spread::Spread;
use crate::driver::log::{Asker, At, LogNews, Witness};
use crate::witness::{Folders, WitnessRole, serve};

/// Witnesses that are served, and how many of them must cosign.
const WITNESSES: u8 = 4;
const THRESHOLD: u8 = 3;
/// The most rounds; each has a log of its own.
pub const ROUNDS_MAX: u32 = 100;
/// Round trips that are timed.
const TRIPS: usize = 20;
/// For one entry to be cosigned: beyond it the measurement ends with an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A folder on the disk that is meant; the measurement makes folders in it and removes them.
    pub folder: PathBuf,
    /// The quorum file with the witnesses' URLs; none to serve them here, on loopback.
    pub quorum: Option<PathBuf>,
    /// Entries a round.
    pub entries: u32,
    /// Entries a second, evenly spread.
    pub per_second: u32,
    /// Rounds.
    pub rounds: u32,
}

/// What was measured, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Entries a round.
    pub entries: u32,
    /// Entries a second.
    pub per_second: u32,
    /// Witnesses that could be asked.
    pub witnesses: usize,
    /// Half of the entries of a round took no longer, round by round.
    pub p50_ms: Spread,
    /// 99 of a hundred entries of a round took no longer, round by round.
    pub p99_ms: Spread,
    /// A connection's set-up to the first witness: one round trip of the path.
    pub round_trip_ms: Spread,
    /// `p99_ms` in round trips.
    pub p99_by_round_trip: Spread,
}

/// Serves the witnesses on ports from that of `at` on until the process is ended; `quorum` is
/// written first, for [`measure`] at the other end.
///
/// # Errors
/// A port is taken, or the disk refuses.
pub fn serve_witnesses(folder: &Path, at: SocketAddr, quorum: &Path) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let scratch = Scratch::new(folder, "witnesses")?;
    runtime.block_on(async {
        let (text, _) = witnesses(&scratch.0, at, &CancellationToken::new()).await?;
        fs::write(quorum, text).with_context(|| quorum.display().to_string())?;
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}

/// Measures.
///
/// # Errors
/// The disk's or the log's, or the quorum is not met.
pub fn measure(plan: &Plan) -> anyhow::Result<Measured> {
    let runtime = runtime()?;
    let stop = CancellationToken::new();
    let scratch = Scratch::new(&plan.folder, "cosign")?;
    let text = match &plan.quorum {
        Some(file) => fs::read(file).with_context(|| file.display().to_string())?,
        None => {
            let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
            let served = runtime.block_on(witnesses(&scratch.0, loopback, &stop))?;
            served.0.into_bytes()
        }
    };
    let quorum = Quorum::parse(&text)?;
    let asked = asked(&quorum)?;
    let (mut halves, mut most) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let folder = Scratch::new(&scratch.0, &format!("log-{round}"))?;
        let mut took = runtime.block_on(one_round(plan, &folder.0, (&quorum, &asked), round))?;
        took.sort_by(f64::total_cmp);
        let at = |hundredths: usize| took.get(took.len() * hundredths / 100).copied();
        halves.extend(at(50));
        most.extend(at(99));
    }
    let trips = runtime.block_on(trips(&asked))?;
    stop.cancel();
    let spread = |figures: &[f64]| Spread::of(figures).context("nothing was measured");
    let trip = spread(&trips)?;
    let by: Vec<f64> = most.iter().map(|ms| ms / trip.median).collect();
    Ok(Measured {
        entries: plan.entries,
        per_second: plan.per_second,
        witnesses: asked.len(),
        p50_ms: spread(&halves)?,
        p99_ms: spread(&most)?,
        round_trip_ms: trip,
        p99_by_round_trip: spread(&by)?,
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().build()?)
}

/// Starts the witnesses; the quorum file that names them.
async fn witnesses(
    folder: &Path,
    at: SocketAddr,
    stop: &CancellationToken,
) -> anyhow::Result<(String, Vec<SocketAddr>)> {
    let mut logs = KnownLogs::default();
    let log = SigningKey::from_seed(&LOG_SEED).verifying_key();
    for round in 0..u64::from(ROUNDS_MAX) {
        logs.insert(VerifierKey::new(origin(round)?, KeyType::Ed25519, log));
    }
    let (mut lines, mut places) = (String::new(), Vec::new());
    for n in 0..WITNESSES {
        let key = SigningKey::from_seed(&[100 + n; 32]);
        let name = KeyName::new(&format!("witness-{n}.bench.radmesh"))?;
        let verifier = VerifierKey::new(name.clone(), KeyType::Cosignature, key.verifying_key());
        let memory = folder.join(format!("witness-{n}"));
        fs::create_dir(&memory)?;
        let folders = Folders {
            memory: &memory.join("heads"),
            keys: &memory,
        };
        let role = Arc::new(WitnessRole::open(folders, (name, key), logs.clone())?);
        let port = match at.port() {
            0 => 0,
            first => first + u16::from(n),
        };
        let listener = TcpListener::bind((at.ip(), port)).await?;
        let place = listener.local_addr()?;
        lines += &format!("witness w{n} {verifier} http://{place}\n");
        places.push(place);
        tokio::spawn(serve(listener, role, stop.clone()));
    }
    let names: Vec<String> = (0..WITNESSES).map(|n| format!("w{n}")).collect();
    let names = names.join(" ");
    let text = format!("{lines}group some {THRESHOLD} {names}\nquorum some\n");
    Ok((text, places))
}

/// The witnesses of a quorum file that has their URLs.
fn asked(quorum: &Quorum) -> anyhow::Result<Vec<Witness>> {
    let listed = quorum.witnesses().iter();
    let with_url = listed.filter_map(|one| one.url.as_ref().map(|url| (one.key.clone(), url)));
    let asked = with_url.map(|(key, url)| {
        let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        let url = Url::parse(&url).with_context(|| format!("\"{url}\" is no URL"))?;
        Ok(Witness {
            key,
            at: At::Http(url),
        })
    });
    let asked: Vec<Witness> = asked.collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(!asked.is_empty(), "the quorum file has no witness's URL");
    Ok(asked)
}

/// Milliseconds of each entry of one round, in their order.
async fn one_round(
    plan: &Plan,
    folder: &Path,
    (quorum, asked): (&Quorum, &[Witness]),
    round: u32,
) -> anyhow::Result<Vec<f64>> {
    let (mut bench, cosigner) = Bench::open(folder, u64::from(round))?;
    let stop = CancellationToken::new();
    let asker = (Asker::over_http()?, PATIENCE);
    let (quorum, asked) = (quorum.clone(), asked.to_vec());
    let cosigning = tokio::spawn(cosigner.run(quorum, asked, asker, stop.clone()));
    // The first entry opens the connections and is not counted.
    bench.append().await?;
    wait(&mut bench, 1).await?;
    let step = Duration::from_secs(1) / plan.per_second;
    let mut due = tokio::time::Instant::now();
    let mut under_way = VecDeque::new();
    let (mut took, mut sent) = (Vec::new(), 0);
    while took.len() < usize::try_from(plan.entries)? {
        tokio::select! {
            () = tokio::time::sleep_until(due), if sent < plan.entries => {
                under_way.push_back(Instant::now());
                bench.append().await?;
                sent += 1;
                due += step;
            }
            size = cosigned(&mut bench) => {
                let size = size?;
                let done = usize::try_from(size)?.saturating_sub(1 + took.len());
                let done = under_way.drain(..done.min(under_way.len()));
                took.extend(done.map(|at| at.elapsed().as_secs_f64() * 1_000.0));
            }
        }
    }
    stop.cancel();
    cosigning.await?;
    tokio::task::spawn_blocking(move || bench.close()).await??;
    Ok(took)
}

/// Waits for the next cosigned checkpoint; its size.
async fn cosigned(bench: &mut Bench) -> anyhow::Result<u64> {
    loop {
        let news = tokio::time::timeout(PATIENCE, bench.handle.news()).await;
        match news.context("no quorum of the witnesses cosigned in time")? {
            Some(LogNews::Witnessed(size)) => return Ok(size),
            Some(LogNews::Durable(_)) => {}
            None => anyhow::bail!("the log stopped: do the witnesses remember another one?"),
        }
    }
}

async fn wait(bench: &mut Bench, size: u64) -> anyhow::Result<()> {
    while cosigned(bench).await? < size {}
    Ok(())
}

/// Milliseconds of connections' set-ups to the first witness.
async fn trips(asked: &[Witness]) -> anyhow::Result<Vec<f64>> {
    let first = asked.first().context("no witness")?;
    let At::Http(url) = &first.at else {
        anyhow::bail!("the first witness has no URL");
    };
    let place = url.socket_addrs(|| None)?;
    let place = *place.first().context("the first witness has no address")?;
    let mut trips = Vec::new();
    for _ in 0..TRIPS {
        let start = Instant::now();
        drop(TcpStream::connect(place).await?);
        trips.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(trips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_cosigned_by_three_of_four_on_a_log_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            folder: folder.path().to_owned(),
            quorum: None,
            entries: 5,
            per_second: 100,
            rounds: 2,
        };
        let measured = measure(&plan).unwrap();
        assert_eq!(measured.witnesses, 4);
        assert!(measured.p50_ms.min > 0.0 && measured.p50_ms.max <= measured.p99_ms.max);
        // Nothing stays behind.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_quorum_file_without_a_url_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let quorum = folder.path().join("quorum.policy");
        fs::write(&quorum, "quorum none\n").unwrap();
        let plan = Plan {
            folder: folder.path().to_owned(),
            quorum: Some(quorum),
            entries: 1,
            per_second: 1,
            rounds: 1,
        };
        let refused = measure(&plan).unwrap_err().to_string();
        assert_eq!(refused, "the quorum file has no witness's URL");
    }
}
