//! What a fetch stream asks for, and the shares of streams that peers have.

use super::{RANGE_MAX, ServerLimits};
use crypto::digest::Digest;
use prost::Message;
use protocol::ids::{Fence, NodeId};
use protocol::transfer::request::{FetchRequest, REQUEST_MAX, Range};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Whose request it is.
pub(super) struct Asked {
    pub(super) from: NodeId,
    pub(super) fence: Fence,
    pub(super) session: Arc<[u8]>,
}

/// A range with plausible numbers.
pub(super) struct Piece {
    pub(super) digest: Digest,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Piece {
    pub(super) fn of(range: &Range) -> Option<Self> {
        let digest = Digest(range.digest.as_slice().try_into().ok()?);
        let plausible = (1..=RANGE_MAX).contains(&range.length)
            && range.offset.checked_add(range.length).is_some();
        plausible.then_some(Self {
            digest,
            offset: range.offset,
            length: range.length,
        })
    }
}

/// Streams in use, by peer.
#[derive(Default)]
pub(super) struct Slots(Mutex<BTreeMap<NodeId, usize>>);

impl Slots {
    /// A share for one more stream of this peer; `None` when it or the server has its fill.
    pub(super) fn take(&self, node: NodeId, limits: &ServerLimits) -> Option<Slot<'_>> {
        let mut streams = self.lock();
        let total: usize = streams.values().sum();
        let own = streams.get(&node).copied().unwrap_or(0);
        if total >= limits.streams || own >= limits.streams_per_peer {
            return None;
        }
        streams.insert(node, own + 1);
        Some(Slot { slots: self, node })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A peer's share of streams, given back on drop.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    node: NodeId,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut streams = self.slots.lock();
        match streams.get_mut(&self.node) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                streams.remove(&self.node);
            }
        }
    }
}

/// A frame: length, then bytes.
pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    // Requests and responses are bounded far below 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// Reads the request; `None` if it is none.
pub(super) async fn read_request<S>(stream: &mut S) -> io::Result<Option<FetchRequest>>
where
    S: AsyncRead + Unpin,
{
    let length = stream.read_u32().await? as usize;
    if length > REQUEST_MAX {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    let request = FetchRequest::decode(bytes.as_slice()).ok();
    Ok(request.filter(|request| request.version == 1))
}
