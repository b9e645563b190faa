//! What is logged: the records, their entries, and what an auditor makes of them.
//!
//! A [`record::Record`] is everything that happened, as the node needs it to rebuild its state. An
//! [`entry::EntryDraft`] is the same as the log keeps it: a clear header, commitments, and openings
//! that are sealed per subject before the entry is written. The log entry is the journal: there is
//! no other.

pub mod archive;
mod bundles;
pub mod disclose;
pub mod entry;
#[cfg(feature = "audit-explain")]
pub mod explain;
#[cfg(feature = "audit")]
pub mod export;
pub mod header;
pub mod query;
pub mod rate;
pub mod record;
#[cfg(feature = "audit")]
pub mod report;
pub mod restore;
pub mod review;
#[cfg(feature = "audit")]
pub mod sided;
pub mod verify;
pub mod witness;
