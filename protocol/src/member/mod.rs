//! Who is in: the consortium's genesis, the credentials it signs, the roster that checks them, and
//! the quorum file that the council signed.

pub mod check;
pub mod credential;
pub mod genesis;
pub mod issue;
pub mod quorum;
pub mod roster;

pub use credential::{CREDENTIAL_TYPE, Credential, CredentialError, Licence, MemberKind};
pub use genesis::{CouncilMember, GENESIS_TYPE, Genesis, GenesisError};
pub use issue::{IssueError, Paper};
pub use quorum::{QUORUM_TYPE, QuorumPaper, QuorumPaperError};
pub use roster::{Member, MemberError, Roster};
