//! What a desk holds of each lease, in memory and nowhere else: headers, and bulk bytes as they
//! arrive.
//!
//! All of it is counted against one bound before it is fetched, and overwritten when it is dropped.

mod held;

pub(super) use held::{BulkSink, FileState, Held, HeldFile, HeldObject};

use protocol::ids::{Fence, NodeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A lease, as a desk names it: fences of two hospitals may be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseKey {
    /// The owner.
    pub owner: NodeId,
    /// The fence.
    pub fence: Fence,
}

/// A moment that matters to the person who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// The first object is here as a whole.
    FirstImage {
        /// Milliseconds since the fetch began.
        ms: u64,
        /// Ciphertext bytes received until then.
        bytes: u64,
    },
    /// All objects are here and proved.
    AllImages {
        /// Milliseconds since the fetch began.
        ms: u64,
        /// Ciphertext bytes received until then.
        bytes: u64,
    },
}

/// Told of milestones. It must not block.
pub type Timeline = Arc<dyn Fn(LeaseKey, Milestone) + Send + Sync>;

/// How far a fetch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Ciphertext bytes received.
    pub bytes: u64,
    /// Objects that are here as a whole and proved.
    pub objects: u64,
    /// Objects of the release; 0 until the headers are here.
    pub objects_total: u64,
    /// The fetch failed; what is missing will not come.
    pub failed: bool,
}

/// All leases of a desk.
pub struct Holdings {
    leases: Mutex<BTreeMap<LeaseKey, Arc<Held>>>,
    budget: Arc<Budget>,
    timeline: Timeline,
}

/// Bytes that may be held, and are.
struct Budget {
    limit: u64,
    used: Mutex<u64>,
}

impl Holdings {
    /// Holdings of at most `limit` bytes of headers, manifests and bulk values together.
    pub fn new(limit: u64, timeline: Timeline) -> Self {
        Self {
            leases: Mutex::default(),
            budget: Arc::new(Budget {
                limit,
                used: Mutex::new(0),
            }),
            timeline,
        }
    }

    /// Begins a lease; what an earlier fetch of it held is dropped.
    pub(super) fn begin(&self, key: LeaseKey) -> Arc<Held> {
        let (budget, timeline) = (Arc::clone(&self.budget), Arc::clone(&self.timeline));
        let held = Arc::new(Held::new(key, budget, timeline));
        let before = lock(&self.leases).insert(key, Arc::clone(&held));
        if let Some(before) = before {
            before.purge();
        }
        held
    }

    /// Drops and overwrites what is held of a lease. Returns ciphertext bytes and objects that had
    /// been received, zero for an unknown lease.
    pub fn purge(&self, owner: NodeId, fence: Fence) -> (u64, u64) {
        let held = lock(&self.leases).remove(&LeaseKey { owner, fence });
        held.map_or((0, 0), |held| held.purge())
    }

    /// How far a lease's fetch is; `None` for an unknown lease.
    pub fn progress(&self, owner: NodeId, fence: Fence) -> Option<Progress> {
        Some(self.get(LeaseKey { owner, fence })?.progress())
    }

    /// Internal identifiers of the objects of a lease that were opened, for the report.
    pub fn opened(&self, owner: NodeId, fence: Fence) -> Vec<[u8; 16]> {
        let held = self.get(LeaseKey { owner, fence });
        held.map_or_else(Vec::new, |held| {
            held.lock().opened.iter().copied().collect()
        })
    }

    /// Bytes held or reserved now.
    pub fn used(&self) -> u64 {
        *lock(&self.budget.used)
    }

    fn get(&self, key: LeaseKey) -> Option<Arc<Held>> {
        lock(&self.leases).get(&key).cloned()
    }

    /// All leases, in the order of their keys.
    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        lock(&self.leases).values().cloned().collect()
    }
}

/// A lock that a panic elsewhere does not poison: every state in it is whole between two
/// statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
