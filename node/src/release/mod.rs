//! The hospital's side of a release: making it, keeping it, serving it.
//!
//! ```text
//! studies -> [ make ] -> releases/<digest>          sealed manifest, sealed header pack
//!                        releases/<manifest>.files  what the manifest names, with lengths
//! desk    <- [ serve ] <- these files, and the sealed bulk files where they rest
//! ```
//! Serving needs no key: whoever reads this folder learns sizes, and nothing else.

pub mod error;
pub mod files;
pub mod folder;
pub mod make;
pub(crate) mod order;
pub mod serve;
pub mod source;

pub use error::ReleaseError;
pub use folder::ReleaseFolder;
pub use make::ReleaseMaker;
pub use serve::{Server, ServerLimits};
pub use source::{ReleaseSource, SealedRead, SourceFault, SourceObject};

use zeroize::Zeroize;

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoEntropy;

/// Random bytes from the operating system.
///
/// # Errors
/// [`NoEntropy`].
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// Overwrites every key in a manifest that is not needed any more.
pub(crate) fn wipe(manifest: &mut protocol::transfer::manifest::Manifest) {
    let bulks = manifest.objects.iter_mut().flat_map(|o| o.bulks.iter_mut());
    let files = bulks.filter_map(|bulk| bulk.file.as_mut());
    for file in manifest.headers.iter_mut().chain(files) {
        file.key.zeroize();
        file.plain_salt.zeroize();
    }
}
