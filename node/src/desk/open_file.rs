//! Opens one sealed file as its bytes come in, in order and in pieces of any size.

use super::error::FileFault;
use crypto::digest::{Digest, Hasher};
use crypto::keys::SymmetricKey;
use crypto::segment::{
    self, OBJECT_ID_LEN, Opener, SALT_LEN, SEALED_SEGMENT_LEN, SegmentCipher, SegmentError,
};
use protocol::document::grant::Prepared;
use protocol::transfer::manifest::{SealedFile, plain_digest};
use zeroize::Zeroizing;

/// One segment's plaintext.
pub(super) type Segment = Zeroizing<Vec<u8>>;

/// What opens and proves a file.
struct Proof {
    digest: Digest,
    plain_length: u64,
    file_id: [u8; OBJECT_ID_LEN],
    key: SymmetricKey,
    /// Salt and salted digest; the manifest is proved by its root instead.
    plain: Option<([u8; 32], Digest)>,
}

/// A sealed file that is arriving.
pub(super) struct OpenFile {
    proof: Proof,
    opener: Option<Opener>,
    /// Ciphertext of the salt or segment that is not complete yet.
    pending: Vec<u8>,
    next: u64,
    received: u64,
    sealed: Hasher,
    plain: Hasher,
}

impl OpenFile {
    /// A file that a manifest names.
    pub(super) fn new(file: &SealedFile) -> Result<Self, FileFault> {
        let malformed = || FileFault::KeyCommitment;
        let file_id = file
            .file_id
            .as_slice()
            .try_into()
            .map_err(|_| malformed())?;
        let key = key_of(&file.key).ok_or_else(malformed)?;
        if segment::key_commitment(&key, &file_id).as_bytes() != file.key_commitment.as_slice() {
            return Err(FileFault::KeyCommitment);
        }
        let salt = file.plain_salt.as_slice().try_into();
        let salt = salt.map_err(|_| FileFault::PlainDigest)?;
        let plain = digest_of(&file.plain_digest).ok_or(FileFault::PlainDigest)?;
        Ok(Self::start(Proof {
            digest: digest_of(&file.digest).ok_or(FileFault::SealedDigest)?,
            plain_length: file.plain_length,
            file_id,
            key,
            plain: Some((salt, plain)),
        }))
    }

    /// The sealed manifest of a grant. The caller has checked the key's commitment.
    pub(super) fn manifest(prepared: &Prepared, release_key: SymmetricKey) -> Option<Self> {
        Some(Self::start(Proof {
            digest: digest_of(&prepared.manifest_digest)?,
            plain_length: prepared.manifest_length,
            file_id: prepared.manifest_id.as_slice().try_into().ok()?,
            key: release_key,
            plain: None,
        }))
    }

    fn start(proof: Proof) -> Self {
        Self {
            proof,
            opener: None,
            pending: Vec::new(),
            next: 0,
            received: 0,
            sealed: Hasher::new(),
            plain: Hasher::new(),
        }
    }

    /// The same file from its first byte.
    pub(super) fn restart(&mut self) {
        self.opener = None;
        self.pending.clear();
        (self.next, self.received) = (0, 0);
        (self.sealed, self.plain) = (Hasher::new(), Hasher::new());
    }

    /// The file's name at the hospital.
    pub(super) const fn digest(&self) -> Digest {
        self.proof.digest
    }

    /// Ciphertext bytes taken in so far: where to go on.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Ciphertext bytes that are still to come.
    pub(super) fn missing(&self) -> u64 {
        segment::sealed_len(self.proof.plain_length).saturating_sub(self.received)
    }

    /// Takes in the next ciphertext; every segment that it completes goes to `out`, verified.
    pub(super) fn push(
        &mut self,
        mut sealed: &[u8],
        mut out: impl FnMut(Segment),
    ) -> Result<(), FileFault> {
        self.sealed.update(sealed);
        self.received += sealed.len() as u64;
        loop {
            let wanted = self.wanted() - self.pending.len();
            if sealed.len() < wanted || wanted == 0 {
                self.pending.extend_from_slice(sealed);
                return Ok(());
            }
            let (head, rest) = sealed.split_at(wanted);
            self.pending.extend_from_slice(head);
            sealed = rest;
            if let Some(segment) = self.complete()? {
                out(segment);
            }
        }
    }

    /// Bytes of the salt or segment that comes next; what is pending once all are there.
    fn wanted(&self) -> usize {
        if self.opener.is_none() {
            return SALT_LEN;
        }
        let range = segment::segment_range(self.proof.plain_length, self.next);
        let length = (range.end - range.start).min(SEALED_SEGMENT_LEN as u64);
        usize::try_from(length).map_or(self.pending.len(), |length| length.max(self.pending.len()))
    }

    fn complete(&mut self) -> Result<Option<Segment>, FileFault> {
        let Some(opener) = &self.opener else {
            let salt = self.pending.as_slice().try_into();
            let salt = salt.map_err(|_| SegmentError::Truncated(0))?;
            let (key, length) = (&self.proof.key, self.proof.plain_length);
            let cipher = SegmentCipher::new(key, self.proof.file_id, salt, length);
            self.opener = Some(Opener::new(cipher, length)?);
            self.pending.clear();
            return Ok(None);
        };
        let mut segment = Zeroizing::new(std::mem::take(&mut self.pending));
        opener.open(self.next, &mut segment)?;
        self.plain.update(&segment);
        self.next += 1;
        Ok(Some(segment))
    }

    /// Proves the whole file, once nothing is missing.
    pub(super) fn prove(&self) -> Result<(), FileFault> {
        if self.next != segment::segment_count(self.proof.plain_length) {
            return Err(SegmentError::Truncated(self.next).into());
        }
        if self.sealed.clone().finish() != self.proof.digest {
            return Err(FileFault::SealedDigest);
        }
        match &self.proof.plain {
            Some((salt, digest)) if plain_digest(salt, &self.plain.clone().finish()) != *digest => {
                Err(FileFault::PlainDigest)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A symmetric key off the wire.
pub(super) fn key_of(bytes: &[u8]) -> Option<SymmetricKey> {
    bytes.try_into().ok().map(SymmetricKey::from_bytes)
}

/// A digest off the wire.
pub(super) fn digest_of(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest)
}
