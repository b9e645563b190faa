//! A walk over a log's entries, in order: encoding, first entry, times, and what hangs on each
//! kind.

use std::collections::{BTreeMap, BTreeSet};

use crypto::digest::Digest;
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::merkle::TreeHead;
use crypto::note::VerifierKey;

use super::fault::{Check, Fault};
use super::reconcile::{Account, Link};
use super::remark::Remark;
use super::report::Report;
use super::times::Clock;
use super::trust::Trust;
use super::{Source, openings, peer, receipt, release, reviews};
use crate::audit::archive::FileName;
use crate::audit::entry::Entry;
use crate::audit::header::{Header, Kind};
use crate::audit::review::Ledger;
use crate::document::grant::Grant;
use crate::ids::PersonId;
use crate::time::Wall;

/// What is known of one grant while the walk goes on.
pub(super) struct Release {
    /// The entry that granted it here.
    pub(super) granted: Option<u64>,
    /// The entry that accepted it here.
    pub(super) accepted: Option<u64>,
    /// The entry with its receipt here.
    pub(super) receipt: Option<u64>,
    /// What is needed later of the grant, if its envelope reads.
    pub(super) grant: Option<Kept>,
}

/// What a receipt and disclosed facts are held against. A grant itself is ten times as long, and
/// one is remembered for each release.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) person: Option<PersonId>,
    pub(super) credential: u64,
    pub(super) fence: u64,
    /// Root of the manifest of what was released.
    pub(super) manifest_root: Option<[u8; 32]>,
}

impl Kept {
    /// Of a grant that reads.
    pub(super) fn of(grant: &Grant) -> Self {
        Self {
            person: PersonId::from_slice(&grant.person),
            credential: grant.credential,
            fence: grant.fence,
            manifest_root: grant
                .prepared
                .as_ref()
                .and_then(|prepared| prepared.manifest_root.as_slice().try_into().ok()),
        }
    }
}

/// The checkpoint of the last proof that a quorum had cosigned. The proofs of an archive have one,
/// and what was verified once holds for the same bytes.
pub(super) struct Cosigned {
    pub(super) signed: SignedCheckpoint,
    pub(super) log: VerifierKey,
    /// When the last witness did, in microseconds since the Unix epoch.
    pub(super) latest_us: Option<u64>,
}

/// The state of the walk.
pub(super) struct Walk<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) trust: &'a Trust,
    pub(super) log: &'a VerifierKey,
    pub(super) report: &'a mut Report,
    pub(super) releases: BTreeMap<Digest, Release>,
    pub(super) links: Vec<Link>,
    /// Every tree that a proof of this log names, and the first entry that it was shown for.
    pub(super) own_heads: BTreeMap<(u64, Digest), u64>,
    /// Files that belong to an entry that was seen.
    pub(super) used: BTreeSet<FileName>,
    /// Entries whose payload is disclosed.
    pub(super) disclosed: BTreeSet<u64>,
    pub(super) cosigned: Option<Cosigned>,
    access: BTreeMap<Digest, u64>,
    clock: Clock,
    reviews: Ledger,
    sealed: u64,
    pub(super) undecided: u64,
}

/// What the walk needs of one entry.
pub(super) struct Seen<'e> {
    pub(super) index: u64,
    pub(super) bytes: &'e [u8],
    pub(super) header: Header,
}

impl Seen<'_> {
    /// When it happened, by its own account.
    pub(super) const fn wall(&self) -> Wall {
        Wall {
            unix_us: self.header.time_us,
            uncertainty_us: self.header.uncertainty_us,
        }
    }

    /// The grant that it names.
    pub(super) fn grant_hash(&self) -> Option<Digest> {
        self.header
            .grant_hash
            .as_slice()
            .try_into()
            .ok()
            .map(Digest)
    }
}

impl<'a> Walk<'a> {
    /// A walk that has seen nothing.
    pub(super) fn new(
        source: &'a dyn Source,
        trust: &'a Trust,
        log: &'a VerifierKey,
        report: &'a mut Report,
    ) -> Self {
        Self {
            source,
            trust,
            log,
            report,
            releases: BTreeMap::new(),
            links: Vec::new(),
            own_heads: BTreeMap::new(),
            used: BTreeSet::new(),
            disclosed: disclosed(source),
            cosigned: None,
            access: BTreeMap::new(),
            clock: Clock::default(),
            reviews: Ledger::default(),
            sealed: 0,
            undecided: 0,
        }
    }

    /// Looks at the next entry.
    pub(super) fn visit(&mut self, index: u64, bytes: &[u8]) {
        self.report.looked(Check::Entries);
        let mut entry = match Entry::decode_bytes(bytes) {
            Ok(entry) => entry,
            Err(error) => return self.wrong(index, error),
        };
        let seen = Seen {
            index,
            bytes,
            // An entry without a header does not decode.
            header: entry.header.take().unwrap_or_default(),
        };
        if index == 0 && seen.header.kind != Kind::NodeStarted as i32 {
            self.wrong(0, Fault::FirstEntry);
        }
        if let Some(fault) = self.clock.observe((index, &seen.header), self.report) {
            self.wrong(index, fault);
        }
        self.reviews.visit(index, &seen.header);
        match Kind::try_from(seen.header.kind) {
            Ok(kind) => self.by_kind(kind, &seen),
            Err(_) => {
                let remark = Remark::UnknownKind(seen.header.kind);
                self.report.remark(Check::Entries, Some(index), remark);
            }
        }
        if !openings::check(self, &seen, &entry) && !entry.payload_digest.is_empty() {
            self.sealed += 1;
        }
    }

    /// Notes what is wrong with an entry itself.
    fn wrong(&mut self, index: u64, fault: impl Into<Fault>) {
        let file = self.bundle(index);
        self.report.fail(Check::Entries, file, Some(index), fault);
    }

    fn by_kind(&mut self, kind: Kind, seen: &Seen<'_>) {
        match kind {
            Kind::ReleaseGranted => release::granted(self, seen),
            Kind::GrantAccepted => peer::accepted(self, seen),
            Kind::ReceiptAccepted => receipt::accepted(self, seen),
            Kind::AccessBegun | Kind::ReportSigned => self.access(seen),
            Kind::AccessEnded => self.access_ended(seen),
            Kind::ReportReceived => self.of_grant(seen),
            Kind::ReleaseRefused => self.report.counts.refusals += 1,
            Kind::LogReviewed => reviews::logged(self, seen),
            Kind::Unspecified
            | Kind::NodeStarted
            | Kind::NodeStopped
            | Kind::ClockAnomaly
            | Kind::CredentialAccepted
            | Kind::OrderReceived
            | Kind::StudyReceived
            | Kind::CaseOpened
            | Kind::CaseOffered
            | Kind::CaseClaimed
            | Kind::CaseHandedBack
            | Kind::LeaseExpired
            | Kind::LeaseResumed
            | Kind::CaseEscalated
            | Kind::CaseClosed
            | Kind::CaseCancelled
            | Kind::ReportDelivered
            | Kind::OpeningDisclosed => (),
        }
    }

    /// Access needs a receipt in the owner's log, an accepted grant in the reader's.
    fn access(&mut self, seen: &Seen<'_>) {
        self.report.looked(Check::Access);
        let Some(hash) = seen.grant_hash() else {
            let file = self.bundle(seen.index);
            return self
                .report
                .fail(Check::Access, file, Some(seen.index), Fault::NoGrant);
        };
        self.access.entry(hash).or_insert(seen.index);
        let fault = match self.releases.get(&hash) {
            None => Fault::UnknownGrant,
            Some(release) if release.granted.is_some() && release.receipt.is_none() => {
                Fault::AccessWithoutReceipt
            }
            Some(_) => return,
        };
        let file = self.bundle(seen.index);
        self.report
            .fail(Check::Access, file, Some(seen.index), fault);
    }

    /// Access that ended is access, unless nothing was moved. A lease may end before any receipt.
    fn access_ended(&mut self, seen: &Seen<'_>) {
        if seen.header.bytes_bucket > 0 || seen.header.instances_bucket > 0 {
            self.access(seen);
        } else {
            self.of_grant(seen);
        }
    }

    /// An entry that names a grant must follow that grant.
    fn of_grant(&mut self, seen: &Seen<'_>) {
        if let Some(hash) = seen.grant_hash() {
            self.report.looked(Check::Access);
            if !self.releases.contains_key(&hash) {
                let file = self.bundle(seen.index);
                self.report
                    .fail(Check::Access, file, Some(seen.index), Fault::UnknownGrant);
            }
        }
    }

    /// Path of the bundle that an entry stands in.
    pub(super) fn bundle(&self, index: u64) -> String {
        bundle_path(index, self.report.size)
    }

    /// Notes a fault about a file that belongs to an entry.
    pub(super) fn fail(&mut self, check: Check, name: FileName, fault: impl Into<Fault>) {
        self.report.fail(check, name, name.entry(), fault);
    }

    /// Reads a file that must be there because of an entry.
    pub(super) fn read(&mut self, check: Check, name: FileName) -> Option<Vec<u8>> {
        self.used.insert(name);
        super::read(self.source, name, check, self.report)
    }

    /// Notes that a witness saw a tree of `size` at `time_us`.
    pub(super) fn witnessed(&mut self, size: u64, time_us: u64) {
        self.clock.cosigned(size, time_us);
    }

    /// Notes every file that belongs to an entry and was not asked for, once all entries were seen.
    pub(super) fn strays(&mut self) {
        let Self {
            source,
            used,
            report,
            ..
        } = self;
        source.each_path(&mut |path| {
            let Some(name) = FileName::parse(path) else {
                return;
            };
            if name.entry().is_some() && !used.contains(&name) {
                report.fail(Check::Files, name, name.entry(), Fault::Stray);
            }
        });
    }

    /// Ends the walk: what is missing shows only now. `cosigned_us` is the latest cosignature on
    /// the last tree.
    pub(super) fn finish(self, cosigned_us: Option<u64>) -> Account {
        if let Some(remark) = cosigned_us.and_then(|us| self.clock.forward_dated(us)) {
            self.report.remark(Check::Entries, None, remark);
        }
        reviews::missed(
            self.reviews.finish(cosigned_us.unwrap_or_default()),
            self.report,
        );
        if self.sealed > 0 {
            self.report
                .remark(Check::Openings, None, Remark::Sealed(self.sealed));
        }
        if self.undecided > 0 {
            let remark = Remark::DecisionsNotMade(self.undecided);
            self.report.remark(Check::Decisions, None, remark);
        }
        for release in self.releases.values() {
            if let (Some(index), None) = (release.granted, release.receipt) {
                self.report
                    .remark(Check::Receipts, Some(index), Remark::GrantWithoutReceipt);
            }
        }
        let mut releases = BTreeMap::new();
        for (hash, release) in self.releases {
            let began = self.access.get(&hash).copied();
            releases.insert(
                hash,
                (release.granted, release.accepted, release.receipt, began),
            );
        }
        let own_heads = self.own_heads.into_iter();
        let head = |((size, root), index)| (TreeHead { size, root }, index);
        Account::new(
            self.log.name(),
            self.links,
            releases,
            own_heads.map(head).collect(),
        )
    }
}

/// The entries whose payload the archive discloses.
fn disclosed(source: &dyn Source) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    source.each_path(&mut |path| {
        if let Some(FileName::Opening(index)) = FileName::parse(path) {
            found.insert(index);
        }
    });
    found
}

/// Path in the archive of the bundle with an entry of a log of `size` entries.
pub(super) fn bundle_path(index: u64, size: u64) -> String {
    use crypto::log::tile::{TILE_WIDTH, Tile, TileKind};
    let size = size.max(index.saturating_add(1));
    match Tile::in_tree(TileKind::Entries, index / TILE_WIDTH, size) {
        Some(tile) => FileName::Tile(tile).to_string(),
        None => FileName::Checkpoint.to_string(),
    }
}
