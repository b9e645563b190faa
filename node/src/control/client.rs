//! The client's end: for the command line and the demo.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::wire::{LINE_MAX, Reply, Request};

/// The longest wait for an answer: an export of a large log writes for minutes.
const ANSWER: Duration = Duration::from_secs(600);

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No node listens there.
    #[error("{}: no node listens there ({source}): is it running?", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the node went away: {0}")]
    Broken(#[from] io::Error),
    /// No answer in time.
    #[error("the node did not answer within {} s", ANSWER.as_secs())]
    Late,
    /// The answer is not one.
    #[error("the node's answer cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// The node says no.
    #[error("{0}")]
    Refused(String),
}

/// Asks one question of the node at `socket`.
///
/// # Errors
/// [`ClientError`].
pub async fn ask(socket: &Path, request: &Request) -> Result<Value, ClientError> {
    let connected = UnixStream::connect(socket).await;
    let mut stream = connected.map_err(|source| ClientError::Connect {
        socket: socket.to_owned(),
        source,
    })?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = Vec::new();
    let mut bounded = BufReader::new(stream).take(LINE_MAX as u64);
    let read = bounded.read_until(b'\n', &mut answer);
    tokio::time::timeout(ANSWER, read)
        .await
        .map_err(|_| ClientError::Late)??;
    if answer.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    match serde_json::from_slice(&answer)? {
        Reply::Ok(value) => Ok(value),
        Reply::Error(reason) => Err(ClientError::Refused(reason)),
    }
}
