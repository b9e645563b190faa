//! Gossip: forwarded when accepted, from members only, on our topics only.

use futures::StreamExt;
use libp2p::gossipsub::IdentTopic;

use super::*;
use crate::mesh::identity::{keypair_of, peer_of};
use crate::mesh::limits::GOSSIP_PAYLOAD_MAX;

/// Publishes until a neighbour takes the topic.
async fn publish(site: &Site, bytes: &[u8]) {
    within(async {
        while let Err(error) = site.handle.publish(Topic::Adverts, bytes.to_vec()).await {
            assert_eq!(error, PublishError::NoPeers);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_goes_on_and_what_is_rejected_does_not() {
    let mut a = start(1, config(TCP)).await;
    let mut b = start(2, config(QUIC)).await;
    let mut c = start(3, config(TCP)).await;
    // A and C know B's address; nobody knows theirs.
    let [at, ct] = [(a.node(), vec![]), (c.node(), vec![])];
    b.admit(&[at.clone(), ct.clone()]).await;
    a.admit(&[b.entry(), ct]).await;
    c.admit(&[b.entry(), at]).await;
    a.until_connected(b.node()).await;
    c.until_connected(b.node()).await;

    publish(&a, b"invalid").await;
    let (from, bytes, judge) = b.gossip().await;
    assert_eq!((from, &bytes[..]), (a.node(), &b"invalid"[..]));
    judge.pass(Verdict::Reject);
    publish(&a, b"ignored").await;
    drop(b.gossip().await);
    // The neighbours of a topic find each other within heartbeats; until then a message may end at
    // B.
    let mut number = 0u32;
    let (from, bytes) = loop {
        number += 1;
        publish(&a, &number.to_be_bytes()).await;
        let (from, bytes, judge) = b.gossip().await;
        assert_eq!((from, &bytes[..]), (a.node(), &number.to_be_bytes()[..]));
        judge.pass(Verdict::Accept);
        if let Ok(passed) = tokio::time::timeout(Duration::from_millis(500), c.gossip()).await {
            break (passed.0, passed.1);
        }
    };
    assert_eq!(from, a.node(), "the author, not the neighbour");
    assert_eq!(
        bytes.len(),
        number.to_be_bytes().len(),
        "not one that was rejected or ignored"
    );
    assert_eq!(b.count("gossip_rejected"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_published_once_and_within_its_cap() {
    let (mut a, b) = pair(TCP).await;
    a.until_connected(b.node()).await;
    let longest = vec![5; GOSSIP_PAYLOAD_MAX];
    publish(&a, &longest).await;
    let again = a.handle.publish(Topic::Adverts, longest).await;
    assert_eq!(again, Err(PublishError::Duplicate));
    let over = a
        .handle
        .publish(Topic::Adverts, vec![5; GOSSIP_PAYLOAD_MAX + 1])
        .await;
    assert_eq!(over, Err(PublishError::TooLong(GOSSIP_PAYLOAD_MAX + 1)));
    eventually(|| b.count("gossip_received") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_cannot_bring_a_strangers_message() {
    let topic = Topic::Adverts.name("test");
    let mut b = start(2, config(TCP)).await;
    let mut member = raw::swarm(9, std::slice::from_ref(&topic));
    let at = raw::listen(&mut member).await;
    let mut stranger = raw::swarm(10, std::slice::from_ref(&topic));
    b.admit(&[(raw::node(9), vec![at.clone()])]).await;
    stranger.dial(at).unwrap();
    raw::drive(member);
    b.until_connected(raw::node(9)).await;

    let mut repeat = tokio::time::interval(Duration::from_millis(200));
    within(async {
        let mut number = 0u32;
        while b.count("gossip_foreign_author") == 0 {
            tokio::select! {
                _ = stranger.select_next_some() => {}
                _ = repeat.tick() => {
                    number += 1;
                    let bytes = number.to_be_bytes();
                    // Refused until the member has subscribed; the loop tries again.
                    let _ = stranger.behaviour_mut().gossip.publish(IdentTopic::new(&topic), bytes);
                }
            }
        }
    })
    .await;
    assert_eq!(b.count("gossip_received"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_foreign_topics_leave_no_trace() {
    let ours = Topic::Adverts.name("test");
    // In parts that each fit an RPC; ours comes last, so that seeing it means the rest was seen.
    let foreign: Vec<String> = (0..1000).map(|number| format!("/t/{number}")).collect();
    let mut hostile = raw::swarm(9, &[]);
    let at = raw::listen(&mut hostile).await;
    let mut swarm = swarm::build(&config(TCP), keypair_of(&seed(2))).unwrap();
    let peer = peer_of(raw::node(9)).unwrap();
    swarm.behaviour_mut().gate.allow_peer(peer);
    swarm.dial(at).unwrap();

    let known = |swarm: &libp2p::Swarm<swarm::Behaviour>| -> Vec<String> {
        let peers = swarm.behaviour().gossip.all_peers();
        peers
            .flat_map(|(_, topics)| topics)
            .map(ToString::to_string)
            .collect()
    };
    let mut announced = foreign.iter().chain([&ours]);
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    within(async {
        while known(&swarm).is_empty() {
            tokio::select! {
                _ = swarm.select_next_some() => {}
                _ = hostile.select_next_some() => {}
                _ = pace.tick(), if swarm.is_connected(&peer) => {
                    if let Some(topic) = announced.next() {
                        hostile.behaviour_mut().gossip.subscribe(&IdentTopic::new(topic)).unwrap();
                    }
                }
            }
        }
    })
    .await;
    assert_eq!(known(&swarm), std::slice::from_ref(&ours));
}
