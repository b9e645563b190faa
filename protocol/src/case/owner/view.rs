//! What people and the shell may ask of the owner's machine: cases, and whether a fetch may go.

use std::collections::BTreeSet;

use super::Owner;
use super::case::{Case, Lease};
use crate::case::State;
use crate::core::context::Context;
use crate::core::then::Then;
use crate::document::session;
use crate::ids::{CaseId, Fence, NodeId, StudyId};
use crate::io::Effect;
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

    /// The releases that may still be granted from or fetched, by SHA-256 of the sealed manifest.
    pub(crate) fn live_releases(&self) -> BTreeSet<Digest> {
        let live = |case: &Case| {
            let dead = case.dead_releases();
            let all = case.past.values().chain(&case.lease);
            let all = all.filter_map(Lease::manifest);
            all.filter(move |manifest| !dead.contains(manifest))
                .collect::<Vec<_>>()
        };
        self.cases.values().flat_map(live).collect()
    }

    /// Has everything removed that was made for releases of a case that are of no use any more.
    pub(super) fn drop_dead(&self, id: CaseId) -> Vec<Then> {
        let dead = self.cases.get(&id).map(Case::dead_releases);
        let dead = dead.unwrap_or_default().into_iter();
        dead.map(|manifest| Then::Run(Effect::DropRelease { manifest }))
            .collect()
    }

    /// The same at once, where the entry that ended them is durable.
    pub(super) fn drop_dead_now(&self, id: CaseId, ctx: &mut Context) {
        for manifest in self
            .cases
            .get(&id)
            .map(Case::dead_releases)
            .unwrap_or_default()
        {
            ctx.run(Effect::DropRelease { manifest });
        }
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
