//! The log against published vectors and against independent implementations.

mod fsck;
mod fuzzing;
mod merkle;
mod notes;
mod proofs;
mod public;
mod quorum;
mod sizes;
mod tiles;
mod witness;

use std::collections::BTreeMap;

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::cosign::cosign;
use super::merkle::TreeHead;
use super::quorum::Quorum;
use super::tile::CHECKPOINT_PATH;
use super::writer::LogWriter;
use crate::keys::SigningKey;
use crate::note::{KeyName, KeyType, VerifierKey};

pub(super) const ORIGIN: &str = "log.example/hospital";
/// 2026-01-01T00:00:00Z.
pub(super) const TIME: u64 = 1_767_225_600;

pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) fn name(text: &str) -> KeyName {
    KeyName::new(text).expect("a key name")
}

pub(super) fn log_key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

pub(super) fn log_verifier() -> VerifierKey {
    VerifierKey::new(name(ORIGIN), KeyType::Ed25519, log_key().verifying_key())
}

/// Witness `n`, called `witness.example/<n>`.
pub(super) fn witness(n: u8) -> (KeyName, SigningKey, VerifierKey) {
    let name = name(&format!("witness.example/{n}"));
    let key = SigningKey::from_seed(&[100 + n; 32]);
    let verifier = VerifierKey::new(name.clone(), KeyType::Cosignature, key.verifying_key());
    (name, key, verifier)
}

/// 3 of 4 witnesses, of this log.
pub(super) fn three_of_four() -> Quorum {
    let mut text = format!("log {}\n", log_verifier());
    for n in 0..4 {
        text += &format!("witness w{n} {}\n", witness(n).2);
    }
    text += "group all-witnesses 3 w0 w1 w2 w3\nquorum all-witnesses\n";
    Quorum::parse(text.as_bytes()).expect("a policy")
}

/// Entry `index`: of varying length, some empty.
pub(super) fn entry(index: u64) -> Vec<u8> {
    let length = (index * 7 % 23) as usize;
    index.to_be_bytes().repeat(3)[..length].to_vec()
}

pub(super) fn signed(head: TreeHead) -> SignedCheckpoint {
    Checkpoint {
        origin: name(ORIGIN),
        head,
    }
    .sign(&log_key())
}

pub(super) fn cosigned(
    head: TreeHead,
    witnesses: impl IntoIterator<Item = u8>,
) -> SignedCheckpoint {
    let mut signed = signed(head);
    for n in witnesses {
        let (name, key, _) = witness(n);
        let line = cosign(signed.checkpoint(), &name, &key, TIME + u64::from(n)).expect("in range");
        signed.add(line).expect("room");
    }
    signed
}

/// Appends entries up to `size` and stores the new files.
pub(super) fn grow(writer: &mut LogWriter, files: &mut Files, size: u64) {
    for index in writer.size()..size {
        assert_eq!(writer.append(&entry(index)), Ok(index));
    }
    files.extend(
        writer
            .take_files()
            .into_iter()
            .map(|file| (file.path, file.bytes)),
    );
}

/// A whole log of `size` entries, written at once.
pub(super) fn log_of(size: u64) -> (Files, SignedCheckpoint) {
    let (mut writer, mut files) = (LogWriter::new(), Files::new());
    grow(&mut writer, &mut files, size);
    let signed = signed(writer.head());
    files.insert(CHECKPOINT_PATH.into(), signed.encode());
    (files, signed)
}
