//! What is withheld until a log entry is durable, and what an effect's outcome goes on with.

use crate::ids::{CaseId, Fence, NodeId, OfferId, StudyId};
use crate::io::{Effect, Event, Transmit};

/// Held back by a log entry.
#[expect(
    clippy::large_enum_variant,
    reason = "an entry holds back one or two, and not for long: a box would cost more than it saves"
)]
pub(crate) enum Then {
    /// A message.
    Send(Transmit),
    /// An effect.
    Run(Effect),
    /// News for people.
    Tell(Event),
    /// The owner goes on.
    Owner(OwnerStep),
    /// The reader goes on.
    Reader(ReaderStep),
}

/// How the owner goes on when an entry is durable (or cosigned).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerStep {
    /// The case is open: offer it.
    Opened(CaseId),
    /// The ring is logged: send its offers, staggered.
    Offered(CaseId),
    /// The grant is logged and cosigned: send it.
    Granted(CaseId, Fence),
    /// The receipt is logged: fetching may begin.
    Received(CaseId, Fence),
    /// The resumption is logged: the holder goes on.
    Resumed(CaseId, Fence),
    /// The report is logged: acknowledge and deliver.
    Reported(CaseId, Fence),
}

/// How the reader goes on when an entry is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReaderStep {
    /// The claim is logged: send it.
    Claimed(OfferId),
    /// The grant is logged: prove it and sign the receipt.
    Accepted(NodeId, Fence),
    /// The report is logged: send it.
    Reported(NodeId, Fence),
    /// The end of access is logged: say so.
    Purged(NodeId, Fence),
    /// The hand-back is logged: say so.
    HandedBack(NodeId, Fence),
}

/// What waits for an effect's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// A study's description (owner).
    Describe(StudyId),
    /// A release (owner).
    Prepare(CaseId),
    /// A grant's signature; its index is reserved (owner).
    SignGrant(CaseId, u64),
    /// A grant's proof (owner).
    ProveGrant(CaseId, Fence),
    /// A delivery (owner).
    Deliver(CaseId),
    /// An advert's signature (reader).
    SignAdvert,
    /// The proof of this log's entry for a grant (reader).
    ProveReceipt(NodeId, Fence),
    /// A receipt's signature (reader).
    SignReceipt(NodeId, Fence),
    /// A report's signature (reader).
    SignReport(NodeId, Fence),
    /// A purge (reader).
    Purge(NodeId, Fence),
}
