//! A raw libp2p swarm with a member's key and no manners.

use futures::StreamExt;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity};
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, Swarm, SwarmBuilder, noise, tcp, yamux};
use protocol::ids::NodeId;

use super::{TCP, seed, within};
use crate::mesh::identity::{keypair_of, node_of_keypair};

#[derive(NetworkBehaviour)]
pub(super) struct Raw {
    pub(super) gossip: gossipsub::Behaviour,
    pub(super) streams: libp2p_stream::Behaviour,
}

pub(super) fn node(number: u8) -> NodeId {
    node_of_keypair(&keypair_of(&seed(number)))
}

/// A swarm that subscribes to `topics`, forwards all gossip, and speaks noise over TCP.
pub(super) fn swarm(number: u8, topics: &[String]) -> Swarm<Raw> {
    let keypair: Keypair = keypair_of(&seed(number));
    let config = gossipsub::ConfigBuilder::default().build().unwrap();
    let signed = MessageAuthenticity::Signed(keypair.clone());
    let mut gossip = gossipsub::Behaviour::new(signed, config).unwrap();
    for topic in topics {
        gossip.subscribe(&IdentTopic::new(topic)).unwrap();
    }
    SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|_| Raw {
            gossip,
            streams: libp2p_stream::Behaviour::new(),
        })
        .unwrap()
        .build()
}

/// Listens on loopback TCP and says where.
pub(super) async fn listen(swarm: &mut Swarm<Raw>) -> Multiaddr {
    swarm.listen_on(TCP.parse().unwrap()).unwrap();
    within(async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return address;
            }
        }
    })
    .await
}

/// Drives a swarm for as long as the test runs.
pub(super) fn drive(mut swarm: Swarm<Raw>) {
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
}
