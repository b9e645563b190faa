//! What a mesh is told at its start, checked before a socket opens.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;

use libp2p::Multiaddr;
use protocol::ids::NodeId;

use super::gossip::GossipSetup;
use super::limits::ROSTER_MAX;

/// The longest consortium name, in bytes: it is part of every gossip message.
const CONSORTIUM_MAX: usize = 64;

/// Members to stay connected to: with sixteen random neighbours each, gossip reaches thousands in
/// three hops.
const WARM_PEERS: usize = 16;

/// Node ids with the addresses at which each can be dialled.
pub type Roster = BTreeMap<NodeId, Vec<Multiaddr>>;

/// A mesh's settings.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// The consortium's name: `a`-`z`, `0`-`9`, `-`; part of the topics' names.
    pub consortium: String,
    /// Where to listen: `/ip4/…/udp/…/quic-v1`, `/ip4/…/tcp/…`, or `/…/p2p/<relay>/p2p-circuit`.
    pub listen: Vec<Multiaddr>,
    /// Addresses at which others reach this node, for a relay to name in its reservations.
    pub external: Vec<Multiaddr>,
    /// Nodes to stay connected to, always. They must be in the roster to be let in.
    pub bootstrap: Roster,
    /// The members at the start; [`MeshHandle::set_roster`](super::MeshHandle::set_roster) replaces
    /// it.
    pub roster: Roster,
    /// Whether to serve members as a circuit relay.
    pub relay: bool,
    /// How many members beyond the bootstrap nodes to stay connected to.
    pub warm_peers: usize,
    /// Waits.
    pub timing: Timing,
}

impl MeshConfig {
    /// Settings with nothing but a name: no listener, no peers, no relay.
    #[must_use]
    pub fn new(consortium: &str) -> Self {
        Self {
            consortium: consortium.to_owned(),
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Roster::new(),
            roster: Roster::new(),
            relay: false,
            warm_peers: WARM_PEERS,
            timing: Timing::default(),
        }
    }

    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<(), SpawnError> {
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name = self.consortium.as_bytes();
        if name.is_empty() || name.len() > CONSORTIUM_MAX || !name.iter().copied().all(named) {
            return Err(SpawnError::Consortium(self.consortium.clone()));
        }
        if self.relay && self.external.is_empty() {
            return Err(SpawnError::RelayWithoutAddress);
        }
        if self.roster.len() > ROSTER_MAX {
            return Err(SpawnError::RosterTooLong(self.roster.len()));
        }
        Ok(())
    }
}

/// How long the mesh waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For a connection to a peer, over all its addresses.
    pub connect: Duration,
    /// For a request, from the first byte sent to the last byte of the answer; the same bounds how
    /// long a consumer may take to answer.
    pub request: Duration,
    /// For any one read or write on a fetch stream to make progress.
    pub stream: Duration,
    /// Before the second dial of a peer that did not answer; doubles from there.
    pub backoff_first: Duration,
    /// The longest wait between two dials.
    pub backoff_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            request: Duration::from_secs(20),
            stream: Duration::from_secs(30),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
        }
    }
}

/// Why a mesh did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The environment asks the TLS library to write session keys to a file.
    #[error("SSLKEYLOGFILE is set: it would write the mesh's session keys to a file; unset it")]
    KeyLog,
    /// The consortium's name is empty, too long, or has other characters than a-z, 0-9 and `-`.
    #[error("consortium name {0:?} is not 1 to 64 of a-z, 0-9, -")]
    Consortium(String),
    /// A relay names its addresses in what it promises; without one no member can use it.
    #[error("a relay needs at least one external address")]
    RelayWithoutAddress,
    /// More members than the mesh is built for.
    #[error("a roster of {0} nodes is longer than {ROSTER_MAX}")]
    RosterTooLong(usize),
    /// A listening address cannot be used.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address asked for.
        address: Multiaddr,
        /// The transport's words.
        reason: String,
    },
    /// The transports could not be set up.
    #[error("transport: {0}")]
    Transport(String),
    /// gossipsub refused its parameters.
    #[error(transparent)]
    Gossip(#[from] GossipSetup),
    /// `spawn` was called outside a tokio runtime.
    #[error("the mesh needs a tokio runtime")]
    NoRuntime,
}

/// libp2p's TLS honours `SSLKEYLOGFILE` and offers no switch: a node that sees it does not start.
pub(super) fn refuse_key_log(variable: Option<&OsStr>) -> Result<(), SpawnError> {
    match variable {
        Some(_) => Err(SpawnError::KeyLog),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consortium_names_are_plain() {
        assert!(MeshConfig::new("north-7").check().is_ok());
        for bad in ["", "North", "a b", "a/b", &"a".repeat(65)] {
            let refused = MeshConfig::new(bad).check();
            assert!(matches!(refused, Err(SpawnError::Consortium(name)) if name == bad));
        }
    }

    #[test]
    fn a_relay_says_where_it_is() {
        let mut relay = MeshConfig::new("north");
        relay.relay = true;
        assert!(matches!(
            relay.check(),
            Err(SpawnError::RelayWithoutAddress)
        ));
        relay.external = vec!["/ip4/192.0.2.1/tcp/4001".parse().unwrap()];
        assert!(relay.check().is_ok());
    }

    #[test]
    fn a_key_log_file_stops_the_start() {
        assert!(matches!(
            refuse_key_log(Some(OsStr::new("/tmp/keys"))),
            Err(SpawnError::KeyLog)
        ));
        assert!(refuse_key_log(None).is_ok());
    }
}
