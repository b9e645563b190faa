//! What the SCP asks of the store.

use crate::dicom::ae::AeTitle;
use crate::dicom::dimse::status;
use crate::dicom::syntax::TransferSyntax;
use crate::dicom::uid::Uid;
use std::net::IpAddr;

/// What a sender announced about the instance that follows. Nothing of it is proven: the data
/// set decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingMeta {
    /// Title of the sender.
    pub calling: AeTitle,
    /// Address of the sender.
    pub peer: IpAddr,
    /// Affected SOP Class UID.
    pub sop_class: Uid,
    /// Affected SOP Instance UID.
    pub sop_instance: Uid,
    /// Transfer syntax of the data set that follows.
    pub syntax: &'static TransferSyntax,
}

/// Takes instances. Called on blocking threads: it may write to disk.
pub trait StoreSink: Send + Sync + 'static {
    /// Begins an instance.
    ///
    /// # Errors
    /// A refusal, before any byte was taken.
    fn begin(&self, meta: IncomingMeta) -> Result<Box<dyn Incoming>, StoreRefusal>;
}

/// An instance on its way in. Dropped without [`Incoming::finish`], it must leave nothing.
pub trait Incoming: Send {
    /// Takes the next bytes of the data set (neither preamble nor file meta information).
    ///
    /// # Errors
    /// A refusal; the rest of the instance is then read from the peer and thrown away.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreRefusal>;

    /// Makes the instance durable. Only when this has returned [`StoreOutcome::Stored`] or
    /// [`StoreOutcome::Duplicate`] does the sender hear of success.
    fn finish(self: Box<Self>) -> StoreOutcome;
}

/// What became of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is durable.
    Stored,
    /// The same instance with the same bytes was durable before.
    Duplicate,
    /// It was not kept.
    Refused(StoreRefusal),
}

/// Why an instance is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreRefusal {
    /// Disk, memory or a limit: the sender may try again later.
    #[error("out of resources")]
    OutOfResources,
    /// The data set is another class or instance than was announced.
    #[error("the data set does not match what was announced")]
    Mismatch,
    /// The data set cannot be read.
    #[error("the data set cannot be understood")]
    CannotUnderstand,
    /// The instance UID is stored with other content; the new one is quarantined.
    #[error("the instance is already stored with other content")]
    Conflict,
    /// The sender may not store this here.
    #[error("not authorised")]
    NotAuthorised,
    /// A fault of ours.
    #[error("processing failed")]
    Processing,
}

impl StoreRefusal {
    /// The status code that the sender is given (PS3.4 table B.2-1, PS3.7 annex C).
    pub const fn status(self) -> u16 {
        match self {
            Self::OutOfResources => status::OUT_OF_RESOURCES,
            Self::Mismatch => status::CLASS_MISMATCH,
            Self::CannotUnderstand => status::CANNOT_UNDERSTAND,
            Self::Conflict => status::CONFLICTING_INSTANCE,
            Self::NotAuthorised => status::NOT_AUTHORIZED,
            Self::Processing => status::PROCESSING_FAILURE,
        }
    }

    /// Fixed text for Error Comment (0000,0902), at most 64 characters.
    pub const fn comment(self) -> &'static str {
        match self {
            Self::OutOfResources => "out of resources, try again later",
            Self::Mismatch => "data set is not the announced instance",
            Self::CannotUnderstand => "data set cannot be parsed",
            Self::Conflict => "instance UID already stored with other content",
            Self::NotAuthorised => "sender may not store here",
            Self::Processing => "processing failed",
        }
    }
}
