//! Keys, envelopes, sealing and segments of radmesh: mathematics and encodings, no I/O.
//!
//! The crate reads no clock, no file, no socket and no OS entropy: whoever calls it passes
//! randomness in as `&mut impl CryptoRng`. `clippy.toml` beside this crate refuses the rest.
//!
//! Which primitive does which job, and why that one:
//!
//! - Name bytes: SHA-256 (FIPS 180-4), in [`digest`]. What C2SP logs and their tools use.
//! - Name bytes for one purpose: length-framed, labelled SHA-256, [`digest::tagged`]. No two
//!   meanings share an input.
//! - Blind an index key: HMAC-SHA-256 (RFC 2104), [`digest::hmac`]. UIDs are guessable, so that a
//!   plain hash hides nothing.
//! - Sign: Ed25519 (RFC 8032) with strict verification, in [`keys`]. Small, fast, deterministic,
//!   and one answer for all verifiers.
//! - Sign a record: the DSSE encoding in a strict container, [`envelope`]. Type and bytes are
//!   both signed, and an envelope has one encoding.
//! - Seal to one person: HPKE base mode (RFC 9180) over X25519 (RFC 7748), [`hpke`]. A standard
//!   construction; its suite id leaves room for a post-quantum one.
//! - Seal bulk: ChaCha20-Poly1305 (RFC 8439) in STREAM segments, [`segment`]. Random access, and
//!   fast without special hardware. Its key is derived by HKDF-SHA256 (RFC 5869), which binds
//!   object, salt and length.
//! - Commit to a bulk key: labelled SHA-256, [`segment::key_commitment`]. ChaCha20-Poly1305 itself
//!   commits to no key.
//! - Sign a log's state: C2SP signed notes in [`note`], over the RFC 6962 trees of [`log`]. Tools
//!   that we did not write can check them.
//! - Protect a key file: Argon2id (RFC 9106), [`keyfile`]. Guessing a passphrase costs memory.
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_pure_crates_refuse_the_same_things() {
        let ours = include_str!("../clippy.toml");
        assert_eq!(ours, include_str!("../../protocol/clippy.toml"));
        assert_eq!(ours, include_str!("../../sim/clippy.toml"));
    }
}
