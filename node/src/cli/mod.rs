//! The command line: nouns first, one file a noun.

pub mod audit;
