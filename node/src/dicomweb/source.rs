//! What the DICOMweb pages show: the trait that the desk implements.

use crate::dicom::split::{BulkRange, Split};
use crate::dicom::syntax::TransferSyntax;
use crate::dicom::uid::Uid;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use std::ops::Range;
use std::sync::Arc;

/// One instance that may be shown, as [`crate::dicom::split::split`] cut it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Study Instance UID.
    pub study: Uid,
    /// Series Instance UID.
    pub series: Uid,
    /// SOP Instance UID.
    pub instance: Uid,
    /// SOP Class UID.
    pub sop_class: Uid,
    /// Transfer syntax of the data set.
    pub syntax: &'static TransferSyntax,
    /// The data set without its bulk values.
    pub header: Arc<[u8]>,
    /// Zero bytes at the end of the header that are no element.
    pub padding: usize,
    /// The bulk values, in order.
    pub bulks: Vec<BulkRange>,
    /// Bits Allocated (0028,0100), if it is an image.
    pub bits_allocated: Option<u16>,
    /// Whether all bulk values are here (Instance Availability ONLINE, else NEARLINE).
    pub complete: bool,
}

impl Instance {
    /// The instance that `split` describes, written in `syntax`.
    pub fn from_split(split: Split, syntax: &'static TransferSyntax, complete: bool) -> Self {
        let Split {
            identifiers,
            header,
            padding,
            bulks,
        } = split;
        Self {
            study: identifiers.study,
            series: identifiers.series,
            instance: identifiers.sop_instance,
            sop_class: identifiers.sop_class,
            syntax,
            header: header.into(),
            padding,
            bulks,
            bits_allocated: identifiers.geometry.bits_allocated,
            complete,
        }
    }
}

/// Why something cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It has not arrived; it may be asked for again.
    #[error("not here yet")]
    NotYet,
    /// It was here and is not any more: the lease is over, or the study was purged.
    #[error("no longer available")]
    Gone,
    /// A fault of ours.
    #[error("reading failed")]
    Failed,
}

/// Bytes of a bulk value as they come.
pub type ByteStream = BoxStream<'static, Result<Bytes, SourceError>>;

/// Studies that are open at this desk.
///
/// Implementations check on every call that the case is still open here; nothing is cached by
/// the pages.
pub trait StudySource: Send + Sync + 'static {
    /// The studies that may be shown, in the order of the worklist.
    fn studies(&self) -> BoxFuture<'_, Result<Vec<Uid>, SourceError>>;

    /// The instances of a study in series order; empty if there is no such study.
    fn instances<'a>(
        &'a self,
        study: &'a Uid,
    ) -> BoxFuture<'a, Result<Vec<Arc<Instance>>, SourceError>>;

    /// Bytes `range` of bulk value `bulk` (place in [`Instance::bulks`]). Asking also says that a
    /// person is waiting: what is not here should be fetched first.
    ///
    /// The future may wait for the first bytes; the caller gives up after a bound of its own and
    /// drops it. It must not wait for the whole range.
    fn read<'a>(
        &'a self,
        instance: &'a Instance,
        bulk: usize,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<ByteStream, SourceError>>;

    /// Hears that a person got an instance that has no bulk value (a report, a presentation state):
    /// nothing of it is read.
    fn opened(&self, instance: &Instance);
}
