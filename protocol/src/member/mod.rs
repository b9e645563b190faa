//! Who is in: the consortium's genesis, the credentials it signs, and the roster that checks them.

pub mod credential;
pub mod genesis;
pub mod roster;

pub use credential::{Credential, Licence, MemberKind};
pub use genesis::Genesis;
pub use roster::{Member, MemberError, Roster};
