//! Keys, envelopes, sealing and segments of radmesh: mathematics and encodings, no I/O.
//!
//! The crate reads no clock, no file, no socket and no OS entropy: whoever calls it passes
//! randomness in as `&mut impl CryptoRng`. `clippy.toml` beside this crate refuses the rest.
//!
//! Which primitive does which job, and why that one:
//!
//! | job | primitive | where | why |
//! |---|---|---|---|
//! | name bytes | SHA-256 (FIPS 180-4) | [`digest`] | what C2SP logs and DICOM tooling already use |
//! | name *and* separate | length-framed, labelled SHA-256 | [`digest::tagged`] | no two meanings share an input |
//! | blind an index key | HMAC-SHA-256 (RFC 2104) | [`digest::hmac`] | UIDs are guessable: a plain hash hides nothing |
//! | sign | Ed25519 (RFC 8032), strict verification | [`keys`] | small, fast, deterministic; one answer for all verifiers |
//! | agree on a key | X25519 (RFC 7748) | [`keys`] | the KEM of the HPKE suite |
//!
//! Rules that hold everywhere: one key, one use; no key is converted between curves; secrets have
//! no `Debug` and are overwritten when dropped; every decoder has one accepted encoding per value.

#![forbid(unsafe_code)]

pub mod digest;
pub mod keys;
