//! What can be wrong with an archive, and under which check each stands.

use std::fmt;

use crypto::digest::Digest;
use crypto::log::fsck::Problem;
use crypto::log::merkle::MerkleError;
use crypto::log::proof::ProofError;
use crypto::log::quorum::{PolicyError, QuorumError};
use crypto::note::KeyName;

use crate::audit::archive::ArchiveError;
use crate::audit::entry::EntryError;
use crate::document::DocumentError;
use crate::member::{GenesisError, MemberError, QuorumPaperError};
use crate::policy::facts::FactsError;

/// The checks, in the order in which they are made and reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The archive's note: readable, and signed by the log's key.
    Note,
    /// Every file is listed, present, and has the listed digest.
    Files,
    /// The consortium's genesis, and the hash it is pinned by.
    Genesis,
    /// Every credential, and that the log's key belongs to one.
    Credentials,
    /// The quorum file as the council signed it, and that its witnesses are members.
    Witnesses,
    /// Every entry, tile and the signed checkpoint.
    Tree,
    /// The checkpoint is cosigned by a quorum.
    Quorum,
    /// Every entry reads, in its one encoding; the first one starts the node; times do not run
    /// back.
    Entries,
    /// Every granted release: grant, credentials, proof.
    Grants,
    /// Every receipt, and the reader's log behind it.
    Receipts,
    /// No access before a receipt.
    Access,
    /// Every accepted grant, and the owner's log behind it.
    Peers,
    /// Disclosed openings match their commitments and the licences hold.
    Openings,
    /// Disclosed decisions, made again from the policy text and the facts.
    Decisions,
    /// The archives given together agree with one another.
    Reconciled,
}

impl Check {
    /// All of them, in order.
    pub const ALL: [Self; 15] = [
        Self::Note,
        Self::Files,
        Self::Genesis,
        Self::Credentials,
        Self::Witnesses,
        Self::Tree,
        Self::Quorum,
        Self::Entries,
        Self::Grants,
        Self::Receipts,
        Self::Access,
        Self::Peers,
        Self::Openings,
        Self::Decisions,
        Self::Reconciled,
    ];

    /// The name used in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "archive note",
            Self::Files => "files",
            Self::Genesis => "genesis",
            Self::Credentials => "credentials",
            Self::Witnesses => "witnesses",
            Self::Tree => "tree",
            Self::Quorum => "quorum",
            Self::Entries => "entries",
            Self::Grants => "grants",
            Self::Receipts => "receipts",
            Self::Access => "access",
            Self::Peers => "peer proofs",
            Self::Openings => "openings",
            Self::Decisions => "decisions",
            Self::Reconciled => "reconciliation",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that does not hold. Any one of them fails the verification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file that must be there is not.
    #[error("missing")]
    Missing,
    /// A file that the archive's note does not list.
    #[error("not listed in archive.note")]
    Unlisted,
    /// A file that belongs to no entry of the log.
    #[error("belongs to no entry that has such a file")]
    Stray,
    /// Not a regular file, or the system cannot read it.
    #[error("cannot be read")]
    Unreadable,
    /// Larger than a file of its kind may be.
    #[error("has more than the {0} bytes that such a file may have")]
    TooLarge(u64),
    /// Not as long as listed.
    #[error("has {found} bytes; {listed} are listed")]
    Length {
        /// By the note.
        listed: u64,
        /// In the file.
        found: u64,
    },
    /// Not the listed content.
    #[error("does not have the listed SHA-256")]
    Digest,
    /// The archive's note.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The note states another log or tree size than the checkpoint.
    #[error("archive.note speaks of {0}, which is not what the checkpoint states")]
    OtherTree(String),
    /// The genesis is refused, or is another one than asked for.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A credential is refused.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// A credential under another serial number than its own.
    #[error("holds the credential with serial {0}")]
    OtherSerial(u64),
    /// No valid credential in the archive names the log's key.
    #[error("no valid credential names the key of the log {0}")]
    UnknownLog(String),
    /// The quorum file is refused.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The council did not sign for the quorum file: who must cosign is then the log's own word.
    #[error("the council did not sign the quorum file: {0}")]
    QuorumUnsigned(QuorumPaperError),
    /// The council signed another quorum file.
    #[error("has the SHA-256 {found}; the council signed {signed}")]
    QuorumMismatch {
        /// SHA-256 of the file.
        found: Digest,
        /// SHA-256 in the paper.
        signed: Digest,
    },
    /// Not the quorum file that was asked for.
    #[error("has the SHA-256 {found}; yours has {pinned}")]
    OtherQuorum {
        /// SHA-256 of the file.
        found: Digest,
        /// SHA-256 of the file that was asked for.
        pinned: Digest,
    },
    /// The quorum file lets a checkpoint pass that no witness saw.
    #[error("the quorum file demands no witness")]
    NoWitnessDemanded,
    /// The council signed two quorum files under one serial number.
    #[error("serial number {0} stands for another quorum file in another archive")]
    QuorumSerial(u64),
    /// Archives that were given together belong to two consortia.
    #[error("another archive belongs to the consortium with the genesis {0}")]
    TwoConsortia(Digest),
    /// A witness of the quorum file has no credential.
    #[error("no valid credential names the key of the witness {0}")]
    UnknownWitness(String),
    /// The tree or the checkpoint.
    #[error(transparent)]
    Tree(#[from] Problem),
    /// The cosignatures cannot be counted.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// Too few cosignatures.
    #[error("not cosigned by a quorum: {0}")]
    Shortfall(String),
    /// The entry's bytes are refused.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The first entry of a log says that the node started.
    #[error("the log does not begin with the start of its node")]
    FirstEntry,
    /// A review states no range of entries before its own.
    #[error("the review states no range of entries before its own")]
    ReviewRange,
    /// The time lies before an earlier entry's, beyond both uncertainties.
    #[error("its time lies {0} microseconds before that of an earlier entry")]
    TimeRunsBack(u64),
    /// An entry of a release that names no grant, or no digest.
    #[error("it names no grant")]
    NoGrant,
    /// The same grant was granted or accepted twice.
    #[error("the same grant stands in entry {0}")]
    Twice(u64),
    /// The envelope is not the one that the entry commits to.
    #[error("is not the grant that the entry commits to")]
    OtherGrant,
    /// A document is refused.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Something stated in the document is not so.
    #[error("the {0} does not match")]
    Mismatch(&'static str),
    /// No credential of the owner, or of the reader, was valid at the entry's time.
    #[error("no credential of the {0} was valid at that time")]
    NoCredential(&'static str),
    /// A granted release without a permitting rule.
    #[error("no rule permitted it")]
    NoRule,
    /// A proof file is malformed.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A proof does not lead from the entry to its checkpoint.
    #[error("the proof does not hold: {0}")]
    NotIncluded(MerkleError),
    /// A proof's checkpoint is not of this log's tree: the log was rewritten, cut or forked.
    #[error("the checkpoint of size {0} in the proof is not of this log's tree")]
    Forked(u64),
    /// An entry of a release that this log neither granted nor accepted.
    #[error("this log holds no such grant before it")]
    UnknownGrant,
    /// Access without a receipt before it.
    #[error("access without a receipt before it")]
    AccessWithoutReceipt,
    /// The disclosed facts name a licence that the reader's credential does not, or not then.
    #[error("the facts name a licence for {0} that the reader's credential did not hold then")]
    Licence(String),
    /// The disclosed facts are refused.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The policy text does not load.
    #[error("cannot be used as a policy: {0}")]
    PolicyText(String),
    /// Deciding again gives another answer.
    #[error("the policy decides otherwise: {0}")]
    Decision(&'static str),
    /// What one log says that another holds is not there.
    #[error("the log {peer} does not hold that entry at index {index}")]
    NotInPeer {
        /// The other log.
        peer: KeyName,
        /// Where it should be.
        index: u64,
    },
    /// The other log's tree is not the one that was shown to this node.
    #[error("the log {peer} showed this node another tree of size {size}")]
    PeerForked {
        /// The other log.
        peer: KeyName,
        /// The size of the tree shown.
        size: u64,
    },
    /// The other log's archive ends before the tree that was shown to this node.
    #[error("the archive of {peer} ends before the tree of size {size} that it showed this node")]
    PeerBehind {
        /// The other log.
        peer: KeyName,
        /// The size of the tree shown.
        size: u64,
    },
    /// The other log accepted a grant that this log never granted.
    #[error("the log {peer} accepted a grant (its entry {index}) that this log does not hold")]
    NeverGranted {
        /// The other log.
        peer: KeyName,
        /// The index of its entry.
        index: u64,
    },
    /// The other log says that access began; this one holds no receipt.
    #[error("the log {peer} says that access began (its entry {index}); this log has no receipt")]
    PeerAccess {
        /// The other log.
        peer: KeyName,
        /// The index of its entry.
        index: u64,
    },
    /// Two archives of one log hold different trees.
    #[error("two archives of this log hold different trees at size {0}")]
    CopiesDiffer(u64),
}
