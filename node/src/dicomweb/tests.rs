//! The pages over a real socket: what is served, what waits, and what is turned away.

use super::*;
use crate::dicom::corpus;
use crate::dicom::part10;
use crate::dicom::split::{self, split};
use crate::dicom::syntax::{self, Encoding};
use crate::dicom::synth::{SynthConfig, write_study};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Pieces in which the source gives its bytes: odd, so that nothing depends on alignment.
const PIECE: usize = 4093;

/// Files in memory, of which some have not arrived.
#[derive(Default)]
pub(crate) struct Memory {
    studies: Vec<Uid>,
    instances: BTreeMap<Uid, Vec<Arc<Instance>>>,
    bytes: BTreeMap<Uid, Bytes>,
    /// Bulk values of this instance never come.
    pub(crate) missing: Option<Uid>,
    /// Bulk values of this instance break off half-way.
    pub(crate) broken: Option<Uid>,
    /// How often an instance without bulk values was opened.
    opened: Arc<AtomicU64>,
}

impl Memory {
    /// Adds a file if it is an instance.
    pub(crate) fn add(&mut self, path: &Path) -> Option<Arc<Instance>> {
        let file = std::fs::read(path).expect("readable");
        let found = part10::read(&mut Cursor::new(&file)).ok()?;
        let (mut syntax, start) = (found.syntax, found.dataset_offset as usize);
        let mut data = file[start..].to_vec();
        if syntax.encoding == Encoding::Deflated {
            let mut inflated = Vec::new();
            split::inflate(&data[..], &mut inflated, 64 << 20).ok()?;
            (data, syntax) = (inflated, syntax::find(syntax::EXPLICIT_LITTLE)?);
        }
        let cut = split(Cursor::new(&data), 0, syntax).ok()?;
        let instance = Arc::new(Instance::from_split(cut, syntax, true));
        if self.bytes.contains_key(&instance.instance) {
            return None;
        }
        self.bytes.insert(instance.instance.clone(), data.into());
        let study = self.instances.entry(instance.study.clone()).or_default();
        if study.is_empty() {
            self.studies.push(instance.study.clone());
        }
        study.push(Arc::clone(&instance));
        Some(instance)
    }
}

impl StudySource for Memory {
    fn studies(&self) -> BoxFuture<'_, Result<Vec<Uid>, SourceError>> {
        Box::pin(async { Ok(self.studies.clone()) })
    }

    fn instances<'a>(
        &'a self,
        study: &'a Uid,
    ) -> BoxFuture<'a, Result<Vec<Arc<Instance>>, SourceError>> {
        Box::pin(async { Ok(self.instances.get(study).cloned().unwrap_or_default()) })
    }

    fn read<'a>(
        &'a self,
        instance: &'a Instance,
        bulk: usize,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<ByteStream, SourceError>> {
        Box::pin(async move {
            if self.missing.as_ref() == Some(&instance.instance) {
                return std::future::pending().await;
            }
            let start = instance.bulks[bulk].source_offset;
            let (from, to) = ((start + range.start) as usize, (start + range.end) as usize);
            let mut pieces: Vec<_> = self.bytes[&instance.instance][from..to]
                .chunks(PIECE)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            if self.broken.as_ref() == Some(&instance.instance) {
                pieces.truncate(pieces.len() / 2);
            }
            Ok(stream::iter(pieces).boxed())
        })
    }

    fn opened(&self, _instance: &Instance) {
        self.opened.fetch_add(1, Ordering::SeqCst);
    }
}

/// The desk's port and token while it runs.
struct Desk {
    port: u16,
    token: SessionToken,
}

/// An answer, its body put together from chunks.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// Whether the body came to its end.
    whole: bool,
}

impl Desk {
    async fn start(source: Memory) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let token = SessionToken::new([7; 32]);
        let base = format!("http://localhost:{port}/dicomweb");
        let routes = routes(Arc::new(source), &base, Duration::from_millis(200));
        let app = Guard::new(port, token.clone()).protect(Router::new().nest("/dicomweb", routes));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, token }
    }

    async fn get(&self, path: &str, accept: &str) -> Reply {
        let token = self.token.expose();
        let port = self.port;
        let request = format!(
            "GET /dicomweb{path} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: {accept}\r\n\
             Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        self.raw(&request).await
    }

    async fn raw(&self, request: &str) -> Reply {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("loopback");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut bytes = Vec::new();
        // A body that is cut off may end in a reset.
        let _ = socket.read_to_end(&mut bytes).await;
        let end = bytes
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .expect("a head")
            + 4;
        let head = String::from_utf8(bytes[..end].to_vec())
            .expect("text")
            .to_lowercase();
        let status = head[9..12].parse().expect("a status");
        let chunked = head.contains("transfer-encoding: chunked");
        let (body, whole) = if chunked {
            dechunk(&bytes[end..])
        } else {
            (bytes[end..].into(), true)
        };
        Reply {
            status,
            head,
            body,
            whole,
        }
    }
}

fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = bytes.windows(2).position(|w| w == b"\r\n") else {
            return (body, false);
        };
        let size = std::str::from_utf8(&bytes[..line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let start = line + 2;
        if size == 0 {
            return (body, true);
        }
        let Some(piece) = bytes.get(start..start + size) else {
            return (body, false);
        };
        body.extend_from_slice(piece);
        bytes = &bytes[start + size + 2..];
    }
}

impl Reply {
    fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.head);
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Contents of a multipart body.
    fn parts(&self) -> Vec<&[u8]> {
        let boundary = self.head.split("boundary=").nth(1).expect("a boundary");
        let boundary = boundary.lines().next().expect("a line");
        let mark = format!("--{boundary}");
        let starts: Vec<_> = (0..self.body.len())
            .filter(|at| self.body[*at..].starts_with(mark.as_bytes()))
            .collect();
        let part = |pair: &[usize]| {
            let part = &self.body[pair[0] + mark.len()..pair[1] - 2];
            let head = part
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
                .expect("a head");
            &part[head + 4..]
        };
        starts.windows(2).map(part).collect()
    }
}

const DICOM: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
const JSON: &str = "application/dicom+json";
const OCTETS: &str = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";

fn url(i: &Instance) -> String {
    format!(
        "/studies/{}/series/{}/instances/{}",
        i.study, i.series, i.instance
    )
}

/// A synthetic study of three slices.
fn phantom() -> (Memory, Vec<Arc<Instance>>) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let config = SynthConfig { seed: 3, slices: 3 };
    let study = write_study(config, folder.path()).expect("written");
    let mut memory = Memory::default();
    let instances = study
        .files
        .iter()
        .filter_map(|file| memory.add(file))
        .collect();
    (memory, instances)
}

#[tokio::test]
async fn a_study_is_found_and_described() {
    let (memory, instances) = phantom();
    let desk = Desk::start(memory).await;
    let study = &instances[0].study;
    let found = desk
        .get("/studies?PatientID=RADMESH-PHANTOM-3", JSON)
        .await
        .json();
    assert_eq!(
        found.pointer("/0/0020000D/Value/0").and_then(Value::as_str),
        Some(study.as_str())
    );
    assert_eq!(found.pointer("/0/00201208/Value/0"), Some(&Value::from(3)));
    assert_eq!(
        found.pointer("/0/00080061/Value/0"),
        Some(&Value::from("CT"))
    );
    assert_eq!(found.pointer("/0/00280010"), None);
    let none = desk.get("/studies?PatientID=OTHER", JSON).await.json();
    assert_eq!(none, Value::Array(vec![]));
    let series = desk
        .get(&format!("/studies/{study}/series?Modality=CT"), JSON)
        .await
        .json();
    assert_eq!(series.pointer("/0/00201209/Value/0"), Some(&Value::from(3)));
    let second = desk
        .get(
            &format!("/studies/{study}/instances?limit=1&offset=1"),
            JSON,
        )
        .await;
    let second = second.json();
    let uid = second
        .pointer("/0/00080018/Value/0")
        .and_then(Value::as_str);
    assert_eq!(uid, Some(instances[1].instance.as_str()));

    let metadata = desk
        .get(&format!("/studies/{study}/metadata"), JSON)
        .await
        .json();
    assert_eq!(metadata.as_array().map(Vec::len), Some(3));
    let uri = metadata
        .pointer("/0/7FE00010/BulkDataURI")
        .and_then(Value::as_str);
    let expected = format!(
        "http://localhost:{}/dicomweb{}",
        desk.port,
        url(&instances[0])
    );
    assert_eq!(uri, Some(format!("{expected}/bulkdata/7FE00010").as_str()));
    assert_eq!(
        metadata.pointer("/0/00280030/Value/0"),
        Some(&Value::from(0.75))
    );
}

#[tokio::test]
async fn a_study_is_served_bit_for_bit() {
    let (memory, instances) = phantom();
    let data = memory.bytes.clone();
    let desk = Desk::start(memory).await;
    let all = desk
        .get(&format!("/studies/{}", instances[0].study), DICOM)
        .await;
    assert!(all.whole);
    for (part, instance) in all.parts().iter().zip(&instances) {
        let found = part10::read(&mut Cursor::new(part)).expect("a DICOM file");
        assert!(part[found.dataset_offset as usize..] == data[&instance.instance][..]);
    }
    let single = desk.get(&url(&instances[0]), "application/dicom").await;
    assert!(single.body == all.parts()[0]);
    let pixels = &data[&instances[0].instance];
    let pixels = &pixels[pixels.len() - 524_288..];
    let frame = desk
        .get(&format!("{}/frames/1", url(&instances[0])), OCTETS)
        .await;
    assert!(frame.parts() == [pixels]);
    let bulk = format!("{}/bulkdata/7FE00010", url(&instances[0]));
    assert!(desk.get(&bulk, "application/octet-stream").await.body == pixels);
}

/// A structured report has no bulk value; reading it is still opening it.
#[tokio::test]
async fn what_has_no_bulk_value_is_opened_too() {
    let (mut memory, instances) = phantom();
    let text = Instance {
        bulks: Vec::new(),
        ..Instance::clone(&instances[1])
    };
    let study = memory.instances.get_mut(&instances[1].study);
    study.expect("it was added")[1] = Arc::new(text);
    let opened = Arc::clone(&memory.opened);
    let desk = Desk::start(memory).await;
    for (instance, count) in [(&instances[0], 0), (&instances[1], 1)] {
        let reply = desk.get(&url(instance), "application/dicom").await;
        assert!(reply.whole);
        assert_eq!(opened.load(Ordering::SeqCst), count);
    }
}

#[tokio::test]
async fn wrong_requests_are_named() {
    let (memory, instances) = phantom();
    let desk = Desk::start(memory).await;
    let one = url(&instances[0]);
    for (path, accept, status) in [
        ("/studies/1.2.3/metadata".to_owned(), JSON, 404),
        ("/studies/..%2f1/metadata".to_owned(), JSON, 400),
        ("/studies?NoSuch=1".to_owned(), JSON, 400),
        ("/studies".to_owned(), "text/html", 406),
        (
            format!("/studies/{}", instances[0].study),
            "application/dicom",
            406,
        ),
        (format!("{one}/frames/2"), OCTETS, 404),
        (format!("{one}/frames/0"), OCTETS, 400),
        (format!("{one}/frames/1"), "image/jpeg", 406),
        (format!("{one}/bulkdata/00100010"), OCTETS, 404),
        (format!("{one}/bulkdata/zz"), OCTETS, 404),
    ] {
        assert_eq!(desk.get(&path, accept).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_here_waits_and_what_breaks_off_is_not_whole() {
    let (mut memory, instances) = phantom();
    memory.missing = Some(instances[0].instance.clone());
    memory.broken = Some(instances[1].instance.clone());
    let desk = Desk::start(memory).await;
    for path in [
        url(&instances[0]),
        format!("{}/frames/1", url(&instances[0])),
    ] {
        let reply = desk.get(&path, "*/*").await;
        assert_eq!(reply.status, 503);
        assert!(reply.head.contains("retry-after: "));
    }
    let header = desk
        .get(&format!("{}/metadata", url(&instances[0])), JSON)
        .await;
    assert_eq!(header.status, 200, "a header needs no pixels");
    for path in [
        url(&instances[1]),
        format!("{}/frames/1", url(&instances[1])),
    ] {
        let reply = desk.get(&path, "*/*").await;
        assert_eq!((reply.status, reply.whole), (200, false));
    }
    assert!(desk.get(&url(&instances[2]), DICOM).await.whole);
}

#[tokio::test]
async fn strangers_are_turned_away_and_nothing_is_kept() {
    let (memory, _) = phantom();
    let desk = Desk::start(memory).await;
    let ask = |host: &str, rest: &str| {
        format!("GET /dicomweb/studies HTTP/1.1\r\nHost: {host}\r\n{rest}Connection: close\r\n\r\n")
    };
    let (ours, port) = (format!("localhost:{}", desk.port), desk.port);
    let token = format!("Cookie: {SESSION_COOKIE}={}\r\n", desk.token.expose());
    let foreign = format!("{token}Origin: http://evil.example\r\n");
    for (request, status) in [
        (ask(&ours, &token), 200),
        (ask(&ours, ""), 401),
        (ask(&format!("evil.example:{port}"), &token), 421),
        (ask(&ours, &foreign), 403),
    ] {
        let reply = desk.raw(&request).await;
        assert_eq!(reply.status, status, "{request}");
        for header in ["cache-control: no-store", "nosniff", "default-src 'none'"] {
            assert!(reply.head.contains(header), "{header}");
        }
    }
}

/// Every instance of the corpus as metadata, and every frame of every image.
#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_is_served() {
    let Some(files) = corpus::files("dicom") else {
        return;
    };
    let mut memory = Memory::default();
    let instances: Vec<_> = files.iter().filter_map(|file| memory.add(file)).collect();
    let data = memory.bytes.clone();
    let desk = Desk::start(memory).await;
    for instance in &instances {
        let metadata = desk.get(&format!("{}/metadata", url(instance)), JSON).await;
        assert!(
            metadata.whole && metadata.status == 200,
            "{}",
            url(instance)
        );
        let json = metadata.json();
        let uid = json.pointer("/0/00080018/Value/0").and_then(Value::as_str);
        assert_eq!(uid, Some(instance.instance.as_str()));
        let file = desk.get(&url(instance), "application/dicom").await;
        assert!(file.body.ends_with(&data[&instance.instance]));
        for bulk in instance.bulks.iter().filter(|bulk| !bulk.frames.is_empty()) {
            let last = bulk.frames.len();
            let reply = desk
                .get(&format!("{}/frames/{last}", url(instance)), OCTETS)
                .await;
            assert!(reply.whole && reply.status == 200, "{}", url(instance));
            let stored = bulk.frames[last - 1].length as usize;
            let served = reply.parts()[0].len();
            assert!(if bulk.encapsulated {
                served < stored
            } else {
                served == stored
            });
        }
    }
}
