//! Faults under a real program: the N-th write, sync or rename fails, or the program dies in it.
//!
//! `tests/faults/shim.c` is built once a test program and preloaded into the program under test. It
//! sees calls made through libc to files under one folder; sockets and everything else pass.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! # let (data, mut command) = (std::path::PathBuf::new(), std::process::Command::new("x"));
//! use harness::{Class, Faults, Kind};
//! let faults = Faults::build()?;
//! let counts = faults.count_run(&mut command, &data)?;
//! for n in 1..=counts.of(Class::Sync) {
//!     let plan = faults.plan(&data)?.inject(Kind::Eio, Class::Sync, n);
//!     plan.apply(&mut command);
//! }
//! # Ok(()) }
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::image::Journal;

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The call is not made and reports a full disk.
    Enospc,
    /// The call is not made and reports a device error. After a failed sync the pages are lost, as
    /// on Linux: a later sync that succeeds does not bring them back (seen in crash images only).
    Eio,
    /// The program is killed, the call not made.
    DieBefore,
    /// The program is killed, the call made.
    DieAfter,
    /// The program is killed with half of the write made. Another call than a write: as
    /// `DieBefore`.
    DieTorn,
}

/// Which calls a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// All of them.
    Any,
    /// Changes of content: write, truncate, allocate, and opening that empties a file.
    Write,
    /// fsync, fdatasync, `sync_file_range`.
    Sync,
    /// Changes of names: create, rename, link, unlink, mkdir, rmdir.
    Name,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Enospc => "enospc",
            Self::Eio => "eio",
            Self::DieBefore => "die-before",
            Self::DieAfter => "die-after",
            Self::DieTorn => "die-torn",
        }
    }
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Name => "name",
        }
    }
}

/// The calls counted so far; they outlive the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    any: u64,
    write: u64,
    sync: u64,
    name: u64,
    /// Calls that were made to fail, or that killed the program.
    pub fired: u64,
}

impl Counts {
    /// The calls of one class.
    #[must_use]
    pub fn of(&self, class: Class) -> u64 {
        match class {
            Class::Any => self.any,
            Class::Write => self.write,
            Class::Sync => self.sync,
            Class::Name => self.name,
        }
    }
}

/// The built shim.
pub struct Faults {
    folder: TempDir,
}

impl Faults {
    /// Compiles the shim into a temporary folder.
    ///
    /// # Errors
    /// With the compiler's words where there is none, or it refuses.
    pub fn build() -> Result<Self> {
        let folder = TempDir::new().context("no temporary folder")?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults");
        let built = Command::new("cc")
            .args([
                "-shared",
                "-fPIC",
                "-O1",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-U_FORTIFY_SOURCE",
            ])
            .arg("-o")
            .arg(folder.path().join("shim.so"))
            .args(["shim.c", "shadow.c"].map(|name| source.join(name)))
            .arg("-lpthread")
            .output()
            .context("no C compiler: run scripts/setup")?;
        if !built.status.success() {
            bail!("cc: {}", String::from_utf8_lossy(&built.stderr));
        }
        Ok(Self { folder })
    }

    /// A plan for files under `root`, which must exist: counting only, until told more.
    ///
    /// # Errors
    /// Where `root` does not exist or the plan's folder cannot be made.
    pub fn plan(&self, root: &Path) -> Result<Plan> {
        let root = root
            .canonicalize()
            .with_context(|| format!("{}", root.display()))?;
        let folder = TempDir::new_in(self.folder.path()).context("no folder for the plan")?;
        // Five u64 counters, all zero.
        std::fs::write(folder.path().join("control"), [0; 40]).context("no control file")?;
        let shim = self.folder.path().join("shim.so");
        Ok(Plan {
            shim,
            root,
            folder,
            fault: None,
            times: 1,
            shadow: false,
            traced: false,
        })
    }

    /// Runs `command` to its end without faults and counts its calls under `root`.
    ///
    /// # Errors
    /// Where it cannot be run, or fails.
    pub fn count_run(&self, command: &mut Command, root: &Path) -> Result<Counts> {
        let plan = self.plan(root)?;
        plan.apply(command);
        let done = command.output().context("cannot run the command")?;
        if !done.status.success() {
            bail!(
                "{command:?}: {}\n{}",
                done.status,
                String::from_utf8_lossy(&done.stderr)
            );
        }
        plan.counts()
    }
}

/// One run, or several one after the other, of one program under one set of faults.
pub struct Plan {
    shim: PathBuf,
    root: PathBuf,
    folder: TempDir,
    fault: Option<(Kind, Class, u64)>,
    times: u64,
    shadow: bool,
    traced: bool,
}

impl Plan {
    /// The `n`-th call of `class` fails, counted from 1 over all runs of this plan.
    #[must_use]
    pub fn inject(mut self, kind: Kind, class: Class, n: u64) -> Self {
        self.fault = Some((kind, class, n));
        self
    }

    /// Calls of the class fail from the chosen one on: a disk that stays full.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.times = 0;
        self
    }

    /// Also keeps what a power cut would leave, at each moment: see [`Plan::journal`]. What is
    /// under the root at the first run counts as durable.
    #[must_use]
    pub fn shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Also keeps a line for each counted call: see [`Plan::trace`].
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Puts the plan under a command that has not been started.
    pub fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.shim)
            .env("RADMESH_FAULTS_ROOT", &self.root)
            .env("RADMESH_FAULTS_CONTROL", self.folder.path().join("control"));
        // A command may carry the settings of an earlier plan.
        for name in ["KIND", "CLASS", "AT", "TIMES", "SHADOW", "TRACE"] {
            command.env_remove(format!("RADMESH_FAULTS_{name}"));
        }
        if let Some((kind, class, n)) = self.fault {
            command
                .env("RADMESH_FAULTS_KIND", kind.name())
                .env("RADMESH_FAULTS_CLASS", class.name())
                .env("RADMESH_FAULTS_AT", n.to_string())
                .env("RADMESH_FAULTS_TIMES", self.times.to_string());
        }
        if self.shadow {
            command.env("RADMESH_FAULTS_SHADOW", self.folder.path());
        }
        if self.traced {
            command.env("RADMESH_FAULTS_TRACE", self.folder.path().join("trace"));
        }
    }

    /// The calls so far; the program may be running.
    ///
    /// # Errors
    /// Where the control file is gone.
    pub fn counts(&self) -> Result<Counts> {
        let bytes = std::fs::read(self.folder.path().join("control")).context("control file")?;
        let counter = |at: usize| {
            let word = bytes
                .get(at * 8..at * 8 + 8)
                .and_then(|word| word.try_into().ok());
            word.map(u64::from_le_bytes)
                .context("control file is short")
        };
        Ok(Counts {
            any: counter(0)?,
            write: counter(1)?,
            sync: counter(2)?,
            name: counter(3)?,
            fired: counter(4)?,
        })
    }

    /// A line for each counted call: its number, what it was, and its path under the root.
    #[must_use]
    pub fn trace(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("trace")).unwrap_or_default()
    }

    /// The durable states so far; the program may be running. Without [`Plan::shadow`]: none.
    ///
    /// # Errors
    /// Where the journal cannot be read or is not one.
    pub fn journal(&self) -> Result<Journal> {
        Journal::read(&self.folder.path().join("journal"))
    }
}
