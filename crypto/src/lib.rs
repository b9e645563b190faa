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
//! | sign a record | DSSE encoding in a strict container | [`envelope`] | type and bytes are both signed; one encoding |
//! | seal to one person | HPKE base mode (RFC 9180) | [`hpke`] | a standard; suite id leaves room for a post-quantum one |
//! | seal bulk | ChaCha20-Poly1305 (RFC 8439) in STREAM segments | [`segment`] | random access; fast without special hardware |
//! | derive a segment key | HKDF-SHA256 (RFC 5869) | [`segment`] | binds object, salt and length |
//! | commit to a bulk key | labelled SHA-256 | [`segment::key_commitment`] | ChaCha20-Poly1305 commits to no key |
//! | protect a key file | Argon2id (RFC 9106) | [`keyfile`] | makes guessing a passphrase cost memory |
//!
//! Rules that hold everywhere: one key, one use; no key is converted between curves; secrets have
//! no `Debug` and are overwritten when dropped; every decoder has one accepted encoding per value.

#![forbid(unsafe_code)]

pub mod digest;
pub mod envelope;
#[doc(hidden)]
pub mod fuzz;
pub mod hpke;
pub mod keyfile;
pub mod keys;
pub mod log;
pub mod note;
pub mod segment;
