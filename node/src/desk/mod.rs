//! The reading desk without a page: fetch, verify, hold in memory, serve, purge.
//!
//! ```text
//! grant -> [ fetch ] -> release key -> manifest -> header pack -> bulk files
//!               |  each segment opened and verified as it arrives
//!               v
//!          [ holdings ] -> [ source ] -> DICOMweb pages
//! ```
//! Nothing of a study touches the disk of a desk. Prekey secrets rest sealed until they are purged.

mod error;
pub mod fetch;
pub mod holdings;
mod lane;
mod open_file;
pub mod session;
pub mod source;

pub use error::{FetchError, FileFault};
pub use fetch::{Desk, Duplex, FetchOptions, Job, Opener};
pub use holdings::{Holdings, LeaseKey, Milestone, Progress, Timeline};
pub use session::{Prekeys, SessionError, SessionTerms};

#[cfg(test)]
mod tests;
