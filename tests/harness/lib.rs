//! What the integration tests stand on: real binaries on port 0 in temporary folders, and faults
//! put under them.
//!
//! Nothing here knows a rule of the network. A helper returns an error with its story; the test
//! decides.

pub mod faults;
pub mod golden;
pub mod image;
pub mod network;
pub mod node;
pub mod place;

pub use faults::{Class, Faults, Kind, Plan};
pub use image::Journal;
pub use network::Network;
pub use node::{Output, Process, run};
pub use place::{binary, corpus, long, python, skip, tell};
