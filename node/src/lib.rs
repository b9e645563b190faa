//! The radmesh node: the shell around `protocol::Core`. Rules live in `protocol`; side effects live
//! here.

pub mod archive;
pub mod bench;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod demo;
pub mod desk;
pub mod dicom;
pub mod dicomweb;
pub mod driver;
pub mod files;
pub mod journal;
pub mod keystore;
pub mod mesh;
pub mod phi;
pub mod random;
pub mod release;
pub mod store;
pub mod witness;
