//! A host's log on its disk: what was appended durably survives a crash; the cosigned size is
//! remembered.

use std::collections::BTreeMap;

use crypto::keys::SigningKey;
use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::cosign::cosign;
use crypto::log::merkle::TreeHead;
use crypto::log::proof::LogProof;
use crypto::log::writer::LogWriter;
use crypto::note::KeyName;
use protocol::ids::SubjectId;

/// One durable entry with its payload (unsealed here: sealing is not under test).
pub struct Stored {
    /// The exact leaf.
    pub entry: Vec<u8>,
    /// The payload before sealing.
    pub payload: Vec<u8>,
    /// Whose it is.
    pub subject: Option<SubjectId>,
}

/// The disk.
#[derive(Default)]
pub struct Disk {
    /// Durable entries.
    pub entries: Vec<Stored>,
    /// Entries in the newest cosigned checkpoint.
    pub cosigned: u64,
    heads: Vec<TreeHead>,
    writer: LogWriter,
    files: BTreeMap<String, Vec<u8>>,
}

/// Who signs the checkpoints.
pub struct LogKeys<'a> {
    /// The log.
    pub log: (&'a KeyName, &'a SigningKey),
    /// The witness.
    pub witness: (&'a KeyName, &'a SigningKey),
}

impl Disk {
    /// Appends durably. The index must be the next one.
    ///
    /// # Panics
    /// When the core skips or repeats an index: that is a bug that the search is for.
    pub fn append(&mut self, index: u64, stored: Stored) {
        assert_eq!(
            index,
            self.entries.len() as u64,
            "the core appends out of order"
        );
        self.writer
            .append(&stored.entry)
            .expect("an entry of legal size");
        for file in self.writer.take_files() {
            self.files.insert(file.path, file.bytes);
        }
        self.heads.push(self.writer.head());
        self.entries.push(stored);
    }

    /// The proof of an entry, in the newest cosigned checkpoint or in the newest of the log's own.
    pub fn prove(
        &self,
        index: u64,
        witnessed: bool,
        keys: &LogKeys<'_>,
        now_s: u64,
    ) -> Option<Vec<u8>> {
        let size = if witnessed {
            self.cosigned
        } else {
            self.entries.len() as u64
        };
        let head = *self
            .heads
            .get(usize::try_from(size.checked_sub(1)?).ok()?)?;
        let checkpoint = Checkpoint {
            origin: keys.log.0.clone(),
            head,
        };
        let mut signed: SignedCheckpoint = checkpoint.clone().sign(keys.log.1);
        if witnessed {
            let line = cosign(&checkpoint, keys.witness.0, keys.witness.1, now_s).ok()?;
            signed.add(line).ok()?;
        }
        let tiles = self.entries.len() as u64;
        LogProof::make(&self.files, tiles, index, signed)
            .ok()
            .map(|proof| proof.encode())
    }
}
