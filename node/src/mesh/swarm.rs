//! The swarm: transports, and the behaviours stacked on them with the network gate first.

use std::num::NonZeroU32;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder, allow_block_list, identify, noise, ping, relay, tcp, tls, yamux,
};

use super::config::{MeshConfig, SpawnError};
use super::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_PEER, IDLE_CONNECTION, MUXED_STREAMS_MAX, PENDING_INBOUND_MAX,
    PENDING_OUTBOUND_MAX, RELAY_CIRCUIT_BYTES, RELAY_CIRCUIT_DURATION, RELAY_CIRCUITS,
    RELAY_CIRCUITS_PER_PEER, RELAY_RATE, RELAY_RATE_INTERVAL, RELAY_RESERVATIONS,
};
use super::{gossip, rpc};

/// What identify tells a peer about us: the program and its version, nothing of the host.
const AGENT: &str = concat!("radmesh/", env!("CARGO_PKG_VERSION"));

/// The family of protocols that identify names.
const PROTOCOL_FAMILY: &str = "/radmesh/1";

/// Everything the mesh speaks. Gate and limits come first: they refuse before others make state.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    /// The network gate: nodes in the roster connect, nobody else.
    pub(super) gate: allow_block_list::Behaviour<allow_block_list::AllowedPeers>,
    /// Bounds on connections.
    limits: connection_limits::Behaviour,
    /// Requests about cases.
    pub(super) case: rpc::Behaviour,
    /// Requests about logs.
    pub(super) witness: rpc::Behaviour,
    /// Adverts.
    pub(super) gossip: gossip::Behaviour,
    /// Fetch streams.
    pub(super) streams: libp2p_stream::Behaviour,
    /// Dialling and listening through relays.
    relay_client: relay::client::Behaviour,
    /// Serving as a relay, where configured.
    relay_server: Toggle<relay::Behaviour>,
    /// Protocols and versions of a peer.
    identify: identify::Behaviour,
    /// Detects dead connections, and lets yamux size its windows.
    ping: ping::Behaviour,
}

impl Behaviour {
    /// The behaviour of a request protocol.
    pub(super) fn rpc(&mut self, protocol: rpc::Protocol) -> &mut rpc::Behaviour {
        match protocol {
            rpc::Protocol::Case => &mut self.case,
            rpc::Protocol::Witness => &mut self.witness,
        }
    }
}

/// Builds the swarm. It listens nowhere yet and lets nobody in.
pub(super) fn build(config: &MeshConfig, keypair: Keypair) -> Result<Swarm<Behaviour>, SpawnError> {
    let transport = |error: &dyn std::fmt::Display| SpawnError::Transport(error.to_string());
    let mux = || {
        let mut mux = yamux::Config::default();
        mux.set_max_num_streams(MUXED_STREAMS_MAX);
        mux
    };
    let connect = config.timing.connect;
    let gossip = gossip::behaviour(&keypair, &config.consortium)?;
    // TLS is offered before noise: it agrees a post-quantum key exchange, noise does not.
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            (tls::Config::new, noise::Config::new),
            mux,
        )
        .map_err(|error| transport(&error))?
        .with_quic_config(|mut quic| {
            quic.handshake_timeout = connect;
            quic
        })
        .with_dns()
        .map_err(|error| transport(&error))?
        .with_relay_client((tls::Config::new, noise::Config::new), mux)
        .map_err(|error| transport(&error))?
        .with_behaviour(|keypair, relay_client| behaviour(config, keypair, gossip, relay_client))
        .map_err(|error| transport(&error))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE_CONNECTION))
        .with_connection_timeout(connect)
        .build();
    for address in &config.external {
        swarm.add_external_address(address.clone());
    }
    Ok(swarm)
}

/// Starts listening on one address.
pub(super) fn listen(
    swarm: &mut Swarm<Behaviour>,
    address: &Multiaddr,
) -> Result<libp2p::core::transport::ListenerId, SpawnError> {
    swarm
        .listen_on(address.clone())
        .map_err(|error| SpawnError::Listen {
            address: address.clone(),
            reason: error.to_string(),
        })
}

fn behaviour(
    config: &MeshConfig,
    keypair: &Keypair,
    gossip: gossip::Behaviour,
    relay_client: relay::client::Behaviour,
) -> Behaviour {
    let codec = rpc::Codec::new();
    let timeout = config.timing.request;
    let identify = identify::Config::new(PROTOCOL_FAMILY.to_owned(), keypair.public())
        .with_agent_version(AGENT.to_owned())
        .with_hide_listen_addrs(true)
        // Addresses come from the roster; a peer's own claims about itself are not dialled.
        .with_cache_size(0);
    Behaviour {
        gate: allow_block_list::Behaviour::default(),
        limits: connection_limits::Behaviour::new(limits()),
        case: rpc::behaviour(rpc::Protocol::Case, codec.clone(), timeout),
        witness: rpc::behaviour(rpc::Protocol::Witness, codec, timeout),
        gossip,
        streams: libp2p_stream::Behaviour::new(),
        relay_client,
        relay_server: Toggle::from(config.relay.then(|| relay_server(keypair))),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::default(),
    }
}

fn limits() -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_INBOUND_MAX))
        .with_max_pending_outgoing(Some(PENDING_OUTBOUND_MAX))
        .with_max_established(Some(CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
}

/// A relay for members: the gate refuses everybody else before a reservation can be asked.
fn relay_server(keypair: &Keypair) -> relay::Behaviour {
    let rate = NonZeroU32::new(RELAY_RATE).expect("the rate is a constant above zero");
    let mut config = relay::Config {
        max_reservations: RELAY_RESERVATIONS,
        max_circuits: RELAY_CIRCUITS,
        max_circuits_per_peer: RELAY_CIRCUITS_PER_PEER,
        max_circuit_duration: RELAY_CIRCUIT_DURATION,
        max_circuit_bytes: RELAY_CIRCUIT_BYTES,
        ..relay::Config::default()
    };
    // Many members share a hospital's one address: rates count by member, not by address.
    config.reservation_rate_limiters.clear();
    config.circuit_src_rate_limiters.clear();
    let config = config
        .reservation_rate_per_peer(rate, RELAY_RATE_INTERVAL)
        .circuit_src_per_peer(rate, RELAY_RATE_INTERVAL);
    relay::Behaviour::new(keypair.public().to_peer_id(), config)
}
