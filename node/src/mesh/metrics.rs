//! What the mesh counts. One struct per mesh, read through the handle; no globals.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the counters once: field, documentation, exposition.
macro_rules! counters {
    ($( #[doc = $doc:literal] $name:ident, )*) => {
        /// Counters of one mesh, all monotonic. A gauge is the difference of a pair.
        #[derive(Debug, Default)]
        pub struct MeshMetrics {
            $( #[doc = $doc] pub(super) $name: AtomicU64, )*
        }

        impl MeshMetrics {
            /// Every counter as (name, help, value), in a fixed order.
            #[must_use]
            pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![ $( (
                    concat!("mesh_", stringify!($name), "_total"),
                    $doc.trim_ascii(),
                    self.$name.load(Ordering::Relaxed),
                ), )* ]
            }
        }
    };
}

counters! {
    /// Connections established.
    connections_opened,
    /// Connections closed.
    connections_closed,
    /// Inbound connections refused or failed, by roster, limits or handshake.
    inbound_failed,
    /// Dials that failed.
    dials_failed,
    /// Requests sent.
    requests_sent,
    /// Requests sent that brought no answer.
    requests_failed,
    /// Requests handed to the consumer.
    requests_received,
    /// Requests refused because the consumer or the peer's share was full.
    requests_refused,
    /// Answers given after the peer had gone or its wait had ended.
    answers_late,
    /// Gossip messages published.
    gossip_published,
    /// Gossip messages handed to the consumer.
    gossip_received,
    /// Gossip messages dropped: author not in the roster.
    gossip_foreign_author,
    /// Gossip messages dropped: the consumer had fallen behind.
    gossip_overflow,
    /// Gossip messages that the consumer rejected.
    gossip_rejected,
    /// Fetch streams opened by us.
    streams_opened,
    /// Fetch streams accepted from peers.
    streams_accepted,
    /// Fetch streams of peers refused: no room, or not a member.
    streams_refused,
    /// Reads and writes on fetch streams that made no progress in time.
    streams_stalled,
    /// Circuits opened through us as a relay.
    relay_circuits_opened,
    /// Circuits through us closed.
    relay_circuits_closed,
    /// Reservations and circuits we denied as a relay.
    relay_denied,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_name() {
        let metrics = MeshMetrics::default();
        count(&metrics.requests_sent);
        let read = metrics.read();
        assert!(read.contains(&("mesh_requests_sent_total", "Requests sent.", 1)));
        assert!(read.contains(&(
            "mesh_relay_denied_total",
            "Reservations and circuits we denied as a relay.",
            0
        )));
    }
}
