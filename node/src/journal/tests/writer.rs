//! The log writer's thread, and the witness's memory.

use super::*;

#[test]
fn the_writer_answers_each_submission() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let writer = LogWriter::start(open(&store).unwrap().0).unwrap();
    let answers: Vec<_> = (0..50)
        .map(|number| writer.submit(batch(number * 4, 4)).unwrap())
        .collect();
    let wrong = writer.submit(batch(999, 1)).unwrap();
    let after = writer.submit(batch(200, 1)).unwrap();
    for (number, answer) in (0..).zip(answers) {
        assert!(answer.blocking_recv().unwrap().unwrap().head().size >= number * 4 + 4);
    }
    let refused = wrong.blocking_recv().unwrap();
    assert!(
        matches!(refused, Err(AppendError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(after.blocking_recv().unwrap().unwrap().head().size, 201);
    assert!(matches!(
        writer.submit(Vec::new()),
        Err(AppendError::Refused(_))
    ));
    let journal = writer.stop().unwrap();
    assert!(journal.is_settled());
    check_whole(&journal, 201);
}

#[test]
fn the_writer_stays_closed_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let writer = LogWriter::start(open(&store).unwrap().0).unwrap();
    writer
        .submit(batch(0, 1))
        .unwrap()
        .blocking_recv()
        .unwrap()
        .unwrap();
    fs::rename(folder.path().join("tmp"), folder.path().join("away")).unwrap();
    let failed = writer.submit(batch(1, 1)).unwrap().blocking_recv().unwrap();
    fs::rename(folder.path().join("away"), folder.path().join("tmp")).unwrap();
    let later = writer.submit(batch(1, 1)).unwrap().blocking_recv().unwrap();
    assert!(matches!(failed, Err(AppendError::Failed(_))));
    assert_eq!(failed, later);
    assert_eq!(writer.reader().size(), 1);
}

#[test]
fn the_witness_remembers_before_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (log, own) = (tempfile::tempdir().unwrap(), open_store(folder.path()));
    let other = open_store(log.path());
    let (mut journal, _) = open(&other).unwrap();
    let first = journal.append(&batch(0, 3)).unwrap();
    let second = journal.append(&batch(3, 4)).unwrap();
    let key = identity().verifier();
    let request = |old: u64, checkpoint: &SignedCheckpoint| AddCheckpoint {
        old,
        proof: journal
            .reader()
            .consistency_proof(old, checkpoint.head().size)
            .unwrap(),
        checkpoint: checkpoint.clone(),
    };
    let witness = WitnessStore::new(own.kv());
    let decide = |request: &AddCheckpoint| witness.decide(request, Some(&key)).unwrap();
    assert_eq!(
        witness.decide(&request(0, &first), None).unwrap(),
        Err(Refusal::UnknownOrigin)
    );
    assert_eq!(witness.held(&identity().origin).unwrap(), None);
    assert_eq!(decide(&request(0, &first)), Ok(*first.head()));
    assert_eq!(
        decide(&request(0, &second)),
        Err(Refusal::Conflict { held: 3 })
    );
    assert_eq!(decide(&request(3, &second)), Ok(*second.head()));
    assert_eq!(
        decide(&request(0, &first)),
        Err(Refusal::Conflict { held: 7 })
    );
    drop(witness);
    drop(own);
    let own = open_store(folder.path());
    let witness = WitnessStore::new(own.kv());
    let held = Held {
        head: *second.head(),
        note: second.encode(),
    };
    let origin = identity().origin;
    assert_eq!(witness.held(&origin).unwrap().as_ref(), Some(&held));
    let old = Held {
        head: *first.head(),
        note: first.encode(),
    };
    assert_eq!(
        witness.compare_and_set(&origin, Some(second.head()), &old),
        Ok(false)
    );
    assert_eq!(witness.compare_and_set(&origin, None, &held), Ok(false));
    assert_eq!(
        witness.compare_and_set(&origin, Some(second.head()), &held),
        Ok(true)
    );
    let damaged = super::error::WitnessStoreError::Damaged(origin.to_string());
    own.kv().put(b"witness/log.example/hospital", b"x").unwrap();
    assert_eq!(witness.held(&origin), Err(damaged));
}
