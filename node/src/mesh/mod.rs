//! The libp2p mesh: one owner of the Swarm, bounded commands and events.
