//! The one place that converts between our `NodeId` and libp2p's `PeerId`, keys and addresses.
//!
//! A `NodeId` is the raw Ed25519 public key. libp2p names the same key by an identity multihash of
//! its protobuf encoding (libp2p specification, "Peer Ids and Keys"), so the conversion loses
//! nothing.

use libp2p::identity::{Keypair, PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use protocol::ids::NodeId;
use zeroize::Zeroizing;

/// A multihash with this code holds the encoded key itself (multicodec `identity`).
const MULTIHASH_IDENTITY: u64 = 0;

/// Why a key or an address does not name a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The 32 bytes are no Ed25519 public key.
    #[error("{0} is not an Ed25519 public key")]
    NotAKey(NodeId),
    /// The peer id is not of an Ed25519 key.
    #[error("{0} is not the id of an Ed25519 key")]
    NotEd25519(PeerId),
    /// The text is no multiaddress.
    #[error("not a multiaddress: {0}")]
    NotAnAddress(String),
    /// The address does not end in `/p2p/<peer id>`.
    #[error("{0} does not end in /p2p/<peer id>")]
    NoPeer(Multiaddr),
    /// The address names another node than the one it is listed for.
    #[error("{0} names another node")]
    OtherPeer(Multiaddr),
}

/// Reads `/…/p2p/<peer id>`, the form in which people write bootstrap addresses.
///
/// # Errors
/// [`IdentityError`] when the text is no address or does not end in an Ed25519 peer id.
pub fn parse_peer_address(text: &str) -> Result<(NodeId, Multiaddr), IdentityError> {
    let mut address: Multiaddr = text
        .parse()
        .map_err(|_| IdentityError::NotAnAddress(text.to_owned()))?;
    match address.pop() {
        Some(Protocol::P2p(peer)) if !address.is_empty() => Ok((node_of(&peer)?, address)),
        Some(_) | None => {
            Err(IdentityError::NoPeer(text.parse().map_err(|_| {
                IdentityError::NotAnAddress(text.to_owned())
            })?))
        }
    }
}

/// The address with the node's peer id at its end, as people exchange it.
///
/// # Errors
/// [`IdentityError::NotAKey`].
pub fn peer_address(node: NodeId, address: &Multiaddr) -> Result<Multiaddr, IdentityError> {
    Ok(address.clone().with(Protocol::P2p(peer_of(node)?)))
}

/// The libp2p name of a node.
pub(super) fn peer_of(node: NodeId) -> Result<PeerId, IdentityError> {
    let key = ed25519::PublicKey::try_from_bytes(node.as_bytes())
        .map_err(|_| IdentityError::NotAKey(node))?;
    Ok(PublicKey::from(key).to_peer_id())
}

/// The node behind a libp2p name.
pub(super) fn node_of(peer: &PeerId) -> Result<NodeId, IdentityError> {
    let other = || IdentityError::NotEd25519(*peer);
    let multihash = peer.as_ref();
    if multihash.code() != MULTIHASH_IDENTITY {
        return Err(other());
    }
    let key = PublicKey::try_decode_protobuf(multihash.digest()).map_err(|_| other())?;
    let key = key.try_into_ed25519().map_err(|_| other())?;
    Ok(NodeId::from_bytes(key.to_bytes()))
}

/// The transport key pair of a seed (RFC 8032 private key).
pub(super) fn keypair_of(seed: &Zeroizing<[u8; 32]>) -> Keypair {
    // libp2p zeroes the slice it is given; it gets its own copy so that the caller's stays whole.
    let mut copy = Zeroizing::new(**seed);
    let secret =
        ed25519::SecretKey::try_from_bytes(&mut copy[..]).expect("an Ed25519 seed is any 32 bytes");
    ed25519::Keypair::from(secret).into()
}

/// The node that a key pair is.
pub(super) fn node_of_keypair(keypair: &Keypair) -> NodeId {
    node_of(&keypair.public().to_peer_id()).expect("keypair_of makes Ed25519 keys only")
}

/// An address as the dialer keeps it: without the final `/p2p/<id>`, which must name `node` if
/// present.
pub(super) fn dial_address(node: NodeId, address: &Multiaddr) -> Result<Multiaddr, IdentityError> {
    let mut stripped = address.clone();
    match stripped.iter().last() {
        Some(Protocol::P2p(peer)) if peer == peer_of(node)? => {
            stripped.pop();
            Ok(stripped)
        }
        Some(Protocol::P2p(_)) => Err(IdentityError::OtherPeer(address.clone())),
        Some(_) => Ok(stripped),
        None => Err(IdentityError::NotAnAddress(String::new())),
    }
}

/// Whether an address goes through a relay.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(seed: u8) -> NodeId {
        node_of_keypair(&keypair_of(&Zeroizing::new([seed; 32])))
    }

    #[test]
    fn a_node_and_its_peer_id_name_each_other() {
        // RFC 8032, section 7.1, test 1: seed and public key.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let seed = Zeroizing::new(seed);
        let node = node_of_keypair(&keypair_of(&seed));
        assert_eq!(node.to_string(), public);
        assert_eq!(node_of(&peer_of(node).unwrap()), Ok(node));
        assert_eq!(seed[0], 0x9d, "the caller's seed is not consumed");
    }

    #[test]
    fn what_is_no_ed25519_key_is_refused() {
        let not_a_point = NodeId::from_bytes([2; 32]);
        assert_eq!(
            peer_of(not_a_point),
            Err(IdentityError::NotAKey(not_a_point))
        );
        let hashed = PeerId::random();
        assert_eq!(node_of(&hashed), Err(IdentityError::NotEd25519(hashed)));
    }

    #[test]
    fn addresses_name_their_node() {
        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
        let full = peer_address(node(1), &plain).unwrap();
        assert_eq!(
            parse_peer_address(&full.to_string()),
            Ok((node(1), plain.clone()))
        );
        assert_eq!(dial_address(node(1), &full), Ok(plain.clone()));
        assert_eq!(dial_address(node(1), &plain), Ok(plain.clone()));
        assert_eq!(
            dial_address(node(2), &full),
            Err(IdentityError::OtherPeer(full))
        );
        assert_eq!(
            parse_peer_address("/ip4/192.0.2.1/tcp/4001"),
            Err(IdentityError::NoPeer(plain))
        );
        assert_eq!(
            parse_peer_address("nonsense"),
            Err(IdentityError::NotAnAddress("nonsense".into()))
        );
    }

    #[test]
    fn a_circuit_is_relayed_and_keeps_its_relay() {
        let relay = peer_address(node(9), &"/ip4/192.0.2.1/tcp/1".parse().unwrap()).unwrap();
        let circuit = relay.with(Protocol::P2pCircuit);
        assert!(is_relayed(&circuit));
        let full = peer_address(node(1), &circuit).unwrap();
        assert_eq!(dial_address(node(1), &full), Ok(circuit));
    }
}
