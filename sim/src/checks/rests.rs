//! After a timeout was handled, the next is later: a node never spins.

use super::Broken;
use crate::host::Host;

/// Checks one host right after its timeout was handled.
///
/// # Errors
/// [`Broken::StillDue`].
pub fn check(host: &Host, at_us: u64) -> Result<(), Broken> {
    let now = host.now(at_us).tick;
    let next = host.core.as_ref().and_then(|core| core.poll_timeout());
    match next.filter(|(due, _)| *due <= now) {
        Some((_, what)) => Err(Broken::StillDue {
            host: host.number,
            what,
        }),
        None => Ok(()),
    }
}
