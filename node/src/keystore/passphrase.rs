//! Where a passphrase comes from: a file, the environment, or the operator's word that there is
//! none.

use std::ffi::OsString;

use zeroize::{Zeroize as _, Zeroizing};

use crate::config::PassphraseSource;
use crate::files::{self, FileError};

/// The longest passphrase file, in bytes.
const PASSPHRASE_MAX: u64 = 1_024;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Its file cannot be read, or others can read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment variable is not set, or is no text.
    #[error("the environment variable {0} holds no passphrase: set it, or name a file")]
    Variable(String),
    /// It has no characters.
    #[error("the passphrase is empty")]
    Empty,
}

/// A passphrase, or the operator's word that there is none. No Debug.
pub struct Passphrase(Option<Zeroizing<Vec<u8>>>);

impl Passphrase {
    /// Key files are not encrypted.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Takes a passphrase; a line feed at its end is an editor's, not a person's.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`].
    pub fn new(text: &str) -> Result<Self, PassphraseError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(PassphraseError::Empty);
        }
        Ok(Self(Some(Zeroizing::new(text.as_bytes().to_vec()))))
    }

    /// Reads it from where the configuration says.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn read(source: &PassphraseSource) -> Result<Self, PassphraseError> {
        match source {
            PassphraseSource::Unencrypted => Ok(Self::none()),
            PassphraseSource::File(file) => Self::new(&files::read_secret(file, PASSPHRASE_MAX)?),
            PassphraseSource::Variable(name) => Self::variable(name, std::env::var_os(name)),
        }
    }

    fn variable(name: &str, value: Option<OsString>) -> Result<Self, PassphraseError> {
        let missing = || PassphraseError::Variable(name.to_owned());
        let mut text = value
            .and_then(|text| text.into_string().ok())
            .ok_or_else(missing)?;
        let passphrase = Self::new(&text);
        text.zeroize();
        passphrase
    }

    /// Its bytes; `None` for unencrypted key files.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|bytes| bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_has_characters() {
        let bytes = |text: &str| Passphrase::new(text).unwrap().bytes().unwrap().to_vec();
        assert_eq!(bytes("a b\r\n"), b"a b");
        assert_eq!(bytes(" a\n\n"), b" a\n");
        for empty in ["", "\n", "\r\n"] {
            assert!(matches!(
                Passphrase::new(empty),
                Err(PassphraseError::Empty)
            ));
        }
        let variable = |value| Passphrase::variable("X", value);
        assert!(variable(Some("x".into())).unwrap().bytes().is_some());
        assert!(matches!(variable(None), Err(PassphraseError::Variable(name)) if name == "X"));
        assert!(Passphrase::none().bytes().is_none());
    }
}
