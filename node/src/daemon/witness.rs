//! Starts the witness role.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use crypto::keys::SigningKey;
use protocol::audit::witness::KnownLogs;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Life;
use crate::config::{Settings, Trust};
use crate::driver::clock;
use crate::keystore::Secrets;
use crate::witness::{Folders, WitnessRole, serve};

/// The running role.
#[derive(Clone)]
pub(super) struct Running {
    role: Arc<WitnessRole>,
    http: Option<SocketAddr>,
}

impl Running {
    /// The role, for requests over the mesh.
    pub(super) fn role(&self) -> Arc<WitnessRole> {
        Arc::clone(&self.role)
    }

    /// What `radmesh node status` shows of it.
    pub(super) fn picture(&self) -> Value {
        let (logs, forked) = self.role.picture();
        let forked = forked.into_iter().map(
            |(log, evidence)| json!({ "log": log, "evidence": evidence.display().to_string() }),
        );
        json!({
            "http": self.http.map(|at| format!("http://{at}")),
            "logs": logs,
            "forked": forked.collect::<Vec<_>>(),
        })
    }
}

/// Starts it, if it is configured.
///
/// # Errors
/// Its memory cannot be opened, or its port is taken.
pub(super) async fn start(
    (settings, trust, secrets): (&Settings, &Trust, &Secrets),
    life: &Life,
) -> anyhow::Result<Option<Running>> {
    let (Some(role), Some(key)) = (&settings.witness, &secrets.witness) else {
        return Ok(None);
    };
    let named = trust.own.credential.witness_key()?;
    let named = named.context("the credential names no witness key")?;
    let memory = settings.data_dir.join("witness");
    let folders = Folders {
        memory: &memory,
        keys: &settings.identity.keys,
    };
    let key = (named.name().clone(), SigningKey::from_seed(&key.seed()));
    let mut logs = KnownLogs::of(&trust.roster, clock::wall());
    for log in &role.logs {
        logs.insert(log.clone());
    }
    let witness = Arc::new(WitnessRole::open(folders, key, logs)?);
    let mut http = None;
    if let Some(at) = role.http_listen {
        let listener = TcpListener::bind(at).await;
        let listener = listener.with_context(|| format!("witness.http_listen {at}"))?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "the witness answers over HTTP");
        let serving = serve(listener, Arc::clone(&witness), life.closing.clone());
        life.tasks.spawn(serving);
        http = Some(address);
    }
    let role = witness;
    Ok(Some(Running { role, http }))
}
