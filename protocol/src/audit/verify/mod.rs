//! Offline verification of archives: every check is named, every failure names its file, none stops
//! the rest.
//!
//! ```text
//! archive.note ─ files ─ genesis ─ credentials ─ quorum file as signed ─ checkpoint and tree
//!     └─ entry by entry: encoding, order, time ─ grants, receipts, access, peers, openings
//!          └─ several archives together: each side's account of the other
//! ```
//! Nothing here opens a file or knows the time: a [`Source`] gives bytes by path. Memory grows with
//! the number of files and of releases, not with the bytes of the log: of each file its line in the
//! note is held, of each release less than a kilobyte. Every file of the log is read twice: once
//! for the archive's list, once for the tree.

mod agree;
mod decisions;
mod entries;
mod fault;
mod files;
mod openings;
mod peer;
mod receipt;
mod reconcile;
mod release;
mod remark;
pub(super) mod report;
mod reported;
mod reviews;
pub(super) mod text;
mod times;
mod tree;
pub(super) mod trust;

#[cfg(feature = "audit")]
pub mod json;

use crypto::digest::Digest;
use crypto::log::reader::TileReader;

pub use fault::{Check, Fault};
pub use remark::Remark;
pub use report::{Counts, Failure, Noted, Report, Status};
pub use text::describe;

use super::archive::FileName;
use super::archive::name::LOG_PREFIX;
use reconcile::Account;

/// Where an archive's files are: a folder, a map in memory.
pub trait Source {
    /// Every path in it, `/` between parts; folders are not listed, everything else is.
    fn paths(&self) -> Vec<String>;

    /// Shows every path of [`Self::paths`], in any order, without a list of them all.
    fn each_path(&self, see: &mut dyn FnMut(&str)) {
        self.paths().iter().for_each(|path| see(path));
    }

    /// The bytes at `path`, if there are at most `max`.
    ///
    /// # Errors
    /// [`ReadError`].
    fn read(&self, path: &str, max: u64) -> Result<Vec<u8>, ReadError>;
}

/// Why a file of an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It is longer than asked for.
    #[error("too large")]
    TooLarge,
    /// It is not a regular file, or the system refuses.
    #[error("cannot be read")]
    Unreadable,
}

/// An archive in memory, for tests and for archives that come over the wire.
impl Source for std::collections::BTreeMap<String, Vec<u8>> {
    fn paths(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn each_path(&self, see: &mut dyn FnMut(&str)) {
        self.keys().for_each(|path| see(path));
    }

    fn read(&self, path: &str, max: u64) -> Result<Vec<u8>, ReadError> {
        match self.get(path) {
            None => Err(ReadError::Missing),
            Some(bytes) if bytes.len() as u64 > max => Err(ReadError::TooLarge),
            Some(bytes) => Ok(bytes.clone()),
        }
    }
}

/// One archive to verify.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// What to call it in the report: the folder as given.
    pub label: &'a str,
    /// Its files.
    pub source: &'a dyn Source,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// SHA-256 of the genesis envelope that the consortium must have; `None` takes the archive's.
    pub genesis: Option<Digest>,
    /// Without [`Self::genesis`]: whoever asks takes the archives' own genesis, and knows it.
    pub trust_archive: bool,
    /// SHA-256 of the quorum file that the archives must have; `None` takes any that the council
    /// signed.
    pub quorum: Option<Digest>,
    /// Stop after the first group of checks that failed. The verdict is the same; the list is
    /// shorter.
    pub stop_early: bool,
}

/// What a verdict rests on. Whoever writes an archive can found a consortium of their own for it:
/// only a genesis that is known from elsewhere rules that out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The genesis that whoever asked had pinned.
    Pinned,
    /// The archives' own genesis, as whoever asked wanted it.
    Archive,
    /// The archives' own genesis, for want of another.
    Nothing,
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it rests on.
    pub anchor: Anchor,
    /// One report for each archive, in the order given.
    pub archives: Vec<Report>,
}

impl Verdict {
    /// Every check holds, in every archive and between them. By which genesis is another question:
    /// see [`Self::accepted`].
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.archives.is_empty() && self.archives.iter().all(Report::holds)
    }

    /// Everything asked for holds, and by a genesis that whoever asked named or chose to accept.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.holds() && self.anchor != Anchor::Nothing
    }

    /// SHA-256 of the genesis that the archives were held against, if one could be read.
    #[must_use]
    pub fn genesis(&self) -> Option<Digest> {
        self.archives.iter().find_map(|report| report.genesis)
    }
}

/// Verifies archives, each by itself and all against one another.
#[must_use]
pub fn verify(inputs: &[Input<'_>], options: Options) -> Verdict {
    let mut archives = Vec::with_capacity(inputs.len());
    let mut accounts = Vec::with_capacity(inputs.len());
    for input in inputs {
        let mut report = Report::new(input.label);
        accounts.push(verify_one(input.source, options, &mut report));
        archives.push(report);
    }
    let stopped = options.stop_early && archives.iter().any(|report| !report.holds());
    if !stopped {
        agree::check(&mut archives);
        reconcile::run(inputs, &accounts, &mut archives);
    }
    archives.iter_mut().for_each(Report::sort);
    let anchor = match (options.genesis, options.trust_archive) {
        (Some(_), _) => Anchor::Pinned,
        (None, true) => Anchor::Archive,
        (None, false) => Anchor::Nothing,
    };
    Verdict { anchor, archives }
}

/// Verifies one archive; gives its account of the others, if the log could be read.
fn verify_one(source: &dyn Source, options: Options, report: &mut Report) -> Option<Account> {
    let goes_on = |report: &Report| !options.stop_early || report.holds();
    let note = files::check(source, report);
    if !goes_on(report) {
        return None;
    }
    let trust = trust::Trust::open(source, options, report);
    let log = files::check_note(note.as_ref(), source, &trust, report);
    if !goes_on(report) {
        return None;
    }
    let Some(log) = log else {
        report.remark(
            Check::Credentials,
            None,
            Remark::Stopped(Check::Credentials),
        );
        return None;
    };
    tree::check(source, &trust, &log, report)
}

/// The files of the log itself, as the log's mathematics reads them.
pub(crate) struct LogFiles<'a>(pub(crate) &'a dyn Source);

impl TileReader for LogFiles<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let path = format!("{LOG_PREFIX}{path}");
        let max = FileName::parse(&path)?.max_len();
        self.0.read(&path, max).ok()
    }
}

/// Reads a file that must be there; notes the fault if it cannot be read.
fn read(source: &dyn Source, name: FileName, check: Check, report: &mut Report) -> Option<Vec<u8>> {
    match source.read(&name.to_string(), name.max_len()) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            report.fail(
                check,
                name,
                name.entry(),
                files::fault(error, name.max_len()),
            );
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
