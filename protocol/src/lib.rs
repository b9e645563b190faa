//! What the radmesh network means, without a socket, a clock, a file or a random number of its own.
//!
//! [`core::Core`] is the one type that a node and the simulator both drive. Time, randomness and
//! input are arguments; what must happen comes out as transmits, effects and events. A transition
//! that must be logged withholds its transmits until the log entry is durable (or cosigned):
//! promise 2 is a property of a pure state machine.

#![forbid(unsafe_code)]

pub mod audit;
pub mod case;
pub mod core;
pub mod directory;
pub mod document;
pub mod ids;
pub mod io;
pub mod limits;
pub mod member;
pub mod policy;
pub mod time;
pub mod transfer;
pub mod urgency;
pub mod wire;
