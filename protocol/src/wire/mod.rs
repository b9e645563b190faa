//! The wire: messages of a case between two nodes, length-capped before they are decoded.

pub(crate) mod bounds;
pub mod case;

pub use case::{Message, WireError};
