//! What a release holds and in which order a person looks at it.

mod bounds;
pub mod manifest;
pub mod request;
