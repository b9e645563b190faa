//! The mesh as this node configures it, and what becomes of its events.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::ids::NodeId;
use protocol::member::Roster;
use serde_json::json;

use super::Life;
use crate::config::Settings;
use crate::driver::DriverHandle;
use crate::mesh::{
    self, MeshConfig, MeshEvent, MeshEvents, Multiaddr, Protocol, Responder, Topic, peer_address,
};
use crate::witness::WitnessRole;

/// The longest consortium name that is part of a topic.
const NAME_MAX: usize = 64;

/// The mesh's settings from the node's and the roster.
#[must_use]
pub fn config(settings: &Settings, roster: &Roster) -> MeshConfig {
    let mut config = MeshConfig::new(&topic_name(&roster.genesis().name));
    config.listen.clone_from(&settings.mesh.listen);
    config.external.clone_from(&settings.mesh.external);
    config.relay = settings.relay;
    if config.relay && config.external.is_empty() {
        // A relay names addresses in its reservations; those that it listens on, where they are
        // somebody's in particular.
        config.external = config
            .listen
            .iter()
            .filter(|at| is_definite(at))
            .cloned()
            .collect();
    }
    for (node, address) in &settings.mesh.bootstrap {
        config
            .bootstrap
            .entry(*node)
            .or_default()
            .push(address.clone());
        if settings.mesh.through_relay
            && let Ok(relay) = peer_address(*node, address)
        {
            config
                .listen
                .push(relay.with(libp2p::multiaddr::Protocol::P2pCircuit));
        }
    }
    for member in roster.members() {
        let node = member.credential.node;
        let known = config.bootstrap.get(&node).cloned().unwrap_or_default();
        config.roster.insert(node, known);
    }
    config
}

/// Whether others could dial the address as it stands: an address of one machine, and a port.
fn is_definite(address: &Multiaddr) -> bool {
    use libp2p::multiaddr::Protocol as Part;
    let vague = |part: Part<'_>| {
        matches!(part, Part::Ip4(ip) if ip.is_unspecified())
            || matches!(part, Part::Ip6(ip) if ip.is_unspecified())
            || matches!(part, Part::Tcp(0) | Part::Udp(0))
    };
    !address.iter().any(vague)
}

/// A consortium's name as topics have it: lower-case letters, digits and `-`.
fn topic_name(name: &str) -> String {
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    };
    let name: String = name.chars().map(plain).take(NAME_MAX).collect();
    if name.is_empty() {
        "consortium".to_owned()
    } else {
        name
    }
}

/// Where the mesh listens, with the node's name at the end of each address.
#[must_use]
pub fn addresses(handle: &mesh::MeshHandle) -> Vec<String> {
    let named = |address: &Multiaddr| peer_address(handle.node(), address).ok();
    handle
        .listen_addrs()
        .iter()
        .filter_map(named)
        .map(|address| address.to_string())
        .collect()
}

/// Hands the mesh's events on until `stop` or the mesh's end.
pub async fn pump(
    mut events: MeshEvents,
    driver: Option<DriverHandle>,
    witness: Option<Arc<WitnessRole>>,
    life: Life,
) {
    let Life {
        timeline,
        ending,
        connections,
        ..
    } = life;
    loop {
        let event = tokio::select! {
            () = ending.cancelled() => return,
            event = events.next() => match event {
                Some(event) => event,
                None => return,
            },
        };
        match event {
            MeshEvent::Request {
                from,
                protocol,
                bytes,
                reply,
            } => match protocol {
                Protocol::Case => {
                    if let Some(driver) = &driver {
                        driver.message(from, &bytes, reply);
                    }
                }
                Protocol::Witness => {
                    if let Some(witness) = &witness {
                        cosign(Arc::clone(witness), from, bytes, reply);
                    }
                }
            },
            MeshEvent::Gossip {
                from,
                topic: Topic::Adverts,
                bytes,
                verdict,
            } => match &driver {
                Some(driver) => driver.advert(from, bytes, verdict),
                // A relay or a witness cannot judge an advert, and must not stop it.
                None => verdict.pass(mesh::Verdict::Accept),
            },
            MeshEvent::PeerConnected(node) => {
                connections.fetch_add(1, Ordering::Relaxed);
                timeline.note("connected", 0, json!({ "node": node.to_string() }));
            }
            MeshEvent::PeerDisconnected(node) => {
                timeline.note("disconnected", 0, json!({ "node": node.to_string() }));
            }
            MeshEvent::ListenAddr(address) => {
                tracing::info!(%address, "listening");
                timeline.note("listening", 0, json!({ "address": address.to_string() }));
            }
        }
    }
}

/// Answers a log. Bounded by the mesh's own room for requests, which `reply` holds.
fn cosign(witness: Arc<WitnessRole>, from: NodeId, request: Vec<u8>, reply: Responder) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = reply.answer(witness.answer(&request)) {
            tracing::debug!(%from, %error, "no answer went out");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_can_be_dialled_is_definite() {
        let definite = |text: &str| is_definite(&text.parse().expect("an address"));
        assert!(definite("/ip4/192.0.2.1/udp/4001/quic-v1") && definite("/ip6/::1/tcp/1"));
        assert!(!definite("/ip4/0.0.0.0/tcp/4001") && !definite("/ip6/::/tcp/4001"));
        assert!(!definite("/ip4/192.0.2.1/udp/0/quic-v1"));
    }

    #[test]
    fn topic_names_are_plain() {
        assert_eq!(topic_name("Nord Süd 7"), "nord-s-d-7");
        assert_eq!(topic_name(""), "consortium");
        assert_eq!(topic_name(&"a".repeat(99)).len(), NAME_MAX);
    }
}
