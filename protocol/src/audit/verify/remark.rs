//! What is worth saying of an archive and fails nothing: findings, and what was not checked.

use std::fmt;

use crypto::digest::Digest;
use crypto::note::KeyName;

use super::fault::Check;

/// Something that a person should know and that fails nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The genesis was not pinned.
    GenesisFromArchive(Digest),
    /// Not checked: whether the council signed a newer quorum file than the one with this serial
    /// number.
    QuorumNotPinned(u64),
    /// Another archive has a newer quorum file.
    OlderQuorum {
        /// The serial number of this one.
        serial: u64,
        /// The serial number of the newest one given.
        newest: u64,
    },
    /// A granted release has no receipt.
    GrantWithoutReceipt,
    /// The node noted that its clock did not continue as it should.
    ClockAnomaly,
    /// The node noted that its clock was set back, by at least this many microseconds.
    ClockSetBack(u64),
    /// The entry's time lies this many seconds before a cosignature on a tree without it.
    BackDated(u64),
    /// The entry's time lies this many seconds after a cosignature on a tree with it.
    ForwardDated(u64),
    /// The release was decided under a policy text that is not in the archive.
    OtherPolicy,
    /// An entry of a kind that this release does not know.
    UnknownKind(i32),
    /// The reader's log accepted the grant; its receipt never arrived.
    ReceiptNeverArrived {
        /// The reader's log.
        peer: KeyName,
        /// The index of its entry.
        index: u64,
    },
    /// Not checked: whether a credential was taken back before its end.
    Revocation,
    /// Not checked: whether the consortium agreed to the policy.
    PolicyUnsigned,
    /// Not checked: what the log holds beyond its checkpoint, and what it never held.
    AfterCheckpoint,
    /// Not checked: entries whose payload is sealed.
    Sealed(u64),
    /// Not checked: no readable archive of a peer's log was given.
    PeerNotGiven(KeyName),
    /// Not checked: disclosed decisions, because this program has no policy engine.
    DecisionsNotMade(u64),
    /// Not checked: everything after the stated check, which could not be passed.
    Stopped(Check),
    /// More faults than a report holds.
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
            | Self::ReceiptNeverArrived { .. }
            | Self::MoreFaults => false,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GenesisFromArchive(hash) => {
                write!(
                    f,
                    "the genesis {hash} was taken from the archive: compare it with yours"
                )
            }
            Self::QuorumNotPinned(serial) => write!(
                f,
                "whether the council signed a newer quorum file than serial number {serial}"
            ),
            Self::Revocation => f.write_str(
                "whether a credential was suspended or revoked before its end: no archive has a \
                 statement of that",
            ),
            Self::PolicyUnsigned => f.write_str(
                "whether the consortium agreed to the policy: entries and grants commit to its \
                 text, the council signed neither it nor the schema",
            ),
            Self::AfterCheckpoint => f.write_str(
                "what the log holds beyond its checkpoint, and what was never logged: only other \
                 logs tell",
            ),
            Self::OlderQuorum { serial, newest } => write!(
                f,
                "the quorum file (serial number {serial}) is older than another archive's \
                 ({newest})"
            ),
            Self::GrantWithoutReceipt => f.write_str("granted, and no receipt came"),
            Self::ClockAnomaly => f.write_str("the node's clock did not continue as it should"),
            Self::ClockSetBack(us) => write!(
                f,
                "the node's clock was set back by {us} microseconds, as it says itself"
            ),
            Self::BackDated(seconds) => write!(
                f,
                "its time lies {seconds} s before a cosignature on a tree that lacks it"
            ),
            Self::ForwardDated(seconds) => {
                write!(
                    f,
                    "its time lies {seconds} s after a cosignature on a tree that holds it"
                )
            }
            Self::OtherPolicy => {
                f.write_str("decided under a policy whose text is not in the archive")
            }
            Self::UnknownKind(kind) => write!(f, "kind {kind} is not known to this release"),
            Self::ReceiptNeverArrived { peer, index } => {
                write!(
                    f,
                    "{peer} accepted it (its entry {index}); the receipt never arrived"
                )
            }
            Self::Sealed(count) => write!(
                f,
                "the payloads of {count} entries are sealed: patients, studies, reasons and the \
                 facts of decisions were not checked"
            ),
            Self::PeerNotGiven(peer) => {
                write!(
                    f,
                    "no readable archive of {peer} was given: not reconciled with it"
                )
            }
            Self::DecisionsNotMade(count) => {
                write!(
                    f,
                    "{count} disclosed decisions were not made again: no policy engine"
                )
            }
            Self::Stopped(check) => write!(f, "nothing after \"{check}\" could be checked"),
            Self::MoreFaults => f.write_str("there are more faults than this report holds"),
        }
    }
}
