//! What the driver asks of the node's other parts: the owner's store, the reader's desk.

use crypto::digest::Digest;
use futures::future::BoxFuture;
use protocol::document::grant::Prepared;
use protocol::ids::{Fence, NodeId, OfferId, StudyId};
use protocol::io::{Delivery, StudyDescription};

/// Why an effect was not done, in words without patient data. The core decides what follows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undone(pub String);

impl Undone {
    /// From any error whose text names no patient.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Where a report went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// In words without patient data.
    pub destination: String,
    /// The receiving system acknowledged it.
    pub acknowledged: bool,
}

/// What a desk had received when it dropped everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Ciphertext bytes.
    pub bytes: u64,
    /// Objects.
    pub objects: u64,
}

/// The hospital's side of effects. Calls that block run on blocking threads.
pub trait OwnerPort: Send + Sync + 'static {
    /// Describes a study that went quiet, with its order where there is one. Blocks.
    ///
    /// # Errors
    /// [`Undone`].
    fn describe(&self, study: StudyId) -> Result<StudyDescription, Undone>;

    /// Makes a release of studies for one recipient, if they have images of the `judged` modalities
    /// alone. Blocks.
    ///
    /// # Errors
    /// [`Undone`].
    fn prepare(
        &self,
        studies: &[StudyId],
        judged: &[String],
        offer: OfferId,
        prekey: [u8; 32],
    ) -> Result<Prepared, Undone>;

    /// Removes what was made for a release that is over. Blocks. What cannot be removed is said,
    /// and goes at the next start.
    fn drop_release(&self, manifest: Digest);

    /// Delivers a report; the core asks again after a failure.
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Result<Delivered, Undone>>;
}

/// The reader's side of effects.
pub trait DeskPort: Send + Sync + 'static {
    /// Begins to fetch under a lease; returns at once.
    fn fetch(&self, fence: Fence, owner: NodeId, grant: Vec<u8>, session: Vec<u8>);

    /// Drops keys and plaintext of a lease; done when they are gone.
    fn purge(&self, fence: Fence, owner: NodeId) -> BoxFuture<'static, Purged>;

    /// The language of the report that a lease's grant asks for (BCP 47).
    fn language(&self, fence: Fence, owner: NodeId) -> Option<String>;

    /// Internal identifiers of the objects that were opened under a lease, in order.
    fn opened(&self, fence: Fence, owner: NodeId) -> Vec<[u8; 16]>;
}
