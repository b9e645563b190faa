//! Fresh randomness from the operating system, for keys.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

/// The operating system gave no randomness. No key may be made without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness: check /dev/urandom and the sandbox")]
pub struct EntropyError;

/// A generator for one command's keys and salts, seeded afresh by the operating system.
///
/// # Errors
/// [`EntropyError`].
pub fn os_rng() -> Result<ChaCha20Rng, EntropyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| EntropyError)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}
