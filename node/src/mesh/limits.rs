//! Every bound of the mesh, each with its reason. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The longest request on a request protocol. A grant with a manifest of some thousand objects
/// fits.
pub const REQUEST_MAX: usize = MIB;

/// The longest response on a request protocol; proofs and checkpoints are far smaller.
pub const RESPONSE_MAX: usize = MIB;

/// The longest request frame at the head of a fetch stream: a list of ranges.
pub const FETCH_REQUEST_MAX: usize = 64 * KIB;

/// The longest gossip RPC that gossipsub sends or takes. An advert with its stapled status fits
/// twice.
pub const GOSSIP_TRANSMIT_MAX: usize = 16 * KIB;

/// The longest gossip payload: the RPC less topic, author, sequence number, key and signature.
pub const GOSSIP_PAYLOAD_MAX: usize = GOSSIP_TRANSMIT_MAX - KIB;

/// Frames are read in pieces of this size: what a peer announces costs memory only as it arrives.
pub const FRAME_CHUNK: usize = 16 * KIB;

/// Bytes of unanswered inbound requests held at one time, over all peers.
pub const INBOUND_BUDGET: usize = 64 * MIB;

/// Bytes of responses being read at one time, over all peers.
pub const RESPONSE_BUDGET: usize = 64 * MIB;

/// Unanswered inbound requests of one peer: a peer waits for answers, it does not fill our queue.
pub const PEER_UNANSWERED_MAX: usize = 16;

/// Unanswered inbound requests over all peers. With [`PEER_UNANSWERED_MAX`], 16 busy peers.
pub const UNANSWERED_MAX: usize = 256;

/// Our own requests to one peer that wait for a connection or an answer.
pub const PEER_PENDING_MAX: usize = 32;

/// Our own requests to all peers that wait for a connection or an answer.
pub const PENDING_MAX: usize = 512;

/// Streams of one request protocol on one connection, both directions: the two bounds above,
/// doubled because a refused request holds its stream until the refusal is flushed.
pub const RPC_STREAMS_PER_CONNECTION: usize = 2 * (PEER_UNANSWERED_MAX + PEER_PENDING_MAX);

/// Gossip messages whose verdict is outstanding; more are ignored, and come again with the next
/// advert.
pub const VERDICTS_MAX: usize = 512;

/// Events that wait for the consumer. Beyond it requests are refused and gossip is ignored.
pub const EVENTS_MAX: usize = 256;

/// Commands that wait for the event loop. Beyond it callers get `Overloaded`.
pub const COMMANDS_MAX: usize = 256;

/// Inbound fetch streams of one peer: eight lanes for each of two studies.
pub const PEER_STREAMS_MAX: usize = 16;

/// Inbound fetch streams over all peers.
pub const STREAMS_MAX: usize = 128;

/// Inbound fetch streams accepted and not yet taken by the consumer.
pub const STREAMS_BACKLOG: usize = 32;

/// Nodes in a roster. A consortium of some thousand nodes needs another discovery design anyway.
pub const ROSTER_MAX: usize = 4096;

/// Addresses kept for one node: two transports, two address families, two relays.
pub const ADDRESSES_MAX: usize = 8;

/// Connections to one peer: one from each side at once, one relayed, one being replaced.
pub const CONNECTIONS_PER_PEER: u32 = 4;

/// Connections in all: every member of a large consortium at a hub, with room for replacements.
pub const CONNECTIONS_MAX: u32 = 1024;

/// Inbound handshakes in progress: each costs a TLS handshake before the roster can refuse it.
pub const PENDING_INBOUND_MAX: u32 = 64;

/// Outbound dials in progress.
pub const PENDING_OUTBOUND_MAX: u32 = 64;

/// Muxed streams on one TCP connection: both request protocols, fetch lanes, gossip and
/// housekeeping.
pub const MUXED_STREAMS_MAX: usize = 256;

/// A connection that no stream uses is kept this long, so that a pause in reading costs no
/// handshake.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(600);

/// How often due dials and deadlines are looked at.
pub const TICK: Duration = Duration::from_millis(250);

/// A connection that lasted this long resets the back-off. A peer that takes us and drops us at
/// once (its roster does not have us yet) is not dialled in a hot loop.
pub const STABLE: Duration = Duration::from_secs(10);

/// How long a closing mesh waits for its connections to say goodbye.
pub const FAREWELL: Duration = Duration::from_millis(500);

/// A caller's last resort beyond the loop's own deadlines.
pub const CALLER_GRACE: Duration = Duration::from_secs(5);

/// Reservations at a relay: one for each member behind a firewall, in a large consortium.
pub const RELAY_RESERVATIONS: usize = 512;

/// Circuits through a relay at one time.
pub const RELAY_CIRCUITS: usize = 128;

/// Circuits of one member through a relay at one time.
pub const RELAY_CIRCUITS_PER_PEER: usize = 8;

/// The longest circuit: a long reading session. The peers dial again afterwards.
pub const RELAY_CIRCUIT_DURATION: Duration = Duration::from_secs(4 * 3600);

/// The most one circuit carries, each way: some fifty large CT studies.
pub const RELAY_CIRCUIT_BYTES: u64 = 64 * 1024 * MIB as u64;

/// Reservations and circuits a member may ask of a relay within [`RELAY_RATE_INTERVAL`].
pub const RELAY_RATE: u32 = 60;

/// The interval of [`RELAY_RATE`].
pub const RELAY_RATE_INTERVAL: Duration = Duration::from_secs(120);

const _: () = assert!(REQUEST_MAX * PEER_UNANSWERED_MAX <= INBOUND_BUDGET);
const _: () = assert!(REQUEST_MAX <= u32::MAX as usize && RESPONSE_MAX <= u32::MAX as usize);
const _: () = assert!(PEER_STREAMS_MAX < STREAMS_MAX && PEER_PENDING_MAX < PENDING_MAX);
const _: () = assert!(FRAME_CHUNK <= FETCH_REQUEST_MAX);
