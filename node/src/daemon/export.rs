//! The audit archive's source: the log, the payloads and the trust files of this node.

use std::collections::BTreeMap;
use std::path::Path;

use crypto::digest::Digest;
use crypto::envelope::{Envelope, MAX_ENCODED_LEN};
use crypto::keys::SigningKey;
use crypto::log::quorum::MAX_POLICY_LEN;
use crypto::note::NoteSignature;
use protocol::limits;
use protocol::member::{Credential, Genesis, Roster};
use protocol::time::Wall;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::vault::Vault;
use crate::archive::{ExportSource, Exported, TrustFiles, export};
use crate::config::{CREDENTIAL_ENDING, Settings};
use crate::driver::log::{LogHandle, PayloadFault, PayloadSeal as _};
use crate::driver::ports::Undone;
use crate::files;

/// Reads what an archive holds. No Debug: it holds the log's key.
pub(super) struct Export {
    pub(super) log: LogHandle,
    key: SigningKey,
    pub(super) vault: Vault,
    settings: Settings,
    genesis: (Genesis, Digest),
}

impl Export {
    pub(super) fn new(
        log: LogHandle,
        key: SigningKey,
        vault: Vault,
        (settings, genesis): (&Settings, (Genesis, Digest)),
    ) -> Self {
        Self {
            log,
            key,
            vault,
            settings: settings.clone(),
            genesis,
        }
    }

    /// Every credential of the consortium that this node holds, those that were renewed since too:
    /// what was granted under an older one is proved by the older one.
    fn credentials(&self) -> Result<Vec<(u64, Vec<u8>)>, Undone> {
        let consortium = &self.settings.consortium;
        let listed = files::list(
            &consortium.credentials,
            CREDENTIAL_ENDING,
            limits::SERIALS_MAX,
        );
        let too_many = || Undone("too many credentials".to_owned());
        let listed = listed.map_err(Undone::of)?.ok_or_else(too_many)?;
        let mut found = BTreeMap::new();
        for file in listed.iter().chain([&consortium.credential]) {
            let envelope = files::read(file, MAX_ENCODED_LEN as u64).map_err(Undone::of)?;
            if let Some(serial) = self.serial(&envelope) {
                found.entry(serial).or_insert(envelope);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The serial number of a credential that held when it began; `None` for anything else.
    fn serial(&self, envelope: &[u8]) -> Option<u64> {
        let opened = Envelope::decode(envelope).ok()?;
        let credential = Credential::decode(&opened.payload).ok()?;
        let began = Wall {
            unix_us: credential.not_before.checked_mul(1_000_000)?,
            uncertainty_us: 0,
        };
        let (genesis, hash) = self.genesis.clone();
        let mut roster = Roster::new(genesis, hash);
        roster
            .admit(envelope, began)
            .ok()
            .map(|member| member.credential.serial)
    }

    /// Writes an archive into a folder that is absent or empty. Blocks.
    pub(super) fn write(&self, dir: &Path) -> Result<Value, Undone> {
        Ok(shown(&export(self, dir).map_err(Undone::of)?))
    }
}

/// What was written, for whoever asked.
pub(super) fn shown(exported: &Exported) -> Value {
    json!({
        "folder": exported.folder.display().to_string(),
        "origin": exported.origin,
        "entries": exported.entries,
        "files": exported.files,
        "bytes": exported.bytes,
    })
}

impl ExportSource for Export {
    type Error = Undone;

    fn checkpoint(&self) -> Result<Vec<u8>, Undone> {
        let none = || Undone("no checkpoint has been cosigned yet".to_owned());
        Ok(self.log.reader().cosigned().ok_or_else(none)?.encode())
    }

    fn tile(&self, path: &str) -> Result<Option<Vec<u8>>, Undone> {
        self.log.reader().resource(path).map_err(Undone::of)
    }

    fn payload(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Undone> {
        let Some(sealed) = self.log.reader().payload(index).map_err(Undone::of)? else {
            return Ok(None);
        };
        match self.vault.open(index, &sealed.bytes) {
            Ok(opened) => Ok(Some(opened.openings)),
            Err(PayloadFault::Erased) => Ok(None),
            Err(fault @ PayloadFault::Failed(_)) => Err(Undone::of(fault)),
        }
    }

    fn trust(&self) -> Result<TrustFiles, Undone> {
        let read = |file: &Path, most| files::read(file, most).map_err(Undone::of);
        let consortium = &self.settings.consortium;
        let none = || Undone("this node has no policy".to_owned());
        let policy = self.settings.policy.as_ref().ok_or_else(none)?;
        let most = limits::POLICY_MAX as u64;
        Ok(TrustFiles {
            genesis: read(&consortium.genesis, MAX_ENCODED_LEN as u64)?,
            credentials: self.credentials()?,
            quorum: read(&consortium.quorum, MAX_POLICY_LEN as u64)?,
            quorum_paper: read(&consortium.quorum_paper(), MAX_ENCODED_LEN as u64)?,
            policy: read(&policy.rules, most)?,
            schema: read(&policy.schema, most)?,
        })
    }

    fn sign(&self, text: &str) -> Result<NoteSignature, Undone> {
        Ok(NoteSignature::ed25519(
            text,
            self.log.reader().verifier().name(),
            &self.key,
        ))
    }
}
