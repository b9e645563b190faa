//! Measurements that anybody can repeat: each prints figures with their spread, and beside them
//! what they are held against, timed in the same run.
//!
//! Processor time is compared, not only time by the clock: it tells less of what else the machine
//! does.

pub mod cosign;
pub mod log;
mod shelf;
pub mod spread;
pub mod verify;

pub use shelf::FolderShelf;
