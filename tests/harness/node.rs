//! Real processes: started with their output collected, waited for by what they print, killed by
//! their own id.
//!
//! Two threads a process copy its output line by line into one bounded log. A wait is for a line,
//! never for a time alone; its bound only ends a test that would hang. Dropping a process kills and
//! reaps it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The lines kept of one process: a flood keeps its end, which is what explains a failure.
const LOG_LINES_MAX: usize = 20_000;
/// The longest line kept whole; the rest of a longer one is a line of its own.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Names shown of a folder in a failure.
const LISTED_MAX: usize = 200;
/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// Which stream a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

#[derive(Default)]
struct Log {
    lines: VecDeque<(Stream, String)>,
    /// Lines dropped from the front.
    dropped: usize,
    /// Streams that have ended.
    ended: usize,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Log>,
    more: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running program of the workspace, or of anyone else.
pub struct Process {
    child: Child,
    shown: String,
    folder: PathBuf,
    shared: Arc<Shared>,
    /// Lines already looked at by `wait_line`.
    seen: usize,
}

impl Process {
    /// Starts `command` in `folder`. Its input is empty.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(command: &mut Command, folder: &Path) -> Result<Self> {
        let shown = format!("{command:?}");
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let shared = Arc::new(Shared::default());
        if let Some(out) = child.stdout.take() {
            collect(out, Stream::Out, Arc::clone(&shared));
        }
        if let Some(err) = child.stderr.take() {
            collect(err, Stream::Err, Arc::clone(&shared));
        }
        Ok(Self {
            child,
            shown,
            folder: folder.to_owned(),
            shared,
            seen: 0,
        })
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line, after those of earlier waits, for which `wanted` holds.
    ///
    /// # Errors
    /// With the whole story where both streams end, or `bound` passes, without such a line.
    pub fn wait_line(&mut self, bound: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let until = Instant::now() + bound;
        let mut log = self.shared.lock();
        loop {
            let from = self.seen.saturating_sub(log.dropped);
            let found = log
                .lines
                .iter()
                .skip(from)
                .position(|(_, line)| wanted(line));
            if let Some(at) = found {
                self.seen = log.dropped + from + at + 1;
                return Ok(log.lines[from + at].1.clone());
            }
            self.seen = log.dropped + log.lines.len();
            let left = until.saturating_duration_since(Instant::now());
            if log.ended == 2 || left.is_zero() {
                let why = if left.is_zero() {
                    "no such line in time"
                } else {
                    "the output ended"
                };
                drop(log);
                return Err(anyhow!("{why}\n{}", self.story()));
            }
            log = self
                .shared
                .more
                .wait_timeout(log, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(log, _)| log);
        }
    }

    /// Waits for the process to end by itself, and for its output.
    ///
    /// # Errors
    /// With the whole story where `bound` passes.
    pub fn wait_exit(&mut self, bound: Duration) -> Result<ExitStatus> {
        let until = Instant::now() + bound;
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .context("cannot wait for the process")?
            {
                self.drain();
                return Ok(status);
            }
            if Instant::now() >= until {
                bail!("still running\n{}", self.story());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Whether the process has ended.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`, and reaps it: when this returns, the process is gone.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.drain();
    }

    /// Asks the process to stop, as a service manager does.
    ///
    /// # Errors
    /// Where the process is gone already.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Stops the process in its tracks, or lets it go on: a machine that hangs, a virtual machine
    /// that is paused.
    ///
    /// # Errors
    /// Where the process is gone already.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.signal(if paused { Signal::STOP } else { Signal::CONT })
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let raw = i32::try_from(self.id()).context("a process id fits in i32")?;
        let pid = Pid::from_raw(raw).context("a process id is not 0")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal process {raw}"))
    }

    /// Every line kept of one stream.
    #[must_use]
    pub fn lines(&self, stream: Stream) -> Vec<String> {
        let log = self.shared.lock();
        log.lines
            .iter()
            .filter(|(of, _)| *of == stream)
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// What a person needs to see of a failure: command, state, output, and the folder it ran in.
    pub fn story(&mut self) -> String {
        let state = match self.child.try_wait() {
            Ok(Some(status)) => format!("ended: {status}"),
            Ok(None) => "running".to_owned(),
            Err(e) => format!("unknown: {e}"),
        };
        let log = self.shared.lock();
        let mut text = format!("command: {}\nstate: {state}\noutput", self.shown);
        text.push_str(&format!(" ({} earlier lines dropped):\n", log.dropped));
        for (stream, line) in &log.lines {
            let mark = if *stream == Stream::Err { "2" } else { "1" };
            text.push_str(&format!("  {mark}| {line}\n"));
        }
        text.push_str(&format!(
            "{}:\n{}",
            self.folder.display(),
            listing(&self.folder)
        ));
        text
    }

    /// Waits until the output of an ended process is in the log. A grandchild may keep the streams
    /// open: bounded.
    fn drain(&self) {
        let log = self.shared.lock();
        let _ = self
            .shared
            .more
            .wait_timeout_while(log, Duration::from_secs(2), |l| l.ended < 2);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let story = self.story();
            // Through the stream itself: it is wanted most when the runner's capture is lost.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), story.as_bytes());
        }
    }
}

fn collect(stream: impl Read + Send + 'static, of: Stream, shared: Arc<Shared>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = reader
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
        {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            line.clear();
            let mut log = shared.lock();
            if log.lines.len() == LOG_LINES_MAX {
                log.lines.pop_front();
                log.dropped += 1;
            }
            log.lines.push_back((of, text));
            shared.more.notify_all();
        }
        shared.lock().ended += 1;
        shared.more.notify_all();
    });
}

/// The names and sizes under a folder.
fn listing(folder: &Path) -> String {
    let (mut open, mut lines) = (vec![folder.to_owned()], Vec::new());
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let (path, size) = (entry.path(), entry.metadata().map_or(0, |m| m.len()));
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .display()
                .to_string();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            }
            lines.push(format!("  {size:>10} {name}"));
        }
    }
    lines.sort();
    let more = lines.len().saturating_sub(LISTED_MAX);
    lines.truncate(LISTED_MAX);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}

/// What a command line printed.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as one JSON value, of a command that did what was asked.
    ///
    /// # Errors
    /// With both streams where the command failed or printed something else.
    pub fn json(&self) -> Result<Value> {
        if !self.status.success() {
            bail!("{}\n{}\n{}", self.status, self.stdout, self.stderr);
        }
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {}", self.stdout))
    }
}

/// Runs a command line to its end, within `bound`.
///
/// # Errors
/// Where it cannot be started, or does not end in time. A failing exit code is the caller's to
/// judge.
pub fn run(command: &mut Command, folder: &Path, bound: Duration) -> Result<Output> {
    let mut process = Process::start(command, folder)?;
    let status = process.wait_exit(bound)?;
    let text = |stream| process.lines(stream).join("\n");
    Ok(Output {
        status,
        stdout: text(Stream::Out),
        stderr: text(Stream::Err),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use super::{Process, Stream, run};

    const BOUND: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_both_streams_are_waited_for_in_turn() {
        let script = "echo one; echo two >&2; echo one; sleep 100";
        let mut process = Process::start(&mut shell(script), Path::new("/")).expect("sh");
        for _ in 0..2 {
            assert_eq!(
                process
                    .wait_line(BOUND, |line| line == "one")
                    .expect("printed"),
                "one"
            );
        }
        assert!(!process.ended());
        process.kill();
        assert!(process.ended());
        assert_eq!(process.lines(Stream::Err), ["two"]);
    }

    #[test]
    fn a_line_that_never_comes_tells_the_story() {
        let folder = tempfile::TempDir::new().expect("temporary folder");
        std::fs::write(folder.path().join("left-behind"), "x").expect("written");
        let mut command = shell("echo cause >&2; exit 3");
        let mut process = Process::start(&mut command, folder.path()).expect("sh");
        let story = process
            .wait_line(BOUND, |line| line == "ready")
            .expect_err("never printed");
        let story = story.to_string();
        for part in ["the output ended", "exit 3", "2| cause", "left-behind"] {
            assert!(story.contains(part), "no {part} in: {story}");
        }
    }

    #[test]
    fn dropping_a_process_reaps_it() {
        let process = Process::start(&mut shell("exec sleep 100"), Path::new("/")).expect("sh");
        let id = process.id();
        drop(process);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn a_command_line_is_judged_by_its_caller() {
        let good = run(&mut shell("echo '{\"a\": 1}'"), Path::new("/"), BOUND).expect("it ran");
        assert_eq!(good.json().expect("JSON")["a"], 1);
        let bad = run(&mut shell("echo no; exit 1"), Path::new("/"), BOUND).expect("it ran");
        assert_eq!(bad.status.code(), Some(1));
        assert!(bad.json().is_err());
    }
}
