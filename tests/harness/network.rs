//! The demo's network, left up: six real processes on loopback, spoken to through their control
//! sockets.
//!
//! Dropping it asks the demo to end, which ends its nodes and removes their folders.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::node::Process;
use crate::place::binary;

/// The demo founds a consortium, starts six processes and follows one case of 120 images.
const STARTING: Duration = Duration::from_secs(300);
/// The demo lets its nodes 30 s.
const STOPPING: Duration = Duration::from_secs(60);
/// An export of a log is the longest that a node takes to answer.
const ANSWER: Duration = Duration::from_secs(120);
/// The longest answer of a control socket.
const ANSWER_MAX: u64 = 16 << 20;
/// How often something that is waited for is asked for.
const POLL: Duration = Duration::from_millis(50);
/// The last line that the demo prints when the network is up.
const UP: &str = "Ctrl-C ends it";

/// The AE title from which the demo's hospitals take images.
pub const PACS_AE: &str = "DEMO_PACS";
/// The AE title of `hospital-a`.
pub const HOSPITAL_AE: &str = "HOSPITAL_A";

/// A running network. Nodes are named as the demo names them: `hospital-a`, `hospital-b`,
/// `reader`, `unlicensed`, `relay`, `witness`.
pub struct Network {
    process: Process,
    sockets: BTreeMap<String, PathBuf>,
    folder: TempDir,
}

impl Network {
    /// Starts the demo with its synthetic studies alone and waits until it has played.
    ///
    /// # Errors
    /// With the demo's whole story where it does not verify.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new().context("no temporary folder")?;
        let scratch = folder.path().join("nodes");
        fs::create_dir(&scratch).context("no folder for the nodes")?;
        let mut command = Command::new(binary("radmesh")?);
        command
            .args(["demo", "--stay", "--export"])
            .arg(folder.path().join("archives"))
            .env("TMPDIR", &scratch);
        let mut process = Process::start(&mut command, folder.path())?;
        let mut sockets = BTreeMap::new();
        loop {
            let told = |line: &str| line.contains(": control ") || line.contains(UP);
            let line = process.wait_line(STARTING, told)?;
            match line.split_once(": control ") {
                Some((node, socket)) => sockets.insert(node.to_owned(), PathBuf::from(socket)),
                None => break,
            };
        }
        Ok(Self {
            process,
            sockets,
            folder,
        })
    }

    /// The archives of the demo's play, one folder for each node with a log.
    #[must_use]
    pub fn archives(&self) -> PathBuf {
        self.folder.path().join("archives")
    }

    /// A folder for the test's own files, gone with the network.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of a node: its configuration, data and log.
    ///
    /// # Errors
    /// Where the demo has no such node.
    pub fn of(&self, node: &str) -> Result<PathBuf> {
        let socket = self.sockets.get(node);
        let socket = socket.with_context(|| format!("the demo has no {node}"))?;
        Ok(socket.parent().context("a socket in no folder")?.to_owned())
    }

    /// SHA-256 of the consortium's genesis, as its members pin it.
    ///
    /// # Errors
    /// Where a configuration cannot be read.
    pub fn genesis(&self) -> Result<String> {
        let config = fs::read_to_string(self.of("witness")?.join("node.toml"))?;
        let mut pinned = config.lines().filter_map(|line| {
            let hash = line.strip_prefix("genesis_hash = \"")?;
            Some(hash.strip_suffix('"')?.to_owned())
        });
        pinned.next().context("a configuration pins no genesis")
    }

    /// What a node has logged so far.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn log(&self, node: &str) -> Result<String> {
        let file = self.of(node)?.join("node.log");
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    /// Asks a node, in the words of its control socket.
    ///
    /// # Errors
    /// Where the node does not answer, or refuses.
    pub fn ask(&self, node: &str, request: &Value) -> Result<Value> {
        let socket = self.of(node)?.join("control.sock");
        let mut stream = UnixStream::connect(&socket).with_context(|| node.to_owned())?;
        stream.set_read_timeout(Some(ANSWER))?;
        writeln!(stream, "{request}")?;
        let mut line = String::new();
        BufReader::new(stream.take(ANSWER_MAX)).read_line(&mut line)?;
        let mut answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("{node}: {request}: no answer: {line:?}"))?;
        match answer.get_mut("ok") {
            Some(value) => Ok(value.take()),
            None => bail!("{node}: {request}: {answer}"),
        }
    }

    /// Asks a node again and again until `look` finds what it wants in the answer.
    ///
    /// # Errors
    /// Where `bound` passes first, with the last answer and the end of the node's log.
    pub fn wait<T>(
        &self,
        node: &str,
        request: &Value,
        bound: Duration,
        look: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        let until = Instant::now() + bound;
        loop {
            let answer = self.ask(node, request)?;
            if let Some(found) = look(&answer) {
                return Ok(found);
            }
            if Instant::now() > until {
                let log = self.log(node)?;
                bail!("{node}: {request}: it did not come: {answer}\n{log}");
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for a line in a node's log that comes after its first `from` bytes.
    ///
    /// # Errors
    /// Where `bound` passes first, with what was logged instead.
    pub fn wait_log(
        &self,
        node: &str,
        from: usize,
        bound: Duration,
        wanted: &str,
    ) -> Result<String> {
        let until = Instant::now() + bound;
        loop {
            let log = self.log(node)?;
            let fresh = log.get(from..).unwrap_or_default();
            if let Some(line) = fresh.lines().find(|line| line.contains(wanted)) {
                return Ok(line.to_owned());
            }
            if Instant::now() > until {
                bail!("{node} did not log {wanted:?}:\n{fresh}");
            }
            std::thread::sleep(POLL);
        }
    }

    /// Where a hospital takes images.
    ///
    /// # Errors
    /// Where the node is no hospital, or does not answer.
    pub fn dicom(&self, node: &str) -> Result<SocketAddr> {
        let status = self.ask(node, &json!({ "cmd": "status" }))?;
        let address = status["dicom"].as_str().context("no DICOM address")?;
        Ok(address.parse()?)
    }

    /// Where a reader shows images, and the file with the token that opens them.
    ///
    /// # Errors
    /// Where the node is no reader, or does not answer.
    pub fn dicomweb(&self, node: &str) -> Result<(String, PathBuf)> {
        let status = self.ask(node, &json!({ "cmd": "status" }))?;
        let web = &status["dicomweb"];
        let url = web["url"].as_str().context("no DICOMweb address")?;
        let token = web["token"].as_str().context("no token")?;
        Ok((url.to_owned(), PathBuf::from(token)))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.process.terminate().is_ok() && self.process.wait_exit(STOPPING).is_ok() {
            return;
        }
        // A demo that is killed leaves its nodes behind: they are told first.
        for node in children(self.process.id()) {
            let _ = kill_process(node, Signal::KILL);
        }
        self.process.kill();
    }
}

/// The children of a process that we started.
fn children(parent: u32) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task"));
    let lists = tasks.into_iter().flatten().flatten();
    let lists = lists.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<String> = lists.collect();
    let all = all.iter().flat_map(|list| list.split_whitespace());
    all.filter_map(|id| Pid::from_raw(id.parse().ok()?))
        .collect()
}
