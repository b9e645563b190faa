//! SCP and SCU against each other on loopback, and the SCP against peers that misbehave.

use super::*;
use crate::dicom::dimse::{self, Command, command, status};
use crate::dicom::link::{LinkError, Received};
use crate::dicom::part10;
use crate::dicom::scu::{self, FileStatus, ScuConfig, ScuError};
use crate::dicom::syntax;
use crate::dicom::uid::Uid;
use dicom_ul::pdu::{AssociationRJResult, AssociationRQ, Pdu, PresentationContextProposed};
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::sync::oneshot;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const IDLE: Duration = Duration::from_secs(20);

/// Keeps instances in memory and counts those that were begun and dropped.
#[derive(Default)]
struct Memory {
    stored: Mutex<Vec<(IncomingMeta, Vec<u8>)>>,
    dropped: Mutex<usize>,
    refuse: Option<StoreRefusal>,
}

struct MemoryIncoming {
    sink: Arc<Memory>,
    meta: Option<IncomingMeta>,
    bytes: Vec<u8>,
}

/// The sink as the SCP holds it.
struct Handle(Arc<Memory>);

impl StoreSink for Handle {
    fn begin(&self, meta: IncomingMeta) -> Result<Box<dyn Incoming>, StoreRefusal> {
        let sink = Arc::clone(&self.0);
        Ok(Box::new(MemoryIncoming {
            sink,
            meta: Some(meta),
            bytes: Vec::new(),
        }))
    }
}

impl Incoming for MemoryIncoming {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreRefusal> {
        self.bytes.extend_from_slice(bytes);
        self.sink.refuse.map_or(Ok(()), Err)
    }

    fn finish(mut self: Box<Self>) -> StoreOutcome {
        let meta = self.meta.take().expect("finished once");
        let mut stored = self.sink.stored.lock().expect("no panic under the lock");
        if stored
            .iter()
            .any(|(m, b)| m.sop_instance == meta.sop_instance && *b == self.bytes)
        {
            return StoreOutcome::Duplicate;
        }
        stored.push((meta, std::mem::take(&mut self.bytes)));
        StoreOutcome::Stored
    }
}

impl Drop for MemoryIncoming {
    fn drop(&mut self) {
        if self.meta.is_some() {
            *self.sink.dropped.lock().expect("no panic under the lock") += 1;
        }
    }
}

struct Running {
    address: SocketAddr,
    sink: Arc<Memory>,
    metrics: Arc<ScpMetrics>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(sink: Memory, change: impl FnOnce(&mut ScpConfig)) -> Self {
        let sink = Arc::new(sink);
        let mut config = ScpConfig::new(AeTitle::parse("RADMESH").expect("valid"));
        change(&mut config);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let scp = Scp::bind(any, config, Arc::new(Handle(Arc::clone(&sink)))).await;
        let scp = scp.expect("loopback");
        let (address, metrics) = (scp.local_addr().expect("bound"), scp.metrics());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            scp.run(stopped, Duration::from_secs(1)).await;
        });
        Self {
            address,
            sink,
            metrics,
            stop: Some(stop),
            task,
        }
    }

    fn scu(&self) -> ScuConfig {
        let title = |text| AeTitle::parse(text).expect("valid");
        ScuConfig::new(title("SENDER"), title("RADMESH"), self.address)
    }

    async fn stop(mut self) -> Arc<Memory> {
        drop(self.stop.take());
        self.task.await.expect("the SCP does not panic");
        self.sink
    }

    /// An association by hand, for peers that misbehave.
    async fn associate(&self) -> Link<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("loopback");
        let mut link = Link::new(stream, IDLE);
        link.send(&Pdu::AssociationRQ(AssociationRQ {
            protocol_version: 1,
            calling_ae_title: "SENDER".to_owned(),
            called_ae_title: "RADMESH".to_owned(),
            application_context_name: "1.2.840.10008.3.1.1.1".to_owned(),
            presentation_contexts: vec![PresentationContextProposed {
                id: 1,
                abstract_syntax: CT.to_owned(),
                transfer_syntaxes: vec![syntax::EXPLICIT_LITTLE.to_owned()],
            }],
            user_variables: Vec::new(),
        }))
        .await
        .expect("sent");
        link
    }

    async fn established(&self) -> Link<TcpStream> {
        let mut link = self.associate().await;
        let answer = link.receive().await.expect("an answer");
        assert!(
            matches!(answer, Received::Control(Pdu::AssociationAC(_))),
            "{answer:?}"
        );
        link
    }
}

fn uid(text: &str) -> Uid {
    Uid::parse(text).expect("valid")
}

/// A file with a data set of `length` bytes, which this sink does not look into.
fn write_file(folder: &TempDir, name: &str, class: &str, ts: &str, length: usize) -> PathBuf {
    let row = syntax::find(ts).expect("in the table");
    let instance = Uid::from_u128(name.bytes().fold(1, |n, b| n * 256 + u128::from(b)));
    let mut bytes = part10::head(&uid(class), &instance, row);
    bytes.extend((0..length).map(|n| (n % 251) as u8));
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

async fn status_of(link: &mut Link<TcpStream>) -> u16 {
    let answer = link.receive().await;
    let Ok(Received::Data(values)) = answer else {
        panic!("no answer: {answer:?}")
    };
    Command::parse(&values[0].data)
        .expect("a response")
        .status
        .expect("with a status")
}

fn messages(stored: &Memory) -> Vec<(String, usize)> {
    let stored = stored.stored.lock().expect("no panic under the lock");
    stored
        .iter()
        .map(|(meta, bytes)| (meta.syntax.uid.to_owned(), bytes.len()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_arrive_bit_for_bit_in_their_own_syntax() {
    let folder = TempDir::new().expect("a temporary folder");
    let running = Running::start(Memory::default(), |_| {}).await;
    scu::echo(&running.scu()).await.expect("the SCP answers");
    let mut files = vec![folder.path().join("absent")];
    files.push(write_file(&folder, "text", CT, syntax::EXPLICIT_LITTLE, 0));
    for (n, row) in syntax::TABLE.iter().enumerate() {
        files.push(write_file(
            &folder,
            &format!("f{n}"),
            CT,
            row.uid,
            300_000 * n + 2,
        ));
    }
    files.push(files[2].clone());
    let reports = scu::store(&running.scu(), files).await;
    assert_eq!(
        reports[0].status,
        FileStatus::Unreadable(io::ErrorKind::NotFound)
    );
    assert_eq!(
        reports[1].status,
        FileStatus::Unreadable(io::ErrorKind::UnexpectedEof)
    );
    for report in &reports[2..] {
        assert_eq!(report.status, FileStatus::Stored { status: 0 });
    }
    assert_eq!(running.metrics.duplicates.load(Ordering::Relaxed), 1);
    let sink = running.stop().await;
    let expected: Vec<_> = syntax::TABLE
        .iter()
        .enumerate()
        .map(|(n, row)| (row.uid.to_owned(), 300_000 * n + 2))
        .collect();
    assert_eq!(messages(&sink), expected);
    let stored = sink.stored.lock().expect("no panic under the lock");
    assert!(
        stored
            .iter()
            .all(|(_, b)| b.iter().enumerate().all(|(n, v)| *v == (n % 251) as u8))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_contexts_than_fit_take_more_associations() {
    let folder = TempDir::new().expect("a temporary folder");
    let running = Running::start(Memory::default(), |_| {}).await;
    let file = |n: usize| {
        let class = format!("1.2.840.10008.5.1.4.1.1.{}", 1000 + n);
        write_file(
            &folder,
            &format!("c{n}"),
            &class,
            syntax::IMPLICIT_LITTLE,
            10,
        )
    };
    let reports = scu::store(&running.scu(), (0..300).map(file).collect()).await;
    assert!(
        reports
            .iter()
            .all(|r| r.status == FileStatus::Stored { status: 0 })
    );
    assert_eq!(running.metrics.accepted.load(Ordering::Relaxed), 3);
    assert_eq!(
        running
            .stop()
            .await
            .stored
            .lock()
            .expect("unpoisoned")
            .len(),
        300
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_carry_their_status_and_spare_the_association() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = |n: usize| write_file(&folder, &format!("r{n}"), CT, syntax::EXPLICIT_LITTLE, n);
    for (refusal, expected) in [
        (StoreRefusal::OutOfResources, 0xa700),
        (StoreRefusal::Mismatch, 0xa900),
        (StoreRefusal::CannotUnderstand, 0xc000),
        (StoreRefusal::Conflict, 0xc001),
        (StoreRefusal::NotAuthorised, 0x0124),
        (StoreRefusal::Processing, 0x0110),
    ] {
        assert!(refusal.comment().len() <= 64);
        let memory = Memory {
            refuse: Some(refusal),
            ..Memory::default()
        };
        let running = Running::start(memory, |_| {}).await;
        let reports = scu::store(&running.scu(), vec![file(3 << 20), file(10)]).await;
        for report in reports {
            assert_eq!(report.status, FileStatus::Refused { status: expected });
        }
        assert_eq!(*running.stop().await.dropped.lock().expect("unpoisoned"), 2);
    }
    let small = Running::start(Memory::default(), |config| config.instance_max = 1000).await;
    let reports = scu::store(&small.scu(), vec![file(1001), file(1000)]).await;
    assert_eq!(reports[0].status, FileStatus::Refused { status: 0xa700 });
    assert_eq!(reports[1].status, FileStatus::Stored { status: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_titles_and_one_too_many_are_rejected() {
    let running = Running::start(Memory::default(), |config| config.associations_max = 1).await;
    let mut wrong = running.scu();
    wrong.called = AeTitle::parse("ELSEWHERE").expect("valid");
    let rejected = scu::echo(&wrong).await;
    let Err(ScuError::Rejected(reject)) = rejected else {
        panic!("{rejected:?}")
    };
    assert_eq!(reject.result, AssociationRJResult::Permanent);
    // The slot of the rejected connection is free again once its task has ended.
    let first = loop {
        let mut link = running.associate().await;
        match link.receive().await.expect("an answer") {
            Received::Control(Pdu::AssociationAC(_)) => break link,
            Received::Data(_) | Received::Control(_) => tokio::task::yield_now().await,
        }
    };
    let second = scu::echo(&running.scu()).await;
    let Err(ScuError::Rejected(reject)) = second else {
        panic!("{second:?}")
    };
    assert_eq!(reject.result, AssociationRJResult::Transient);
    drop(first);
    while scu::echo(&running.scu()).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_association_cut_in_mid_instance_leaves_nothing() {
    let running = Running::start(Memory::default(), |_| {}).await;
    let set = dimse::store_request(1, &uid(CT), &uid("2.25.1"));
    for abort in [true, false] {
        let mut link = running.established().await;
        link.send_command(1, &set).await.expect("sent");
        for _ in 0..40 {
            let mut frame = vec![7; 100_012];
            link.send_data(1, false, &mut frame).await.expect("sent");
        }
        if abort {
            let reason = dicom_ul::pdu::AbortRQServiceProviderReason::ReasonNotSpecified;
            link.abort(reason).await;
        } else {
            drop(link);
        }
    }
    while *running.sink.dropped.lock().expect("unpoisoned") < 2 {
        tokio::task::yield_now().await;
    }
    let sink = running.stop().await;
    assert!(sink.stored.lock().expect("unpoisoned").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_are_answered_and_broken_protocol_aborted() {
    let running = Running::start(Memory::default(), |_| {}).await;
    let mut link = running.established().await;
    let store = |class: &str, instance: &str| dimse::store_request(1, &uid(class), &uid(instance));
    // Another class than the context's: the data set is read away, then refused.
    link.send_command(1, &store("1.2.840.10008.5.1.4.1.1.4", "2.25.1"))
        .await
        .expect("sent");
    link.send_data(1, true, &mut [0; 20]).await.expect("sent");
    assert_eq!(status_of(&mut link).await, status::CLASS_NOT_SUPPORTED);
    // An instance UID that is a path.
    let mut path = store(CT, "2.25.1111");
    let at = path.windows(4).position(|w| w == b"2.25").expect("the UID");
    path[at..at + 4].copy_from_slice(b"../2");
    link.send_command(1, &path).await.expect("sent");
    link.send_data(1, true, &mut [0; 20]).await.expect("sent");
    assert_eq!(status_of(&mut link).await, status::INVALID_INSTANCE);
    // C-FIND-RQ (0020) with and C-GET-RQ (0010) without a data set.
    let with_field = |set: Vec<u8>, from: u16, to: u16| {
        let mut set = set;
        let mark = [
            0,
            0,
            0,
            1,
            2,
            0,
            0,
            0,
            from.to_le_bytes()[0],
            from.to_le_bytes()[1],
        ];
        let at = set
            .windows(10)
            .position(|w| w == mark)
            .expect("the command field");
        set[at + 8..at + 10].copy_from_slice(&to.to_le_bytes());
        set
    };
    link.send_command(1, &with_field(store(CT, "2.25.1"), 1, 0x0020))
        .await
        .expect("sent");
    link.send_data(1, true, &mut [0; 20]).await.expect("sent");
    assert_eq!(status_of(&mut link).await, status::UNRECOGNIZED_OPERATION);
    link.send_command(1, &with_field(dimse::echo_request(2), 0x30, 0x10))
        .await
        .expect("sent");
    assert_eq!(status_of(&mut link).await, status::UNRECOGNIZED_OPERATION);
    // C-CANCEL has no answer; the next message has.
    link.send_command(
        1,
        &with_field(dimse::echo_request(3), 0x30, command::C_CANCEL_RQ),
    )
    .await
    .expect("sent");
    link.send_command(1, &dimse::echo_request(4))
        .await
        .expect("sent");
    assert_eq!(status_of(&mut link).await, status::SUCCESS);
    // A response nobody asked for.
    let response = Command::parse(&dimse::echo_request(5))
        .expect("ours")
        .response(0, None);
    link.send_command(1, &response).await.expect("sent");
    let answer = link.receive().await;
    assert!(
        matches!(answer, Ok(Received::Control(Pdu::AbortRQ { .. }))),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_fragments_abort() {
    let running = Running::start(Memory::default(), |config| config.idle = IDLE).await;
    let set = dimse::store_request(1, &uid(CT), &uid("2.25.1"));
    for case in [
        "data first",
        "unknown context",
        "command in data",
        "long command",
        "second RQ",
    ] {
        let mut link = running.established().await;
        match case {
            "data first" => link.send_data(1, true, &mut [0; 20]).await.expect("sent"),
            "unknown context" => link.send_command(3, &set).await.expect("sent"),
            "command in data" => {
                link.send_command(1, &set).await.expect("sent");
                link.send_command(1, &set).await.expect("sent");
            }
            "long command" => link.send_command(1, &[0; 17 * 1024]).await.expect("sent"),
            _ => link.send(&Pdu::ReleaseRP).await.expect("sent"),
        }
        let answer = link.receive().await;
        assert!(
            matches!(answer, Ok(Received::Control(Pdu::AbortRQ { .. }))),
            "{case} {answer:?}"
        );
        assert_eq!(link.receive().await.err(), Some(LinkError::Closed));
    }
}
