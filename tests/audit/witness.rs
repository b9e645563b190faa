//! The witness before a log that is not ours: tlog-scales writes it, asks for cosignatures over
//! HTTP as C2SP tlog-witness says, and verifies them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use crypto::keys::SigningKey;
use crypto::note::{KeyName, KeyType, VerifierKey};
use node::witness::{Folders, WitnessRole, serve};
use protocol::audit::witness::KnownLogs;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The log's whole life.
const BOUND: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stock_log_is_cosigned_and_refused_as_specified() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let (seed, key) = ([3; 32], SigningKey::from_seed(&[4; 32]));
    let (origin, name) = (
        KeyName::new("stock.example/log")?,
        KeyName::new("witness.example")?,
    );
    let mut logs = KnownLogs::default();
    let log = SigningKey::from_seed(&seed).verifying_key();
    logs.insert(VerifierKey::new(origin, KeyType::Ed25519, log));
    let witness = VerifierKey::new(name.clone(), KeyType::Cosignature, key.verifying_key());
    let memory = folder.path().join("witness");
    let folders = Folders {
        memory: &memory,
        keys: folder.path(),
    };
    let role = Arc::new(WitnessRole::open(folders, (name, key), logs)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, Arc::clone(&role), stop.clone()));

    let mut command = Command::new(harness::python()?);
    command
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("audit/stock_log.py"))
        .arg(folder.path())
        .args([url, witness.to_string(), hex::encode(seed)]);
    let place = folder.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || harness::run(&mut command, &place, BOUND));
    let ran = ran.await??;
    ensure!(ran.status.success(), "{ran:?}");
    // The witness kept what proves the fork.
    let (heads, forked) = role.picture();
    assert_eq!((heads, forked.len()), (1, 1));
    assert_eq!(forked[0].0, "stock.example/log");
    stop.cancel();
    Ok(serving.await?)
}
