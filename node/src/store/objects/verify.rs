//! Does what lies on disk still equal what was written? Reads every byte of a study.

use crypto::digest::Hasher;

use super::read::SealedFile;
use super::record::Part;
use super::{Damage, ObjectId, Problem};
use crate::store::Store;
use crate::store::error::StoreError;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// What [`Store::verify_study`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Objects looked at.
    pub objects: u64,
    /// Bytes of sealed files read.
    pub bytes: u64,
    /// Each file that is not what was written, with its object.
    pub damaged: Vec<(ObjectId, Damage)>,
}

impl Store {
    /// Opens every header of a study and hashes every sealed file. Damage does not end it: the
    /// report names all of it.
    ///
    /// # Errors
    /// `StoreError::Unknown` when there is no such study, `Index` when a record or header does not
    /// open, `Disk` when a file cannot be read.
    pub fn verify_study(&self, study_uid: &str) -> Result<Verified, StoreError> {
        if self.study(study_uid)?.is_none() {
            return Err(StoreError::Unknown("study"));
        }
        let mut report = Verified::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        for record in self.objects(study_uid)? {
            self.header(record.id)?;
            report.objects += 1;
            for part in &record.parts {
                match self.verify_part(part, &mut buffer) {
                    Ok(bytes) => report.bytes += bytes,
                    Err(StoreError::Damaged(damage)) => report.damaged.push((record.id, damage)),
                    Err(StoreError::Unknown(_)) => {
                        let damage = Damage {
                            file: part.sealed,
                            problem: Problem::Missing,
                        };
                        report.damaged.push((record.id, damage));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(report)
    }

    fn verify_part(&self, part: &Part, buffer: &mut [u8]) -> Result<u64, StoreError> {
        let file: SealedFile = self.open_sealed(&part.sealed)?;
        let mut hasher = Hasher::new();
        let mut offset = 0;
        while offset < file.length() {
            let count = (file.length() - offset).min(buffer.len() as u64);
            let chunk = &mut buffer[..count as usize];
            file.read_at(offset, chunk)?;
            hasher.update(chunk);
            offset += count;
        }
        if hasher.finish() != part.sealed {
            return Err(Damage {
                file: part.sealed,
                problem: Problem::Digest,
            }
            .into());
        }
        Ok(offset)
    }
}
