//! Which files go into which association.

use super::{FileStatus, Pending};
use crate::dicom::part10::{self, Part10Error};
use crate::dicom::split;
use crate::dicom::uid::Uid;
use dicom_ul::pdu::PresentationContextProposed;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Most presentation contexts of an association (PS3.8 section 9.3.2.2).
const CONTEXTS_MAX: usize = 128;

/// A file that can be sent.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// Its place in the caller's list.
    pub(super) index: usize,
    pub(super) context: u8,
    pub(super) sop_class: Uid,
    pub(super) sop_instance: Uid,
    pub(super) dataset_offset: u64,
}

/// The files of one association, and what it has to propose for them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// SOP class and transfer syntax; the n-th has the context identifier 2n + 1.
    contexts: Vec<(Uid, &'static str)>,
    pub(super) files: Vec<Prepared>,
}

impl Batch {
    /// The identifier of a context, new or known; `None` when there is no room for a new one.
    fn context(&mut self, class: &Uid, syntax: &'static str) -> Option<u8> {
        let known = self
            .contexts
            .iter()
            .position(|(c, s)| c == class && *s == syntax);
        let place = match known {
            Some(place) => place,
            None if self.contexts.len() == CONTEXTS_MAX => return None,
            None => {
                self.contexts.push((class.clone(), syntax));
                self.contexts.len() - 1
            }
        };
        u8::try_from(2 * place + 1).ok()
    }

    pub(super) fn proposals(&self) -> Vec<PresentationContextProposed> {
        let proposal = |(place, (class, syntax)): (usize, &(Uid, &str))| {
            PresentationContextProposed {
                // At most 128 places: 255.
                id: (2 * place + 1) as u8,
                abstract_syntax: class.to_string(),
                transfer_syntaxes: vec![(*syntax).to_owned()],
            }
        };
        self.contexts.iter().enumerate().map(proposal).collect()
    }
}

/// Reads the head of every file on a blocking thread and forms batches, keeping the order.
pub(super) async fn prepare(files: Vec<PathBuf>) -> (Vec<Pending>, Vec<Batch>) {
    let paths = files.clone();
    match tokio::task::spawn_blocking(move || prepare_blocking(files)).await {
        Ok(prepared) => prepared,
        // The runtime is shutting down: nothing is sent.
        Err(_) => (
            paths.into_iter().map(|path| (path, None)).collect(),
            Vec::new(),
        ),
    }
}

fn prepare_blocking(files: Vec<PathBuf>) -> (Vec<Pending>, Vec<Batch>) {
    let (mut reports, mut batches) = (Vec::with_capacity(files.len()), vec![Batch::default()]);
    for (index, path) in files.into_iter().enumerate() {
        match identify(&path) {
            Err(status) => reports.push((path, Some(status))),
            Ok(head) => {
                place(&mut batches, index, head);
                reports.push((path, None));
            }
        }
    }
    batches.retain(|batch| !batch.files.is_empty());
    (reports, batches)
}

fn place(batches: &mut Vec<Batch>, index: usize, head: Head) {
    let Head {
        sop_class,
        sop_instance,
        syntax,
        dataset_offset,
    } = head;
    let last = batches
        .last_mut()
        .and_then(|batch| batch.context(&sop_class, syntax));
    let context = last.unwrap_or_else(|| {
        let mut batch = Batch::default();
        // An empty batch has room.
        let context = batch.context(&sop_class, syntax).unwrap_or(1);
        batches.push(batch);
        context
    });
    if let Some(batch) = batches.last_mut() {
        batch.files.push(Prepared {
            index,
            context,
            sop_class,
            sop_instance,
            dataset_offset,
        });
    }
}

struct Head {
    sop_class: Uid,
    sop_instance: Uid,
    syntax: &'static str,
    dataset_offset: u64,
}

/// Class and instance of a file: from its meta information, or else from its data set.
fn identify(path: &Path) -> Result<Head, FileStatus> {
    let mut file = File::open(path).map_err(|error| FileStatus::Unreadable(error.kind()))?;
    let found = part10::read(&mut file).map_err(|error| match error {
        Part10Error::Read(kind) => FileStatus::Unreadable(kind),
        Part10Error::NotDicom
        | Part10Error::Truncated
        | Part10Error::TooLong
        | Part10Error::InvalidUid { .. }
        | Part10Error::NoTransferSyntax
        | Part10Error::UnknownTransferSyntax => FileStatus::NotDicom(error),
    })?;
    let (syntax, dataset_offset) = (found.syntax.uid, found.dataset_offset);
    let (sop_class, sop_instance) = match (found.sop_class, found.sop_instance) {
        (Some(class), Some(instance)) => (class, instance),
        (_, _) => {
            let split = split::split(file, dataset_offset, found.syntax)
                .map_err(FileStatus::Unidentified)?;
            (split.identifiers.sop_class, split.identifiers.sop_instance)
        }
    };
    Ok(Head {
        sop_class,
        sop_instance,
        syntax,
        dataset_offset,
    })
}
