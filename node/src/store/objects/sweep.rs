//! Sealed files without a record are removed; records without a file are reported.

use std::fs;
use std::path::Path;

use crypto::digest::Digest;

use super::record::FileRecord;
use super::seal;
use crate::store::Store;
use crate::store::disk::DiskContext;
use crate::store::durable;
use crate::store::error::StoreError;
use crate::store::index::Family;

/// Missing files named in one report; the rest are counted.
const MISSING_NAMED_MAX: usize = 1000;

/// What [`Store::sweep`] did and found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sealed files that no record owned, removed.
    pub orphans: u64,
    /// Names under `sealed/` that are no sealed file's; left alone.
    pub foreign: u64,
    /// Records whose file is not there.
    pub missing_count: u64,
    /// The first of them, by file.
    pub missing: Vec<Digest>,
}

impl Store {
    /// Compares `sealed/` with the index. Run once after each start, beside normal work: files
    /// whose record is just being written are known and left alone. Costs a lookup a file.
    ///
    /// # Errors
    /// `StoreError::Disk` or `Index`; what was removed until then was an orphan.
    pub fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for outer in folders(&self.layout.sealed)? {
            for inner in folders(&outer)? {
                self.sweep_folder(&inner, &mut swept)?;
            }
        }
        for item in self.index.scan::<FileRecord>(Family::Files, b"")? {
            let (key, _) = item?;
            let Ok(name) = <[u8; 32]>::try_from(&*key) else {
                continue;
            };
            let name = Digest(name);
            // A file may go with its record between the two looks, so the record is asked again.
            if !seal::path_of(&self.layout, &name).exists()
                && self.index.contains(Family::Files, &name.0)?
            {
                swept.missing_count += 1;
                if swept.missing.len() < MISSING_NAMED_MAX {
                    swept.missing.push(name);
                }
            }
        }
        Ok(swept)
    }

    fn sweep_folder(&self, folder: &Path, swept: &mut Swept) -> Result<(), StoreError> {
        for entry in fs::read_dir(folder).at("list", folder)? {
            let path = entry.at("list", folder)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(name) = name.and_then(|name| Digest::from_hex(name).ok()) else {
                swept.foreign += 1;
                continue;
            };
            // In this order: a file leaves the set only after its record is there.
            let in_flight = self.locks.in_flight()?.contains(&name);
            if !in_flight && !self.index.contains(Family::Files, &name.0)? {
                durable::remove(&path)?;
                swept.orphans += 1;
            }
        }
        Ok(())
    }
}

fn folders(folder: &Path) -> Result<Vec<std::path::PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).at("list", folder)? {
        let path = entry.at("list", folder)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}
