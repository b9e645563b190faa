//! The log's thread: whatever waits is one batch, one commit.
//!
//! ```text
//! callers ──Submission──▶ bounded queue ──▶ thread ──▶ Journal::append
//!         ◀─oneshot: appended, or refused──┘
//! ```
//!
//! Policy on failure: nothing is tried twice. The failed batch and everything behind it is told
//! the cause, and the writer stays closed until the journal is opened again. A log that cannot be
//! written stops releases and reports; it never lets one pass unlogged.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crypto::log::checkpoint::SignedCheckpoint;
use tokio::sync::oneshot;

use super::error::JournalError;
use super::reader::JournalReader;
use super::{Journal, NewEntry};

/// Submissions that wait. Beyond this, callers are refused at once: a second of full load.
const QUEUE_MAX: usize = 8192;
/// Entries gathered into one commit: four syncs for a thousand entries.
const GATHER_ENTRIES: usize = 1024;
/// Bytes gathered into one commit: bounds its latency on a slow disk.
const GATHER_BYTES: usize = 4 * 1024 * 1024;
/// Entries of one submission: it must fit in a batch with others.
pub const SUBMISSION_ENTRIES_MAX: usize = 1024;
/// After this long without work the tiles are synced and the stage is emptied.
const IDLE: Duration = Duration::from_millis(500);

/// Why a submission was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too much waits; nothing was queued.
    #[error("the log's queue is full: try again")]
    Busy,
    /// This submission is not acceptable; others are not affected.
    #[error(transparent)]
    Refused(Arc<JournalError>),
    /// Writing failed, now or earlier, and the log is closed. The entries may be in the log after
    /// the next start; nothing of them may be acknowledged now.
    #[error("the log is closed: {0}")]
    Failed(Arc<JournalError>),
    /// The writer was stopped before it came to this submission.
    #[error("the log's writer has stopped")]
    Stopped,
}

/// What an appended submission learns: a checkpoint that covers its entries.
pub type Appended = Result<Arc<SignedCheckpoint>, AppendError>;

struct Submission {
    entries: Vec<NewEntry>,
    bytes: usize,
    reply: oneshot::Sender<Appended>,
}

/// The handle of the log's thread. Dropping the last clone of the sender ends it.
pub struct LogWriter {
    queue: Option<SyncSender<Submission>>,
    reader: JournalReader,
    thread: Option<JoinHandle<Journal>>,
}

impl LogWriter {
    /// Starts the thread around an opened journal.
    ///
    /// # Errors
    /// The operating system's refusal to start a thread.
    pub fn start(journal: Journal) -> std::io::Result<Self> {
        let (queue, submissions) = sync_channel(QUEUE_MAX);
        let reader = journal.reader();
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || run(journal, &submissions))?;
        Ok(Self {
            queue: Some(queue),
            reader,
            thread: Some(thread),
        })
    }

    /// Queues entries with consecutive indexes, in the order of calls, without waiting. Await the
    /// answer, or block on it: `Ok` means that all of them are durable.
    ///
    /// # Errors
    /// `AppendError::Busy`, or `Stopped`; nothing was queued.
    pub fn submit(
        &self,
        entries: Vec<NewEntry>,
    ) -> Result<oneshot::Receiver<Appended>, AppendError> {
        let bytes = entries.iter().map(|new| new.entry.len()).sum();
        if entries.is_empty() || entries.len() > SUBMISSION_ENTRIES_MAX {
            let refused = JournalError::Batch {
                entries: entries.len(),
                bytes,
            };
            return Err(AppendError::Refused(Arc::new(refused)));
        }
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(AppendError::Stopped)?;
        match queue.try_send(Submission {
            entries,
            bytes,
            reply,
        }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(AppendError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(AppendError::Stopped),
        }
    }

    /// For reading the log beside the thread.
    pub fn reader(&self) -> &JournalReader {
        &self.reader
    }

    /// Ends the thread after what is queued, settles, and gives the journal back; `None` if the
    /// thread panicked.
    pub fn stop(mut self) -> Option<Journal> {
        self.queue = None;
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // What is queued is written before the data folder can be let go.
            let _ = thread.join();
        }
    }
}

fn run(mut journal: Journal, submissions: &Receiver<Submission>) -> Journal {
    let mut failed = None;
    loop {
        let first = match submissions.recv_timeout(IDLE) {
            Ok(submission) => submission,
            Err(RecvTimeoutError::Timeout) => {
                settle(&mut journal, &mut failed);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => {
                settle(&mut journal, &mut failed);
                return journal;
            }
        };
        let batch = gather(first, submissions);
        match &failed {
            Some(cause) => answer(batch, &Err(AppendError::Failed(Arc::clone(cause)))),
            None => failed = append(&mut journal, batch),
        }
    }
}

/// The first submission and what waits behind it, up to a commit's worth.
fn gather(first: Submission, submissions: &Receiver<Submission>) -> Vec<Submission> {
    let (mut count, mut bytes) = (first.entries.len(), first.bytes);
    let mut batch = vec![first];
    while count < GATHER_ENTRIES && bytes < GATHER_BYTES {
        let Ok(next) = submissions.try_recv() else {
            break;
        };
        count += next.entries.len();
        bytes += next.bytes;
        batch.push(next);
    }
    batch
}

/// Appends what is in order, tells everybody, and gives the cause when the log is closed by it.
fn append(journal: &mut Journal, batch: Vec<Submission>) -> Option<Arc<JournalError>> {
    let mut entries = Vec::new();
    let mut accepted = Vec::new();
    let mut next = journal.size();
    for mut submission in batch {
        match check(&submission.entries, next) {
            Ok(()) => {
                next += submission.entries.len() as u64;
                entries.append(&mut submission.entries);
                accepted.push(submission);
            }
            Err(refused) => {
                let refused = Err(AppendError::Refused(Arc::new(refused)));
                answer(vec![submission], &refused);
            }
        }
    }
    if entries.is_empty() {
        return None;
    }
    match journal.append(&entries) {
        Ok(signed) => {
            answer(accepted, &Ok(Arc::new(signed)));
            None
        }
        Err(error) => {
            tracing::error!(%error, "the log cannot be written and is closed");
            let cause = Arc::new(error);
            answer(accepted, &Err(AppendError::Failed(Arc::clone(&cause))));
            Some(cause)
        }
    }
}

/// What would make the journal refuse the batch for one submission's sake.
fn check(entries: &[NewEntry], next: u64) -> Result<(), JournalError> {
    for (expected, new) in (next..).zip(entries) {
        if new.index != expected {
            return Err(JournalError::Index {
                expected,
                given: new.index,
            });
        }
        if new.entry.len() > crypto::log::tile::MAX_ENTRY_LEN {
            return Err(JournalError::TooLong {
                index: new.index,
                length: new.entry.len(),
            });
        }
    }
    Ok(())
}

fn answer(batch: Vec<Submission>, appended: &Appended) {
    for submission in batch {
        // A caller that no longer waits has lost nothing: the entry is in the log or it is not.
        let _ = submission.reply.send(appended.clone());
    }
}

fn settle(journal: &mut Journal, failed: &mut Option<Arc<JournalError>>) {
    if failed.is_none()
        && let Err(error) = journal.settle()
    {
        tracing::error!(%error, "the log's tiles cannot be synced; it is closed");
        *failed = Some(Arc::new(error));
    }
}
