//! What must not happen twice at once: two objects under one UID, two updates of one study.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use crypto::digest::Digest;

use crate::store::error::StoreError;

/// Locks of each kind. Names are keyed digests, so their first byte spreads evenly; two
/// names that share a lock wait for one another and lose nothing but time.
const STRIPES: usize = 64;

/// The store's locks. Order: instance, then study; nobody takes an instance lock under a study's.
pub struct Locks {
    instances: [Mutex<()>; STRIPES],
    studies: [Mutex<()>; STRIPES],
    /// Sealed files in place whose record is not committed yet. The sweep leaves them alone.
    in_flight: Mutex<BTreeSet<Digest>>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            instances: std::array::from_fn(|_| Mutex::new(())),
            studies: std::array::from_fn(|_| Mutex::new(())),
            in_flight: Mutex::default(),
        }
    }
}

impl Locks {
    /// Held while a SOP Instance UID is looked up and taken.
    pub(super) fn instance(&self, name: &Digest) -> Result<MutexGuard<'_, ()>, StoreError> {
        take(&self.instances, name)
    }

    /// Held while a study's summary is changed.
    pub(super) fn study(&self, name: &Digest) -> Result<MutexGuard<'_, ()>, StoreError> {
        take(&self.studies, name)
    }

    pub(super) fn in_flight(&self) -> Result<MutexGuard<'_, BTreeSet<Digest>>, StoreError> {
        self.in_flight.lock().map_err(|_| StoreError::Poisoned)
    }
}

fn take<'a>(
    stripes: &'a [Mutex<()>; STRIPES],
    name: &Digest,
) -> Result<MutexGuard<'a, ()>, StoreError> {
    stripes[usize::from(name.0[0]) % STRIPES]
        .lock()
        .map_err(|_| StoreError::Poisoned)
}
