//! What is held of one lease, and the queue of what is still to come.

use super::{Budget, LeaseKey, Milestone, Progress, Timeline, lock};
use crate::desk::error::FetchError;
use crate::desk::lane::Sink;
use crate::desk::open_file::Segment;
use crate::dicomweb::Instance;
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::Zeroize;

/// Sealed bytes in one batch: small enough that what a person waits for is not far behind.
const BATCH_BYTES: u64 = 8 << 20;

/// Files in one batch: each takes at least one range of a request.
const BATCH_FILES: usize = 256;

/// What is held of one lease.
pub(in crate::desk) struct Held {
    key: LeaseKey,
    inner: Mutex<Inner>,
    /// Woken when something arrives, fails or goes.
    pub(in crate::desk) changed: Notify,
    received: AtomicU64,
    gone: AtomicBool,
    began: Instant,
    budget: Arc<Budget>,
    reserved: AtomicU64,
    timeline: Timeline,
}

/// The mutable part.
#[derive(Default)]
pub(in crate::desk) struct Inner {
    /// Objects in looking order.
    pub(in crate::desk) objects: Vec<HeldObject>,
    /// Bulk values, object by object.
    pub(in crate::desk) files: Vec<HeldFile>,
    waiting: VecDeque<usize>,
    /// What a person waits for comes first.
    urgent: VecDeque<usize>,
    pub(in crate::desk) opened: BTreeSet<[u8; 16]>,
    complete: u64,
    pub(in crate::desk) failed: bool,
}

/// One object.
pub(in crate::desk) struct HeldObject {
    pub(in crate::desk) object_id: [u8; 16],
    pub(in crate::desk) instance: Arc<Instance>,
    /// Its first bulk value in `Inner::files`.
    pub(in crate::desk) first_file: usize,
    pub(in crate::desk) files: usize,
    /// Bulk values that are still to come.
    pub(in crate::desk) missing: usize,
}

/// One bulk value.
pub(in crate::desk) struct HeldFile {
    pub(in crate::desk) object: usize,
    pub(in crate::desk) sealed_length: u64,
    /// Verified segments, in order from the first.
    pub(in crate::desk) segments: Vec<Bytes>,
    pub(in crate::desk) state: FileState,
}

/// How far a bulk value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::desk) enum FileState {
    /// Nobody fetches it yet.
    Waiting,
    /// A lane fetches it.
    Underway,
    /// It is here and proved.
    Done,
}

impl Held {
    /// An empty lease.
    pub(super) fn new(key: LeaseKey, budget: Arc<Budget>, timeline: Timeline) -> Self {
        Self {
            key,
            inner: Mutex::default(),
            changed: Notify::new(),
            received: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            began: Instant::now(),
            budget,
            reserved: AtomicU64::new(0),
            timeline,
        }
    }

    /// How far its fetch is.
    pub(super) fn progress(&self) -> Progress {
        let inner = self.lock();
        Progress {
            bytes: self.received.load(Ordering::Relaxed),
            objects: inner.complete,
            objects_total: inner.objects.len() as u64,
            failed: inner.failed,
        }
    }

    pub(in crate::desk) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Whether it was purged.
    pub(in crate::desk) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Counts ciphertext that arrived.
    pub(in crate::desk) fn count(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reserves memory before anything of that size is asked for.
    pub(in crate::desk) fn reserve(&self, bytes: u64) -> Result<(), FetchError> {
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
    pub(in crate::desk) fn fill(&self, objects: Vec<HeldObject>, files: Vec<HeldFile>) {
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
    pub(in crate::desk) fn take_batch(&self) -> Vec<usize> {
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
    pub(in crate::desk) fn hurry(inner: &mut Inner, index: usize) {
        let waits = inner.files.get(index).map(|file| file.state) == Some(FileState::Waiting);
        if waits && !inner.urgent.contains(&index) {
            inner.urgent.push_back(index);
        }
    }

    /// Marks a bulk value as proved, and tells of milestones.
    fn done(&self, index: usize) {
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
    pub(in crate::desk) fn finished(&self) {
        if !self.is_gone() {
            self.tell(|ms, bytes| Milestone::AllImages { ms, bytes });
        }
    }

    fn tell(&self, make: impl FnOnce(u64, u64) -> Milestone) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (self.timeline)(self.key, make(ms, self.received.load(Ordering::Relaxed)));
    }

    /// The fetch failed: what is not proved is dropped and will not be served.
    pub(in crate::desk) fn fail(&self) {
        let mut inner = self.lock();
        inner.failed = true;
        let unproved = inner.files.iter_mut();
        for file in unproved.filter(|file| file.state != FileState::Done) {
            file.segments.clear();
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Drops and overwrites all of it; ciphertext bytes and objects that had been received.
    pub(super) fn purge(&self) -> (u64, u64) {
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
pub(in crate::desk) struct BulkSink<'a>(pub(in crate::desk) &'a Held);

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

    fn done(&mut self, index: Option<usize>) {
        if let Some(index) = index {
            self.0.done(index);
        }
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
