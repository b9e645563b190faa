//! What this node, as a witness, has last seen of each log.
//!
//! A witness that answers before its state is on disk can, after a crash, cosign a fork. So the
//! decision and the synced write happen under one lock, and the caller signs only what came back.

use std::sync::Mutex;

use crypto::digest::Digest;
use crypto::log::merkle::TreeHead;
use crypto::log::witness::{self, AddCheckpoint, Refusal};
use crypto::note::{KeyName, MAX_NOTE_LEN, VerifierKey};

use super::error::WitnessStoreError;
use crate::store::StoreError;
use crate::store::codec::{self, Reader, RecordError, Stored, Writer};
use crate::store::kv::Entries;

/// Names of the entries: this, then the origin.
const PREFIX: &[u8] = b"witness/";

/// What was last cosigned of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Size and root.
    pub head: TreeHead,
    /// The checkpoint as the log signed it.
    pub note: Vec<u8>,
}

impl Stored for Held {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.head.size);
        writer.array(&self.head.root.0);
        writer.bytes(&self.note);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let head = TreeHead {
            size: reader.u64()?,
            root: Digest(reader.array()?),
        };
        let note = reader.bytes()?.to_vec();
        if note.len() > MAX_NOTE_LEN {
            Err(RecordError::Value("note"))
        } else {
            Ok(Self { head, note })
        }
    }
}

/// The witness's memory. One for each data folder.
pub struct WitnessStore {
    entries: Entries,
    deciding: Mutex<()>,
}

impl WitnessStore {
    /// Over the store's named values ([`crate::store::Store::kv`]).
    pub fn new(entries: Entries) -> Self {
        Self {
            entries,
            deciding: Mutex::new(()),
        }
    }

    /// What is held of a log; `None` when it was never cosigned.
    ///
    /// # Errors
    /// `WitnessStoreError`: damage is an error, never a fresh start.
    pub fn held(&self, origin: &KeyName) -> Result<Option<Held>, WitnessStoreError> {
        let found = self.entries.get(&name(origin)).map_err(StoreError::from)?;
        let Some(bytes) = found else { return Ok(None) };
        let damaged = || WitnessStoreError::Damaged(origin.to_string());
        let (&version, record) = bytes.split_first().ok_or_else(damaged)?;
        codec::decode(version, record)
            .map(Some)
            .map_err(|_| damaged())
    }

    /// Decides on a request (c2sp.org/tlog-witness) and, if it may be cosigned, stores its head
    /// durably before returning it. `log` is the key of its origin, `None` when it is not known.
    ///
    /// # Errors
    /// Outer: the store failed, nothing may be cosigned. Inner: the answer to the log.
    pub fn decide(
        &self,
        request: &AddCheckpoint,
        log: Option<&VerifierKey>,
    ) -> Result<Result<TreeHead, Refusal>, WitnessStoreError> {
        let _deciding = self.deciding.lock().map_err(|_| StoreError::Poisoned)?;
        let origin = &request.checkpoint.checkpoint().origin;
        let held = self.held(origin)?;
        let head = match witness::decide(request, log, held.as_ref().map(|held| &held.head)) {
            Ok(head) => head,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let new = Held {
            head,
            note: request.checkpoint.encode(),
        };
        self.store(origin, &new)?;
        Ok(Ok(head))
    }

    /// Replaces what is held, if it still is `expected`: for taking over a mirror's state.
    ///
    /// # Errors
    /// `WitnessStoreError`; otherwise gives whether it was replaced.
    pub fn compare_and_set(
        &self,
        origin: &KeyName,
        expected: Option<&TreeHead>,
        new: &Held,
    ) -> Result<bool, WitnessStoreError> {
        let _deciding = self.deciding.lock().map_err(|_| StoreError::Poisoned)?;
        let held = self.held(origin)?;
        let backwards = held
            .as_ref()
            .is_some_and(|held| held.head.size > new.head.size);
        if backwards || held.as_ref().map(|held| &held.head) != expected {
            return Ok(false);
        }
        self.store(origin, new)?;
        Ok(true)
    }

    fn store(&self, origin: &KeyName, new: &Held) -> Result<(), WitnessStoreError> {
        let mut value = vec![Held::VERSION];
        value.extend_from_slice(&codec::encode(new));
        // A crash before this leaves the older head, for which nobody has a newer cosignature.
        self.entries.put(&name(origin), &value)?;
        Ok(())
    }
}

fn name(origin: &KeyName) -> Vec<u8> {
    [PREFIX, origin.as_str().as_bytes()].concat()
}
