//! What is worth saying of an archive and fails nothing: findings, and what was not checked.

use crypto::digest::Digest;
use crypto::note::KeyName;

use super::fault::Check;
use crate::audit::review::Missed;

/// Something that a person should know and that fails nothing. It is no error: thiserror only
/// writes the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// The genesis was not pinned.
    #[error("the genesis {0} was taken from the archive: compare it with yours")]
    GenesisFromArchive(Digest),
    /// Not checked: whether the council signed a newer quorum file than the one with this serial
    /// number.
    #[error("whether the council signed a newer quorum file than serial number {0}")]
    QuorumNotPinned(u64),
    /// Another archive has a newer quorum file.
    #[error("the quorum file (serial number {serial}) is older than another archive's ({newest})")]
    OlderQuorum {
        /// The serial number of this one.
        serial: u64,
        /// The serial number of the newest one given.
        newest: u64,
    },
    /// A granted release has no receipt.
    #[error("granted, and no receipt came")]
    GrantWithoutReceipt,
    /// The node noted that its clock did not continue as it should.
    #[error("the node's clock did not continue as it should")]
    ClockAnomaly,
    /// The node noted that its clock was set back, by at least this many microseconds.
    #[error("the node's clock was set back by {0} microseconds, as it says itself")]
    ClockSetBack(u64),
    /// The entry's time lies this many seconds before a cosignature on a tree without it.
    #[error("its time lies {0} s before a cosignature on a tree that lacks it")]
    BackDated(u64),
    /// The entry's time lies this many seconds after a cosignature on a tree with it.
    #[error("its time lies {0} s after a cosignature on a tree that holds it")]
    ForwardDated(u64),
    /// Entries were not reviewed by the day by which they were due.
    #[error("{0}")]
    ReviewMissed(Missed),
    /// The release was decided under a policy text that is not in the archive.
    #[error("decided under a policy whose text is not in the archive")]
    OtherPolicy,
    /// An entry of a kind that this release does not know.
    #[error("kind {0} is not known to this release")]
    UnknownKind(i32),
    /// The reader's log accepted the grant; its receipt never arrived.
    #[error("{peer} accepted it (its entry {index}); the receipt never arrived")]
    ReceiptNeverArrived {
        /// The reader's log.
        peer: KeyName,
        /// The index of its entry.
        index: u64,
    },
    /// Not checked: whether a credential was taken back before its end.
    #[error(
        "whether a credential was suspended or revoked before its end: no archive has a statement \
         of that"
    )]
    Revocation,
    /// Not checked: whether the consortium agreed to the policy.
    #[error(
        "whether the consortium agreed to the policy: entries and grants commit to its text, the \
         council signed neither it nor the schema"
    )]
    PolicyUnsigned,
    /// Not checked: what the log holds beyond its checkpoint, and what it never held.
    #[error(
        "what the log holds beyond its checkpoint, and what was never logged: only other logs tell"
    )]
    AfterCheckpoint,
    /// Not checked: entries whose payload is sealed.
    #[error(
        "the payloads of {0} entries are sealed: patients, studies, reasons and the facts of \
         decisions were not checked"
    )]
    Sealed(u64),
    /// Not checked: no readable archive of a peer's log was given.
    #[error("no readable archive of {0} was given: not reconciled with it")]
    PeerNotGiven(KeyName),
    /// Not checked: disclosed decisions, because this program has no policy engine.
    #[error("{0} disclosed decisions were not made again: no policy engine")]
    DecisionsNotMade(u64),
    /// Not checked: everything after the stated check, which could not be passed.
    #[error("nothing after \"{0}\" could be checked")]
    Stopped(Check),
    /// More faults than a report holds.
    #[error("there are more faults than this report holds")]
    MoreFaults,
}

impl Remark {
    /// It says what could not be checked.
    #[must_use]
    pub const fn is_gap(&self) -> bool {
        match self {
            Self::GenesisFromArchive(_)
            | Self::QuorumNotPinned(_)
            | Self::Revocation
            | Self::PolicyUnsigned
            | Self::AfterCheckpoint
            | Self::Sealed(_)
            | Self::PeerNotGiven(_)
            | Self::DecisionsNotMade(_)
            | Self::OtherPolicy
            | Self::Stopped(_)
            | Self::UnknownKind(_) => true,
            Self::OlderQuorum { .. }
            | Self::GrantWithoutReceipt
            | Self::ClockAnomaly
            | Self::ClockSetBack(_)
            | Self::BackDated(_)
            | Self::ForwardDated(_)
            | Self::ReviewMissed(_)
            | Self::ReceiptNeverArrived { .. }
            | Self::MoreFaults => false,
        }
    }
}
