//! The wire: messages of a case between two nodes, length-capped before they are decoded.

pub mod case;

pub use case::{Message, WireError};
