//! Coming, going, coming back; and reaching each other through a relay.

use super::*;

/// A loopback address that was free a moment ago, for a node whose address must be known
/// beforehand.
fn free_address() -> Multiaddr {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_peer_is_found_again() {
    let (mut a, mut b) = pair(TCP).await;
    a.until_connected(b.node()).await;
    b.until_connected(a.node()).await;
    let address = b.handle.listen_addrs()[0].to_string();
    b.handle.shutdown().await;
    a.until_disconnected(b.node()).await;
    drop(b);

    let mut again = config(&address);
    again.roster = Roster::from([a.entry()]);
    again.warm_peers = 0;
    let mut b = start(2, again).await;
    a.until_connected(b.node()).await;
    // The connection may be a last one of the peer that went, opened by it and dying with it. A
    // caller who is told so asks again.
    let asking = tokio::spawn({
        let (handle, to) = (a.handle.clone(), b.node());
        async move {
            loop {
                match handle.send(to, Protocol::Case, vec![1]).await {
                    Ok(answer) => return answer,
                    Err(SendError::Interrupted | SendError::Unreachable) => {}
                    Err(other) => panic!("{other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    b.request().await.3.answer(vec![2]).unwrap();
    assert_eq!(within(asking).await.unwrap(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_node_is_dialled_until_it_answers() {
    let address = free_address();
    let mut early = config(TCP);
    early.bootstrap = Roster::from([(raw::node(2), vec![address.clone()])]);
    early.roster = Roster::from([(raw::node(2), vec![])]);
    early.warm_peers = 0;
    let mut a = start(1, early).await;
    eventually(|| a.count("dials_failed") >= 2).await;
    let mut late = config(&address.to_string());
    late.roster = Roster::from([(a.node(), vec![])]);
    let b = start(2, late).await;
    a.until_connected(b.node()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_meet_through_a_relay() {
    let at = free_address();
    let mut serving = config(&at.to_string());
    serving.relay = true;
    serving.external = vec![at.clone()];
    serving.roster = Roster::from([(raw::node(1), vec![]), (raw::node(2), vec![])]);
    let relay = start(3, serving).await;
    let circuit = format!("{}/p2p-circuit", peer_address(relay.node(), &at).unwrap());

    let mut hidden = config(&circuit);
    hidden.roster = Roster::from([(raw::node(1), vec![]), (relay.node(), vec![at.clone()])]);
    let (handle, mut events, streams) = spawn(hidden, &seed(2)).unwrap();
    // Connected to the relay, then reachable through it.
    while !matches!(within(events.next()).await, Some(MeshEvent::ListenAddr(_))) {}
    let mut b = Site {
        handle,
        events,
        streams,
    };
    let mut asking = config(TCP);
    let through: Multiaddr = circuit.parse().unwrap();
    asking.roster = Roster::from([(b.node(), vec![through]), (relay.node(), vec![at])]);
    let a = start(1, asking).await;

    let answer = tokio::spawn({
        let (handle, to) = (a.handle.clone(), b.node());
        async move { handle.send(to, Protocol::Case, vec![1]).await }
    });
    let (from, _, bytes, reply) = b.request().await;
    assert_eq!(
        (from, bytes),
        (a.node(), vec![1]),
        "the far end is known, not the relay"
    );
    reply.answer(vec![2]).unwrap();
    assert_eq!(within(answer).await.unwrap(), Ok(vec![2]));
    assert_eq!(relay.count("relay_circuits_opened"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_ends_with_its_last_handle() {
    let Site {
        handle,
        mut events,
        streams,
    } = start(1, config(TCP)).await;
    drop(handle);
    drop(streams);
    while within(events.next()).await.is_some() {}
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_named() {
    // RFC 5737: documentation, no machine has it.
    let foreign: Multiaddr = "/ip4/192.0.2.1/tcp/0".parse().unwrap();
    let outcome = spawn(config(&foreign.to_string()), &seed(2));
    let Err(SpawnError::Listen { address, .. }) = outcome.map(|_| ()) else {
        panic!("no such address here")
    };
    assert_eq!(address, foreign);
}

#[test]
fn a_mesh_needs_a_runtime() {
    assert!(matches!(
        spawn(config(TCP), &seed(1)),
        Err(SpawnError::NoRuntime)
    ));
}
