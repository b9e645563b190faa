//! A stream on which no read and no write waits for ever.
//!
//! A muxer can leave a reader hanging after its connection died, and a peer can stop reading. Each
//! wait for progress has a limit; progress of any size starts it afresh.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::metrics::{MeshMetrics, count};

/// A wait with a limit, armed while an operation is pending.
struct Watch {
    sleep: Pin<Box<Sleep>>,
    limit: Duration,
    armed: bool,
}

impl Watch {
    fn new(limit: Duration) -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(limit)),
            limit,
            armed: false,
        }
    }

    /// Passes a result on; turns a wait beyond the limit into `TimedOut`.
    fn check<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.armed = false;
            return result;
        }
        if !self.armed {
            self.armed = true;
            self.sleep.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.sleep.as_mut().poll(cx));
        self.armed = false;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A byte stream with a limit on each wait.
pub(super) struct Timed<S> {
    inner: S,
    reading: Watch,
    writing: Watch,
    metrics: Arc<MeshMetrics>,
}

impl<S> Timed<S> {
    /// Wraps a stream; `limit` bounds each wait for progress.
    pub(super) fn new(inner: S, limit: Duration, metrics: Arc<MeshMetrics>) -> Self {
        Self {
            inner,
            reading: Watch::new(limit),
            writing: Watch::new(limit),
            metrics,
        }
    }

    fn counted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result
            && error.kind() == io::ErrorKind::TimedOut
        {
            count(&self.metrics.streams_stalled);
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let result = self.reading.check(result, cx);
        self.counted(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        let result = self.writing.check(result, cx);
        self.counted(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        let result = self.writing.check(result, cx);
        self.counted(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        let result = self.writing.check(result, cx);
        self.counted(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_silent_peer_ends_a_read() {
        let (_peer, ours) = tokio::io::duplex(8);
        let metrics = Arc::new(MeshMetrics::default());
        let mut stream = Timed::new(ours, SHORT, metrics.clone());
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(
            metrics
                .streams_stalled
                .load(std::sync::atomic::Ordering::Relaxed),
            1
        );
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_a_write() {
        let (_peer, ours) = tokio::io::duplex(8);
        let mut stream = Timed::new(ours, SHORT, Arc::default());
        let error = stream.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn progress_of_any_size_starts_the_wait_afresh() {
        let (mut peer, ours) = tokio::io::duplex(1);
        let limit = Duration::from_secs(2);
        let mut stream = Timed::new(ours, limit, Arc::default());
        let writer = tokio::spawn(async move {
            for byte in 0..3u8 {
                tokio::time::sleep(limit / 2).await;
                peer.write_u8(byte).await.unwrap();
            }
        });
        let mut read = [0; 3];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(read, [0, 1, 2]);
        writer.await.unwrap();
    }
}
