//! The running nodes of a world: started, asked through their control sockets, killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use harness::node::Stream;
use harness::{Plan, Process};
use serde_json::{Value, json};

use crate::world::{EVERYBODY, Who, World};

/// Bound on a start or a stop: it only ends a test that would hang.
pub const LIFE: Duration = Duration::from_secs(120);
/// Bound on one answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Between two looks.
pub const LOOK: Duration = Duration::from_millis(30);

/// One node of a world, that runs or not.
pub struct Node<'w> {
    who: Who,
    world: &'w World,
    process: Mutex<Option<Process>>,
}

impl<'w> Node<'w> {
    /// A node that does not run yet.
    pub fn new(world: &'w World, who: Who) -> Self {
        Self {
            who,
            world,
            process: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it, under faults where a plan is given.
    pub fn start(&self, plan: Option<&Plan>) -> Result<()> {
        let mut command = Command::new(harness::binary("radmesh")?);
        command.args(["node", "run", "--config"]);
        command.arg(self.world.config(self.who));
        if let Some(plan) = plan {
            plan.apply(&mut command);
        }
        let process = Process::start(&mut command, self.world.root())?;
        *self.lock() = Some(process);
        Ok(())
    }

    /// Whether it answers; false when it has ended.
    pub fn up(&self) -> Result<bool> {
        let until = Instant::now() + LIFE;
        loop {
            // The socket's file may be left over from a run that was killed: nobody answers there.
            if self.ask(&json!({ "cmd": "status" })).is_ok() {
                return Ok(true);
            }
            if self.ended() {
                return Ok(false);
            }
            if Instant::now() > until {
                bail!("{} does not answer\n{}", self.who.name(), self.story());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Starts it without faults, and waits until it answers.
    pub fn run(&self) -> Result<()> {
        self.start(None)?;
        if !self.up()? {
            bail!("{} does not start\n{}", self.who.name(), self.story());
        }
        Ok(())
    }

    /// Asks; an error where nobody answers, or the node refuses.
    pub fn ask(&self, request: &Value) -> Result<Value> {
        let mut answer = ask(&self.world.socket(self.who), request)?;
        match answer.get("error") {
            Some(refusal) => Err(anyhow!("{}: {request}: {refusal}", self.who.name())),
            None => Ok(answer["ok"].take()),
        }
    }

    /// Whether it does not run.
    pub fn ended(&self) -> bool {
        self.lock().as_mut().is_none_or(Process::ended)
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(process) = self.lock().as_mut() {
            process.kill();
        }
    }

    /// SIGTERM, unless it has ended, and how it ended.
    pub fn stop(&self) -> Result<ExitStatus> {
        let mut process = self.lock();
        let process = process.as_mut().context("it was never started")?;
        if !process.ended() {
            process.terminate()?;
        }
        process.wait_exit(LIFE)
    }

    /// Stops it and holds it to a clean end.
    pub fn stop_well(&self) -> Result<()> {
        let status = self.stop()?;
        if !status.success() {
            bail!("{} stops with {status}\n{}", self.who.name(), self.story());
        }
        Ok(())
    }

    /// What it printed to standard error, of this run.
    pub fn errors(&self) -> Vec<String> {
        let process = self.lock();
        let lines = process.as_ref().map(|process| process.lines(Stream::Err));
        lines.unwrap_or_default()
    }

    /// What a person needs to see of a failure.
    pub fn story(&self) -> String {
        let mut process = self.lock();
        process.as_mut().map_or_else(String::new, Process::story)
    }
}

/// All nodes of a world.
pub struct Net<'w> {
    pub world: &'w World,
    pub witness: Node<'w>,
    pub hospital: Node<'w>,
    pub reader: Node<'w>,
}

impl<'w> Net<'w> {
    /// Nodes that do not run yet.
    pub fn new(world: &'w World) -> Self {
        let [witness, hospital, reader] = EVERYBODY.map(|who| Node::new(world, who));
        Self {
            world,
            witness,
            hospital,
            reader,
        }
    }

    /// Starts everybody.
    pub fn start(world: &'w World) -> Result<Self> {
        let net = Self::new(world);
        for node in [&net.witness, &net.hospital, &net.reader] {
            node.run()?;
        }
        Ok(net)
    }

    /// The stories of all.
    pub fn story(&self) -> String {
        let nodes = [&self.witness, &self.hospital, &self.reader];
        nodes.map(Node::story).join("\n")
    }
}

fn ask(socket: &Path, request: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
