//! What must be refused, each by its exact error.

use super::rig::*;
use crate::desk::{FetchError, FileFault, Prekeys, SessionError};
use crate::release::serve::{RANGE_MAX, StreamEnd, frame};
use crate::release::{ReleaseError, ReleaseMaker, SourceFault};
use crypto::hpke::HpkeError;
use crypto::keys::SymmetricKey;
use crypto::segment::SegmentError;
use prost::Message;
use protocol::ids::{NodeId, StudyId};
use protocol::transfer::request::{FetchRequest, FetchResponse, FetchStatus, Range};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LIMIT: u64 = 64 << 20;

/// Sends one request as `from`, and reads the status.
async fn ask(rig: &Rig, from: NodeId, ranges: Vec<Range>) -> (FetchStatus, StreamEnd) {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let server = Arc::clone(&rig.server);
    let serving = tokio::spawn(async move { server.serve(from, far).await });
    let request = FetchRequest {
        version: 1,
        fence: FENCE.0,
        session: b"session".to_vec(),
        ranges,
    };
    near.write_all(&frame(&request.encode_to_vec()))
        .await
        .expect("written");
    let length = near.read_u32().await.expect("an answer");
    let mut bytes = vec![0; length as usize];
    near.read_exact(&mut bytes).await.expect("an answer");
    let response = FetchResponse::decode(bytes.as_slice()).expect("a response");
    let mut rest = Vec::new();
    near.read_to_end(&mut rest).await.expect("an end");
    (response.status(), serving.await.expect("no panic"))
}

fn manifest_range(rig: &Rig, offset: u64, length: u64) -> Range {
    Range {
        digest: rig.prepared.manifest_digest.clone(),
        offset,
        length,
    }
}

#[tokio::test]
async fn a_byte_that_stays_wrong_fails_the_fetch() {
    let rig = Rig::new(LIMIT);
    rig.memory.flips.store(usize::MAX, Ordering::SeqCst);
    let error = rig.desk(3).fetch(rig.job()).await.expect_err("refused");
    let fault = FileFault::Segment(SegmentError::Open(0));
    assert!(
        matches!(error, FetchError::File { fault: f, .. } if f == fault),
        "{error:?}"
    );
    let progress = rig.holdings.progress(OWNER, FENCE).expect("known");
    assert!(progress.failed && progress.objects == 0);
}

#[tokio::test]
async fn a_stream_that_is_cut_short_is_no_file() {
    let rig = Rig::new(LIMIT);
    rig.cut.store(100, Ordering::SeqCst);
    let error = rig.desk(1).fetch(rig.job()).await;
    assert_eq!(error, Err(FetchError::Lost(io::ErrorKind::UnexpectedEof)));
}

#[tokio::test]
async fn other_fences_sessions_and_peers_get_nothing() {
    let rig = Rig::new(LIMIT);
    let mut job = rig.job();
    job.fence.0 += 1;
    let refused = |status| Err(FetchError::Refused(status));
    assert_eq!(rig.desk(1).fetch(job).await, refused(FetchStatus::NoLease));
    let mut job = rig.job();
    job.session = b"another".to_vec();
    assert_eq!(
        rig.desk(9).fetch(job).await,
        refused(FetchStatus::BadSession)
    );
    let stranger = NodeId::from_bytes([7; 32]);
    let asked = ask(&rig, stranger, vec![manifest_range(&rig, 0, 1)]).await;
    let status = FetchStatus::NoLease;
    assert_eq!(asked, (status, StreamEnd::Refused(status)));
    assert_eq!(rig.served.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ranges_outside_the_grant_are_refused() {
    let rig = Rig::new(LIMIT);
    let sealed = crypto::segment::sealed_len(rig.prepared.manifest_length);
    let foreign = Range {
        digest: vec![0; 32],
        offset: 0,
        length: 1,
    };
    let short = Range {
        digest: vec![0; 31],
        ..foreign.clone()
    };
    let not_granted = FetchStatus::NotGranted;
    let malformed = FetchStatus::Malformed;
    let cases = [
        (manifest_range(&rig, 0, sealed), FetchStatus::Ok),
        (manifest_range(&rig, 0, sealed + 1), not_granted),
        (manifest_range(&rig, sealed, 1), not_granted),
        (foreign, not_granted),
        (short, malformed),
        (manifest_range(&rig, 0, 0), malformed),
        (manifest_range(&rig, 0, RANGE_MAX + 1), malformed),
        (manifest_range(&rig, u64::MAX, 1), malformed),
    ];
    for (range, expected) in cases {
        assert_eq!(ask(&rig, DESK, vec![range]).await.0, expected);
    }
    assert_eq!(ask(&rig, DESK, vec![]).await.0, malformed);
}

#[tokio::test]
async fn a_lease_that_ends_stops_its_stream_at_the_next_range() {
    let rig = Rig::new(LIMIT);
    rig.allowed.store(2, Ordering::SeqCst);
    let ranges = vec![manifest_range(&rig, 0, 8); 5];
    let (status, end) = ask(&rig, DESK, ranges).await;
    assert_eq!(status, FetchStatus::Ok);
    assert_eq!(end, StreamEnd::Stopped(FetchStatus::NoLease));
    assert_eq!(rig.served.load(Ordering::SeqCst), 16);
}

#[tokio::test]
async fn grants_to_other_keys_do_not_open() {
    let rig = Rig::new(LIMIT);
    let unknown = rig.job_with(rig.prepared.clone(), [5; 32]);
    assert_eq!(
        rig.desk(1).fetch(unknown).await,
        Err(FetchError::UnknownPrekey)
    );
    let second = session(&rig.prekeys);
    let other = rig.job_with(rig.prepared.clone(), second);
    assert_eq!(rig.desk(1).fetch(other).await, Err(HpkeError::Open.into()));
    let mut prepared = rig.prepared.clone();
    prepared.release_key_commitment[0] ^= 1;
    let job = rig.job_with(prepared, rig.prekey);
    assert_eq!(rig.desk(1).fetch(job).await, Err(FetchError::ReleaseKey));
    let mut prepared = rig.prepared.clone();
    prepared.manifest_root[0] ^= 1;
    let job = rig.job_with(prepared, rig.prekey);
    assert_eq!(rig.desk(1).fetch(job).await, Err(FetchError::ManifestRoot));
    rig.prekeys.purge(&rig.prekey).expect("purged");
    assert_eq!(
        rig.desk(1).fetch(rig.job()).await,
        Err(FetchError::UnknownPrekey)
    );
}

#[tokio::test]
async fn a_case_that_does_not_fit_is_refused_before_it_comes() {
    let rig = Rig::new(1 << 20);
    let error = rig.desk(1).fetch(rig.job()).await;
    assert!(
        matches!(error, Err(FetchError::TooLarge { .. })),
        "{error:?}"
    );
    rig.holdings.purge(OWNER, FENCE);
    assert_eq!(rig.holdings.used(), 0);
}

#[test]
fn a_release_is_whole_or_not_at_all() {
    let rig = Rig::new(LIMIT);
    let maker = ReleaseMaker::new(rig.memory.clone(), rig.releases.clone());
    let study = StudyId::from_bytes([0; 16]);
    let fault = SourceFault::Unknown("study");
    let unknown = maker.prepare(&[STUDY, study], OFFER, &rig.prekey);
    assert_eq!(unknown, Err(ReleaseError::Source { study, fault }));
    assert_eq!(
        maker.prepare(&[], OFFER, &rig.prekey),
        Err(ReleaseError::Empty)
    );
    let weak = maker.prepare(&[STUDY], OFFER, &[0; 32]);
    assert!(matches!(weak, Err(ReleaseError::Prekey(_))));
}

#[test]
fn prekeys_survive_a_restart_under_their_master_key_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |byte| Prekeys::open(folder.path(), SymmetricKey::from_bytes(&[byte; 32]));
    let public = session(&open(1).expect("opens"));
    assert!(open(1).expect("opens").get(&public).is_some());
    let name = crypto::digest::Digest(public).to_hex();
    assert_eq!(open(2).err(), Some(SessionError::Damaged(name.clone())));
    let path = folder.path().join(&name);
    let whole = std::fs::read(&path).expect("readable");
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, &flipped).expect("written");
        assert_eq!(
            open(1).err(),
            Some(SessionError::Damaged(name.clone())),
            "byte {at}"
        );
    }
    std::fs::write(&path, &whole).expect("written");
    let prekeys = open(1).expect("opens");
    prekeys.purge(&public).expect("purged");
    assert!(prekeys.get(&public).is_none() && !path.exists());
}
