//! Audit archives on disk: written from a node's log, and read back for verification.
//!
//! ```text
//! ExportSource ──> DIR.partial/…      every file synced, then archive.note, then every folder
//!                      │ rename
//!                      v
//!                     DIR             complete, or not there
//! ```
//! The formats are `protocol::audit::archive`'s. A crash leaves `DIR.partial`, which no export
//! touches again.

mod export;
mod folder;
mod write;

pub use export::{ExportError, ExportSource, Exported, TrustFiles, export};
pub use folder::{Folder, FolderError};
pub use write::{WriteError, is_free};

#[cfg(test)]
mod tests;
