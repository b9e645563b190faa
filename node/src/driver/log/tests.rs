//! Entries come back after a restart exactly as they were sealed, and proofs hold for others.

use std::path::Path;
use std::sync::Arc;

use crypto::keys::SigningKey;
use crypto::log::proof::LogProof;
use crypto::log::quorum::Quorum;
use crypto::note::KeyName;
use protocol::audit::entry::{Entry, Field, Openings};
use protocol::audit::header::{Header, Kind};
use protocol::ids::SubjectId;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::store::Store;
use crate::store::payloads::SealedPayload;

/// Seals under the store's subjects, as the node does.
struct Seal(Arc<Store>);

impl PayloadSeal for Seal {
    fn seal(
        &self,
        index: u64,
        subject: Option<SubjectId>,
        openings: &[u8],
    ) -> Result<SealedPayload, PayloadFault> {
        let framed = frame(subject, openings);
        let sealed = self
            .0
            .subjects()
            .seal_payload(b"one", &index.to_be_bytes(), &framed);
        sealed.map_err(PayloadFault::of)
    }

    fn open(&self, index: u64, sealed: &[u8]) -> Result<Unsealed, PayloadFault> {
        let opened = self.0.subjects().open_payload(&index.to_be_bytes(), sealed);
        unframe(&opened.map_err(PayloadFault::of)?).ok_or(PayloadFault::Erased)
    }
}

fn open_log(folder: &Path) -> (Opened, Arc<Store>) {
    let store = Arc::new(crate::store::tests::open(folder));
    let identity = LogIdentity {
        origin: KeyName::new("log.example/hospital").unwrap(),
        key: SigningKey::from_seed(&[5; 32]),
    };
    let seal = Arc::new(Seal(Arc::clone(&store)));
    let opened = open(store.layout(), identity, store.payloads(), seal).unwrap();
    opened.cosigner.unwatched();
    (opened, store)
}

fn draft(value: u8) -> EntryDraft {
    let header = Header {
        version: 1,
        kind: Kind::NodeStarted as i32,
        ..Header::default()
    };
    let fields = vec![(Field::Record, vec![value; 40])];
    EntryDraft::new(
        header,
        None,
        fields,
        &mut ChaCha20Rng::from_seed([value; 32]),
    )
}

/// Ends the log as a node does: the last handle goes, then the threads.
fn close(opened: Opened) {
    let Opened {
        handle,
        cosigner,
        writer,
    } = opened;
    drop((handle, cosigner));
    writer.join().unwrap();
}

#[tokio::test]
async fn entries_are_durable_proved_and_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut opened, store) = open_log(folder.path());
    for index in 0..3 {
        opened
            .handle
            .append(index, draft(index as u8))
            .await
            .unwrap();
    }
    opened.handle.wait_for_all().await;
    assert_eq!(opened.handle.reader().size(), 3);
    let (entry, proof) = opened.handle.prove(1, false).unwrap();
    let proof = LogProof::parse(&proof).unwrap();
    let none = Quorum::parse(b"quorum none\n").unwrap();
    assert!(
        proof
            .verify(&entry, opened.handle.reader().verifier(), &none)
            .holds()
    );
    close(opened);
    drop(store);

    let (opened, store) = open_log(folder.path());
    let reader = opened.handle.reader();
    assert_eq!(reader.size(), 3);
    let entry = Entry::decode_bytes(&reader.entry(2).unwrap()).unwrap();
    let sealed = reader.payload(2).unwrap().unwrap();
    assert_eq!(sealed.digest.as_bytes().as_slice(), entry.payload_digest);
    let opened_payload = Seal(Arc::clone(&store)).open(2, &sealed.bytes).unwrap();
    let openings = Openings::decode_bytes(&opened_payload.openings).unwrap();
    assert_eq!(openings.value(Field::Record), Some([2; 40].as_slice()));
    assert!(
        openings
            .openings
            .iter()
            .all(|opening| entry.check_opening(opening).is_ok())
    );
    close(opened);
}

#[tokio::test]
async fn what_no_quorum_cosigned_is_not_proved_as_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let (mut opened, _store) = open_log(folder.path());
    opened.handle.append(0, draft(0)).await.unwrap();
    opened.handle.wait_for_all().await;
    assert!(matches!(
        opened.handle.prove(0, true),
        Err(LogError::NotCovered(0))
    ));
    assert!(matches!(
        opened.handle.prove(1, false),
        Err(LogError::NotCovered(1))
    ));
    close(opened);
}

#[tokio::test]
async fn an_entry_out_of_order_stops_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (mut opened, _store) = open_log(folder.path());
    opened.handle.append(1, draft(0)).await.unwrap();
    // The feeder is gone: nobody is told that the entry is durable.
    opened.handle.wait_for_all().await;
    assert_eq!(opened.handle.news().await, None);
    assert_eq!(opened.handle.reader().size(), 0);
    close(opened);
}
