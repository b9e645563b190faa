//! The same `protocol::Core` under a virtual clock: whole networks from a seed, with faults,
//! searched for a schedule that breaks a promise.
//!
//! Real: the core, every signature, every Merkle proof, the Cedar policy. Simulated: clocks, disks
//! (what is durable survives a crash, what was reported may be later), the network (delay, loss,
//! duplication), people.

#![forbid(unsafe_code)]

pub mod archive;
#[cfg(test)]
mod bench;
pub mod checks;
pub mod consortium;
pub mod disk;
pub mod faults;
pub mod host;
#[cfg(test)]
mod links;
pub mod report;
pub mod run;
pub mod search;
mod shell;
pub mod world;
