//! Frames: a 32-bit big-endian length, then that many bytes.
//!
//! The length is a stranger's number: it is compared with the cap before anything is read, and
//! memory is taken in small pieces as bytes arrive, out of a budget that all peers share.

use std::fmt;
use std::io;
use std::sync::Arc;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::FRAME_CHUNK;

/// Bytes of the length prefix.
const PREFIX: usize = 4;

/// Why a frame was not read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The peer announced more than the cap; nothing of the body was read.
    #[error("a frame of {length} bytes was announced where {cap} are allowed")]
    TooLong {
        /// What was announced, in bytes.
        length: usize,
        /// What is allowed, in bytes.
        cap: usize,
    },
    /// The stream ended inside the frame.
    #[error("the stream ended after {got} of {expected} bytes")]
    Truncated {
        /// Bytes of the body that came.
        got: usize,
        /// Bytes that were announced.
        expected: usize,
    },
    /// The stream ended before a whole length prefix.
    #[error("the stream ended before a frame")]
    Missing,
    /// The memory that all peers share is in use.
    #[error("the memory set aside for frames is in use")]
    NoRoom,
    /// A status byte that no version defines.
    #[error("unknown status {0}")]
    UnknownStatus(u8),
    /// The stream failed.
    #[error("stream failed: {0}")]
    Io(io::ErrorKind),
}

impl FrameError {
    /// An error of the first read of a frame: an end of the stream there cuts nothing in two.
    pub(super) fn at_start(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Missing
        } else {
            error.into()
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        let kind = match error {
            FrameError::TooLong { .. } | FrameError::UnknownStatus(_) => io::ErrorKind::InvalidData,
            FrameError::Truncated { .. } | FrameError::Missing => io::ErrorKind::UnexpectedEof,
            FrameError::NoRoom => io::ErrorKind::OutOfMemory,
            FrameError::Io(kind) => kind,
        };
        Self::new(kind, error)
    }
}

/// Memory for frames, shared by all streams of one direction.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    /// A budget of so many bytes, handed out in pieces of [`FRAME_CHUNK`].
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / FRAME_CHUNK)))
    }

    /// Takes one more piece; it comes back when `room` is dropped.
    fn extend(&self, room: &mut Room) -> Result<(), FrameError> {
        let piece = Arc::clone(&self.0)
            .try_acquire_owned()
            .map_err(|_| FrameError::NoRoom)?;
        match &mut room.0 {
            Some(held) => held.merge(piece),
            None => room.0 = Some(piece),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn pieces_left(&self) -> usize {
        self.0.available_permits()
    }
}

/// A share of a [`Budget`]; dropping it gives the share back.
#[derive(Default)]
pub(super) struct Room(Option<OwnedSemaphorePermit>);

/// A frame's body with the memory share it holds.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) room: Room,
}

impl Frame {
    /// A frame of our own making, outside any budget.
    pub(super) fn own(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            room: Room::default(),
        }
    }
}

impl fmt::Debug for Frame {
    /// The length alone: payloads never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.bytes.len())
    }
}

/// Reads one frame of at most `cap` bytes.
pub(super) async fn read_frame<S>(
    stream: &mut S,
    cap: usize,
    budget: &Budget,
) -> Result<Frame, FrameError>
where
    S: AsyncRead + Unpin,
{
    let mut prefix = [0; PREFIX];
    stream
        .read_exact(&mut prefix)
        .await
        .map_err(FrameError::at_start)?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > cap {
        return Err(FrameError::TooLong { length, cap });
    }
    let mut frame = Frame::default();
    let mut got = 0;
    while got < length {
        if got == frame.bytes.len() {
            budget.extend(&mut frame.room)?;
            frame.bytes.resize(length.min(got + FRAME_CHUNK), 0);
        }
        match stream.read(&mut frame.bytes[got..]).await? {
            0 => {
                return Err(FrameError::Truncated {
                    got,
                    expected: length,
                });
            }
            more => got += more,
        }
    }
    Ok(frame)
}

/// Writes one frame of at most `cap` bytes. Does not flush.
pub(super) async fn write_frame<S>(
    stream: &mut S,
    cap: usize,
    bytes: &[u8],
) -> Result<(), FrameError>
where
    S: AsyncWrite + Unpin,
{
    let too_long = FrameError::TooLong {
        length: bytes.len(),
        cap,
    };
    if bytes.len() > cap {
        return Err(too_long);
    }
    let length = u32::try_from(bytes.len()).map_err(|_| too_long)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    Ok(())
}

/// Fuzz target: whatever the bytes, the reader ends, holds no more than it was sent, and keeps its
/// caps.
///
/// # Panics
/// When one of these does not hold.
pub fn fuzz_frame(data: &[u8]) {
    const CAP: usize = 40 * 1024;
    let budget = Budget::new(4 * FRAME_CHUNK);
    let before = budget.0.available_permits();
    let read = futures::executor::block_on(read_frame(&mut &data[..], CAP, &budget));
    if let Ok(frame) = read {
        assert!(frame.bytes.len() <= CAP, "the cap holds");
        assert_eq!(
            data[PREFIX..PREFIX + frame.bytes.len()],
            frame.bytes[..],
            "bytes as sent"
        );
        let mut again = Vec::new();
        futures::executor::block_on(write_frame(&mut again, CAP, &frame.bytes))
            .expect("what was read within the cap can be written");
        assert_eq!(
            again[..],
            data[..PREFIX + frame.bytes.len()],
            "one encoding"
        );
    }
    assert_eq!(
        budget.0.available_permits(),
        before,
        "memory shares come back"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    fn read(data: &[u8], cap: usize, budget: &Budget) -> Result<Frame, FrameError> {
        block_on(read_frame(&mut Cursor::new(data), cap, budget))
    }

    #[test]
    fn what_is_written_is_read() {
        let budget = Budget::new(1024 * 1024);
        for length in [
            0,
            1,
            FRAME_CHUNK - 1,
            FRAME_CHUNK,
            FRAME_CHUNK + 1,
            3 * FRAME_CHUNK,
        ] {
            let body = vec![7; length];
            let mut wire = Vec::new();
            block_on(write_frame(&mut wire, length, &body)).unwrap();
            assert_eq!(wire.len(), PREFIX + length);
            assert_eq!(read(&wire, length, &budget).unwrap().bytes, body);
        }
    }

    #[test]
    fn an_oversized_frame_is_refused_from_its_prefix() {
        let budget = Budget::new(FRAME_CHUNK);
        let refused = read(&[0xff; 4], 1024, &budget).unwrap_err();
        assert_eq!(
            refused,
            FrameError::TooLong {
                length: u32::MAX as usize,
                cap: 1024
            }
        );
        let mut wire = Vec::new();
        let ours = block_on(write_frame(&mut wire, 3, &[0; 4])).unwrap_err();
        assert_eq!(ours, FrameError::TooLong { length: 4, cap: 3 });
        assert!(wire.is_empty());
    }

    #[test]
    fn a_short_frame_says_how_short() {
        let budget = Budget::new(FRAME_CHUNK);
        assert_eq!(read(&[], 9, &budget).unwrap_err(), FrameError::Missing);
        assert_eq!(read(&[0, 0], 9, &budget).unwrap_err(), FrameError::Missing);
        let short = read(&[0, 0, 0, 5, 1, 2], 9, &budget).unwrap_err();
        assert_eq!(
            short,
            FrameError::Truncated {
                got: 2,
                expected: 5
            }
        );
    }

    #[tokio::test]
    async fn an_announcement_alone_holds_one_piece() {
        let budget = Budget::new(4 * FRAME_CHUNK);
        let announced = (4 * FRAME_CHUNK as u32).to_be_bytes();
        let (_writer, silent) = tokio::io::duplex(64);
        let mut stream = Cursor::new(announced).chain(silent.compat());
        let mut reading = Box::pin(read_frame(&mut stream, usize::MAX, &budget));
        assert!(futures::poll!(reading.as_mut()).is_pending());
        assert_eq!(budget.pieces_left(), 3);
        drop(reading);
        assert_eq!(budget.pieces_left(), 4);
    }

    #[test]
    fn memory_is_shared_and_comes_back() {
        let budget = Budget::new(2 * FRAME_CHUNK);
        let mut wire = Vec::new();
        block_on(write_frame(
            &mut wire,
            usize::MAX,
            &vec![1; 2 * FRAME_CHUNK],
        ))
        .unwrap();
        let first = read(&wire, usize::MAX, &budget).unwrap();
        assert_eq!(
            read(&wire, usize::MAX, &budget).unwrap_err(),
            FrameError::NoRoom
        );
        drop(first);
        assert!(read(&wire, usize::MAX, &budget).is_ok());
    }

    #[test]
    fn the_fuzz_target_holds_on_small_inputs() {
        let mut wire = vec![0, 0, 0x80, 0];
        wire.extend(vec![5; 0x8000]);
        for end in [0, 3, 4, 5, 300, wire.len()] {
            fuzz_frame(&wire[..end]);
        }
        fuzz_frame(&[0xff; 64]);
    }
}
