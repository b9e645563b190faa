//! A whole network on this machine: real processes, one case from arrival to verified audit, and
//! three refusals that really happen.
//!
//! ```text
//! world     keys, a consortium of three hospitals, credentials, configurations
//! process   the nodes: relay, witness, two hospitals, two readers
//! pacs      sends studies by C-STORE      web   fetches them from the reader's DICOMweb
//! story     the case, step by step        archives   exports, verified and with a byte changed
//! ```
//! Nothing here is a stand-in: the nodes run as they do in a hospital, and the demo sees of them
//! what the command line sees.

mod archives;
mod pacs;
mod process;
mod report;
mod story;
mod web;
mod world;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::dicom::synth::{SynthConfig, write_study};
use pacs::Study;
use process::Network;
use story::Story;
use world::{EVERYBODY, HOSPITAL_A_AE, HOSPITAL_B_AE, Who, World};

pub use report::{Refusal, Step, Summary};

/// The CT that is always followed: as many slices as a real one of a head has.
const CT: SynthConfig = SynthConfig {
    seed: 1,
    slices: 120,
};
/// The study that must stay in its country.
const RESIDENT: SynthConfig = SynthConfig { seed: 2, slices: 3 };

/// What the demo is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A folder of DICOM files, beside the synthetic CT.
    pub input: Option<PathBuf>,
    /// Leave the network up until Ctrl-C.
    pub stay: bool,
    /// Leave every log's archive there, one folder each.
    pub export: Option<PathBuf>,
}

/// Everything that is sent.
struct Input {
    ct: Study,
    resident: Study,
    others: Vec<Study>,
}

/// Plays the demo; `say` is told what goes on. A failure of the play is in the summary.
///
/// # Errors
/// The demo could not begin: no folder, no input, no runtime.
pub fn run(options: &Options, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Summary> {
    let folder = Scratch::new()?;
    let export = export_folder(options, &folder.0)?;
    let input = gather(options, &folder.0, say)?;
    let modalities: Vec<String> = input
        .others
        .iter()
        .flat_map(|study| study.modalities.clone())
        .collect();
    let world = World::found(&folder.0, &modalities).context("the consortium")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut summary = Summary {
        genesis: world.genesis().to_hex(),
        ..Summary::default()
    };
    runtime.block_on(async {
        let mut network = Network::new(world);
        let places = (export.as_path(), folder.0.as_path());
        let played = tokio::select! {
            played = play(&mut network, &input, places, (&mut summary, say)) => played,
            told = told_to_end() => told.and_then(|()| bail!("interrupted")),
        };
        match played {
            Ok(()) => summary.verified = true,
            Err(error) => {
                summary.failure = Some(crate::cli::output::one_line(&error));
                for who in EVERYBODY {
                    say(&format!("--- {}\n{}", who.name(), network.tail(who)));
                }
            }
        }
        if options.stay && summary.verified {
            stay(&network, &summary, say).await?;
        }
        network.stop().await;
        anyhow::Ok(())
    })?;
    Ok(summary)
}

/// Where archives go. They are never written over others: that is said before the play, not after.
fn export_folder(options: &Options, scratch: &Path) -> anyhow::Result<PathBuf> {
    let export = match &options.export {
        Some(folder) => std::path::absolute(folder)?,
        None => scratch.join("archives"),
    };
    fs::create_dir_all(&export).with_context(|| export.display().to_string())?;
    for who in EVERYBODY {
        let taken = export.join(who.name());
        if taken.exists() {
            bail!("{}: is there already: name another folder", taken.display());
        }
    }
    Ok(export)
}

/// The whole play.
async fn play(
    network: &mut Network,
    input: &Input,
    (export, scratch): (&Path, &Path),
    (summary, say): (&mut Summary, &(dyn Fn(&str) + Sync)),
) -> anyhow::Result<()> {
    network.start().await?;
    let mut story = Story::new(network, summary).await?;
    story.first(&input.ct).await?;
    for (file, reason) in story.others(&input.others).await? {
        say(&format!("left out: {}: {reason}", file.display()));
    }
    story.resident(&input.resident).await?;
    let genesis = network.world().genesis();
    let folders = archives::export(network, export).await?;
    let (archived, into, from) = (folders.clone(), scratch.to_owned(), export.to_owned());
    let (entries, changed) = tokio::task::spawn_blocking(move || {
        let entries = archives::verify(&archived, genesis)?;
        anyhow::Ok((entries, archives::tampered(&from, &into, genesis)?))
    })
    .await??;
    let logs = folders.len();
    story.step(
        "audit",
        format!("{logs} logs verified together: {entries} entries"),
        0,
    );
    story.refuse(changed);
    Ok(())
}

/// Finds the input and makes the synthetic studies.
fn gather(options: &Options, scratch: &Path, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Input> {
    let mended = scratch.join("mended");
    let synthetic = |name: &str, config: SynthConfig| -> anyhow::Result<Study> {
        let folder = scratch.join("images").join(name);
        write_study(config, &folder)?;
        let mut studies = pacs::find(&folder, &mended)?.studies;
        studies.pop().context("the synthetic study is empty")
    };
    let (ct, resident) = (synthetic("ct", CT)?, synthetic("resident", RESIDENT)?);
    let mut others = Vec::new();
    if let Some(folder) = &options.input {
        let found = pacs::find(folder, &mended)?;
        for (file, reason) in &found.left_out {
            say(&format!("left out: {}: {reason}", file.display()));
        }
        if found.studies.is_empty() {
            let (folder, left) = (folder.display(), found.left_out.len());
            match left {
                0 => bail!("{folder}: no file there: name a folder of DICOM files"),
                _ => bail!("{folder}: none of its {left} files can be sent, for the reasons above"),
            }
        }
        others = found.studies;
        others.retain(|study| study.uid != ct.uid && study.uid != resident.uid);
    }
    let objects: usize = others.iter().map(|study| study.instances.len()).sum();
    say(&format!(
        "{} studies with {objects} objects, and the synthetic CT",
        others.len()
    ));
    Ok(Input {
        ct,
        resident,
        others,
    })
}

/// Prints where everything is, and waits for Ctrl-C.
async fn stay(
    network: &Network,
    summary: &Summary,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<()> {
    say(&summary.to_string());
    for (who, title) in [
        (Who::HospitalA, HOSPITAL_A_AE),
        (Who::HospitalB, HOSPITAL_B_AE),
    ] {
        let address = network.dicom(who).await?;
        say(&format!(
            "{}: AE title {title} at {address}, for {}",
            who.name(),
            world::PACS_AE
        ));
        say(&format!(
            "  reports in {}",
            network.world().reports(who).display()
        ));
    }
    for who in [Who::Reader, Who::Unlicensed] {
        let (url, token) = network.dicomweb(who).await?;
        say(&format!(
            "{}: DICOMweb {url}, bearer token in {}",
            who.name(),
            token.display()
        ));
    }
    for who in EVERYBODY {
        say(&format!(
            "{}: control {}",
            who.name(),
            network.world().socket(who).display()
        ));
    }
    say("Ctrl-C ends it and removes everything");
    told_to_end().await
}

/// Waits for Ctrl-C or SIGTERM: either must end the nodes too.
async fn told_to_end() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
    }
}

/// The demo's folder: keys and images are in it, so it is its owner's alone and goes in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|_| crate::random::EntropyError)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("radmesh-demo-{name}"));
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder is left behind");
        }
    }
}
