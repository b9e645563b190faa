//! The storage and verification SCU: sends files to a PACS, many an association.
//!
//! Each file is proposed with exactly its own SOP class and transfer syntax and streamed from
//! disk as it is: nothing is decoded, converted or held in memory beyond one PDU.

mod files;

use super::ae::AeTitle;
use super::dimse::{self, Command, DimseError, command, status};
use super::link::{DATA_HEAD_LEN, Link, LinkError, Received};
use super::part10::Part10Error;
use super::scp::{max_length, our_variables};
use super::split::SplitError;
use super::syntax;
use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AssociationRJ, AssociationRQ, Pdu, PresentationContextProposed,
    PresentationContextResultReason,
};
use files::{Batch, Prepared};
use std::collections::BTreeSet;
use std::io::{self, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Whom to call, and how long to wait.
#[derive(Debug, Clone)]
pub struct ScuConfig {
    /// Our title.
    pub calling: AeTitle,
    /// The peer's title.
    pub called: AeTitle,
    /// The peer's address.
    pub address: SocketAddr,
    /// Longest wait for a connection.
    pub connect_wait: Duration,
    /// Longest wait for an answer; a PACS may take its time to make an instance durable.
    pub answer_wait: Duration,
}

impl ScuConfig {
    /// The usual waits.
    pub fn new(calling: AeTitle, called: AeTitle, address: SocketAddr) -> Self {
        let (connect_wait, answer_wait) = (Duration::from_secs(10), Duration::from_secs(120));
        Self {
            calling,
            called,
            address,
            connect_wait,
            answer_wait,
        }
    }
}

/// Why an association or a message failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScuError {
    /// No connection.
    #[error("connecting failed: {0}")]
    Connect(io::ErrorKind),
    /// The connection broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The peer rejected the association.
    #[error("the association was rejected: {}", .0.source)]
    Rejected(AssociationRJ),
    /// The peer aborted.
    #[error("the peer aborted the association")]
    Aborted,
    /// The peer broke the protocol.
    #[error("the peer sent something that does not belong here")]
    Protocol,
    /// The peer's answer cannot be read.
    #[error(transparent)]
    Answer(#[from] DimseError),
    /// The peer takes none of the proposed classes.
    #[error("the peer does not accept the presentation context")]
    NotAccepted,
    /// The peer answered C-ECHO with a failure.
    #[error("the peer answered with status {status:04x}")]
    Status {
        /// The status code.
        status: u16,
    },
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStatus {
    /// The peer keeps it; the status is 0 or a warning.
    Stored {
        /// The status code.
        status: u16,
    },
    /// The peer answered with a failure.
    Refused {
        /// The status code.
        status: u16,
    },
    /// The peer does not take this class in this transfer syntax.
    NotAccepted,
    /// The file is no DICOM file.
    NotDicom(Part10Error),
    /// A bare data set whose identity cannot be read.
    Unidentified(SplitError),
    /// The file cannot be read from disk, or changed while it was sent.
    Unreadable(io::ErrorKind),
    /// The association ended before the file's turn or its answer. It may have been stored.
    NotSent(ScuError),
}

/// One file's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What became of it.
    pub status: FileStatus,
}

/// Asks whether the peer is there and lets us in (C-ECHO).
///
/// # Errors
/// [`ScuError`].
pub async fn echo(config: &ScuConfig) -> Result<(), ScuError> {
    let context = PresentationContextProposed {
        id: 1,
        abstract_syntax: uids::VERIFICATION.to_owned(),
        transfer_syntaxes: vec![syntax::IMPLICIT_LITTLE.to_owned()],
    };
    let mut association = Association::request(config, vec![context]).await?;
    if !association.accepted.contains(&1) {
        association.release().await?;
        return Err(ScuError::NotAccepted);
    }
    association
        .link
        .send_command(1, &dimse::echo_request(1))
        .await?;
    let status = association.answer(command::C_ECHO_RQ, 1).await?;
    association.release().await?;
    if status == status::SUCCESS {
        Ok(())
    } else {
        Err(ScuError::Status { status })
    }
}

/// Sends `files` in order, with as many associations as their presentation contexts need.
/// Returns one report a file, in the order given.
pub async fn store(config: &ScuConfig, files: Vec<PathBuf>) -> Vec<FileReport> {
    let (mut reports, batches) = files::prepare(files).await;
    for batch in batches {
        store_batch(config, batch, &mut reports).await;
    }
    reports
        .into_iter()
        .map(|(path, status)| {
            // Every file is in a batch or was refused before.
            let status = status.unwrap_or(FileStatus::NotSent(ScuError::Protocol));
            FileReport { path, status }
        })
        .collect()
}

/// A file and what became of it, once known.
type Pending = (PathBuf, Option<FileStatus>);

/// One association's files. When the association breaks, the rest is reported as not sent.
async fn store_batch(config: &ScuConfig, batch: Batch, reports: &mut [Pending]) {
    let mut broken = None;
    let mut association = match Association::request(config, batch.proposals()).await {
        Ok(association) => Some(association),
        Err(error) => {
            broken = Some(error);
            None
        }
    };
    for (number, file) in batch.files.iter().enumerate() {
        let report = &mut reports[file.index];
        let Some(open) = association.as_mut() else {
            report.1 = broken.clone().map(FileStatus::NotSent);
            continue;
        };
        // Message numbers may be used again once answered.
        let message_id = (number % usize::from(u16::MAX)) as u16 + 1;
        match open.store_file(&report.0, file, message_id).await {
            Ok(status) => report.1 = Some(status),
            Err(error) => {
                report.1 = Some(match &error {
                    StoreError::Scu(error) => FileStatus::NotSent(error.clone()),
                    StoreError::Disk(kind) => FileStatus::Unreadable(*kind),
                });
                broken = Some(match error {
                    StoreError::Scu(error) => error,
                    StoreError::Disk(_) => ScuError::Aborted,
                });
                if let Some(open) = association.take() {
                    open.link
                        .abort(AbortRQServiceProviderReason::ReasonNotSpecified)
                        .await;
                }
            }
        }
    }
    if let Some(open) = association {
        // Every file is answered: a failed release loses nothing.
        if let Err(error) = open.release().await {
            tracing::debug!(%error, "the association was not released in order");
        }
    }
}

/// A failure after which the association is of no more use.
enum StoreError {
    Scu(ScuError),
    /// The file ended or failed in mid-message.
    Disk(io::ErrorKind),
}

impl<E: Into<ScuError>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Scu(error.into())
    }
}

/// An association that stands.
struct Association {
    link: Link<TcpStream>,
    accepted: BTreeSet<u8>,
    /// Content of one PDU behind the room for its heads.
    frame: Vec<u8>,
}

impl Association {
    async fn request(
        config: &ScuConfig,
        contexts: Vec<PresentationContextProposed>,
    ) -> Result<Self, ScuError> {
        let stream = timeout(config.connect_wait, TcpStream::connect(config.address))
            .await
            .map_err(|_| ScuError::Connect(io::ErrorKind::TimedOut))?
            .map_err(|error| ScuError::Connect(error.kind()))?;
        stream
            .set_nodelay(true)
            .map_err(|error| ScuError::Connect(error.kind()))?;
        let mut link = Link::new(stream, config.answer_wait);
        let request = AssociationRQ {
            protocol_version: 1,
            calling_ae_title: config.calling.to_string(),
            called_ae_title: config.called.to_string(),
            application_context_name: "1.2.840.10008.3.1.1.1".to_owned(),
            presentation_contexts: contexts,
            user_variables: our_variables(),
        };
        link.send(&Pdu::AssociationRQ(request)).await?;
        match link.receive().await? {
            Received::Control(Pdu::AssociationAC(answer)) => {
                link.set_peer_pdu_max(answer.user_variables.iter().find_map(max_length));
                let accepted = answer
                    .presentation_contexts
                    .iter()
                    .filter(|c| c.reason == PresentationContextResultReason::Acceptance)
                    .map(|c| c.id)
                    .collect();
                Ok(Self {
                    link,
                    accepted,
                    frame: Vec::new(),
                })
            }
            Received::Control(Pdu::AssociationRJ(reject)) => Err(ScuError::Rejected(reject)),
            Received::Control(Pdu::AbortRQ { .. }) => Err(ScuError::Aborted),
            Received::Control(_) | Received::Data(_) => Err(ScuError::Protocol),
        }
    }

    async fn store_file(
        &mut self,
        path: &PathBuf,
        file: &Prepared,
        message_id: u16,
    ) -> Result<FileStatus, StoreError> {
        if !self.accepted.contains(&file.context) {
            return Ok(FileStatus::NotAccepted);
        }
        let opened = async {
            let mut source = File::open(path).await?;
            let length = source.metadata().await?.len();
            source.seek(SeekFrom::Start(file.dataset_offset)).await?;
            Ok::<_, io::Error>((source, length.saturating_sub(file.dataset_offset)))
        };
        // Nothing was announced yet: the association survives a file that cannot be opened.
        let (mut source, mut left) = match opened.await {
            Ok((_, 0)) => return Ok(FileStatus::Unreadable(io::ErrorKind::UnexpectedEof)),
            Ok(opened) => opened,
            Err(error) => return Ok(FileStatus::Unreadable(error.kind())),
        };
        let set = dimse::store_request(message_id, &file.sop_class, &file.sop_instance);
        self.link.send_command(file.context, &set).await?;
        let content_max = self.link.content_max();
        self.frame.resize(DATA_HEAD_LEN + content_max, 0);
        while left > 0 {
            let length = left.min(content_max as u64);
            let frame = &mut self.frame[..DATA_HEAD_LEN + length as usize];
            let read = source.read_exact(&mut frame[DATA_HEAD_LEN..]).await;
            read.map_err(|error| StoreError::Disk(error.kind()))?;
            left -= length;
            self.link.send_data(file.context, left == 0, frame).await?;
        }
        let status = self.answer(command::C_STORE_RQ, message_id).await?;
        Ok(if status::is_kept(status) {
            FileStatus::Stored { status }
        } else {
            FileStatus::Refused { status }
        })
    }

    /// The status of the response to message `message_id`.
    async fn answer(&mut self, request: u16, message_id: u16) -> Result<u16, ScuError> {
        let mut set = Vec::new();
        loop {
            let values = match self.link.receive().await? {
                Received::Data(values) => values,
                Received::Control(Pdu::AbortRQ { .. }) => return Err(ScuError::Aborted),
                Received::Control(_) => return Err(ScuError::Protocol),
            };
            for value in values {
                let fits = set.len() + value.data.len() <= dimse::COMMAND_MAX;
                if !value.is_command || !fits {
                    return Err(ScuError::Protocol);
                }
                set.extend_from_slice(&value.data);
                if value.is_last {
                    let answer = Command::parse(&set)?;
                    let right = answer.field == request | command::RESPONSE
                        && answer.message_id == message_id
                        && !answer.has_dataset;
                    return answer.status.filter(|_| right).ok_or(ScuError::Protocol);
                }
            }
        }
    }

    async fn release(mut self) -> Result<(), ScuError> {
        self.link.send(&Pdu::ReleaseRQ).await?;
        match self.link.receive().await? {
            Received::Control(Pdu::ReleaseRP) => {
                self.link.close().await;
                Ok(())
            }
            Received::Control(Pdu::AbortRQ { .. }) => Err(ScuError::Aborted),
            Received::Control(_) | Received::Data(_) => Err(ScuError::Protocol),
        }
    }
}
