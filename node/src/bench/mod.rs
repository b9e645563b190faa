//! Measurements that anybody can repeat: each beside a peer in the same run, as a ratio with its
//! spread.

pub mod log;
mod spread;

pub use spread::Spread;
