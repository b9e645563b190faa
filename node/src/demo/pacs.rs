//! The demo's PACS: finds DICOM in a folder, sends each study in an association of its own, and
//! remembers what the pixels were.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use crypto::digest::Digest;

use super::world::PACS_AE;
use crate::dicom::ae::AeTitle;
use crate::dicom::part10;
use crate::dicom::scu::{self, FileStatus, ScuConfig};
use crate::dicom::split::{self, Split};
use crate::dicom::syntax::{self, Encoding};
use crate::dicom::uid::Uid;

/// Most files that are taken from a folder: a large study has some thousands.
const FILES_MAX: usize = 100_000;
/// Deepest folder.
const DEPTH_MAX: usize = 16;
/// The largest file, and the largest that a deflated one becomes: it is compared in memory.
pub(super) const FILE_MAX: u64 = 2 << 30;

/// What an instance's bulk values are: the header without them, and a digest of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    header: Digest,
    bulks: Vec<Digest>,
}

/// One instance that is sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) file: PathBuf,
    pub(super) bytes: u64,
    pub(super) series: Uid,
    pub(super) instance: Uid,
    pub(super) content: Content,
}

/// One study.
#[derive(Clone, Debug)]
pub(super) struct Study {
    pub(super) uid: Uid,
    pub(super) modalities: BTreeSet<String>,
    pub(super) instances: Vec<Sent>,
}

impl Study {
    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.instances.iter().map(|sent| sent.bytes).sum()
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) studies: Vec<Study>,
    /// Files that are no DICOM instance, and repeated instances: named and not sent.
    pub(super) left_out: Vec<(PathBuf, String)>,
}

/// Reads every file under `folder`, grouped by study. A file whose head names another instance than
/// its data set is sent under a new head, which is written into `mended`. Blocks.
pub(super) fn find(folder: &Path, mended: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut studies: BTreeMap<String, Study> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for file in files(folder)? {
        let read = match read_file(&file) {
            Ok(read) => read,
            Err(error) => {
                found.left_out.push((file, format!("{error:#}")));
                continue;
            }
        };
        let names = &read.split.identifiers;
        if !seen.insert(names.sop_instance.to_string()) {
            let reason = "the same instance again".to_owned();
            found.left_out.push((file, reason));
            continue;
        }
        let study = studies
            .entry(names.study.to_string())
            .or_insert_with(|| Study {
                uid: names.study.clone(),
                modalities: BTreeSet::new(),
                instances: Vec::new(),
            });
        study.modalities.insert(names.modality.clone());
        study.instances.push(Sent {
            bytes: read.bytes.len() as u64,
            series: names.series.clone(),
            instance: names.sop_instance.clone(),
            file: announced(file, &read, mended)?,
            content: read.content,
        });
    }
    found.studies = studies.into_values().collect();
    Ok(found)
}

/// The file, or a copy of it whose head names what is in it: a PACS announces the data set.
fn announced(file: PathBuf, read: &ReadFile, mended: &Path) -> anyhow::Result<PathBuf> {
    let names = &read.split.identifiers;
    let found = part10::read(&mut Cursor::new(&read.bytes))?;
    let differs = |named: &Option<Uid>, is: &Uid| named.as_ref().is_some_and(|uid| uid != is);
    if !differs(&found.sop_class, &names.sop_class)
        && !differs(&found.sop_instance, &names.sop_instance)
    {
        return Ok(file);
    }
    fs::create_dir_all(mended)?;
    let start = usize::try_from(found.dataset_offset)?;
    let dataset = read
        .bytes
        .get(start..)
        .context("the data set is not there")?;
    let head = part10::head(&names.sop_class, &names.sop_instance, found.syntax);
    let copy = mended.join(format!("{}.dcm", names.sop_instance));
    fs::write(&copy, [head.as_slice(), dataset].concat())?;
    Ok(copy)
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![(folder.to_owned(), 0)]);
    while let Some((path, depth)) = open.pop() {
        let listed = fs::read_dir(&path).with_context(|| path.display().to_string())?;
        for item in listed {
            let item = item?;
            let hidden = item.file_name().to_string_lossy().starts_with('.');
            let kind = item.file_type()?;
            if kind.is_dir() && depth < DEPTH_MAX {
                open.push((item.path(), depth + 1));
            } else if kind.is_file() && !hidden {
                files.push(item.path());
            }
            if files.len() > FILES_MAX {
                bail!(
                    "{}: more than {FILES_MAX} files: name a smaller folder",
                    folder.display()
                );
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A file that was read.
struct ReadFile {
    bytes: Vec<u8>,
    split: Split,
    content: Content,
}

fn read_file(path: &Path) -> anyhow::Result<ReadFile> {
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_MAX {
        bail!("larger than {FILE_MAX} bytes");
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    let (split, content) = read(&bytes)?;
    Ok(ReadFile {
        bytes,
        split,
        content,
    })
}

/// Reads a DICOM file in memory: what it says, and what its bulk values are. A deflated data set is
/// read inflated, as the hospital keeps it.
pub(super) fn read(bytes: &[u8]) -> anyhow::Result<(Split, Content)> {
    let mut source = Cursor::new(bytes);
    let found = part10::read(&mut source)?;
    let mut dataset = Vec::new();
    source.seek(SeekFrom::Start(found.dataset_offset))?;
    let mut row = found.syntax;
    if row.encoding == Encoding::Deflated {
        split::inflate(source, &mut dataset, FILE_MAX)?;
        row = syntax::find(syntax::EXPLICIT_LITTLE).context("every table has the default")?;
    } else {
        source.read_to_end(&mut dataset)?;
    }
    let split = split::split(Cursor::new(&dataset), 0, row)?;
    let mut bulks = Vec::with_capacity(split.bulks.len());
    for bulk in &split.bulks {
        let start = usize::try_from(bulk.source_offset)?;
        let end = start.checked_add(usize::try_from(bulk.length)?);
        let value = end.and_then(|end| dataset.get(start..end));
        bulks.push(Digest::sha256(
            value.context("a value ends behind the file")?,
        ));
    }
    let content = Content {
        header: Digest::sha256(&split.header),
        bulks,
    };
    Ok((split, content))
}

/// Sends a study by C-STORE, in one association where its presentation contexts fit into one. Gives
/// what the hospital keeps, and what it refuses with its reason.
///
/// # Errors
/// The association broke, or a file cannot be read.
pub(super) async fn send(
    study: &Study,
    called: &str,
    to: SocketAddr,
) -> anyhow::Result<(Study, Vec<(PathBuf, String)>)> {
    let config = ScuConfig::new(AeTitle::parse(PACS_AE)?, AeTitle::parse(called)?, to);
    let files = study.instances.iter().map(|sent| sent.file.clone());
    let reports = scu::store(&config, files.collect()).await;
    let mut stored = Study {
        uid: study.uid.clone(),
        modalities: study.modalities.clone(),
        instances: Vec::with_capacity(study.instances.len()),
    };
    let mut refused = Vec::new();
    for (sent, report) in study.instances.iter().zip(reports) {
        match report.status {
            FileStatus::Stored { .. } => stored.instances.push(sent.clone()),
            FileStatus::Refused { status } => {
                let reason = format!("the hospital refuses it with status {status:#06x}");
                refused.push((report.path, reason));
            }
            FileStatus::NotAccepted | FileStatus::NotDicom(_) | FileStatus::Unidentified(_) => {
                let reason = format!("the hospital does not take it: {:?}", report.status);
                refused.push((report.path, reason));
            }
            FileStatus::Unreadable(_) | FileStatus::NotSent(_) => {
                let (file, status) = (report.path.display(), report.status);
                bail!("{file}: not sent: {status:?}");
            }
        }
    }
    Ok((stored, refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::synth::{SynthConfig, write_study};

    #[test]
    fn a_folder_s_studies_are_found_and_the_rest_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for seed in [1, 2] {
            let config = SynthConfig { seed, slices: 2 };
            write_study(config, &root.join(seed.to_string())).expect("written");
        }
        fs::write(root.join("notes.txt"), b"no DICOM").expect("written");
        let copied = fs::copy(root.join("1/CT0001.dcm"), root.join("copy.dcm"));
        copied.expect("copied");
        let found = find(root, &root.join("mended")).expect("read");
        assert_eq!(found.studies.len(), 2);
        assert!(found.studies.iter().all(|study| study.instances.len() == 2));
        assert_eq!(found.left_out.len(), 2);
    }

    #[test]
    fn a_head_that_names_another_instance_is_mended() {
        let folder = tempfile::tempdir().expect("a folder");
        let (images, mended) = (folder.path().join("images"), folder.path().join("mended"));
        let study = write_study(SynthConfig { seed: 1, slices: 1 }, &images).expect("written");
        let file = study.files.first().expect("one slice");
        let mut bytes = fs::read(file).expect("read");
        let instance = read(&bytes).expect("DICOM").0.identifiers.sop_instance;
        let at = bytes
            .windows(instance.as_str().len())
            .position(|text| text == instance.as_str().as_bytes())
            .expect("the head names it");
        bytes[at + 5] = if bytes[at + 5] == b'1' { b'2' } else { b'1' };
        fs::write(file, &bytes).expect("written");
        let found = find(&images, &mended).expect("found");
        let sent = &found.studies[0].instances[0];
        assert!(sent.file.starts_with(&mended));
        let copy = fs::read(&sent.file).expect("mended");
        let head = part10::read(&mut Cursor::new(&copy)).expect("DICOM");
        assert_eq!(head.sop_instance, Some(instance));
        assert_eq!(read(&copy).expect("DICOM").1, sent.content);
    }

    #[test]
    fn one_changed_pixel_is_another_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let study = write_study(SynthConfig { seed: 1, slices: 1 }, folder.path());
        let mut bytes = fs::read(&study.expect("written").files[0]).expect("read");
        let (_, before) = read(&bytes).expect("DICOM");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let (_, after) = read(&bytes).expect("DICOM");
        assert_eq!(before.header, after.header);
        assert_ne!(before, after);
    }
}
