//! A hospital with one synthetic study, and a desk beside it.

use crate::desk::{Desk, Duplex, FetchOptions, Holdings, Job, LeaseKey, Milestone, Opener};
use crate::desk::{Prekeys, SessionTerms};
use crate::dicom::part10;
use crate::dicom::split::split;
use crate::dicom::synth::{SynthConfig, write_study};
use crate::release::{
    ReleaseFolder, ReleaseMaker, ReleaseSource, SealedRead, Server, ServerLimits, SourceFault,
    SourceObject,
};
use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::keys::{SigningKey, SymmetricKey};
use crypto::segment::{Sealer, SegmentCipher, key_commitment};
use prost::Message;
use protocol::case::owner::FetchTicket;
use protocol::document::Document;
use protocol::document::grant::{Grant, Prepared};
use protocol::ids::{Fence, NodeId, OfferId, PersonId, StudyId};
use protocol::transfer::manifest::{Bulk, Frame, SealedFile, plain_digest};
use protocol::transfer::request::FetchStatus;
use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

pub const OWNER: NodeId = NodeId::from_bytes([1; 32]);
pub const DESK: NodeId = NodeId::from_bytes([2; 32]);
pub const STUDY: StudyId = StudyId::from_bytes([3; 16]);
pub const OFFER: OfferId = OfferId::from_bytes([4; 16]);
pub const FENCE: Fence = Fence(77);
pub const SLICES: u32 = 5;

/// Objects, headers and sealed files in memory.
#[derive(Default)]
pub struct Memory {
    pub objects: Vec<SourceObject>,
    headers: BTreeMap<[u8; 16], Vec<u8>>,
    files: BTreeMap<Digest, Vec<u8>>,
    /// Data sets as they came, by object.
    pub originals: BTreeMap<[u8; 16], Vec<u8>>,
    /// How many more times a sealed file is given with one byte changed.
    pub flips: AtomicUsize,
}

impl Memory {
    pub fn synthetic(folder: &TempDir) -> Self {
        let config = SynthConfig {
            seed: 5,
            slices: SLICES,
        };
        let study = write_study(config, folder.path()).expect("written");
        let mut memory = Self::default();
        for (number, path) in study.files.iter().enumerate() {
            let file = std::fs::read(path).expect("readable");
            let found = part10::read(&mut Cursor::new(&file)).expect("a file");
            let data = file[found.dataset_offset as usize..].to_vec();
            memory.add(number as u8, data, found.syntax.uid);
        }
        memory
    }

    fn add(&mut self, number: u8, data: Vec<u8>, syntax: &'static str) {
        let found = crate::dicom::syntax::find(syntax).expect("known");
        let cut = split(Cursor::new(&data), 0, found).expect("splits");
        let id = [number; 16];
        let mut bulks = Vec::new();
        for bulk in &cut.bulks {
            let start = bulk.source_offset as usize;
            let plain = &data[start..start + bulk.length as usize];
            let frame = |frame: &crate::dicom::split::FrameRange| Frame {
                offset: frame.offset,
                length: frame.length,
            };
            bulks.push(Bulk {
                tag: u32::from(bulk.tag.group()) << 16 | u32::from(bulk.tag.element()),
                vr: bulk.vr.to_string().to_owned(),
                header_offset: bulk.header_offset as u64,
                encapsulated: bulk.encapsulated,
                frames: bulk.frames.iter().map(frame).collect(),
                file: Some(self.seal(number, plain)),
            });
        }
        self.objects.push(SourceObject {
            object_id: id,
            series: 0,
            transfer_syntax: syntax.to_owned(),
            header_length: cut.header.len() as u64,
            bulks,
        });
        self.headers.insert(id, cut.header);
        self.originals.insert(id, data);
    }

    fn seal(&mut self, number: u8, plain: &[u8]) -> SealedFile {
        let key = SymmetricKey::from_bytes(&[number ^ 0x5a; 32]);
        let (id, salt) = ([number ^ 0xa5; 16], [number; 32]);
        let cipher = SegmentCipher::new(&key, id, salt, plain.len() as u64);
        let (mut sealer, mut sealed) = (Sealer::new(cipher, salt), Vec::new());
        sealer.push(plain, &mut sealed).expect("fits");
        sealer.finish(&mut sealed).expect("fits");
        let digest = Digest::sha256(&sealed);
        self.files.insert(digest, sealed);
        SealedFile {
            digest: digest.0.to_vec(),
            plain_length: plain.len() as u64,
            file_id: id.to_vec(),
            key: key.as_bytes().to_vec(),
            key_commitment: key_commitment(&key, &id).0.to_vec(),
            plain_salt: vec![number; 32],
            plain_digest: plain_digest(&[number; 32], &Digest::sha256(plain))
                .0
                .to_vec(),
        }
    }
}

impl ReleaseSource for Memory {
    fn objects(&self, study: &StudyId) -> Result<Vec<SourceObject>, SourceFault> {
        match *study {
            STUDY => Ok(self.objects.clone()),
            _ => Err(SourceFault::Unknown("study")),
        }
    }

    fn header(&self, _study: &StudyId, object: &[u8; 16]) -> Result<Vec<u8>, SourceFault> {
        let header = self.headers.get(object).cloned();
        header.ok_or(SourceFault::Unknown("object"))
    }

    fn open(&self, digest: &Digest) -> Result<Box<dyn SealedRead>, SourceFault> {
        let file = self.files.get(digest).cloned();
        let mut file = file.ok_or(SourceFault::Unknown("file"))?;
        let less = |left: usize| left.checked_sub(1);
        if self
            .flips
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            file[1000] ^= 1;
        }
        Ok(Box::new(Cursor::new(file)))
    }
}

/// A stream that ends after some bytes were read.
struct Cut {
    inner: DuplexStream,
    left: usize,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut part = vec![0; out.remaining().min(self.left)];
        let mut buffer = ReadBuf::new(&mut part);
        let polled = Pin::new(&mut self.inner).poll_read(cx, &mut buffer);
        self.left -= buffer.filled().len();
        out.put_slice(buffer.filled());
        polled
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Both sides, and what was observed.
pub struct Rig {
    pub folder: TempDir,
    pub memory: Arc<Memory>,
    pub releases: ReleaseFolder,
    pub prekeys: Arc<Prekeys>,
    pub server: Arc<Server>,
    pub holdings: Arc<Holdings>,
    pub prepared: Prepared,
    pub prekey: [u8; 32],
    pub served: Arc<AtomicU64>,
    pub milestones: Arc<Mutex<Vec<Milestone>>>,
    /// Authorisations that are still granted.
    pub allowed: Arc<AtomicUsize>,
    /// Bytes after which every stream is cut.
    pub cut: Arc<AtomicUsize>,
}

impl Rig {
    pub fn new(memory_limit: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let study = tempfile::tempdir().expect("a folder");
        let memory = Arc::new(Memory::synthetic(&study));
        let path = folder.path();
        let releases = ReleaseFolder::open(&path.join("releases")).expect("opens");
        let master = SymmetricKey::from_bytes(&[9; 32]);
        let prekeys = Arc::new(Prekeys::open(&path.join("prekeys"), master).expect("opens"));
        let prekey = session(&prekeys);
        let source: Arc<dyn ReleaseSource> = memory.clone();
        let maker = ReleaseMaker::new(Arc::clone(&source), releases.clone());
        let prepared = maker.prepare(&[STUDY], OFFER, &prekey).expect("prepared");
        let allowed = Arc::new(AtomicUsize::new(usize::MAX));
        let served = Arc::new(AtomicU64::new(0));
        let server = server(&releases, source, &prepared, (&allowed, &served));
        let milestones = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&milestones);
        let timeline = Arc::new(move |_: LeaseKey, milestone| {
            seen.lock().expect("unpoisoned").push(milestone);
        });
        Self {
            folder,
            memory,
            releases,
            prekeys,
            server,
            holdings: Arc::new(Holdings::new(memory_limit, timeline)),
            prepared,
            prekey,
            served,
            milestones,
            allowed,
            cut: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }

    pub fn desk(&self, attempts: u32) -> Desk {
        let (server, cut) = (Arc::clone(&self.server), Arc::clone(&self.cut));
        let open: Opener = Arc::new(move |owner| {
            assert_eq!(owner, OWNER);
            let (near, far) = tokio::io::duplex(10_000);
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.serve(DESK, far).await });
            let left = cut.load(Ordering::SeqCst);
            Box::pin(async move { Ok(Box::new(Cut { inner: near, left }) as Box<dyn Duplex>) })
        });
        let options = FetchOptions {
            attempts,
            back_off: Duration::from_millis(1),
            ..FetchOptions::default()
        };
        Desk::new(
            Arc::clone(&self.holdings),
            Arc::clone(&self.prekeys),
            open,
            options,
        )
    }

    pub fn job(&self) -> Job {
        self.job_with(self.prepared.clone(), self.prekey)
    }

    pub fn job_with(&self, prepared: Prepared, prekey: [u8; 32]) -> Job {
        let grant = Grant {
            version: 1,
            offer: OFFER.to_vec(),
            prekey: prekey.to_vec(),
            fence: FENCE.0,
            prepared: Some(prepared),
            ..Grant::default()
        };
        let key = SigningKey::from_seed(&[6; 32]);
        let envelope = Envelope::sign(Grant::TYPE, grant.encode_to_vec(), &[&key]);
        Job {
            fence: FENCE,
            owner: OWNER,
            grant: envelope.expect("signed").encode(),
            session: b"session".to_vec(),
        }
    }
}

/// A fresh prekey by way of a session.
pub fn session(prekeys: &Prekeys) -> [u8; 32] {
    let terms = SessionTerms {
        person: PersonId::from_bytes([8; 32]),
        node: DESK,
        not_before_us: 1_000,
        not_after_us: 2_000,
        country: "DE".to_owned(),
    };
    let signed = prekeys.session(&terms, |payload| Ok(payload.to_vec()));
    *signed.expect("a session").1.as_bytes()
}

/// A server whose core knows one lease.
pub fn server(
    releases: &ReleaseFolder,
    source: Arc<dyn ReleaseSource>,
    prepared: &Prepared,
    (allowed, served): (&Arc<AtomicUsize>, &Arc<AtomicU64>),
) -> Arc<Server> {
    let manifest = prepared.manifest_digest.clone();
    let (allowed, served) = (Arc::clone(allowed), Arc::clone(served));
    let authorise = Arc::new(move |from, fence, session: Arc<[u8]>| {
        let less = |left: usize| left.checked_sub(1);
        let answer = if from != DESK || fence != FENCE {
            Err(FetchStatus::NoLease)
        } else if *session != *b"session" {
            Err(FetchStatus::BadSession)
        } else if allowed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_err()
        {
            Err(FetchStatus::NoLease)
        } else {
            Ok(FetchTicket {
                grant_hash: Digest([0; 32]),
                manifest_digest: manifest.clone(),
            })
        };
        Box::pin(async move { answer }) as futures::future::BoxFuture<'static, _>
    });
    let count = Arc::new(move |_: Fence, bytes: u64, _: u64| {
        served.fetch_add(bytes, Ordering::SeqCst);
    });
    let limits = ServerLimits {
        streams: 8,
        ..ServerLimits::default()
    };
    let folder = releases.clone();
    Arc::new(Server::new(folder, source, authorise, count, limits))
}
