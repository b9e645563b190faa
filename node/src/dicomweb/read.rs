//! Reading bulk values with a bound on every wait, and data sets put together from them.

use super::Pages;
use super::source::{ByteStream, Instance, SourceError};
use crate::dicom::part10;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

impl Pages {
    /// Opens `range` of a bulk value: the first bytes are there or on their way.
    ///
    /// # Errors
    /// The source's, or [`SourceError::NotYet`] after the longest wait.
    pub(super) async fn open(
        &self,
        instance: &Instance,
        bulk: usize,
        range: Range<u64>,
    ) -> Result<ByteStream, SourceError> {
        let length = range.end.saturating_sub(range.start);
        let opened = timeout(self.wait, self.source.read(instance, bulk, range)).await;
        let stream = opened.map_err(|_| SourceError::NotYet)??;
        Ok(exactly(stream, length, self.wait))
    }

    /// The whole instance as a DICOM file. The first bulk value is opened before this returns,
    /// so that an instance that is not here yet is told from one that breaks off.
    ///
    /// # Errors
    /// As [`Pages::open`].
    pub(super) async fn file(&self, instance: Arc<Instance>) -> Result<ByteStream, SourceError> {
        let mut opened = match instance.bulks.first() {
            Some(bulk) => Some(self.open(&instance, 0, 0..bulk.length).await?),
            None => {
                self.source.opened(&instance);
                None
            }
        };
        let head = part10::head(&instance.sop_class, &instance.instance, instance.syntax);
        let pages = self.clone();
        let count = instance.bulks.len();
        let pieces = stream::iter(0..=count).then(move |index| {
            let (pages, instance, first) = (pages.clone(), Arc::clone(&instance), opened.take());
            async move {
                let header = header_piece(&instance, index);
                let value = match (first, instance.bulks.get(index)) {
                    (Some(first), _) => first,
                    (None, None) => stream::empty().boxed(),
                    (None, Some(bulk)) => {
                        match pages.open(&instance, index, 0..bulk.length).await {
                            Ok(value) => value,
                            Err(error) => failed(error),
                        }
                    }
                };
                stream::once(std::future::ready(header)).chain(value)
            }
        });
        Ok(stream::once(std::future::ready(Ok(Bytes::from(head))))
            .chain(pieces.flatten())
            .boxed())
    }
}

/// The part of the header before bulk value `index`, or after the last.
fn header_piece(instance: &Instance, index: usize) -> Result<Bytes, SourceError> {
    let offset = |index: usize| instance.bulks.get(index).map(|bulk| bulk.header_offset);
    let start = index.checked_sub(1).and_then(offset).unwrap_or(0);
    let end = offset(index).unwrap_or(instance.header.len());
    let piece = instance.header.get(start..end).ok_or(SourceError::Failed)?;
    Ok(Bytes::copy_from_slice(piece))
}

fn failed(error: SourceError) -> ByteStream {
    stream::once(std::future::ready(Err(error))).boxed()
}

/// Passes `stream` on as long as it keeps coming, and fails if it is not `length` bytes long.
fn exactly(stream: ByteStream, length: u64, wait: Duration) -> ByteStream {
    let state = Some((stream, length));
    stream::unfold(state, move |state| async move {
        let (mut stream, left) = state?;
        match timeout(wait, stream.next()).await {
            Err(_) => Some((Err(SourceError::NotYet), None)),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(Some(Ok(piece))) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Some((Ok(piece), Some((stream, left)))),
                None => Some((Err(SourceError::Failed), None)),
            },
            Ok(None) if left == 0 => None,
            Ok(None) => Some((Err(SourceError::Failed), None)),
        }
    })
    .boxed()
}
