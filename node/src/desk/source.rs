//! The holdings as the DICOMweb pages see them: served as they arrive, gone when purged.

use super::holdings::{Held, HeldObject, Holdings};
use crate::dicom::split::{BulkRange, FrameRange, header_without_bulk, split};
use crate::dicom::syntax::{self, Encoding};
use crate::dicom::uid::Uid;
use crate::dicomweb::{ByteStream, Instance, SourceError, StudySource};
use crate::release::order::outwards;
use bytes::Bytes;
use crypto::segment::SEGMENT_LEN;
use dicom_core::{Tag, VR};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use protocol::transfer::manifest::{Bulk, Object};
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

/// The instance that an object's header describes; `None` if it cannot be read.
pub(super) fn instance(object: &Object, header: &[u8]) -> Option<Instance> {
    let syntax = syntax::find(&object.transfer_syntax)?;
    // PS3.5 section 7.1: tag and length alone in implicit VR; a value that is bulk has a long
    // length, and so its VR has two reserved bytes and 32 bits of length.
    let element = match syntax.encoding {
        Encoding::ImplicitLittle => 8,
        Encoding::ExplicitLittle | Encoding::ExplicitBig | Encoding::Deflated => 12,
    };
    let bulks: Option<Vec<_>> = object
        .bulks
        .iter()
        .map(|bulk| range(bulk, element))
        .collect();
    let bulks = bulks?;
    let small = header_without_bulk(header, &bulks, 0).ok()?;
    let read = split(Cursor::new(small), 0, syntax).ok()?;
    Some(Instance {
        study: read.identifiers.study,
        series: read.identifiers.series,
        instance: read.identifiers.sop_instance,
        sop_class: read.identifiers.sop_class,
        syntax,
        header: header.into(),
        padding: read.padding,
        bulks,
        bits_allocated: read.identifiers.geometry.bits_allocated,
        complete: object.bulks.is_empty(),
    })
}

/// A bulk value of the manifest, as the pages want it.
fn range(bulk: &Bulk, element: usize) -> Option<BulkRange> {
    let header_offset = usize::try_from(bulk.header_offset).ok()?;
    let frame = |frame: &protocol::transfer::manifest::Frame| FrameRange {
        offset: frame.offset,
        length: frame.length,
    };
    Some(BulkRange {
        tag: Tag((bulk.tag >> 16) as u16, (bulk.tag & 0xffff) as u16),
        vr: VR::from_binary(bulk.vr.as_bytes().try_into().ok()?)?,
        element_offset: header_offset.checked_sub(element)?,
        header_offset,
        source_offset: 0,
        length: bulk.file.as_ref()?.plain_length,
        encapsulated: bulk.encapsulated,
        frames: bulk.frames.iter().map(frame).collect(),
        frame_problem: None,
    })
}

impl StudySource for Holdings {
    fn studies(&self) -> BoxFuture<'_, Result<Vec<Uid>, SourceError>> {
        Box::pin(async {
            let mut studies = Vec::new();
            for held in self.all() {
                for object in &held.lock().objects {
                    if !studies.contains(&object.instance.study) {
                        studies.push(object.instance.study.clone());
                    }
                }
            }
            Ok(studies)
        })
    }

    fn instances<'a>(
        &'a self,
        study: &'a Uid,
    ) -> BoxFuture<'a, Result<Vec<Arc<Instance>>, SourceError>> {
        Box::pin(async move {
            for held in self.all() {
                let inner = held.lock();
                let of_study: Vec<_> = inner
                    .objects
                    .iter()
                    .filter(|object| object.instance.study == *study)
                    .collect();
                if !of_study.is_empty() {
                    return Ok(series_order(&of_study));
                }
            }
            Ok(Vec::new())
        })
    }

    fn read<'a>(
        &'a self,
        instance: &'a Instance,
        bulk: usize,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<ByteStream, SourceError>> {
        Box::pin(async move {
            let (held, file) = self.locate(instance, bulk)?;
            let mut reading = Reading { held, file, range };
            let Some(first) = reading.next().await? else {
                return Ok(stream::empty().boxed());
            };
            let rest = stream::try_unfold(reading, |mut reading| async move {
                Ok(reading.next().await?.map(|piece| (piece, reading)))
            });
            let first = stream::once(async move { Ok(first) });
            Ok(first.chain(rest).boxed())
        })
    }

    fn opened(&self, instance: &Instance) {
        for held in self.all() {
            let mut inner = held.lock();
            let mut objects = inner.objects.iter();
            let found = objects.find(|object| is_shown(object, instance));
            if let Some(id) = found.map(|object| object.object_id) {
                inner.opened.insert(id);
                return;
            }
        }
    }
}

impl Holdings {
    /// The lease and file of a bulk value. The object counts as opened, and what is missing of it
    /// comes next.
    fn locate(&self, instance: &Instance, bulk: usize) -> Result<(Arc<Held>, usize), SourceError> {
        for held in self.all() {
            let mut inner = held.lock();
            let found = inner
                .objects
                .iter()
                .find(|object| is_shown(object, instance));
            let Some(object) = found else { continue };
            if bulk >= object.files {
                return Err(SourceError::Failed);
            }
            let (id, file) = (object.object_id, object.first_file + bulk);
            inner.opened.insert(id);
            Held::hurry(&mut inner, file);
            drop(inner);
            return Ok((held, file));
        }
        Err(SourceError::Gone)
    }
}

/// Whether a held object is the one that a page shows.
fn is_shown(object: &HeldObject, shown: &Instance) -> bool {
    Arc::ptr_eq(&object.instance.header, &shown.header)
}

/// Bytes that are being read of one bulk value.
struct Reading {
    held: Arc<Held>,
    file: usize,
    range: Range<u64>,
}

impl Reading {
    /// The next bytes, as soon as they are here; `None` at the end of the range.
    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            if self.range.start >= self.range.end {
                return Ok(None);
            }
            let held = Arc::clone(&self.held);
            let changed = held.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that what arrives between look and wait wakes us.
            changed.as_mut().enable();
            if let Some(piece) = self.look()? {
                self.range.start += piece.len() as u64;
                return Ok(Some(piece));
            }
            changed.await;
        }
    }

    /// What is here of the next segment.
    fn look(&self) -> Result<Option<Bytes>, SourceError> {
        let inner = self.held.lock();
        if self.held.is_gone() {
            return Err(SourceError::Gone);
        }
        let file = inner.files.get(self.file).ok_or(SourceError::Gone)?;
        let segment = self.range.start / SEGMENT_LEN as u64;
        let segment = usize::try_from(segment).map_err(|_| SourceError::Failed)?;
        let Some(bytes) = file.segments.get(segment) else {
            return if inner.failed {
                Err(SourceError::Failed)
            } else {
                Ok(None)
            };
        };
        let start = (self.range.start % SEGMENT_LEN as u64) as usize;
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let end = bytes.len().min(start.saturating_add(left));
        if start >= end {
            // Past the end of the value.
            return Err(SourceError::Failed);
        }
        Ok(Some(bytes.slice(start..end)))
    }
}

/// Instances in the order of their series: the looking order turned back.
fn series_order(objects: &[&HeldObject]) -> Vec<Arc<Instance>> {
    let mut ordered = Vec::with_capacity(objects.len());
    for series in objects.chunk_by(|a, b| a.instance.series == b.instance.series) {
        let mut places: Vec<_> = outwards(series.len()).into_iter().zip(series).collect();
        places.sort_unstable_by_key(|(place, _)| *place);
        ordered.extend(
            places
                .iter()
                .map(|(_, object)| Arc::clone(&object.instance)),
        );
    }
    ordered
}
