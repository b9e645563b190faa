//! Coming, going, coming back; and reaching each other through a relay.

use super::*;

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
    let asking = tokio::spawn({
        let (handle, to) = (a.handle.clone(), b.node());
        async move { handle.send(to, Protocol::Case, vec![1]).await }
    });
    b.request().await.3.answer(vec![2]).unwrap();
    assert_eq!(within(asking).await.unwrap(), Ok(vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_node_is_dialled_until_it_answers() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let mut early = config(TCP);
    early.bootstrap = Roster::from([(raw::node(2), vec![address.parse().unwrap()])]);
    early.roster = Roster::from([(raw::node(2), vec![])]);
    early.warm_peers = 0;
    let mut a = start(1, early).await;
    eventually(|| a.count("dials_failed") >= 2).await;
    let mut late = config(&address);
    late.roster = Roster::from([(a.node(), vec![])]);
    let b = start(2, late).await;
    a.until_connected(b.node()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_meet_through_a_relay() {
    let mut serving = config(TCP);
    serving.relay = true;
    serving.roster = Roster::from([(raw::node(1), vec![]), (raw::node(2), vec![])]);
    let (relay, mut relay_events, _relay_streams) = spawn(serving, &seed(3)).unwrap();
    let Some(MeshEvent::ListenAddr(at)) = within(relay_events.next()).await else {
        panic!("the relay listens")
    };
    let circuit = format!("{}/p2p-circuit", peer_address(relay.node(), &at).unwrap());

    let mut hidden = config(&circuit);
    hidden.roster = Roster::from([(raw::node(1), vec![]), (relay.node(), vec![at.clone()])]);
    let mut b = start(2, hidden).await;
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
    let read = relay.metrics().read();
    assert!(
        read.iter()
            .any(|(name, _, n)| *name == "mesh_relay_circuits_opened_total" && *n >= 1)
    );
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

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_named() {
    let a = start(1, config(TCP)).await;
    let taken = a.handle.listen_addrs()[0].clone();
    let outcome = spawn(config(&taken.to_string()), &seed(2));
    let Err(SpawnError::Listen { address, .. }) = outcome.map(|_| ()) else {
        panic!("the address is in use")
    };
    assert_eq!(address, taken);
}

#[test]
fn a_mesh_needs_a_runtime() {
    assert!(matches!(
        spawn(config(TCP), &seed(1)),
        Err(SpawnError::NoRuntime)
    ));
}
