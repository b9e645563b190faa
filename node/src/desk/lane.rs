//! One lane: asks for ranges on one stream, takes the bytes in, and goes on after what can be
//! healed.

use super::error::{FetchError, FileFault};
use super::fetch::{Duplex, FetchOptions, Opener};
use super::holdings::Held;
use super::open_file::{OpenFile, Segment};
use crate::release::serve::{RANGE_MAX, frame};
use prost::Message;
use protocol::ids::{Fence, NodeId};
use protocol::transfer::request::{FetchRequest, FetchResponse, FetchStatus, RANGES_MAX, Range};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest answer head: a version and a status.
const RESPONSE_MAX: usize = 64;

/// Bytes read at a time.
const PIECE: usize = 128 << 10;

/// One file that a lane is fetching.
pub(super) struct Work {
    /// Its place in the holdings; none for manifest and header pack.
    pub(super) index: Option<usize>,
    /// How far it is.
    pub(super) file: OpenFile,
    /// It came wrong once already.
    again: bool,
    /// All of it is here, and is what the manifest names.
    proved: bool,
}

impl Work {
    pub(super) const fn new(index: Option<usize>, file: OpenFile) -> Self {
        Self {
            index,
            file,
            again: false,
            proved: false,
        }
    }
}

/// Where verified segments go.
pub(super) trait Sink: Send {
    /// Takes the next segment of a file; false when nobody wants it any more.
    fn put(&mut self, index: Option<usize>, segment: Segment) -> bool;
    /// A file is here as a whole, and proved.
    fn done(&mut self, index: Option<usize>);
    /// Drops what came of a file: it starts over.
    fn reset(&mut self, index: Option<usize>);
}

/// Why a stream ended before everything was there.
enum Broken {
    Refused(FetchStatus),
    Lost(io::ErrorKind),
    File(usize, FileFault),
    Purged,
}

/// What every request of a fetch carries.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) open: Opener,
    pub(super) owner: NodeId,
    pub(super) fence: Fence,
    pub(super) session: Vec<u8>,
    pub(super) options: FetchOptions,
}

impl Lane {
    /// Fetches and proves all files of a batch.
    pub(super) async fn fetch(
        &self,
        batch: &mut [Work],
        held: &Held,
        sink: &mut impl Sink,
    ) -> Result<(), FetchError> {
        let mut failures = 0;
        loop {
            let before: u64 = batch.iter().map(|work| work.file.received()).sum();
            let broken = match self.transfer(batch, held, sink).await {
                Ok(()) if batch.iter().all(|work| work.proved) => return Ok(()),
                Ok(()) => continue,
                Err(broken) => broken,
            };
            let after: u64 = batch.iter().map(|work| work.file.received()).sum();
            let error = match broken {
                Broken::Purged => return Err(FetchError::Purged),
                Broken::File(at, fault) => {
                    restart(batch, (at, fault), sink)?;
                    continue;
                }
                Broken::Refused(status) if is_final(status) => {
                    return Err(FetchError::Refused(status));
                }
                Broken::Refused(status) => FetchError::Refused(status),
                Broken::Lost(kind) => FetchError::Lost(kind),
            };
            failures = if after > before { 1 } else { failures + 1 };
            if failures >= self.options.attempts {
                return Err(error);
            }
            tokio::time::sleep(self.options.wait(failures)).await;
            if held.is_gone() {
                return Err(FetchError::Purged);
            }
        }
    }

    /// One stream: the request for what is missing, and its bytes.
    async fn transfer(
        &self,
        batch: &mut [Work],
        held: &Held,
        sink: &mut impl Sink,
    ) -> Result<(), Broken> {
        let (ranges, plan) = ranges(batch);
        let request = FetchRequest {
            version: 1,
            fence: self.fence.0,
            session: self.session.clone(),
            ranges,
        };
        let mut stream = self.begin(&request).await?;
        let mut buffer = vec![0; PIECE];
        for (at, mut length) in plan {
            let Some(work) = batch.get_mut(at) else {
                continue;
            };
            while length > 0 {
                let wanted = usize::try_from(length).map_or(PIECE, |n| n.min(PIECE));
                let read = self.timed(stream.read(&mut buffer[..wanted])).await?;
                if read == 0 {
                    return Err(Broken::Lost(io::ErrorKind::UnexpectedEof));
                }
                length -= read as u64;
                held.count(read as u64);
                let mut wanted = true;
                let (file, index) = (&mut work.file, work.index);
                let pushed = file.push(&buffer[..read], |segment| {
                    wanted &= sink.put(index, segment);
                });
                pushed.map_err(|fault| Broken::File(at, fault))?;
                if !wanted || held.is_gone() {
                    return Err(Broken::Purged);
                }
            }
            if work.file.missing() == 0 {
                let proof = work.file.prove();
                proof.map_err(|fault| Broken::File(at, fault))?;
                work.proved = true;
                sink.done(work.index);
            }
        }
        Ok(())
    }

    /// Opens a stream, asks, and reads the answer's head.
    async fn begin(&self, request: &FetchRequest) -> Result<Box<dyn Duplex>, Broken> {
        let mut stream = self.timed((self.open)(self.owner)).await?;
        let frame = frame(&request.encode_to_vec());
        self.timed(stream.write_all(&frame)).await?;
        self.timed(stream.flush()).await?;
        let length = self.timed(stream.read_u32()).await? as usize;
        if length > RESPONSE_MAX {
            return Err(Broken::Lost(io::ErrorKind::InvalidData));
        }
        let mut bytes = vec![0; length];
        self.timed(stream.read_exact(&mut bytes)).await?;
        let response = FetchResponse::decode(bytes.as_slice())
            .map_err(|_| Broken::Lost(io::ErrorKind::InvalidData))?;
        match response.status() {
            FetchStatus::Ok if response.version == 1 => Ok(stream),
            FetchStatus::Ok | FetchStatus::Unspecified => {
                Err(Broken::Lost(io::ErrorKind::InvalidData))
            }
            status @ (FetchStatus::NoLease
            | FetchStatus::NoReceipt
            | FetchStatus::BadSession
            | FetchStatus::NotGranted
            | FetchStatus::Malformed
            | FetchStatus::Failed
            | FetchStatus::Busy) => Err(Broken::Refused(status)),
        }
    }

    /// A wait with a bound.
    async fn timed<T>(&self, step: impl Future<Output = io::Result<T>>) -> Result<T, Broken> {
        match tokio::time::timeout(self.options.idle, step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Broken::Lost(error.kind())),
            Err(_) => Err(Broken::Lost(io::ErrorKind::TimedOut)),
        }
    }
}

/// Starts a file over once; the second time the fetch fails.
fn restart(
    batch: &mut [Work],
    (at, fault): (usize, FileFault),
    sink: &mut impl Sink,
) -> Result<(), FetchError> {
    let Some(work) = batch.get_mut(at) else {
        return Ok(());
    };
    sink.reset(work.index);
    if work.again {
        return Err(FetchError::File {
            digest: work.file.digest(),
            fault,
        });
    }
    tracing::warn!(file = %work.file.digest(), %fault, "a file arrived wrong and is fetched again");
    work.again = true;
    work.file.restart();
    Ok(())
}

/// The ranges that are missing, and to which work each belongs, with its length.
fn ranges(batch: &[Work]) -> (Vec<Range>, Vec<(usize, u64)>) {
    let (mut ranges, mut plan) = (Vec::new(), Vec::new());
    for (at, work) in batch.iter().enumerate() {
        let mut offset = work.file.received();
        let end = offset + work.file.missing();
        while offset < end && ranges.len() < RANGES_MAX {
            let length = (end - offset).min(RANGE_MAX);
            ranges.push(Range {
                digest: work.file.digest().0.to_vec(),
                offset,
                length,
            });
            plan.push((at, length));
            offset += length;
        }
    }
    (ranges, plan)
}

/// Whether a refusal cannot heal while the lease lasts. A restarted hospital may say `NoLease` or
/// `NoReceipt` for a moment.
const fn is_final(status: FetchStatus) -> bool {
    match status {
        FetchStatus::BadSession | FetchStatus::NotGranted | FetchStatus::Malformed => true,
        FetchStatus::Unspecified
        | FetchStatus::Ok
        | FetchStatus::NoLease
        | FetchStatus::NoReceipt
        | FetchStatus::Failed
        | FetchStatus::Busy => false,
    }
}
