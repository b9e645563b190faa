//! Makes a release: header pack, manifest, box for the release key.

use super::files::{FILES_MAX, ReleaseFiles};
use super::folder::Making;
use super::order::outwards;
use super::{ReleaseError, ReleaseFolder, ReleaseSource, SourceObject, random, wipe};
use crypto::digest::{Digest, Hasher, labels, tagged};
use crypto::keys::{AgreementPublic, SymmetricKey};
use crypto::segment::{self, Sealer, SegmentCipher};
use prost::Message;
use protocol::document::grant::{Prepared, RELEASE_INFO, release_aad};
use protocol::ids::{OfferId, StudyId};
use protocol::limits::OBJECTS_MAX;
use protocol::transfer::manifest::{self, Manifest, ManifestError, Object, SealedFile};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest manifest in bytes: the most objects with some hundred frames each. A desk holds it
/// whole.
pub const MANIFEST_MAX: usize = 64 << 20;

/// Makes releases of stored studies.
pub struct ReleaseMaker {
    source: Arc<dyn ReleaseSource>,
    folder: ReleaseFolder,
}

impl ReleaseMaker {
    /// A maker over a store and a folder of releases.
    pub fn new(source: Arc<dyn ReleaseSource>, folder: ReleaseFolder) -> Self {
        Self { source, folder }
    }

    /// Makes a release of whole studies for one offer and one desk. When it returns, what is to be
    /// served is durable. Blocks.
    ///
    /// # Errors
    /// [`ReleaseError`]; nothing is granted then.
    pub fn prepare(
        &self,
        studies: &[StudyId],
        offer: OfferId,
        prekey: &[u8; 32],
    ) -> Result<Prepared, ReleaseError> {
        let prekey = AgreementPublic::from_bytes(prekey).map_err(ReleaseError::Prekey)?;
        let objects = self.looking_order(studies)?;
        let headers = self.header_pack(&objects)?;
        let pack = (
            digest_of(&headers)?,
            segment::sealed_len(headers.plain_length),
        );
        let mut manifest = Manifest {
            version: 1,
            hash: "sha-256".to_owned(),
            salt: random::<32>()?.to_vec(),
            headers: Some(headers),
            objects: Vec::with_capacity(objects.len()),
        };
        let mut offset = 0;
        for (_, object) in objects {
            manifest.objects.push(Object {
                object_id: object.object_id.to_vec(),
                transfer_syntax: object.transfer_syntax,
                header_offset: offset,
                header_length: object.header_length,
                bulks: object.bulks,
            });
            offset += object.header_length;
        }
        let prepared = self.seal(&manifest, pack, (offer, &prekey));
        wipe(&mut manifest);
        prepared
    }

    /// Removes what was made for a release. Blocks.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn discard(&self, manifest: &Digest) -> Result<(), ReleaseError> {
        self.folder.remove(manifest)
    }

    /// The objects in the order in which they are looked at.
    fn looking_order(
        &self,
        studies: &[StudyId],
    ) -> Result<Vec<(StudyId, SourceObject)>, ReleaseError> {
        let mut ordered = Vec::new();
        for study in studies {
            let fault = |fault| ReleaseError::Source {
                study: *study,
                fault,
            };
            let objects = self.source.objects(study).map_err(fault)?;
            if ordered.len() + objects.len() > OBJECTS_MAX {
                let count = ordered.len() + objects.len();
                return Err(ManifestError::TooMany(count).into());
            }
            for series in objects.chunk_by(|a, b| a.series == b.series) {
                let places = outwards(series.len()).into_iter();
                ordered.extend(places.filter_map(|at| Some((*study, series.get(at)?.clone()))));
            }
        }
        if ordered.is_empty() {
            return Err(ReleaseError::Empty);
        }
        Ok(ordered)
    }

    /// Seals all headers, one after the other, into one file of the folder.
    fn header_pack(&self, objects: &[(StudyId, SourceObject)]) -> Result<SealedFile, ReleaseError> {
        let lengths = objects.iter().map(|(_, object)| object.header_length);
        let plain_length = lengths.fold(0, u64::saturating_add);
        let mut sealing = Sealing::begin(self.folder.begin()?, plain_length)?;
        for (study, object) in objects {
            let header = self.source.header(study, &object.object_id);
            let header = Zeroizing::new(header.map_err(|fault| ReleaseError::Source {
                study: *study,
                fault,
            })?);
            if header.len() as u64 != object.header_length {
                return Err(ReleaseError::HeaderLength {
                    study: *study,
                    expected: object.header_length,
                    found: header.len() as u64,
                });
            }
            sealing.push(&header)?;
        }
        let (file, making) = sealing.finish()?;
        self.folder.keep(making, &digest_of(&file)?.to_hex())?;
        Ok(file)
    }

    /// Seals the manifest under a fresh release key and boxes that key.
    fn seal(
        &self,
        manifest: &Manifest,
        pack: (Digest, u64),
        (offer, prekey): (OfferId, &AgreementPublic),
    ) -> Result<Prepared, ReleaseError> {
        let bytes = Zeroizing::new(manifest.encode_to_vec());
        if bytes.len() > MANIFEST_MAX {
            return Err(ReleaseError::TooLong(bytes.len()));
        }
        // What a desk would refuse is not granted in the first place.
        wipe(&mut Manifest::decode_bytes(&bytes)?);
        let mut sealing = Sealing::begin(self.folder.begin()?, bytes.len() as u64)?;
        sealing.push(&bytes)?;
        let (file, making) = sealing.finish()?;
        let file = Zeroizing::new(Kept(file));
        let digest = digest_of(&file.0)?;
        self.folder.keep(making, &digest.to_hex())?;
        let files = list(
            manifest,
            (digest, segment::sealed_len(bytes.len() as u64)),
            pack,
        )?;
        self.folder.keep_files(&files)?;
        let aad = release_aad(offer.as_bytes(), digest.as_bytes());
        let mut rng = ChaCha20Rng::from_seed(random()?);
        let parts: [&[u8]; 2] = [&file.0.file_id, &file.0.key];
        Ok(Prepared {
            sealed_release_key: crypto::hpke::seal_to(
                prekey,
                RELEASE_INFO,
                &aad,
                &file.0.key,
                &mut rng,
            ),
            release_key_commitment: tagged(labels::RELEASE_KEY_COMMITMENT, &parts).0.to_vec(),
            manifest_id: file.0.file_id.clone(),
            manifest_digest: digest.0.to_vec(),
            manifest_length: bytes.len() as u64,
            manifest_root: manifest::root(&bytes).0.to_vec(),
            objects: manifest.objects.len() as u64,
            bytes: files.bytes(),
        })
    }
}

/// A sealed file's entry whose key is overwritten on drop.
struct Kept(SealedFile);

impl zeroize::Zeroize for Kept {
    fn zeroize(&mut self) {
        self.0.key.zeroize();
        self.0.plain_salt.zeroize();
    }
}

/// Everything that the manifest names.
fn list(
    manifest: &Manifest,
    own: (Digest, u64),
    pack: (Digest, u64),
) -> Result<ReleaseFiles, ReleaseError> {
    let bulks = manifest.objects.iter().map(|object| object.bulks.len());
    let count = bulks.fold(2, usize::saturating_add);
    if count > FILES_MAX {
        return Err(ReleaseError::TooManyFiles(count));
    }
    let mut files = ReleaseFiles::new(own, pack);
    let bulks = manifest.objects.iter().flat_map(|object| &object.bulks);
    for file in bulks.filter_map(|bulk| bulk.file.as_ref()) {
        files.add(digest_of(file)?, segment::sealed_len(file.plain_length));
    }
    Ok(files)
}

/// A sealed file's digest.
fn digest_of(file: &SealedFile) -> Result<Digest, ReleaseError> {
    let bytes = file.digest.as_slice().try_into();
    bytes
        .map(Digest)
        .map_err(|_| ManifestError::Malformed("sealed file").into())
}

/// One file being sealed under a fresh key, written and hashed as it goes.
struct Sealing {
    making: Making,
    sealer: Sealer,
    key: SymmetricKey,
    file_id: [u8; 16],
    plain: Hasher,
    sealed: Hasher,
}

impl Sealing {
    fn begin(making: Making, plain_length: u64) -> Result<Self, ReleaseError> {
        let key = SymmetricKey::from_bytes(&Zeroizing::new(random()?));
        let (file_id, salt) = (random()?, random()?);
        let cipher = SegmentCipher::new(&key, file_id, salt, plain_length);
        Ok(Self {
            making,
            sealer: Sealer::new(cipher, salt),
            key,
            file_id,
            plain: Hasher::new(),
            sealed: Hasher::new(),
        })
    }

    fn push(&mut self, plain: &[u8]) -> Result<(), ReleaseError> {
        self.plain.update(plain);
        let mut out = Vec::new();
        self.sealer.push(plain, &mut out)?;
        self.sealed.update(&out);
        self.making.write(&out)
    }

    fn finish(mut self) -> Result<(SealedFile, Making), ReleaseError> {
        let mut out = Vec::new();
        let plain_length = self.sealer.finish(&mut out)?;
        self.sealed.update(&out);
        self.making.write(&out)?;
        let plain_salt: [u8; 32] = random()?;
        let plain_digest = manifest::plain_digest(&plain_salt, &self.plain.finish());
        let file = SealedFile {
            digest: self.sealed.finish().0.to_vec(),
            plain_length,
            file_id: self.file_id.to_vec(),
            key: self.key.as_bytes().to_vec(),
            key_commitment: segment::key_commitment(&self.key, &self.file_id).0.to_vec(),
            plain_salt: plain_salt.to_vec(),
            plain_digest: plain_digest.0.to_vec(),
        };
        Ok((file, self.making))
    }
}
