//! What people and the shell may ask of the owner's machine: cases, and whether a fetch may go.

use super::Owner;
use super::case::Case;
use crate::case::State;
use crate::core::context::Context;
use crate::document::session;
use crate::ids::{CaseId, Fence, NodeId, StudyId};
use crate::time::Now;
use crate::transfer::request::FetchStatus;
use crate::urgency::Urgency;
use crypto::digest::Digest;

/// A case, for a worklist. It names no patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseView {
    /// The case.
    pub case: CaseId,
    /// Its state.
    pub state: &'static str,
    /// Its studies.
    pub studies: Vec<StudyId>,
    /// The current lease.
    pub fence: Option<Fence>,
    /// Who holds it.
    pub reader: Option<NodeId>,
    /// Urgency as attested.
    pub urgency: Urgency,
    /// When the report is due, microseconds since the Unix epoch.
    pub deadline_us: u64,
}

/// A fetch that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTicket {
    /// SHA-256 of the grant.
    pub grant_hash: Digest,
    /// SHA-256 of the sealed manifest: only it and what it names may be served.
    pub manifest_digest: Vec<u8>,
}

impl Case {
    /// Whether somebody holds the case now (a reported one is held by nobody).
    pub(super) const fn holds_lease(&self) -> bool {
        match self.state {
            State::Leased | State::Reading => self.lease.is_some(),
            State::Received
            | State::Open
            | State::Offered
            | State::Escalated
            | State::Reported
            | State::Delivered
            | State::Closed
            | State::Cancelled => false,
        }
    }
}

impl Owner {
    /// All cases, in identifier order.
    pub(crate) fn views(&self) -> Vec<CaseView> {
        let view = |case: &Case| CaseView {
            case: case.id,
            state: case.state.name(),
            studies: case.studies.clone(),
            fence: case.lease.as_ref().map(|lease| lease.fence),
            reader: case.lease.as_ref().map(|lease| lease.node),
            urgency: case.urgency,
            deadline_us: case.deadline_us,
        };
        self.cases.values().map(view).collect()
    }

    /// Whether this desk may fetch under this fence now. Asked for every fetch.
    pub(crate) fn may_fetch(
        &self,
        from: NodeId,
        fence: Fence,
        session: &[u8],
        (now, ctx): (Now, &Context),
    ) -> Result<FetchTicket, FetchStatus> {
        let (id, lease) = self.lease_from(from, fence).ok_or(FetchStatus::NoLease)?;
        let case = self.cases.get(&id).ok_or(FetchStatus::NoLease)?;
        if !case.is_current(fence)
            || !case.holds_lease()
            || now.tick >= lease.expires
            || now.wall.unix_us >= lease.ends_us
        {
            return Err(FetchStatus::NoLease);
        }
        if !lease.fetchable {
            return Err(FetchStatus::NoReceipt);
        }
        let member = ctx
            .roster
            .valid_node(&from, now.wall)
            .map_err(|_| FetchStatus::BadSession)?;
        if member.credential.person != Some(lease.person) {
            return Err(FetchStatus::BadSession);
        }
        session::check(session, lease.person, from, now.wall)
            .map_err(|_| FetchStatus::BadSession)?;
        Ok(FetchTicket {
            grant_hash: lease.grant_hash,
            manifest_digest: lease.manifest_digest,
        })
    }
}
