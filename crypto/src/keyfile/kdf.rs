//! From passphrase to key: Argon2id with bounded cost.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use zeroize::Zeroizing;

use super::{KeyFileError, SALT_LEN};
use crate::keys::KEY_LEN;

/// Cost of deriving a key from a passphrase (Argon2id, RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfParams {
    /// Memory in KiB, [`Self::MEMORY_KIB_MIN`] to [`Self::MEMORY_KIB_MAX`].
    pub memory_kib: u32,
    /// Passes over the memory, 1 to [`Self::PASSES_MAX`].
    pub passes: u32,
    /// Lanes, 1 to [`Self::LANES_MAX`].
    pub lanes: u32,
}

impl KdfParams {
    /// 8 MiB: below this a graphics card guesses too fast to speak of protection.
    pub const MEMORY_KIB_MIN: u32 = 8 * 1024;
    /// 1 GiB: fits the smallest machine that a node runs on.
    pub const MEMORY_KIB_MAX: u32 = 1024 * 1024;
    /// With the most memory, some ten seconds on a slow core.
    pub const PASSES_MAX: u32 = 16;
    /// More lanes than cores help nobody but the attacker.
    pub const LANES_MAX: u32 = 16;

    /// RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
    pub const RECOMMENDED: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };
    /// The least that is accepted, for tests and for machines that cannot do more.
    pub const MINIMUM: Self = Self {
        memory_kib: Self::MEMORY_KIB_MIN,
        passes: 1,
        lanes: 1,
    };

    /// The parameters, if they are within the limits.
    pub(super) fn check(self) -> Result<Self, KeyFileError> {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        let fine = (Self::MEMORY_KIB_MIN..=Self::MEMORY_KIB_MAX).contains(&memory_kib)
            && (1..=Self::PASSES_MAX).contains(&passes)
            && (1..=Self::LANES_MAX).contains(&lanes);
        if fine {
            Ok(self)
        } else {
            Err(KeyFileError::Params(self))
        }
    }
}

impl Default for KdfParams {
    fn default() -> Self {
        Self::RECOMMENDED
    }
}

/// The single-use cipher of one file.
///
/// # Errors
/// [`KeyFileError::Params`], [`KeyFileError::EmptyPassphrase`] or [`KeyFileError::OutOfMemory`].
pub(super) fn derive(
    passphrase: &[u8],
    params: KdfParams,
    salt: &[u8; SALT_LEN],
) -> Result<ChaCha20Poly1305, KeyFileError> {
    let KdfParams {
        memory_kib,
        passes,
        lanes,
    } = params.check()?;
    if passphrase.is_empty() {
        return Err(KeyFileError::EmptyPassphrase);
    }
    let argon2_params = Params::new(memory_kib, passes, lanes, Some(KEY_LEN))
        .map_err(|_| KeyFileError::Params(params))?;
    // Our own memory, because the library leaves its matrix behind, and its last block is all
    // that the key is made of.
    let mut memory = Zeroizing::new(Vec::<Block>::new());
    let blocks = argon2_params.block_count();
    memory
        .try_reserve_exact(blocks)
        .map_err(|_| KeyFileError::OutOfMemory)?;
    memory.resize(blocks, Block::new());
    let mut key = Zeroizing::new([0; KEY_LEN]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, argon2_params)
        .hash_password_into_with_memory(passphrase, salt, &mut *key, memory.as_mut_slice())
        .map_err(|_| KeyFileError::Params(params))?;
    Ok(ChaCha20Poly1305::new((&*key).into()))
}
