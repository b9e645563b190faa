//! What a desk holds of each lease, in memory and nowhere else: headers, and bulk bytes as they arrive.
//!
//! All of it is counted against one bound before it is fetched, and overwritten when it is dropped.

use super::error::FetchError;
use super::lane::Sink;
use super::open_file::Segment;
use crate::dicomweb::Instance;
use bytes::Bytes;
use protocol::ids::{Fence, NodeId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::Zeroize;

/// Sealed bytes in one batch: small enough that what a person waits for is not far behind.
const BATCH_BYTES: u64 = 8 << 20;

/// Files in one batch: each takes at least one range of a request.
const BATCH_FILES: usize = 256;

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
        let held = Arc::new(Held {
            key,
            inner: Mutex::default(),
            changed: Notify::new(),
            received: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            began: Instant::now(),
            budget: Arc::clone(&self.budget),
            reserved: AtomicU64::new(0),
            timeline: Arc::clone(&self.timeline),
        });
        let before = lock(&self.leases).insert(key, Arc::clone(&held));
        if let Some(before) = before {
            before.purge();
        }
        held
    }

    /// Drops and overwrites what is held of a lease. Returns ciphertext bytes and objects that had been
    /// received, zero for an unknown lease.
    pub fn purge(&self, owner: NodeId, fence: Fence) -> (u64, u64) {
        let held = lock(&self.leases).remove(&LeaseKey { owner, fence });
        held.map_or((0, 0), |held| held.purge())
    }

    /// How far a lease's fetch is; `None` for an unknown lease.
    pub fn progress(&self, owner: NodeId, fence: Fence) -> Option<Progress> {
        let held = self.get(LeaseKey { owner, fence })?;
        let inner = held.lock();
        Some(Progress {
            bytes: held.received.load(Ordering::Relaxed),
            objects: inner.complete,
            objects_total: inner.objects.len() as u64,
            failed: inner.failed,
        })
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

/// What is held of one lease.
pub(super) struct Held {
    key: LeaseKey,
    inner: Mutex<Inner>,
    /// Woken when something arrives, fails or goes.
    pub(super) changed: Notify,
    received: AtomicU64,
    gone: AtomicBool,
    began: Instant,
    budget: Arc<Budget>,
    reserved: AtomicU64,
    timeline: Timeline,
}

/// The mutable part.
#[derive(Default)]
pub(super) struct Inner {
    /// Objects in looking order.
    pub(super) objects: Vec<HeldObject>,
    /// Bulk values, object by object.
    pub(super) files: Vec<HeldFile>,
    waiting: VecDeque<usize>,
    /// What a person waits for comes first.
    urgent: VecDeque<usize>,
    pub(super) opened: BTreeSet<[u8; 16]>,
    complete: u64,
    pub(super) failed: bool,
}

/// One object.
pub(super) struct HeldObject {
    pub(super) object_id: [u8; 16],
    pub(super) instance: Arc<Instance>,
    /// Its first bulk value in `Inner::files`.
    pub(super) first_file: usize,
    pub(super) files: usize,
    /// Bulk values that are still to come.
    pub(super) missing: usize,
}

/// One bulk value.
pub(super) struct HeldFile {
    pub(super) object: usize,
    pub(super) sealed_length: u64,
    /// Verified segments, in order from the first.
    pub(super) segments: Vec<Bytes>,
    pub(super) state: FileState,
}

/// How far a bulk value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// Nobody fetches it yet.
    Waiting,
    /// A lane fetches it.
    Underway,
    /// It is here and proved.
    Done,
}

impl Held {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(super) const fn key(&self) -> LeaseKey {
        self.key
    }

    /// Whether it was purged.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Counts ciphertext that arrived.
    pub(super) fn count(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reserves memory before anything of that size is asked for.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), FetchError> {
        let mut used = lock(&self.budget.used);
        let free = self.budget.limit.saturating_sub(*used);
        if bytes > free {
            return Err(FetchError::TooLarge {
                needed: bytes,
                free,
            });
        }
        // Under the lock, so that a purge gives back all or nothing of it.
        if self.is_gone() {
            return Err(FetchError::Purged);
        }
        *used += bytes;
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Puts the objects in, before their bulk values come.
    pub(super) fn fill(&self, objects: Vec<HeldObject>, files: Vec<HeldFile>) {
        let mut inner = self.lock();
        if self.is_gone() {
            return;
        }
        inner.waiting = (0..files.len()).collect();
        inner.complete = objects.iter().filter(|object| object.missing == 0).count() as u64;
        inner.objects = objects;
        inner.files = files;
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The next files to fetch, and marks them; empty when there are none.
    pub(super) fn take_batch(&self) -> Vec<usize> {
        let mut inner = self.lock();
        let (mut batch, mut bytes) = (Vec::new(), 0_u64);
        while batch.len() < BATCH_FILES {
            let urgent = inner.urgent.pop_front();
            let Some(index) = urgent.or_else(|| inner.waiting.pop_front()) else {
                break;
            };
            let Some(file) = inner.files.get_mut(index) else {
                continue;
            };
            // An urgent file stands in both queues.
            if file.state != FileState::Waiting {
                continue;
            }
            file.state = FileState::Underway;
            bytes = bytes.saturating_add(file.sealed_length);
            batch.push(index);
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        batch
    }

    /// A person waits for this bulk value.
    pub(super) fn hurry(inner: &mut Inner, index: usize) {
        let waits = inner.files.get(index).map(|file| file.state) == Some(FileState::Waiting);
        if waits && !inner.urgent.contains(&index) {
            inner.urgent.push_back(index);
        }
    }

    /// Marks a bulk value as proved, and tells of milestones.
    pub(super) fn done(&self, index: usize) {
        let mut inner = self.lock();
        let Some(file) = inner.files.get_mut(index) else {
            return;
        };
        file.state = FileState::Done;
        let object = file.object;
        let Some(object) = inner.objects.get_mut(object) else {
            return;
        };
        object.missing = object.missing.saturating_sub(1);
        if object.missing == 0 {
            let mut instance = (*object.instance).clone();
            instance.complete = true;
            object.instance = Arc::new(instance);
            inner.complete += 1;
            if inner.complete == 1 {
                self.tell(|ms, bytes| Milestone::FirstImage { ms, bytes });
            }
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Everything is here.
    pub(super) fn finished(&self) {
        if !self.is_gone() {
            self.tell(|ms, bytes| Milestone::AllImages { ms, bytes });
        }
    }

    fn tell(&self, make: impl FnOnce(u64, u64) -> Milestone) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (self.timeline)(self.key, make(ms, self.received.load(Ordering::Relaxed)));
    }

    /// The fetch failed: what is not proved is dropped and will not be served.
    pub(super) fn fail(&self) {
        let mut inner = self.lock();
        inner.failed = true;
        let unproved = inner.files.iter_mut();
        for file in unproved.filter(|file| file.state != FileState::Done) {
            file.segments.clear();
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    fn purge(&self) -> (u64, u64) {
        let mut used = lock(&self.budget.used);
        self.gone.store(true, Ordering::Release);
        *used = used.saturating_sub(self.reserved.swap(0, Ordering::Relaxed));
        drop(used);
        let inner = std::mem::take(&mut *self.lock());
        let complete = inner.complete;
        for object in inner.objects {
            overwrite(object.instance);
        }
        self.changed.notify_waiters();
        (self.received.load(Ordering::Relaxed), complete)
    }
}

/// Overwrites a header that no answer is using any more. Segments overwrite themselves.
fn overwrite(mut instance: Arc<Instance>) {
    let header = Arc::get_mut(&mut instance).map(|instance| &mut instance.header);
    if let Some(header) = header.and_then(Arc::get_mut) {
        header.zeroize();
    }
}

/// Bulk values go into the holdings.
pub(super) struct BulkSink<'a>(pub(super) &'a Held);

impl Sink for BulkSink<'_> {
    fn put(&mut self, index: Option<usize>, segment: Segment) -> bool {
        let mut inner = self.0.lock();
        let file = index.and_then(|index| inner.files.get_mut(index));
        let Some(file) = file.filter(|_| !self.0.is_gone()) else {
            return false;
        };
        file.segments.push(Bytes::from_owner(Wiped(segment)));
        drop(inner);
        self.0.changed.notify_waiters();
        true
    }

    fn reset(&mut self, index: Option<usize>) {
        let mut inner = self.0.lock();
        if let Some(file) = index.and_then(|index| inner.files.get_mut(index)) {
            file.segments.clear();
        }
    }
}

/// A segment as the owner of shared bytes: overwritten with the last of them.
struct Wiped(Segment);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A lock that a panic elsewhere does not poison: every state in it is whole between two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
