//! A fetch under a lease: release key, manifest, header pack, bulk values, each proved before it
//! counts.

use super::error::FetchError;
use super::holdings::{BulkSink, FileState, Held, HeldFile, HeldObject, Holdings, LeaseKey};
use super::lane::{Lane, Sink, Work};
use super::open_file::{OpenFile, Segment, digest_of, key_of};
use super::session::Prekeys;
use super::source::instance;
use crate::release::make::MANIFEST_MAX;
use crate::release::wipe;
use crypto::digest::{labels, tagged};
use crypto::envelope::Envelope;
use crypto::keys::SymmetricKey;
use crypto::segment::sealed_len;
use futures::future::{BoxFuture, try_join_all};
use protocol::document::grant::{Grant, Prepared, RELEASE_INFO, release_aad};
use protocol::document::{self, Document, DocumentError};
use protocol::ids::{Fence, NodeId};
use protocol::transfer::manifest::{self, Manifest, ManifestError, SealedFile};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// A stream to a hospital.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Opens a fetch stream to a node.
pub type Opener =
    Arc<dyn Fn(NodeId) -> BoxFuture<'static, io::Result<Box<dyn Duplex>>> + Send + Sync>;

/// How a desk fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Streams at one time, at least one.
    pub lanes: usize,
    /// How long one step may wait for the hospital.
    pub idle: Duration,
    /// Streams in a row that may fail without progress before the fetch does.
    pub attempts: u32,
    /// The first wait between two attempts; it doubles.
    pub back_off: Duration,
    /// The longest wait.
    pub back_off_max: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            // One fills most lines; four hide the latency of small files.
            lanes: 4,
            idle: Duration::from_secs(30),
            // With the waits below, longer than a lease and its grace: then the core purges.
            attempts: 24,
            back_off: Duration::from_millis(250),
            back_off_max: Duration::from_secs(30),
        }
    }
}

impl FetchOptions {
    /// The wait after this many failures in a row.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.back_off.saturating_mul(doubled).min(self.back_off_max)
    }
}

/// What `Effect::Fetch` says.
#[derive(Clone)]
pub struct Job {
    /// The lease.
    pub fence: Fence,
    /// Its owner.
    pub owner: NodeId,
    /// The exact grant envelope, checked by the core.
    pub grant: Vec<u8>,
    /// The session certificate, exact envelope.
    pub session: Vec<u8>,
}

/// Fetches releases into the holdings.
pub struct Desk {
    holdings: Arc<Holdings>,
    prekeys: Arc<Prekeys>,
    open: Opener,
    options: FetchOptions,
}

impl Desk {
    /// A desk that opens streams by `open`.
    pub fn new(
        holdings: Arc<Holdings>,
        prekeys: Arc<Prekeys>,
        open: Opener,
        options: FetchOptions,
    ) -> Self {
        Self {
            holdings,
            prekeys,
            open,
            options,
        }
    }

    /// Fetches everything that a grant holds. Images can be looked at long before it returns.
    /// Purging the lease, or dropping the future, ends it.
    ///
    /// # Errors
    /// [`FetchError`]; what was proved before it stays until it is purged, and nothing else is
    /// served.
    pub async fn fetch(&self, job: Job) -> Result<(), FetchError> {
        let key = LeaseKey {
            owner: job.owner,
            fence: job.fence,
        };
        let held = self.holdings.begin(key);
        let fetched = self.run(job, &held).await;
        match &fetched {
            Ok(()) => held.finished(),
            Err(error) => {
                tracing::warn!(owner = %key.owner, fence = %key.fence, %error, "fetch failed");
                held.fail();
            }
        }
        fetched
    }

    async fn run(&self, job: Job, held: &Held) -> Result<(), FetchError> {
        let (prepared, key) = self.release_key(&job.grant)?;
        let lane = Lane {
            open: Arc::clone(&self.open),
            owner: job.owner,
            fence: job.fence,
            session: job.session,
            options: self.options,
        };
        let mut manifest = Self::manifest(&lane, &prepared, key, held).await?;
        let outcome = Self::objects(&lane, &manifest, held).await;
        wipe(&mut manifest);
        outcome
    }

    /// Opens the box with the release key.
    fn release_key(&self, envelope: &[u8]) -> Result<(Prepared, SymmetricKey), FetchError> {
        let opened = Envelope::decode(envelope).map_err(|source| DocumentError::Envelope {
            what: Grant::NAME,
            source,
        })?;
        let grant: Grant = document::decode(&opened.payload)?;
        let field = |name| DocumentError::Field(Grant::NAME, name);
        let prepared = grant.prepared.ok_or_else(|| field("prepared"))?;
        let prekey = grant
            .prekey
            .as_slice()
            .try_into()
            .map_err(|_| field("prekey"))?;
        let secret = self.prekeys.get(&prekey).ok_or(FetchError::UnknownPrekey)?;
        let aad = release_aad(&grant.offer, &prepared.manifest_digest);
        let sealed = &prepared.sealed_release_key;
        let key = crypto::hpke::open(&secret, RELEASE_INFO, &aad, sealed)?;
        let parts: [&[u8]; 2] = [&prepared.manifest_id, &key];
        let commitment = tagged(labels::RELEASE_KEY_COMMITMENT, &parts);
        if commitment.as_bytes() != prepared.release_key_commitment.as_slice() {
            return Err(FetchError::ReleaseKey);
        }
        let key = key_of(&key).ok_or(FetchError::ReleaseKey)?;
        Ok((prepared, key))
    }

    /// Fetches, opens and checks the manifest.
    async fn manifest(
        lane: &Lane,
        prepared: &Prepared,
        key: SymmetricKey,
        held: &Held,
    ) -> Result<Manifest, FetchError> {
        if prepared.manifest_length > MANIFEST_MAX as u64 {
            return Err(FetchError::ManifestTooLong(prepared.manifest_length));
        }
        held.reserve(prepared.manifest_length)?;
        let file = OpenFile::manifest(prepared, key);
        let file = file.ok_or(ManifestError::Malformed("grant"))?;
        let bytes = whole(lane, file, held).await?;
        if manifest::root(&bytes).as_bytes() != prepared.manifest_root.as_slice() {
            return Err(FetchError::ManifestRoot);
        }
        Ok(Manifest::decode_bytes(&bytes)?)
    }

    /// Fetches headers, then bulk values.
    async fn objects(lane: &Lane, manifest: &Manifest, held: &Held) -> Result<(), FetchError> {
        let bulks = manifest.objects.iter().flat_map(|object| &object.bulks);
        let files: Vec<&SealedFile> = bulks.filter_map(|bulk| bulk.file.as_ref()).collect();
        let headers = manifest.headers.as_ref();
        let headers = headers.ok_or(ManifestError::Malformed("headers"))?;
        // The pack is held twice for a moment: as a whole, and cut into headers.
        let pack_length = headers.plain_length.saturating_mul(2);
        let lengths = files.iter().map(|file| file.plain_length);
        held.reserve(lengths.fold(pack_length, u64::saturating_add))?;
        let pack = whole(lane, open_file(headers)?, held).await?;
        let (objects, holders) = cut(manifest, &pack)?;
        drop(pack);
        held.fill(objects, holders);
        let lanes = (0..lane.options.lanes.max(1)).map(|_| run_lane(lane, &files, held));
        try_join_all(lanes).await.map(|_| ())
    }
}

/// One lane: batch after batch, until none is left.
async fn run_lane(lane: &Lane, files: &[&SealedFile], held: &Held) -> Result<(), FetchError> {
    loop {
        let indexes = held.take_batch();
        if indexes.is_empty() {
            return if held.is_gone() {
                Err(FetchError::Purged)
            } else {
                Ok(())
            };
        }
        let mut batch = Vec::with_capacity(indexes.len());
        for index in indexes {
            if let Some(file) = files.get(index) {
                batch.push(Work::new(Some(index), open_file(file)?));
            }
        }
        lane.fetch(&mut batch, held, &mut BulkSink(held)).await?;
    }
}

/// Begins a file that the manifest names.
fn open_file(file: &SealedFile) -> Result<OpenFile, FetchError> {
    OpenFile::new(file).map_err(|fault| match digest_of(&file.digest) {
        Some(digest) => FetchError::File { digest, fault },
        None => ManifestError::Malformed("sealed file").into(),
    })
}

/// Fetches one file into memory.
async fn whole(lane: &Lane, file: OpenFile, held: &Held) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let mut sink = Whole(Vec::new());
    lane.fetch(&mut [Work::new(None, file)], held, &mut sink)
        .await?;
    let length = sink.0.iter().map(|segment| segment.len()).sum();
    // Sized by bytes that arrived: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    sink.0
        .iter()
        .for_each(|segment| bytes.extend_from_slice(segment));
    Ok(bytes)
}

/// Segments of one file.
struct Whole(Vec<Segment>);

impl Sink for Whole {
    fn put(&mut self, _index: Option<usize>, segment: Segment) -> bool {
        self.0.push(segment);
        true
    }

    fn done(&mut self, _index: Option<usize>) {}

    fn reset(&mut self, _index: Option<usize>) {
        self.0.clear();
    }
}

/// Cuts the header pack, and makes room for the bulk values.
fn cut(manifest: &Manifest, pack: &[u8]) -> Result<(Vec<HeldObject>, Vec<HeldFile>), FetchError> {
    let mut objects = Vec::with_capacity(manifest.objects.len());
    let mut files = Vec::new();
    for (number, object) in manifest.objects.iter().enumerate() {
        let unreadable = || FetchError::Header(number);
        let start = usize::try_from(object.header_offset).map_err(|_| unreadable())?;
        let length = usize::try_from(object.header_length).map_err(|_| unreadable())?;
        let header = pack.get(start..).and_then(|rest| rest.get(..length));
        let instance = header.and_then(|header| instance(object, header));
        let object_id = object.object_id.as_slice().try_into();
        objects.push(HeldObject {
            object_id: object_id.map_err(|_| unreadable())?,
            instance: Arc::new(instance.ok_or_else(unreadable)?),
            first_file: files.len(),
            files: object.bulks.len(),
            missing: object.bulks.len(),
        });
        let sealed = object.bulks.iter().filter_map(|bulk| bulk.file.as_ref());
        files.extend(sealed.map(|file| HeldFile {
            object: number,
            sealed_length: sealed_len(file.plain_length),
            segments: Vec::new(),
            state: FileState::Waiting,
        }));
    }
    Ok((objects, files))
}
