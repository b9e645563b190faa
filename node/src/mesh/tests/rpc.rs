//! Requests: answered, refused, bounded.

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::StreamProtocol;

use super::*;
use crate::mesh::identity::peer_of;
use crate::mesh::limits::{PEER_UNANSWERED_MAX, REQUEST_MAX, RESPONSE_MAX};

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_on_both_transports_and_protocols() {
    for listen in [QUIC, TCP] {
        let (a, mut b) = pair(listen).await;
        let asker = a.node();
        let answering = tokio::spawn(async move {
            for _ in 0..Protocol::ALL.len() * 2 {
                let (from, protocol, mut bytes, reply) = b.request().await;
                assert_eq!(from, asker);
                bytes.reverse();
                bytes.truncate(RESPONSE_MAX - 1);
                bytes.insert(0, protocol as u8);
                reply.answer(bytes).unwrap();
            }
            b
        });
        for protocol in Protocol::ALL {
            let short = a.handle.send(raw::node(2), protocol, vec![1, 2, 3]).await;
            assert_eq!(short, Ok(vec![protocol as u8, 3, 2, 1]));
            let longest = a
                .handle
                .send(raw::node(2), protocol, vec![9; REQUEST_MAX])
                .await;
            assert_eq!(longest.map(|answer| answer.len()), Ok(RESPONSE_MAX));
        }
        within(answering).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_says_why() {
    let (a, mut b) = pair(TCP).await;
    let too_long = a
        .handle
        .send(b.node(), Protocol::Case, vec![0; REQUEST_MAX + 1])
        .await;
    assert_eq!(too_long, Err(SendError::TooLong(REQUEST_MAX + 1)));

    let nobody = raw::node(50);
    let closed: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    a.admit(&[b.entry(), (nobody, vec![closed]), (raw::node(51), vec![])])
        .await;
    let send = |to| a.handle.send(to, Protocol::Case, Vec::new());
    assert_eq!(send(nobody).await, Err(SendError::Unreachable));
    assert_eq!(send(raw::node(51)).await, Err(SendError::Unreachable));

    let refused = tokio::spawn({
        let (handle, to) = (a.handle.clone(), b.node());
        async move { handle.send(to, Protocol::Case, Vec::new()).await }
    });
    drop(b.request().await);
    assert_eq!(within(refused).await.unwrap(), Err(SendError::Refused));

    a.handle.shutdown().await;
    assert_eq!(send(b.node()).await, Err(SendError::MeshStopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_does_not_answer_costs_the_peer_its_time() {
    let mut impatient = config(TCP);
    impatient.timing.request = Duration::from_millis(300);
    let a = start(1, impatient).await;
    let mut b = start(2, config(TCP)).await;
    a.admit(&[b.entry()]).await;
    b.admit(&[a.entry()]).await;
    let sent = a.handle.send(b.node(), Protocol::Case, vec![1]).await;
    assert_eq!(sent, Err(SendError::Timeout));
    assert!(SendError::Timeout.outcome_unknown());
    let (.., reply) = b.request().await;
    reply.answer(Vec::new()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_peer_cannot_fill_the_consumers_queue() {
    let (a, mut b) = pair(TCP).await;
    let sends: Vec<_> = (0..=PEER_UNANSWERED_MAX)
        .map(|_| {
            let (handle, to) = (a.handle.clone(), b.node());
            tokio::spawn(async move { handle.send(to, Protocol::Case, vec![0; 1000]).await })
        })
        .collect();
    eventually(|| b.count("requests_refused") == 1).await;
    for _ in 0..PEER_UNANSWERED_MAX {
        b.request().await.3.answer(vec![1]).unwrap();
    }
    let mut refused = 0;
    for send in sends {
        match within(send).await.unwrap() {
            Ok(answer) => assert_eq!(answer, [1]),
            Err(error) => {
                assert_eq!(error, SendError::PeerOverloaded);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_request_is_cut_off_at_its_prefix() {
    let mut b = start(2, config(TCP)).await;
    let mut swarm = raw::swarm(9, &[]);
    let mut control = swarm.behaviour().streams.new_control();
    b.admit(&[(raw::node(9), vec![])]).await;
    swarm.dial(b.handle.listen_addrs()[0].clone()).unwrap();
    raw::drive(swarm);
    b.until_connected(raw::node(9)).await;

    let peer = peer_of(b.node()).unwrap();
    let name = StreamProtocol::new(Protocol::Case.name());
    let mut stream = within(control.open_stream(peer, name)).await.unwrap();
    stream
        .write_all(&(REQUEST_MAX as u32 + 1).to_be_bytes())
        .await
        .unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    // The stream ends, by reset or by close; no status byte comes.
    let _ = within(stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty());
    assert_eq!(b.count("requests_received"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_the_protocol_is_told_apart() {
    let mut b = start(2, config(TCP)).await;
    let mut swarm = raw::swarm(9, &[]);
    let address = raw::listen(&mut swarm).await;
    raw::drive(swarm);
    b.admit(&[(raw::node(9), vec![address])]).await;
    b.until_connected(raw::node(9)).await;
    let sent = b
        .handle
        .send(raw::node(9), Protocol::Witness, Vec::new())
        .await;
    assert_eq!(sent, Err(SendError::Unsupported));
    assert!(matches!(
        b.streams.open(raw::node(9)).await,
        Err(SendError::Unsupported)
    ));
}
