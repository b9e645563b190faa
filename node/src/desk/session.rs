//! Desk sessions: the certificate's payload, and the secret half of its prekey until it is purged.
//!
//! ```text
//! <data>/prekeys/<hex public key> = version 1 ‖ file id 16 ‖ sealed secret (segment format, 80)
//! ```
//! The key that seals a secret is derived from the desk's master key and the public key.

use crate::release::{NoEntropy, random};
use crypto::digest::{Digest, hmac};
use crypto::keys::{AgreementPublic, AgreementSecret, SymmetricKey};
use crypto::segment::{SALT_LEN, SEGMENT_LEN, SegmentCipher};
use prost::Message;
use protocol::document::session::Session;
use protocol::ids::{NodeId, PersonId};
use protocol::limits::SESSION_MAX;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Derives the key of one prekey's file.
const PREKEY_LABEL: &str = "radmesh/desk/prekey/1";
/// Version of the file.
const VERSION: u8 = 1;
/// Bytes of the file.
const FILE_LEN: usize = 1 + 16 + SALT_LEN + 32 + 16;
/// Prekeys at one time: one for each shift, kept as long as its leases; far more than ever run.
const PREKEYS_MAX: usize = 1024;

/// Why there is no session, or no prekey.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A file of the folder failed.
    #[error("the folder of prekeys: {action} failed ({kind})")]
    Disk {
        /// What was being done.
        action: &'static str,
        /// The operating system's answer.
        kind: io::ErrorKind,
    },
    /// A file is not what was written, or the master key is another one.
    #[error("prekey {0} does not open: it is damaged, or the master key is another one")]
    Damaged(String),
    /// Longer than a shift.
    #[error("a session lasts at most 16 hours")]
    TooLong,
    /// Too many prekeys are kept.
    #[error("{PREKEYS_MAX} prekeys are kept; hand back or finish open cases first")]
    Full,
    /// The person's key did not sign.
    #[error("the person's key did not sign: {0}")]
    Sign(String),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// What a person says by a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// The person.
    pub person: PersonId,
    /// The desk.
    pub node: NodeId,
    /// Microseconds since the Unix epoch, inclusive.
    pub not_before_us: u64,
    /// Microseconds since the Unix epoch, exclusive.
    pub not_after_us: u64,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// The secrets of a desk's prekeys, in memory and sealed on disk.
pub struct Prekeys {
    folder: PathBuf,
    master: SymmetricKey,
    secrets: Mutex<BTreeMap<[u8; 32], Zeroizing<[u8; 32]>>>,
}

impl Prekeys {
    /// Opens the folder and all prekeys in it. Blocks.
    ///
    /// # Errors
    /// [`SessionError`]; a prekey that does not open stops the desk, since a lease may depend on
    /// it.
    pub fn open(folder: &Path, master: SymmetricKey) -> Result<Self, SessionError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).map_err(disk("create"))?;
        let mut secrets = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(disk("list"))? {
            let path = entry.map_err(disk("list"))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(name) = name else { continue };
            if name.ends_with(".tmp") {
                fs::remove_file(&path).map_err(disk("remove"))?;
                continue;
            }
            let damaged = || SessionError::Damaged(name.to_owned());
            let public = Digest::from_hex(name).map_err(|_| damaged())?.0;
            if secrets.len() >= PREKEYS_MAX {
                return Err(SessionError::Full);
            }
            let secret = unseal(&master, &public, &path)?.ok_or_else(damaged)?;
            secrets.insert(public, secret);
        }
        Ok(Self {
            folder: folder.to_owned(),
            master,
            secrets: Mutex::new(secrets),
        })
    }

    /// Makes a session certificate with a fresh prekey, whose secret is durable when this returns.
    /// `sign` makes an envelope of a payload with the person's key. Blocks.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn session(
        &self,
        terms: &SessionTerms,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(Vec<u8>, AgreementPublic), SessionError> {
        let span = terms.not_after_us.checked_sub(terms.not_before_us);
        if span.is_none_or(|span| u128::from(span) > SESSION_MAX.as_micros()) {
            return Err(SessionError::TooLong);
        }
        if self.lock().len() >= PREKEYS_MAX {
            return Err(SessionError::Full);
        }
        let secret = AgreementSecret::from_bytes(&Zeroizing::new(random()?));
        let public = secret.public();
        self.keep(&public, &secret)?;
        let payload = Session {
            version: 1,
            person: terms.person.to_vec(),
            node: terms.node.to_vec(),
            prekey: public.as_bytes().to_vec(),
            not_before_us: terms.not_before_us,
            not_after_us: terms.not_after_us,
            country: terms.country.clone(),
        };
        match sign(&payload.encode_to_vec()) {
            Ok(envelope) => Ok((envelope, public)),
            Err(reason) => {
                self.purge(public.as_bytes())?;
                Err(SessionError::Sign(reason))
            }
        }
    }

    /// The secret of a prekey.
    pub(crate) fn get(&self, public: &[u8; 32]) -> Option<AgreementSecret> {
        let secrets = self.lock();
        secrets
            .get(public)
            .map(|secret| AgreementSecret::from_bytes(secret))
    }

    /// Forgets a prekey, in memory and on disk: what was sealed to it can no longer be opened.
    /// Blocks.
    ///
    /// # Errors
    /// [`SessionError::Disk`]; the memory is clean even then.
    pub fn purge(&self, public: &[u8; 32]) -> Result<(), SessionError> {
        self.lock().remove(public);
        match fs::remove_file(self.folder.join(Digest(*public).to_hex())) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(disk("remove")(error)),
        }
    }

    /// Seals a secret, writes it durably, and keeps it in memory.
    fn keep(&self, public: &AgreementPublic, secret: &AgreementSecret) -> Result<(), SessionError> {
        let (file_id, salt) = (random::<16>()?, random::<SALT_LEN>()?);
        let bytes = secret.to_bytes();
        let mut body = bytes.to_vec();
        let key = file_key(&self.master, public.as_bytes());
        let cipher = SegmentCipher::new(&key, file_id, salt, body.len() as u64);
        let tag = cipher.seal_detached(0, true, &mut body);
        let tag = tag.map_err(|_| SessionError::Damaged(public.to_hex()))?;
        let file = [&[VERSION][..], &file_id, &salt, &body, &tag].concat();
        let name = public.to_hex();
        let making = self.folder.join(format!("{name}.tmp"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut out = options.open(&making).map_err(disk("create"))?;
        out.write_all(&file).map_err(disk("write"))?;
        out.sync_data().map_err(disk("sync"))?;
        fs::rename(&making, self.folder.join(name)).map_err(disk("rename"))?;
        self.sync_folder()?;
        self.lock().insert(*public.as_bytes(), bytes);
        Ok(())
    }

    fn sync_folder(&self) -> Result<(), SessionError> {
        let folder = File::open(&self.folder).map_err(disk("open"))?;
        folder.sync_all().map_err(disk("sync"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Zeroizing<[u8; 32]>>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of one prekey's file.
fn file_key(master: &SymmetricKey, public: &[u8; 32]) -> SymmetricKey {
    SymmetricKey::from_bytes(&Zeroizing::new(hmac(master, PREKEY_LABEL, &[public]).0))
}

/// Reads a prekey's file; `None` if it does not open.
fn unseal(
    master: &SymmetricKey,
    public: &[u8; 32],
    path: &Path,
) -> Result<Option<Zeroizing<[u8; 32]>>, SessionError> {
    let file = File::open(path).map_err(disk("open"))?;
    let mut bytes = Vec::new();
    let mut limited = file.take(FILE_LEN as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(disk("read"))?;
    Ok(parse(master, public, &bytes))
}

fn parse(master: &SymmetricKey, public: &[u8; 32], file: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    const { assert!(FILE_LEN < SEGMENT_LEN) };
    if file.len() != FILE_LEN {
        return None;
    }
    let (version, rest) = file.split_first()?;
    let (file_id, rest) = rest.split_first_chunk::<16>()?;
    let (salt, sealed) = rest.split_first_chunk::<SALT_LEN>()?;
    if *version != VERSION {
        return None;
    }
    let cipher = SegmentCipher::new(&file_key(master, public), *file_id, *salt, 32);
    let mut sealed = Zeroizing::new(sealed.to_vec());
    cipher.open_segment(0, true, &mut sealed).ok()?;
    let secret = Zeroizing::new(<[u8; 32]>::try_from(sealed.as_slice()).ok()?);
    let found = AgreementSecret::from_bytes(&secret).public();
    (found.as_bytes() == public).then_some(secret)
}

/// For `map_err` on the folder's files.
fn disk(action: &'static str) -> impl Fn(io::Error) -> SessionError {
    move |error| SessionError::Disk {
        action,
        kind: error.kind(),
    }
}
