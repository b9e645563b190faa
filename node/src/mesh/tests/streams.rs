//! Fetch streams: intact, bounded, and never waiting for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::mesh::limits::{FETCH_REQUEST_MAX, PEER_STREAMS_MAX};

const TOTAL: usize = 64 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// What muxer, sockets and our own code may hold of a stream whose reader stands still: QUIC's
/// receive window of 10 MB and send window of 10 MB, with room for the sockets.
const HELD_MAX: usize = 24 * 1024 * 1024;

fn piece(number: usize) -> Vec<u8> {
    Sha256::digest(number.to_be_bytes())
        .iter()
        .copied()
        .cycle()
        .take(PIECE)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn much_goes_through_intact_with_little_held() {
    for listen in [QUIC, TCP] {
        let (a, mut b) = pair(listen).await;
        let sent = Arc::new(AtomicUsize::new(0));
        let progress = Arc::clone(&sent);
        let serving = tokio::spawn(async move {
            let (from, mut stream) = within(b.streams.accept()).await.unwrap();
            assert_eq!(from, raw::node(1));
            assert_eq!(stream.read_request().await.unwrap(), b"all of it");
            for number in 0..TOTAL / PIECE {
                stream.write_all(&piece(number)).await.unwrap();
                progress.fetch_add(PIECE, Ordering::Relaxed);
            }
            stream.shutdown().await.unwrap();
            b
        });
        let mut stream = within(a.streams.open(raw::node(2))).await.unwrap();
        stream.write_request(b"all of it").await.unwrap();

        // The reader stands still until the writer does too.
        let mut last = usize::MAX;
        while sent.load(Ordering::Relaxed) != last {
            last = sent.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(last < HELD_MAX, "{last} bytes are under way");

        let mut read = vec![0; PIECE];
        for number in 0..TOTAL / PIECE {
            within(stream.read_exact(&mut read)).await.unwrap();
            assert!(read == piece(number), "piece {number} is not what was sent");
        }
        assert_eq!(within(stream.read(&mut read)).await.unwrap(), 0);
        within(serving).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stands_still_is_given_up() {
    for listen in [QUIC, TCP] {
        let (a, _b) = pair(listen).await;
        let mut impatient = config(listen);
        impatient.timing.stream = Duration::from_millis(300);
        let mut c = start(3, impatient).await;
        a.admit(&[c.entry()]).await;
        c.admit(&[a.entry()]).await;
        let mut stream = within(a.streams.open(c.node())).await.unwrap();
        stream.write_request(b"").await.unwrap();
        let (_, mut served) = within(c.streams.accept()).await.unwrap();
        served.read_request().await.unwrap();
        let endless = async {
            loop {
                served.write_all(&[0; PIECE]).await?;
            }
        };
        let outcome: std::io::Result<()> = within(endless).await;
        assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(c.count("streams_stalled"), 1);
        // And a writer that stands still, seen from the reader's side.
        let (_held, mut waiting) = (stream, within(c.streams.open(a.node())).await.unwrap());
        waiting.write_request(b"").await.unwrap();
        let error = waiting.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_has_its_share_of_streams() {
    let (a, mut b) = pair(QUIC).await;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for number in 0..PEER_STREAMS_MAX {
        let mut stream = within(a.streams.open(b.node())).await.unwrap();
        stream.write_request(&[number as u8]).await.unwrap();
        ours.push(stream);
        theirs.push(within(b.streams.accept()).await.unwrap().1);
    }
    let mut one_more = within(a.streams.open(b.node())).await.unwrap();
    // Refused: the stream is dropped at the other side, by reset or by close.
    let _ = one_more.write_request(b"").await;
    assert!(!matches!(within(one_more.read(&mut [0])).await, Ok(1)));
    assert_eq!(b.count("streams_refused"), 1);
    let mut one = theirs.swap_remove(0);
    assert_eq!(one.read_request().await.unwrap(), [0]);
    drop(one);
    let mut freed = within(a.streams.open(b.node())).await.unwrap();
    freed.write_request(b"now").await.unwrap();
    let (_, mut stream) = within(b.streams.accept()).await.unwrap();
    assert_eq!(stream.read_request().await.unwrap(), b"now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_frame_has_its_cap_on_both_sides() {
    let (a, mut b) = pair(TCP).await;
    let mut stream = within(a.streams.open(b.node())).await.unwrap();
    let length = FETCH_REQUEST_MAX + 1;
    let too_long = FrameError::TooLong {
        length,
        cap: FETCH_REQUEST_MAX,
    };
    assert_eq!(
        stream.write_request(&vec![0; length]).await,
        Err(too_long.clone())
    );
    stream
        .write_all(&(length as u32).to_be_bytes())
        .await
        .unwrap();
    stream.flush().await.unwrap();
    let (_, mut served) = within(b.streams.accept()).await.unwrap();
    assert_eq!(within(served.read_request()).await, Err(too_long));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_ends_its_streams() {
    let (a, mut b) = pair(TCP).await;
    let mut stream = within(a.streams.open(b.node())).await.unwrap();
    stream.write_request(b"").await.unwrap();
    let (_, _served) = within(b.streams.accept()).await.unwrap();
    a.handle.set_roster(Roster::new()).await.unwrap();
    assert!(!matches!(within(stream.read(&mut [0])).await, Ok(1)));
}
