//! Randomness for keys, nonces, salts and internal ids, from the operating system each time.

use crypto::keys::SymmetricKey;
use zeroize::Zeroizing;

/// The operating system gave no randomness. Nothing may be sealed without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness: check /dev/urandom and the sandbox")]
pub struct EntropyError;

/// `N` fresh bytes.
///
/// # Errors
/// `EntropyError`.
pub fn bytes<const N: usize>() -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| EntropyError)?;
    Ok(bytes)
}

/// A fresh symmetric key.
///
/// # Errors
/// `EntropyError`.
pub fn key() -> Result<SymmetricKey, EntropyError> {
    let bytes = Zeroizing::new(bytes::<32>()?);
    Ok(SymmetricKey::from_bytes(&bytes))
}
