//! What must hold after each step, one promise a file.

pub mod logged;
pub mod one_reader;
pub mod rests;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Promise 3.
    #[error("one reader: case {case} is held by hosts {holders:?} at once")]
    TwoReaders {
        /// The case.
        case: String,
        /// Who holds it.
        holders: Vec<usize>,
    },
    /// Promise 2.
    #[error("logged before seen: host {host} sent {message} before its entry was {missing}")]
    NotLogged {
        /// Who sent it.
        host: usize,
        /// What.
        message: &'static str,
        /// What was missing.
        missing: &'static str,
    },
    /// A timer that names a time that has passed makes the node spin.
    #[error("host {host} has done what was due, and it is still due: {what}")]
    StillDue {
        /// Whose timer.
        host: usize,
        /// What is due.
        what: &'static str,
    },
    /// Promise 4, or the network never settles.
    #[error("nothing lost: not all of {of} cases were closed when all had time to be: {states:?}")]
    Unfinished {
        /// Where each case and lease stands.
        states: Vec<String>,
        /// Cases that should exist.
        of: usize,
    },
}
