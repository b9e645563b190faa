//! The demo's nodes: real processes of this program, spoken to through their control sockets.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use protocol::ids::NodeId;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::world::{EVERYBODY, Who, World};
use crate::control::client;
use crate::control::wire::Request;

/// How long a node may take to start: it opens an index and binds sockets.
const STARTING: Duration = Duration::from_secs(60);
/// How long a node may take to stop before it is killed: it lets its own parts 20 s each.
const STOPPING: Duration = Duration::from_secs(30);
/// Pause between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(40);
/// The end of a node's log that is shown when the demo fails.
const TAIL: u64 = 2_000;

/// One running node.
struct Process {
    who: Who,
    child: Child,
}

/// All running nodes.
pub(super) struct Network {
    world: World,
    processes: Vec<Process>,
    known: Vec<(NodeId, String)>,
}

impl Network {
    /// A network in which nothing runs yet.
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            processes: Vec::new(),
            known: Vec::new(),
        }
    }

    /// Who is who.
    pub(super) fn world(&self) -> &World {
        &self.world
    }

    /// Starts everybody, each when the ones before are up.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        for who in EVERYBODY {
            self.start_one(who)
                .await
                .with_context(|| format!("{} does not start", who.name()))?;
        }
        for who in EVERYBODY {
            self.connected(who).await?;
        }
        Ok(())
    }

    async fn start_one(&mut self, who: Who) -> anyhow::Result<()> {
        let config = self.world.configure(who, &self.known)?;
        let log = File::create(self.log(who))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["node", "run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.processes.push(Process { who, child });
        let deadline = Instant::now() + STARTING;
        let address = loop {
            if let Some(process) = self.processes.last_mut()
                && let Some(status) = process.child.try_wait()?
            {
                bail!("it ended ({status}): {}", self.last_line(who));
            }
            if let Ok(status) = self.ask(who, &Request::Status {}).await
                && let Some(address) = first_address(&status)
            {
                break address;
            }
            if Instant::now() > deadline {
                bail!("it does not answer: {}", self.last_line(who));
            }
            sleep(LOOK).await;
        };
        self.known.push((self.world.node(who)?, address));
        Ok(())
    }

    /// Waits until a node has found somebody.
    async fn connected(&self, who: Who) -> anyhow::Result<()> {
        let found = |status: &Value| {
            status["connected"]
                .as_u64()
                .is_some_and(|count| count > 0)
                .then_some(())
        };
        self.wait(who, &Request::Status {}, "a connection", (STARTING, found))
            .await
    }

    /// Asks a node.
    pub(super) async fn ask(&self, who: Who, request: &Request) -> anyhow::Result<Value> {
        let asked = client::ask(&self.world.socket(who), request).await;
        asked.with_context(|| who.name().to_owned())
    }

    /// Asks again and again until the answer holds what is looked for, within a bound.
    pub(super) async fn wait<T>(
        &self,
        who: Who,
        request: &Request,
        what: &str,
        (bound, look): (Duration, impl Fn(&Value) -> Option<T>),
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(found) = look(&self.ask(who, request).await?) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!(
                    "{}: {what} did not come within {} s",
                    who.name(),
                    bound.as_secs()
                );
            }
            sleep(LOOK).await;
        }
    }

    /// Waits for an event of a node.
    pub(super) async fn event(
        &self,
        who: Who,
        what: &str,
        (bound, fits): (Duration, impl Fn(&Value) -> bool),
    ) -> anyhow::Result<Value> {
        let look = |answer: &Value| {
            let events = answer["events"].as_array()?;
            events.iter().find(|event| fits(event)).cloned()
        };
        self.wait(who, &Request::Events { since: 0 }, what, (bound, look))
            .await
    }

    /// Where a hospital takes images.
    pub(super) async fn dicom(&self, who: Who) -> anyhow::Result<SocketAddr> {
        let status = self.ask(who, &Request::Status {}).await?;
        let address = status["dicom"]
            .as_str()
            .context("it has no DICOM address")?;
        Ok(address.parse()?)
    }

    /// Where a reader's images are shown, and what opens them.
    pub(super) async fn dicomweb(&self, who: Who) -> anyhow::Result<(String, PathBuf)> {
        let status = self.ask(who, &Request::Status {}).await?;
        let url = status["dicomweb"]["url"]
            .as_str()
            .context("it shows no images")?;
        let token = status["dicomweb"]["token"]
            .as_str()
            .context("it has no token")?;
        Ok((url.to_owned(), PathBuf::from(token)))
    }

    /// Ends every process: politely, and within a bound by force.
    pub(super) async fn stop(&mut self) {
        for process in self.processes.iter().rev() {
            let id = process.child.id().and_then(|id| i32::try_from(id).ok());
            if let Some(pid) = id.and_then(Pid::from_raw) {
                // One that is gone already needs no signal.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let deadline = Instant::now() + STOPPING;
        while let Some(mut process) = self.processes.pop() {
            let left = deadline.saturating_duration_since(Instant::now());
            if timeout(left, process.child.wait()).await.is_err() {
                tracing::warn!(node = process.who.name(), "killed: it did not stop in time");
                // It is ours, and it is waited for.
                let _ = process.child.kill().await;
            }
        }
    }

    fn log(&self, who: Who) -> PathBuf {
        self.world.folder(who).join("node.log")
    }

    fn last_line(&self, who: Who) -> String {
        let text = self.tail(who);
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    /// The end of what a node wrote.
    pub(super) fn tail(&self, who: Who) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.log(who))?;
            let length = fs::metadata(self.log(who))?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}

/// A node's first address, without its name at the end.
fn first_address(status: &Value) -> Option<String> {
    let address = status["listen"].as_array()?.first()?.as_str()?;
    Some(address.split("/p2p/").next().unwrap_or(address).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_name() {
        let status = serde_json::json!({ "listen": ["/ip4/127.0.0.1/udp/1/quic-v1/p2p/12D3"] });
        assert_eq!(
            first_address(&status).as_deref(),
            Some("/ip4/127.0.0.1/udp/1/quic-v1")
        );
        assert_eq!(first_address(&serde_json::json!({ "listen": [] })), None);
    }
}
