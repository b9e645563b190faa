//! Listening through relays: asked for at the start, asked for again whenever the relay was lost.

use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, Swarm};
use tokio::time::Instant;

use super::config::Timing;
use super::identity::is_relayed;
use super::swarm::{Behaviour, listen};

/// One relayed address to listen on.
struct Circuit {
    address: Multiaddr,
    listener: Option<ListenerId>,
    due: Instant,
    wait: Duration,
}

/// The relayed addresses of the configuration.
pub(super) struct Circuits {
    circuits: Vec<Circuit>,
    timing: Timing,
}

impl Circuits {
    /// Keeps the relayed ones of the addresses to listen on.
    pub(super) fn new(addresses: Vec<Multiaddr>, timing: Timing) -> Self {
        let circuits = addresses
            .into_iter()
            .filter(is_relayed)
            .map(|address| Circuit {
                address,
                listener: None,
                due: Instant::now(),
                wait: timing.backoff_first,
            })
            .collect();
        Self { circuits, timing }
    }

    /// Starts every listener whose time has come.
    pub(super) fn relisten(&mut self, swarm: &mut Swarm<Behaviour>, now: Instant) {
        let due = |circuit: &&mut Circuit| circuit.listener.is_none() && circuit.due <= now;
        for circuit in self.circuits.iter_mut().filter(due) {
            match listen(swarm, &circuit.address) {
                Ok(listener) => circuit.listener = Some(listener),
                Err(error) => {
                    tracing::warn!(%error, "no circuit");
                    circuit.retreat(&self.timing, now);
                }
            }
        }
    }

    /// A listener has an address: its relay took the reservation.
    pub(super) fn listening(&mut self, listener: ListenerId) {
        let first = self.timing.backoff_first;
        self.of(listener)
            .into_iter()
            .for_each(|circuit| circuit.wait = first);
    }

    /// A listener closed; if it was a circuit, it is asked for again later.
    pub(super) fn closed(&mut self, listener: ListenerId, now: Instant) {
        let timing = self.timing;
        self.of(listener)
            .into_iter()
            .for_each(|circuit| circuit.retreat(&timing, now));
    }

    fn of(&mut self, listener: ListenerId) -> Option<&mut Circuit> {
        self.circuits
            .iter_mut()
            .find(|circuit| circuit.listener == Some(listener))
    }
}

impl Circuit {
    fn retreat(&mut self, timing: &Timing, now: Instant) {
        self.listener = None;
        self.due = now + self.wait;
        self.wait = (self.wait * 2).min(timing.backoff_max);
    }
}
