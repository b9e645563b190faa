//! The roster decides who connects, and nothing else does.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_in_both_directions() {
    for listen in [QUIC, TCP] {
        let mut a = start(1, config(listen)).await;
        let b = start(2, config(listen)).await;
        b.admit(&[a.entry()]).await;
        // The stranger finishes its handshake before it is shut out, so it cannot tell which it
        // was.
        let outward = b
            .handle
            .send(a.node(), Protocol::Case, b"let me in".to_vec())
            .await;
        assert!(
            matches!(
                outward,
                Err(SendError::Interrupted | SendError::Unreachable)
            ),
            "{outward:?}"
        );
        eventually(|| a.count("inbound_failed") > 0).await;
        let inward = a.handle.send(b.node(), Protocol::Case, Vec::new()).await;
        assert_eq!(inward, Err(SendError::NotMember));
        assert!(matches!(
            a.streams.open(b.node()).await,
            Err(SendError::NotMember)
        ));
        assert!(a.handle.connected().is_empty());
        a.handle.shutdown().await;
        while let Some(event) = a.events.next().await {
            assert!(matches!(event, MeshEvent::ListenAddr(_)), "{event:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_roster_closes_the_connection() {
    for listen in [QUIC, TCP] {
        let (mut a, mut b) = pair(listen).await;
        a.until_connected(b.node()).await;
        b.until_connected(a.node()).await;
        let change = a.handle.set_roster(Roster::new()).await.unwrap();
        assert_eq!(change.removed, [b.node()]);
        a.until_disconnected(b.node()).await;
        b.until_disconnected(a.node()).await;
        let sent = a.handle.send(b.node(), Protocol::Case, Vec::new()).await;
        assert_eq!(sent, Err(SendError::NotMember));
        assert!(
            b.handle
                .send(a.node(), Protocol::Case, Vec::new())
                .await
                .is_err()
        );
        assert!(!a.handle.connected().contains(&b.node()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_entry_does_not_keep_a_roster_from_counting() {
    let a = start(1, config(TCP)).await;
    let bad = NodeId::from_bytes([2; 32]);
    let roster = Roster::from([(bad, vec![]), (raw::node(7), vec![])]);
    let change = a.handle.set_roster(roster).await.unwrap();
    assert_eq!(change.skipped, [bad]);
    assert_eq!(change.added, [raw::node(7)]);
}
