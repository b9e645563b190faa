//! The address book: who is a member, where each is found, and when to dial again.
//!
//! Pure: time and jitter are arguments. A node is dialled at its direct addresses first and through
//! relays only when those fail, so that bulk does not ride a relay by chance.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::{Multiaddr, PeerId};
use protocol::ids::NodeId;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::config::{Roster, Timing};
use super::handle::RosterChange;
use super::identity::{dial_address, is_relayed, peer_of};
use super::limits::{ADDRESSES_MAX, ROSTER_MAX, STABLE};

/// Doubling stops here: 2^6 times any sensible first wait is past the longest wait.
const DOUBLINGS_MAX: u32 = 6;

/// A member as the dialer sees it.
struct Contact {
    peer: PeerId,
    direct: Vec<Multiaddr>,
    relayed: Vec<Multiaddr>,
    /// Whether to stay connected.
    warm: bool,
    state: State,
    /// Dials in a row that brought no stable connection.
    failures: u32,
}

/// What the dialer is doing about a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected; dial at that time if warm.
    Idle { due: Instant },
    /// A dial to direct or relayed addresses is under way.
    Dialing { relayed: bool },
    /// Connected since.
    Up { since: Instant },
}

/// What follows a failed dial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterFailure {
    /// Dial these relayed addresses.
    TryRelayed(PeerId, Vec<Multiaddr>),
    /// Nothing more to try before the next due time.
    GiveUp,
}

/// Members and their addresses.
pub(super) struct Book {
    own: NodeId,
    timing: Timing,
    warm_peers: usize,
    bootstrap: Roster,
    contacts: BTreeMap<NodeId, Contact>,
}

impl Book {
    /// An empty book; nobody is a member before the first [`Book::replace`].
    pub(super) fn new(own: NodeId, timing: Timing, warm_peers: usize, bootstrap: Roster) -> Self {
        Self {
            own,
            timing,
            warm_peers,
            bootstrap,
            contacts: BTreeMap::new(),
        }
    }

    /// Whether a node is in the roster.
    pub(super) fn is_member(&self, node: NodeId) -> bool {
        self.contacts.contains_key(&node)
    }

    /// The libp2p name of a member.
    pub(super) fn peer(&self, node: NodeId) -> Option<PeerId> {
        self.contacts.get(&node).map(|contact| contact.peer)
    }

    /// Replaces the roster. Members that stay keep their connection state.
    pub(super) fn replace(&mut self, roster: &Roster, now: Instant) -> RosterChange {
        let mut change = RosterChange::default();
        let mut old = std::mem::take(&mut self.contacts);
        for (node, addresses) in roster.iter().filter(|(node, _)| **node != self.own) {
            let peer = peer_of(*node)
                .ok()
                .filter(|_| self.contacts.len() < ROSTER_MAX);
            let Some(peer) = peer else {
                change.skipped.push(*node);
                continue;
            };
            let known = old.remove(node);
            if known.is_none() {
                change.added.push(*node);
            }
            let (state, failures) = known.map_or((State::Idle { due: now }, 0), |known| {
                (known.state, known.failures)
            });
            let (relayed, direct) = self.addresses(*node, addresses);
            let contact = Contact {
                peer,
                direct,
                relayed,
                warm: false,
                state,
                failures,
            };
            self.contacts.insert(*node, contact);
        }
        change.removed = old.into_keys().collect();
        self.choose_warm();
        change
    }

    /// Begins a dial of a member that is neither connected nor being dialled: its name and
    /// addresses. `None` when it is one of these, is no member, or has no address.
    pub(super) fn start_dial(&mut self, node: NodeId) -> Option<(PeerId, Vec<Multiaddr>)> {
        let contact = self.contacts.get_mut(&node)?;
        if !matches!(contact.state, State::Idle { .. }) {
            return None;
        }
        let relayed = contact.direct.is_empty();
        let addresses = if relayed {
            &contact.relayed
        } else {
            &contact.direct
        };
        if addresses.is_empty() {
            return None;
        }
        contact.state = State::Dialing { relayed };
        Some((contact.peer, addresses.clone()))
    }

    /// Whether a dial of the member is under way.
    pub(super) fn is_dialing(&self, node: NodeId) -> bool {
        let state = self.contacts.get(&node).map(|contact| contact.state);
        matches!(state, Some(State::Dialing { .. }))
    }

    /// A dial failed. `jitter` is uniform in 0..=255.
    pub(super) fn dial_failed(&mut self, node: NodeId, now: Instant, jitter: u8) -> AfterFailure {
        let timing = self.timing;
        let Some(contact) = self.contacts.get_mut(&node) else {
            return AfterFailure::GiveUp;
        };
        match contact.state {
            State::Up { .. } => return AfterFailure::GiveUp,
            State::Dialing { relayed: false } if !contact.relayed.is_empty() => {
                contact.state = State::Dialing { relayed: true };
                return AfterFailure::TryRelayed(contact.peer, contact.relayed.clone());
            }
            State::Dialing { .. } | State::Idle { .. } => {}
        }
        contact.retreat(&timing, now, jitter);
        AfterFailure::GiveUp
    }

    /// The first connection to a member is up.
    pub(super) fn connected(&mut self, node: NodeId, now: Instant) {
        if let Some(contact) = self.contacts.get_mut(&node) {
            contact.state = State::Up { since: now };
        }
    }

    /// The last connection to a member is gone.
    pub(super) fn disconnected(&mut self, node: NodeId, now: Instant, jitter: u8) {
        let timing = self.timing;
        let Some(contact) = self.contacts.get_mut(&node) else {
            return;
        };
        if let State::Up { since } = contact.state
            && now.duration_since(since) >= STABLE
        {
            contact.failures = 0;
        }
        contact.retreat(&timing, now, jitter);
    }

    /// Members to stay connected to whose time to be dialled has come.
    pub(super) fn due(&self, now: Instant) -> Vec<NodeId> {
        let due = |contact: &Contact| {
            contact.warm && matches!(contact.state, State::Idle { due } if due <= now)
        };
        self.contacts
            .iter()
            .filter(|(_, contact)| due(contact))
            .map(|(node, _)| *node)
            .collect()
    }

    /// A member's usable addresses, bootstrap first: (relayed, direct).
    fn addresses(&self, node: NodeId, listed: &[Multiaddr]) -> (Vec<Multiaddr>, Vec<Multiaddr>) {
        let mut seen = BTreeSet::new();
        self.bootstrap
            .get(&node)
            .into_iter()
            .flatten()
            .chain(listed)
            .filter_map(|address| match dial_address(node, address) {
                Ok(address) => Some(address),
                Err(error) => {
                    tracing::warn!(%node, %error, "roster address left out");
                    None
                }
            })
            .filter(|address| seen.insert(address.clone()))
            .take(ADDRESSES_MAX)
            .partition(is_relayed)
    }

    /// Bootstrap nodes, and as many others as wanted: those nearest by a hash of both ids. Every
    /// node ranks the others differently, so the neighbourhoods form a random graph without a hub.
    fn choose_warm(&mut self) {
        let mut ranked: Vec<([u8; 32], NodeId)> = self
            .contacts
            .iter()
            .filter(|(_, contact)| !(contact.direct.is_empty() && contact.relayed.is_empty()))
            .map(|(node, _)| (rank(self.own, *node), *node))
            .collect();
        ranked.sort_unstable();
        let chosen: BTreeSet<NodeId> = ranked
            .into_iter()
            .take(self.warm_peers)
            .map(|(_, node)| node)
            .collect();
        for (node, contact) in &mut self.contacts {
            contact.warm = chosen.contains(node) || self.bootstrap.contains_key(node);
        }
    }
}

impl Contact {
    /// Sets the next due time: doubling with failures, spread by jitter over the half around it.
    fn retreat(&mut self, timing: &Timing, now: Instant, jitter: u8) {
        let doubled = timing.backoff_first * 2u32.pow(self.failures.min(DOUBLINGS_MAX));
        let wait = doubled.min(timing.backoff_max);
        let spread = wait * u32::from(jitter) / (2 * u32::from(u8::MAX));
        self.failures = self.failures.saturating_add(1);
        self.state = State::Idle {
            due: now + wait - wait / 4 + spread,
        };
    }
}

/// How far `other` is from `own` for the choice of neighbours.
fn rank(own: NodeId, other: NodeId) -> [u8; 32] {
    Sha256::new()
        .chain_update(own.as_bytes())
        .chain_update(other.as_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::identity::{keypair_of, node_of_keypair, peer_address};
    use libp2p::multiaddr::Protocol;
    use std::time::Duration;
    use zeroize::Zeroizing;

    const DIRECT: &str = "/ip4/192.0.2.1/tcp/4001";

    fn node(seed: u8) -> NodeId {
        node_of_keypair(&keypair_of(&Zeroizing::new([seed; 32])))
    }

    fn direct() -> Multiaddr {
        DIRECT.parse().unwrap()
    }

    fn circuit() -> Multiaddr {
        peer_address(node(99), &direct())
            .unwrap()
            .with(Protocol::P2pCircuit)
    }

    fn book(warm_peers: usize) -> Book {
        Book::new(node(0), Timing::default(), warm_peers, Roster::new())
    }

    #[test]
    fn a_roster_says_what_it_changed() {
        let mut book = book(4);
        let now = Instant::now();
        let bad = NodeId::from_bytes([2; 32]);
        let roster = Roster::from([
            (node(0), vec![]),
            (node(1), vec![direct()]),
            (node(2), vec![]),
            (bad, vec![]),
        ]);
        let change = book.replace(&roster, now);
        assert_eq!(change.skipped, [bad]);
        assert_eq!(
            BTreeSet::from_iter(change.added),
            BTreeSet::from([node(1), node(2)])
        );
        assert!(!book.is_member(node(0)), "a node does not list itself");
        let change = book.replace(&Roster::from([(node(2), vec![])]), now);
        assert_eq!((change.added, change.removed), (vec![], vec![node(1)]));
        assert!(!book.is_member(node(1)));
    }

    #[test]
    fn relays_come_after_direct_addresses() {
        let mut book = book(4);
        let now = Instant::now();
        book.replace(&Roster::from([(node(1), vec![circuit(), direct()])]), now);
        assert_eq!(book.due(now), [node(1)]);
        let (peer, addresses) = book.start_dial(node(1)).unwrap();
        assert_eq!(addresses, [direct()]);
        assert!(book.start_dial(node(1)).is_none(), "one dial at a time");
        let after = book.dial_failed(node(1), now, 0);
        assert_eq!(after, AfterFailure::TryRelayed(peer, vec![circuit()]));
        assert_eq!(book.dial_failed(node(1), now, 0), AfterFailure::GiveUp);
        assert!(book.due(now).is_empty());
    }

    #[test]
    fn waits_double_within_their_spread_up_to_the_longest() {
        let timing = Timing::default();
        for jitter in [0, 128, 255] {
            let mut book = book(4);
            let mut now = Instant::now();
            book.replace(&Roster::from([(node(1), vec![direct()])]), now);
            for failures in 0..12 {
                assert_eq!(book.due(now), [node(1)]);
                book.start_dial(node(1)).unwrap();
                book.dial_failed(node(1), now, jitter);
                let doubled = timing.backoff_first * 2u32.pow(failures.min(DOUBLINGS_MAX));
                let wait = doubled.min(timing.backoff_max);
                assert!(
                    book.due(now + wait - wait / 4 - Duration::from_millis(1))
                        .is_empty()
                );
                now += wait + wait / 4;
            }
        }
    }

    #[test]
    fn a_peer_that_drops_us_at_once_is_not_dialled_in_a_hot_loop() {
        let mut book = book(4);
        let now = Instant::now();
        book.replace(&Roster::from([(node(1), vec![direct()])]), now);
        for _ in 0..4 {
            book.connected(node(1), now);
            book.disconnected(node(1), now, 0);
        }
        assert!(book.due(now + Duration::from_secs(5)).is_empty());
        book.connected(node(1), now);
        book.disconnected(node(1), now + STABLE, 255);
        assert_eq!(book.due(now + STABLE + Duration::from_secs(2)), [node(1)]);
    }

    #[test]
    fn bootstrap_and_a_bounded_number_of_others_stay_connected() {
        let bootstrap = Roster::from([(node(7), vec![direct()])]);
        let mut book = Book::new(node(0), Timing::default(), 3, bootstrap);
        let now = Instant::now();
        let mut roster: Roster = (1..30).map(|seed| (node(seed), vec![direct()])).collect();
        roster.insert(node(40), vec![]);
        book.replace(&roster, now);
        let due = book.due(now);
        assert!(due.contains(&node(7)) && !due.contains(&node(40)));
        assert!(
            due.len() == 3 || due.len() == 4,
            "three others, one of them perhaps the bootstrap"
        );
    }
}
