//! The audit archive's source: the log, the payloads and the trust files of this node.

use std::path::Path;

use crypto::envelope::MAX_ENCODED_LEN;
use crypto::keys::SigningKey;
use crypto::log::reader::TileReader as _;
use crypto::note::NoteSignature;
use protocol::limits;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::vault::Vault;
use crate::archive::{ExportSource, TrustFiles, export};
use crate::config::Settings;
use crate::driver::log::{LogHandle, PayloadStore as _};
use crate::driver::ports::Undone;
use crate::files;

/// The longest quorum file, as the configuration reads it.
const QUORUM_MAX: u64 = 1 << 20;

/// Reads what an archive holds. No Debug: it holds the log's key.
pub(super) struct Export {
    log: LogHandle,
    key: SigningKey,
    vault: Vault,
    settings: Settings,
    credentials: Vec<(u64, Vec<u8>)>,
}

impl Export {
    pub(super) fn new(
        log: LogHandle,
        key: SigningKey,
        vault: Vault,
        (settings, mut credentials): (&Settings, Vec<(u64, Vec<u8>)>),
    ) -> Self {
        credentials.sort_by_key(|(serial, _)| *serial);
        Self {
            log,
            key,
            vault,
            settings: settings.clone(),
            credentials,
        }
    }

    /// Writes an archive into a folder that is absent or empty. Blocks.
    pub(super) fn write(&self, dir: &Path) -> Result<Value, Undone> {
        let exported = export(self, dir).map_err(Undone::of)?;
        Ok(json!({
            "folder": exported.folder.display().to_string(),
            "origin": exported.origin,
            "entries": exported.entries,
            "files": exported.files,
            "bytes": exported.bytes,
        }))
    }
}

impl ExportSource for Export {
    type Error = Undone;

    fn checkpoint(&self) -> Result<Vec<u8>, Undone> {
        let none = || Undone("no checkpoint has been cosigned yet".to_owned());
        Ok(self.log.cosigned().ok_or_else(none)?.encode())
    }

    fn tile(&self, path: &str) -> Result<Option<Vec<u8>>, Undone> {
        Ok(self.log.files().read(path))
    }

    fn payload(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Undone> {
        let sealed = self.vault.sealed(index).map_err(Undone::of)?;
        let opened = self.vault.open(index, &sealed).map_err(Undone::of)?;
        Ok(Some(opened.openings))
    }

    fn trust(&self) -> Result<TrustFiles, Undone> {
        let read = |file: &Path, most| files::read(file, most).map_err(Undone::of);
        let consortium = &self.settings.consortium;
        let none = || Undone("this node has no policy".to_owned());
        let policy = self.settings.policy.as_ref().ok_or_else(none)?;
        let most = limits::POLICY_MAX as u64;
        Ok(TrustFiles {
            genesis: read(&consortium.genesis, MAX_ENCODED_LEN as u64)?,
            credentials: self.credentials.clone(),
            quorum: read(&consortium.quorum, QUORUM_MAX)?,
            policy: read(&policy.rules, most)?,
            schema: read(&policy.schema, most)?,
        })
    }

    fn sign(&self, text: &str) -> Result<NoteSignature, Undone> {
        Ok(NoteSignature::ed25519(
            text,
            self.log.key().name(),
            &self.key,
        ))
    }
}
