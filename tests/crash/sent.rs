//! What is sent, what was acknowledged, and whether the hospital's store has it byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use node::dicom::ae::AeTitle;
use node::dicom::scu::{self, FileStatus, ScuConfig};
use node::dicom::synth::{SynthConfig, write_study};
use node::dicom::{part10, split};
use node::store::objects::ObjectRecord;
use node::store::root::MasterKey;
use node::store::space::Reserve;
use node::store::{Store, StoreError, StoreOptions};

use crate::net::{LIFE, LOOK};
use crate::world::{HOSPITAL_AE, PACS_AE, Who, World};

/// A study on its way.
pub struct Sender {
    uid: String,
    pub files: Vec<PathBuf>,
    to: ScuConfig,
    runtime: tokio::runtime::Runtime,
    /// Places of files that were acknowledged.
    pub acknowledged: BTreeSet<usize>,
}

impl Sender {
    /// A synthetic study for a world's hospital.
    pub fn new(world: &World, config: SynthConfig) -> Result<Self> {
        let study = write_study(config, &world.root().join("study"))?;
        let (from, called) = (AeTitle::parse(PACS_AE)?, AeTitle::parse(HOSPITAL_AE)?);
        let to = SocketAddr::from(([127, 0, 0, 1], world.dicom()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            uid: study.study.to_string(),
            files: study.files,
            to: ScuConfig::new(from, called, to),
            runtime,
            acknowledged: BTreeSet::new(),
        })
    }

    /// Sends one file in an association of its own: whether it was acknowledged.
    pub fn send(&mut self, place: usize) -> Result<bool> {
        let stored = match self.status(place)? {
            FileStatus::Stored { .. } => true,
            // Out of resources, cannot understand, failure: said again later.
            FileStatus::Refused { .. } | FileStatus::NotSent(_) => false,
            other @ (FileStatus::NotAccepted
            | FileStatus::NotDicom(_)
            | FileStatus::Unidentified(_)
            | FileStatus::Unreadable(_)) => bail!("the file was not sent: {other:?}"),
        };
        if stored {
            self.acknowledged.insert(place);
        }
        Ok(stored)
    }

    /// Sends one file in an association of its own: what became of it.
    pub fn status(&self, place: usize) -> Result<FileStatus> {
        let file = self.files.get(place).context("no such file")?.clone();
        let reports = self.runtime.block_on(scu::store(&self.to, vec![file]));
        let report = reports.into_iter().next();
        Ok(report.context("no report of the file")?.status)
    }

    /// Holds the store in the data folder of a hospital that does not run against what was sent:
    /// everything in `acknowledged` is there, and everything that is there equals what was sent.
    pub fn compare(
        &self,
        world: &World,
        data: &Path,
        acknowledged: &BTreeSet<usize>,
    ) -> Result<()> {
        let store = open_store(world, data)?;
        let (mut there, mut unknown) = (BTreeSet::new(), 0);
        let records = store.objects(&self.uid)?;
        let sent: Vec<Sent> = self
            .files
            .iter()
            .map(|file| Sent::read(file))
            .collect::<Result<_>>()?;
        for record in &records {
            let named = |sent: &Sent| sent.instance == record.sop_uid.expose().as_str();
            let Some(place) = sent.iter().position(named) else {
                unknown += 1;
                continue;
            };
            let same = sent[place].is(&store, record);
            ensure!(same?, "object {place} is not what was sent");
            ensure!(there.insert(place), "object {place} is there twice");
        }
        ensure!(unknown == 0, "{unknown} objects that nobody sent");
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        ensure!(
            lost.is_empty(),
            "acknowledged and lost: {lost:?}; there: {there:?}"
        );
        if !records.is_empty() {
            let verified = store.verify_study(&self.uid)?;
            ensure!(verified.damaged.is_empty(), "damaged: {verified:?}");
        }
        Ok(())
    }
}

/// A file as it was sent, cut as the store cuts it.
struct Sent {
    instance: String,
    header: Vec<u8>,
    bulks: Vec<Vec<u8>>,
}

impl Sent {
    fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file)?;
        let head = part10::read(&mut Cursor::new(&bytes))?;
        let dataset = bytes.get(usize::try_from(head.dataset_offset)?..);
        let dataset = dataset.context("no data set")?;
        let cut = split::split(Cursor::new(dataset), 0, head.syntax)?;
        let bulk = |bulk: &split::BulkRange| -> Result<Vec<u8>> {
            let start = usize::try_from(bulk.source_offset)?;
            let end = start + usize::try_from(bulk.length)?;
            Ok(dataset.get(start..end).context("a short file")?.to_vec())
        };
        Ok(Self {
            instance: cut.identifiers.sop_instance.to_string(),
            bulks: cut.bulks.iter().map(bulk).collect::<Result<_>>()?,
            header: cut.header,
        })
    }

    fn is(&self, store: &Store, record: &ObjectRecord) -> Result<bool> {
        let mut equal = store.header(record.id)? == self.header;
        equal &= record.parts.len() == self.bulks.len();
        for (part, bulk) in record.parts.iter().zip(&self.bulks) {
            let mut plain = store.open_plain(part)?;
            let mut read = Vec::with_capacity(bulk.len());
            for index in 0.. {
                match plain.segment(index)? {
                    [] => break,
                    more => read.extend_from_slice(more),
                }
            }
            equal &= read == *bulk;
        }
        Ok(equal)
    }
}

/// Opens the store in the data folder of a hospital that does not run, as the node does.
pub fn open_store(world: &World, data: &Path) -> Result<Store> {
    let master = MasterKey {
        version: 1,
        key: world.keystore(Who::Hospital).master()?,
    };
    let options = StoreOptions {
        reserve: Reserve {
            bytes: 0,
            percent: 0,
        },
        ..StoreOptions::default()
    };
    let until = Instant::now() + LIFE;
    loop {
        match Store::open(&data.join("store"), &master, options) {
            // A process that another lane is just starting holds what this program holds open,
            // locks too, until it runs its own program.
            Err(StoreError::Lock(_)) if Instant::now() < until => std::thread::sleep(LOOK),
            opened => return Ok(opened?),
        }
    }
}
