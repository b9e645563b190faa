//! One case as its owner keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crypto::digest::Digest;

use crate::audit::record::{OrderRecord, StudyRecord};
use crate::case::State;
use crate::document::session::CheckedSession;
use crate::ids::{CaseId, Fence, NodeId, OfferId, PersonId, StudyId, SubjectId};
use crate::limits;
use crate::policy::{Decision, Facts};
use crate::time::{Now, Tick, Wall};
use crate::urgency::Urgency;

/// A case.
pub(super) struct Case {
    pub(super) id: CaseId,
    pub(super) state: State,
    pub(super) order: OrderRecord,
    pub(super) study: StudyRecord,
    pub(super) studies: Vec<StudyId>,
    pub(super) subject: SubjectId,
    pub(super) urgency: Urgency,
    pub(super) deadline_us: u64,
    pub(super) subspecialty: String,
    /// Rings so far.
    pub(super) ring: u32,
    /// When the next ring is due.
    pub(super) ring_due: Option<Tick>,
    /// Who was asked, and under which offer.
    pub(super) asked: BTreeMap<NodeId, OfferId>,
    /// Offers of a logged ring that are still to be sent, with their time.
    pub(super) staggered: Vec<(Tick, NodeId)>,
    /// Whom the policy refused, and by which rules each time, so that it is logged once.
    pub(super) refused: BTreeMap<NodeId, BTreeSet<Vec<String>>>,
    /// When the case is escalated.
    pub(super) escalate_due: Option<Tick>,
    pub(super) granting: Option<Granting>,
    /// Why no release can be made, since when it cannot.
    pub(super) unmade: Option<Unmade>,
    pub(super) lease: Option<Lease>,
    /// Leases that are over.
    pub(super) past: BTreeMap<Fence, Lease>,
    /// The primary report.
    pub(super) report: Option<Primary>,
    /// The receiving system acknowledged the report.
    pub(super) acknowledged: bool,
    /// When delivery is tried again.
    pub(super) delivery_due: Option<Tick>,
    /// A delivery is under way.
    pub(super) delivering: bool,
}

/// A release that could not be made.
pub(super) struct Unmade {
    /// Why, in words without patient data.
    pub(super) reason: String,
    /// How often in a row.
    pub(super) times: u32,
    /// Until then it is not tried again.
    pub(super) until: Tick,
    /// People were told.
    pub(super) paged: bool,
}

/// A claim on its way to a grant.
pub(super) struct Granting {
    pub(super) offer: OfferId,
    pub(super) node: NodeId,
    pub(super) credential: u64,
    pub(super) session: CheckedSession,
    pub(super) session_bytes: Vec<u8>,
    pub(super) decision: Decision,
    pub(super) facts: Facts,
    /// The release that was made for it.
    pub(super) manifest: Option<Digest>,
    /// Its bytes and objects.
    pub(super) volume: (u64, u64),
}

/// A lease.
#[derive(Clone)]
pub(super) struct Lease {
    pub(super) fence: Fence,
    pub(super) offer: OfferId,
    pub(super) node: NodeId,
    pub(super) person: PersonId,
    pub(super) grant_hash: Digest,
    pub(super) manifest_root: Vec<u8>,
    pub(super) manifest_digest: Vec<u8>,
    pub(super) from_to: (String, String),
    /// It is from before a restart, and nothing was heard of its holder since.
    pub(super) unheard: bool,
    /// The grant's entry is cosigned: it may be sent.
    pub(super) sendable: bool,
    /// The reader's receipt is logged here.
    pub(super) receipted: bool,
    /// The receipt's entry is durable: images may be fetched.
    pub(super) fetchable: bool,
    /// It was resumed, and the entry that says so is not durable yet.
    pub(super) resuming: bool,
    /// When it ends whatever is renewed, microseconds since the Unix epoch.
    pub(super) ends_us: u64,
    /// When it runs out without a renewal.
    pub(super) expires: Tick,
    /// Until then it is renewed without a receipt.
    pub(super) receipt_due: Tick,
    /// It ran out while the log took no entry: looked at again then.
    pub(super) look_again: Option<Tick>,
    /// How it ended; `None` for one that stands.
    pub(super) ending: Option<Ending>,
    /// When the holder of an expired one may no longer resume.
    pub(super) grace: Tick,
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// Additional or primary reports received under it, by digest.
    pub(super) reports: Vec<Digest>,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It ran out at this time, microseconds since the Unix epoch. Its holder may resume within
    /// grace.
    Expired(u64),
    /// Its holder gave it back.
    HandedBack,
    /// The hospital cancelled the case.
    Cancelled,
    /// It had run out, and the case was granted again.
    Superseded,
}

impl Ending {
    /// What is left of the grace of an expired lease. A clock that was set back leaves none: it
    /// does not say how long ago it was.
    pub(super) fn grace_left(self, wall: Wall) -> Duration {
        let at_us = match self {
            Self::Expired(at_us) => at_us,
            Self::HandedBack | Self::Cancelled | Self::Superseded => return Duration::ZERO,
        };
        if wall.plus_us(limits::SKEW_MAX) < at_us {
            return Duration::ZERO;
        }
        let since = Duration::from_micros(wall.unix_us.saturating_sub(at_us));
        limits::LEASE_GRACE.saturating_sub(since)
    }
}

impl Lease {
    /// When it is to be looked at whether it ran out.
    pub(super) fn due(&self) -> Tick {
        self.look_again.unwrap_or(self.expires)
    }

    /// SHA-256 of the sealed manifest.
    pub(super) fn manifest(&self) -> Option<Digest> {
        Some(Digest(self.manifest_digest.as_slice().try_into().ok()?))
    }
}

/// The report that counts.
pub(super) struct Primary {
    pub(super) envelope: Vec<u8>,
    pub(super) hash: Digest,
    pub(super) node: NodeId,
    pub(super) fence: Fence,
}

impl Case {
    /// Whether a refusal of this node by these rules is still to be logged.
    pub(super) fn is_new_refusal(&self, node: &NodeId, rules: &Vec<String>) -> bool {
        let logged = self.refused.get(node);
        logged.is_none_or(|by| by.len() < limits::REFUSALS_MAX && !by.contains(rules))
    }

    /// The lease with this fence, current or past.
    pub(super) fn lease_of(&self, fence: Fence) -> Option<&Lease> {
        match &self.lease {
            Some(lease) if lease.fence == fence => Some(lease),
            _ => self.past.get(&fence),
        }
    }

    /// The releases of this case that are of no use any more, whatever comes.
    pub(super) fn dead_releases(&self) -> Vec<Digest> {
        // After the report nothing is fetched any more.
        let over = self.is_over() || matches!(self.state, State::Reported | State::Delivered);
        let superseded = self
            .past
            .values()
            .rev()
            .skip(usize::from(self.lease.is_none()));
        let ended: Vec<&Lease> = match over {
            true => self.past.values().chain(&self.lease).collect(),
            // The newest of the ended ones may be resumed as long as there is no other.
            false => superseded.collect(),
        };
        ended.into_iter().filter_map(Lease::manifest).collect()
    }

    /// Whether this fence is the current lease's.
    pub(super) fn is_current(&self, fence: Fence) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.fence == fence)
    }

    /// Whether the holder of an ended lease may go on: within grace and the read cap, and nobody
    /// else was granted.
    pub(super) fn may_resume(&self, fence: Fence, now: Now) -> bool {
        let newest = self.past.keys().next_back().copied() == Some(fence);
        let open = self.state.after(crate::case::state::Step::Resume).is_some();
        let in_grace = self.past.get(&fence).is_some_and(|past| {
            let expired = match past.ending {
                Some(Ending::Expired(_)) => true,
                Some(Ending::HandedBack | Ending::Cancelled | Ending::Superseded) | None => false,
            };
            let in_time = now.tick < past.grace && now.wall.unix_us < past.ends_us;
            expired && past.receipted && in_time
        });
        newest && open && in_grace && self.lease.is_none() && self.granting.is_none()
    }
}
