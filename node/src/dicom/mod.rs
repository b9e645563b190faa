//! The DICOM gateway: C-ECHO and C-STORE, splitting, rebuilding, and a synthetic study.

pub mod ae;
pub mod dimse;
pub mod link;
pub mod part10;
pub mod scp;
pub mod scu;
pub mod split;
pub mod sr;
pub mod syntax;
pub mod synth;
pub mod uid;

#[cfg(test)]
pub(crate) mod corpus;
