//! Plain functions for fuzzers: no input panics, and accepted bytes have one spelling.

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::proof::LogProof;
use super::quorum::Quorum;
use super::tile::{Tile, append_entry, parse_bundle};
use super::witness::AddCheckpoint;
use crate::note::{Note, VerifierKey, parse_signature_block};

/// Notes, signature blocks and verifier keys.
pub fn fuzz_note(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.encode(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(lines) = parse_signature_block(text) {
        assert_eq!(
            lines.iter().map(|line| line.line()).collect::<String>(),
            text
        );
    }
}

/// Checkpoint bodies and signed checkpoints.
pub fn fuzz_checkpoint(data: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.encode(), data);
        assert_eq!(signed.checkpoint().body(), signed.note().text());
    }
    let body = std::str::from_utf8(data).ok();
    if let Some(Ok(checkpoint)) = body.map(Checkpoint::parse_body) {
        assert_eq!(checkpoint.body().as_bytes(), data);
    }
}

/// Tile paths.
pub fn fuzz_tile_path(data: &[u8]) {
    let path = std::str::from_utf8(data).ok();
    if let Some(Ok(tile)) = path.map(Tile::parse) {
        assert_eq!(tile.path().as_bytes(), data);
    }
}

/// Entry bundles; the first byte is the width less one.
pub fn fuzz_bundle(data: &[u8]) {
    let Some((width, bundle)) = data.split_first() else {
        return;
    };
    if let Ok(entries) = parse_bundle(bundle, u16::from(*width) + 1) {
        let mut again = Vec::new();
        for entry in entries {
            append_entry(&mut again, entry).expect("it was read from a bundle");
        }
        assert_eq!(again, bundle);
    }
}

/// Proof files and witness requests.
pub fn fuzz_proof(data: &[u8]) {
    if let Ok(proof) = LogProof::parse(data) {
        assert_eq!(proof.encode(), data);
    }
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(request.encode(), data);
    }
}

/// Policies: free in spacing and comments, so the plain spelling must be a fixed point.
pub fn fuzz_quorum(data: &[u8]) {
    if let Ok(quorum) = Quorum::parse(data) {
        let text = quorum.to_text();
        assert_eq!(Quorum::parse(text.as_bytes()).as_ref(), Ok(&quorum));
        assert_eq!(
            quorum.shortfalls(&Default::default()).is_empty(),
            quorum.rule().is_none()
        );
    }
}
