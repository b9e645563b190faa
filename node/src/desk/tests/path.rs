//! What must come out, byte for byte.

use super::rig::*;
use crate::desk::Milestone;
use crate::dicom::split::rebuild;
use crate::dicomweb::{Instance, SourceError, StudySource};
use futures::StreamExt;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const LIMIT: u64 = 64 << 20;

/// A data set, spliced from what the desk serves.
async fn spliced(rig: &Rig, instance: &Arc<Instance>) -> Vec<u8> {
    let mut values = Vec::new();
    for (number, bulk) in instance.bulks.iter().enumerate() {
        let stream = rig.holdings.read(instance, number, 0..bulk.length).await;
        let pieces: Vec<_> = stream.expect("there").collect().await;
        let pieces: Vec<_> = pieces
            .into_iter()
            .map(|piece| piece.expect("there"))
            .collect();
        values.push(pieces.concat());
    }
    let mut out = Vec::new();
    let open = |number: usize| Ok(Cursor::new(values[number].clone()));
    rebuild(&instance.header, &instance.bulks, open, &mut out).expect("fits");
    out
}

async fn instances(rig: &Rig) -> Vec<Arc<Instance>> {
    let studies = rig.holdings.studies().await.expect("studies");
    assert_eq!(studies.len(), 1);
    rig.holdings
        .instances(&studies[0])
        .await
        .expect("instances")
}

#[tokio::test]
async fn the_desk_has_the_bytes_that_the_hospital_received() {
    let rig = Rig::new(LIMIT);
    assert_eq!(rig.desk(1).fetch(rig.job()).await, Ok(()));
    let instances = instances(&rig).await;
    assert_eq!(instances.len(), SLICES as usize);
    for (number, instance) in instances.iter().enumerate() {
        assert!(instance.complete);
        let original = &rig.memory.originals[&[number as u8; 16]];
        assert!(spliced(&rig, instance).await == *original);
    }
    let opened = rig.holdings.opened(OWNER, FENCE);
    assert_eq!(opened.len(), SLICES as usize);
    assert_eq!(rig.served.load(Ordering::SeqCst), rig.prepared.bytes);
    let milestones = rig.milestones.lock().expect("unpoisoned");
    assert!(matches!(milestones[0], Milestone::FirstImage { .. }));
    let bytes = rig.prepared.bytes;
    assert!(matches!(milestones[1], Milestone::AllImages { bytes: b, .. } if b == bytes));
}

#[tokio::test]
async fn a_purge_leaves_nothing() {
    let rig = Rig::new(LIMIT);
    assert_eq!(rig.desk(1).fetch(rig.job()).await, Ok(()));
    let instance = instances(&rig).await.remove(0);
    let counted = rig.holdings.purge(OWNER, FENCE);
    assert_eq!(counted, (rig.prepared.bytes, u64::from(SLICES)));
    assert_eq!(rig.holdings.used(), 0);
    assert_eq!(rig.holdings.purge(OWNER, FENCE), (0, 0));
    assert_eq!(rig.holdings.studies().await, Ok(vec![]));
    let read = rig.holdings.read(&instance, 0, 0..1).await;
    assert_eq!(read.err(), Some(SourceError::Gone));
}

#[tokio::test]
async fn streams_that_break_off_are_resumed_where_they_broke() {
    let rig = Rig::new(LIMIT);
    rig.cut.store(150_001, Ordering::SeqCst);
    assert_eq!(rig.desk(2).fetch(rig.job()).await, Ok(()));
    let instance = instances(&rig).await.remove(2);
    assert!(spliced(&rig, &instance).await == rig.memory.originals[&[2; 16]]);
    let received = rig.holdings.progress(OWNER, FENCE).expect("known").bytes;
    assert_eq!(received, rig.prepared.bytes);
}

#[tokio::test]
async fn a_file_that_arrived_wrong_is_fetched_once_more() {
    let rig = Rig::new(LIMIT);
    rig.memory.flips.store(1, Ordering::SeqCst);
    assert_eq!(rig.desk(1).fetch(rig.job()).await, Ok(()));
    for (number, instance) in instances(&rig).await.iter().enumerate() {
        assert!(spliced(&rig, instance).await == rig.memory.originals[&[number as u8; 16]]);
    }
}

#[tokio::test]
async fn a_restarted_hospital_serves_without_a_key() {
    let mut rig = Rig::new(LIMIT);
    let path = rig.folder.path().join("releases");
    std::fs::write(path.join("0.tmp"), b"left by a crash").expect("written");
    std::fs::write(path.join("ab".repeat(32)), b"no list names it").expect("written");
    let again = crate::release::ReleaseFolder::open(&path).expect("opens");
    let left = std::fs::read_dir(&path).expect("a folder").count();
    assert_eq!(left, 3, "manifest, header pack and list");
    let counts = (&rig.allowed, &rig.served);
    rig.server = server(&again, rig.memory.clone(), &rig.prepared, counts);
    assert_eq!(rig.desk(1).fetch(rig.job()).await, Ok(()));
}
