//! No two desks hold a lease of the same case at the same moment, whatever crashed, was lost or
//! came twice.

use std::collections::BTreeMap;

use protocol::ids::{CaseId, OfferId};

use super::Broken;
use crate::host::Host;

/// Checks all desks against each other.
///
/// # Errors
/// [`Broken::TwoReaders`].
pub fn check(hosts: &[Host], case_of: &BTreeMap<OfferId, CaseId>) -> Result<(), Broken> {
    let mut holders: BTreeMap<CaseId, Vec<usize>> = BTreeMap::new();
    for host in hosts {
        let Some(core) = &host.core else { continue };
        for lease in core.leases().into_iter().filter(|lease| lease.held) {
            if let Some(case) = case_of.get(&lease.offer) {
                holders.entry(*case).or_default().push(host.number);
            }
        }
    }
    match holders.into_iter().find(|(_, held_by)| held_by.len() > 1) {
        Some((case, holders)) => Err(Broken::TwoReaders {
            case: case.to_string(),
            holders,
        }),
        None => Ok(()),
    }
}
