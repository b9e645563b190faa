//! The node's keys: one file a key, one key a use, sealed under a passphrase unless the operator
//! said otherwise.
//!
//! A key file is readable by its owner alone; one that others can read is refused, because somebody
//! may have read it. Files are created durably and never overwritten: a lost master key loses every
//! stored study.

mod passphrase;

use std::fmt;
use std::path::{Path, PathBuf};

use crypto::keyfile::{KdfParams, KeyFile, KeyFileError, MAX_TEXT_LEN};
use crypto::keys::{SigningKey, SymmetricKey, VerifyingKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::files::{self, FileError, Readers};

pub use passphrase::{Passphrase, PassphraseError};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Connections: the node's identity.
    Transport,
    /// Checkpoints of the node's own log.
    Log,
    /// Grants.
    Hospital,
    /// Adverts, sessions, receipts and reports of a person.
    Person,
    /// Cosignatures of others' checkpoints.
    Witness,
    /// Everything at rest.
    Master,
    /// Credentials: a council member's, kept offline.
    Council,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Transport,
        Self::Log,
        Self::Hospital,
        Self::Person,
        Self::Witness,
        Self::Master,
        Self::Council,
    ];

    /// The name: of its file, and in its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Log => "log",
            Self::Hospital => "hospital",
            Self::Person => "person",
            Self::Witness => "witness",
            Self::Master => "master",
            Self::Council => "council",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it signs, and so has a public half.
    #[must_use]
    pub const fn signs(self) -> bool {
        !matches!(self, Self::Master)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key is not there.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key file is refused.
    #[error("{}: {source}", file.display())]
    KeyFile {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        source: KeyFileError,
    },
    /// The file holds a key of another kind.
    #[error("{}: holds a key for another use", .0.display())]
    OtherKind(PathBuf),
    /// The secret has another length than a key.
    #[error("{}: does not hold a key of 32 bytes", .0.display())]
    Length(PathBuf),
    /// Asked to sign with the master key, or to seal with a signing key.
    #[error("a {0} key cannot be used so")]
    Use(KeyKind),
}

/// A folder of key files, and the passphrase that opens them.
pub struct Keystore {
    folder: PathBuf,
    passphrase: Passphrase,
}

impl Keystore {
    /// The folder as it is; nothing is read yet.
    #[must_use]
    pub const fn new(folder: PathBuf, passphrase: Passphrase) -> Self {
        Self { folder, passphrase }
    }

    /// Whether a key of this kind has a file.
    #[must_use]
    pub fn has(&self, kind: KeyKind) -> bool {
        self.path(kind).exists()
    }

    /// Makes a fresh key and its file. Gives its public half, where it has one.
    ///
    /// # Errors
    /// [`KeystoreError`]; a key that exists is never overwritten.
    pub fn create<R: CryptoRng + ?Sized>(
        &self,
        kind: KeyKind,
        params: KdfParams,
        rng: &mut R,
    ) -> Result<Option<VerifyingKey>, KeystoreError> {
        files::create_secret_folder(&self.folder)?;
        let file = self.path(kind);
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *secret);
        let refused = |source| KeystoreError::KeyFile {
            file: file.clone(),
            source,
        };
        let text = match self.passphrase.bytes() {
            Some(passphrase) => Zeroizing::new(
                KeyFile::seal(kind.name(), &*secret, passphrase, params, rng).map_err(refused)?,
            ),
            None => KeyFile::plain(kind.name(), &*secret).map_err(refused)?,
        };
        files::create(&file, text.as_bytes(), Readers::Owner)?;
        Ok(kind
            .signs()
            .then(|| SigningKey::from_seed(&secret).verifying_key()))
    }

    /// Opens a signing key.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn signing(&self, kind: KeyKind) -> Result<SigningKey, KeystoreError> {
        match kind.signs() {
            true => Ok(SigningKey::from_seed(&*self.secret(kind)?)),
            false => Err(KeystoreError::Use(kind)),
        }
    }

    /// Opens the master key.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn master(&self) -> Result<SymmetricKey, KeystoreError> {
        Ok(SymmetricKey::from_bytes(&*self.secret(KeyKind::Master)?))
    }

    fn secret(&self, kind: KeyKind) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        files::check_secret_folder(&self.folder)?;
        open(&self.path(kind), kind, &self.passphrase)
    }

    fn path(&self, kind: KeyKind) -> PathBuf {
        self.folder.join(format!("{kind}.key"))
    }
}

/// Opens one key file, wherever it lies (a council key on a removable disk).
///
/// # Errors
/// [`KeystoreError`].
pub fn open(
    file: &Path,
    kind: KeyKind,
    passphrase: &Passphrase,
) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
    let refused = |source| KeystoreError::KeyFile {
        file: file.to_owned(),
        source,
    };
    let text = files::read_secret(file, MAX_TEXT_LEN as u64)?;
    let parsed = KeyFile::parse(&text).map_err(refused)?;
    if parsed.kind() != kind.name() {
        return Err(KeystoreError::OtherKind(file.to_owned()));
    }
    let secret = match passphrase.bytes() {
        Some(passphrase) => parsed.unlock(passphrase).map_err(refused)?,
        None => parsed.reveal().map_err(refused)?,
    };
    let secret: &[u8; 32] = secret
        .as_slice()
        .try_into()
        .map_err(|_| KeystoreError::Length(file.to_owned()))?;
    Ok(Zeroizing::new(*secret))
}

/// The secrets that a running node holds. No Debug; each is overwritten when dropped.
pub struct Secrets {
    /// Connections.
    pub transport: SigningKey,
    /// Checkpoints of its own log, for hospitals and readers.
    pub log: Option<SigningKey>,
    /// Grants, for hospitals.
    pub hospital: Option<SigningKey>,
    /// The person's, for readers.
    pub person: Option<SigningKey>,
    /// Cosignatures, for witnesses.
    pub witness: Option<SigningKey>,
    /// Everything at rest, for hospitals and readers.
    pub master: Option<SymmetricKey>,
}

/// Which roles a node has, and so which secrets it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// It is a hospital.
    pub hospital: bool,
    /// It is a reader's desk.
    pub reader: bool,
    /// It is a witness.
    pub witness: bool,
}

impl Roles {
    /// The keys that these roles need, in the order in which they are opened.
    #[must_use]
    pub fn keys(self) -> Vec<KeyKind> {
        let owns_a_log = self.hospital || self.reader;
        [
            (KeyKind::Transport, true),
            (KeyKind::Log, owns_a_log),
            (KeyKind::Hospital, self.hospital),
            (KeyKind::Person, self.reader),
            (KeyKind::Witness, self.witness),
            (KeyKind::Master, owns_a_log),
        ]
        .into_iter()
        .filter_map(|(kind, needed)| needed.then_some(kind))
        .collect()
    }
}

impl Secrets {
    /// Opens all keys that the roles need.
    ///
    /// # Errors
    /// [`KeystoreError`] for the first that is not there or does not open.
    pub fn open(keystore: &Keystore, roles: Roles) -> Result<Self, KeystoreError> {
        let needed = roles.keys();
        let signing = |kind: KeyKind| match needed.contains(&kind) {
            true => keystore.signing(kind).map(Some),
            false => Ok(None),
        };
        Ok(Self {
            transport: keystore.signing(KeyKind::Transport)?,
            log: signing(KeyKind::Log)?,
            hospital: signing(KeyKind::Hospital)?,
            person: signing(KeyKind::Person)?,
            witness: signing(KeyKind::Witness)?,
            master: match needed.contains(&KeyKind::Master) {
                true => Some(keystore.master()?),
                false => None,
            },
        })
    }
}

#[cfg(test)]
mod tests;
