//! Real meshes on loopback sockets, port 0. What no mesh of ours would do, a raw swarm does.

mod gate;
mod gossip;
mod life;
mod raw;
mod rpc;
mod streams;

use std::time::Duration;

use protocol::ids::NodeId;
use zeroize::Zeroizing;

use super::*;

const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";

/// Far above what anything here takes; only a hang meets it.
const HANG: Duration = Duration::from_secs(60);

/// A mesh with everything it returned.
struct Site {
    handle: MeshHandle,
    events: MeshEvents,
    streams: StreamControl,
}

impl Site {
    fn node(&self) -> NodeId {
        self.handle.node()
    }

    /// The next event that is not a listening address.
    async fn event(&mut self) -> MeshEvent {
        loop {
            match within(self.events.next()).await.expect("the mesh runs") {
                MeshEvent::ListenAddr(_) => {}
                event @ (MeshEvent::Request { .. }
                | MeshEvent::Gossip { .. }
                | MeshEvent::PeerConnected(_)
                | MeshEvent::PeerDisconnected(_)) => return event,
            }
        }
    }

    async fn request(&mut self) -> (NodeId, Protocol, Vec<u8>, Responder) {
        loop {
            if let MeshEvent::Request {
                from,
                protocol,
                bytes,
                reply,
            } = self.event().await
            {
                return (from, protocol, bytes, reply);
            }
        }
    }

    async fn gossip(&mut self) -> (NodeId, Vec<u8>, Judge) {
        loop {
            if let MeshEvent::Gossip {
                from,
                bytes,
                verdict,
                ..
            } = self.event().await
            {
                return (from, bytes, verdict);
            }
        }
    }

    async fn until_connected(&mut self, node: NodeId) {
        while !matches!(self.event().await, MeshEvent::PeerConnected(who) if who == node) {}
    }

    async fn until_disconnected(&mut self, node: NodeId) {
        while !matches!(self.event().await, MeshEvent::PeerDisconnected(who) if who == node) {}
    }

    fn entry(&self) -> (NodeId, Vec<Multiaddr>) {
        (self.node(), self.handle.listen_addrs())
    }

    async fn admit(&self, entries: &[(NodeId, Vec<Multiaddr>)]) {
        let roster = entries.iter().cloned().collect();
        self.handle.set_roster(roster).await.expect("the mesh runs");
    }

    fn count(&self, name: &str) -> u64 {
        let counters = self.handle.metrics().read();
        let found = counters
            .iter()
            .find(|(counter, ..)| *counter == format!("mesh_{name}_total"));
        found.expect("a counter of that name").2
    }
}

fn seed(number: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([number; 32])
}

fn config(listen: &str) -> MeshConfig {
    let mut config = MeshConfig::new("test");
    config.listen = vec![listen.parse().unwrap()];
    config.timing = Timing {
        connect: Duration::from_secs(10),
        request: Duration::from_secs(10),
        stream: Duration::from_secs(10),
        backoff_first: Duration::from_millis(100),
        backoff_max: Duration::from_millis(500),
    };
    config
}

/// Starts a mesh and waits until it listens.
async fn start(number: u8, config: MeshConfig) -> Site {
    let (handle, mut events, streams) = spawn(config, &seed(number)).unwrap();
    let first = within(events.next()).await;
    assert!(matches!(first, Some(MeshEvent::ListenAddr(_))), "{first:?}");
    Site {
        handle,
        events,
        streams,
    }
}

/// Two meshes that admit each other.
async fn pair(listen: &str) -> (Site, Site) {
    let a = start(1, config(listen)).await;
    let b = start(2, config(listen)).await;
    a.admit(&[b.entry()]).await;
    b.admit(&[a.entry()]).await;
    (a, b)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("no hang")
}

/// Waits until something is so.
async fn eventually(mut so: impl FnMut() -> bool) {
    within(async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
