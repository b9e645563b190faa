//! Request protocols: one request frame, one response, with caps on both.
//!
//! On the wire (`/radmesh/case/1`, `/radmesh/witness/1`): the request is one frame; the response is
//! one status byte, and after [`ANSWERED`] one frame. Versions live in the protocol's name.
//!
//! Each protocol is a behaviour of its own. libp2p's request-response hands the oldest waiting
//! request to whichever stream is negotiated first, so two protocols in one behaviour could swap
//! their requests.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::{self, ProtocolSupport};

use super::frame::{Budget, Frame, FrameError, read_frame, write_frame};
use super::limits::{
    INBOUND_BUDGET, REQUEST_MAX, RESPONSE_BUDGET, RESPONSE_MAX, RPC_STREAMS_PER_CONNECTION,
};

/// Status byte: a frame with the answer follows.
const ANSWERED: u8 = 0;
/// Status byte: the peer has too much to do; ask again later. Nothing was done.
const OVERLOADED: u8 = 1;
/// Status byte: the peer does not answer this request.
const REFUSED: u8 = 2;

/// A request protocol of the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Messages about cases: offers, claims, grants, receipts, reports.
    Case,
    /// A log's checkpoints, proofs and entries, for those who witness it.
    Witness,
}

impl Protocol {
    /// Every request protocol.
    pub const ALL: [Self; 2] = [Self::Case, Self::Witness];

    /// The name that peers negotiate, with its version.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Case => "/radmesh/case/1",
            Self::Witness => "/radmesh/witness/1",
        }
    }
}

/// What a peer gets back for its request.
#[derive(Debug)]
pub(super) enum Answer {
    /// The consumer's answer.
    Bytes(Frame),
    /// There was no room for the request; nothing was done.
    Overloaded,
    /// The consumer gave no answer.
    Refused,
}

/// libp2p's behaviour for one of our protocols.
pub(super) type Behaviour = request_response::Behaviour<Codec>;

/// What [`Behaviour`] reports.
pub(super) type Event = request_response::Event<Frame, Answer>;

/// The behaviour of one protocol. Budgets are shared by all connections of the mesh.
pub(super) fn behaviour(protocol: Protocol, codec: Codec, timeout: Duration) -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(timeout)
        .with_max_concurrent_streams(RPC_STREAMS_PER_CONNECTION);
    let name = StreamProtocol::new(protocol.name());
    Behaviour::with_codec(codec, [(name, ProtocolSupport::Full)], config)
}

/// Reads and writes requests and responses within their caps.
#[derive(Clone)]
pub(super) struct Codec {
    requests: Budget,
    responses: Budget,
}

impl Codec {
    /// A codec with fresh memory budgets.
    pub(super) fn new() -> Self {
        Self {
            requests: Budget::new(INBOUND_BUDGET),
            responses: Budget::new(RESPONSE_BUDGET),
        }
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Frame;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(read_frame(io, REQUEST_MAX, &self.requests).await?)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(read_answer(io, &self.responses).await?)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Frame,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Ok(write_frame(io, REQUEST_MAX, &request.bytes).await?)
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        answer: Answer,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Ok(write_answer(io, &answer).await?)
    }
}

/// Reads a status byte and, when it announces one, the answer's frame.
async fn read_answer<S>(stream: &mut S, budget: &Budget) -> Result<Answer, FrameError>
where
    S: AsyncRead + Unpin,
{
    let mut status = [0];
    stream
        .read_exact(&mut status)
        .await
        .map_err(FrameError::at_start)?;
    match status[0] {
        ANSWERED => Ok(Answer::Bytes(
            read_frame(stream, RESPONSE_MAX, budget).await?,
        )),
        OVERLOADED => Ok(Answer::Overloaded),
        REFUSED => Ok(Answer::Refused),
        unknown => Err(FrameError::UnknownStatus(unknown)),
    }
}

/// Writes what [`read_answer`] reads.
async fn write_answer<S>(stream: &mut S, answer: &Answer) -> Result<(), FrameError>
where
    S: AsyncWrite + Unpin,
{
    match answer {
        Answer::Bytes(frame) => {
            stream.write_all(&[ANSWERED]).await?;
            write_frame(stream, RESPONSE_MAX, &frame.bytes).await
        }
        Answer::Overloaded => Ok(stream.write_all(&[OVERLOADED]).await?),
        Answer::Refused => Ok(stream.write_all(&[REFUSED]).await?),
    }
}

/// Fuzz target: whatever the bytes, reading an answer ends within its caps.
///
/// # Panics
/// When an answer longer than its cap or its input comes out.
pub fn fuzz_answer(data: &[u8]) {
    let budget = Budget::new(RESPONSE_BUDGET);
    let read = futures::executor::block_on(read_answer(&mut &data[..], &budget));
    if let Ok(Answer::Bytes(frame)) = read {
        assert!(frame.bytes.len() < data.len() && frame.bytes.len() <= RESPONSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn answers_survive_the_wire() {
        let budget = Budget::new(RESPONSE_BUDGET);
        let mut wire = Vec::new();
        block_on(write_answer(
            &mut wire,
            &Answer::Bytes(Frame::own(vec![1, 2, 3])),
        ))
        .unwrap();
        assert_eq!(wire, [ANSWERED, 0, 0, 0, 3, 1, 2, 3]);
        let Ok(Answer::Bytes(frame)) = block_on(read_answer(&mut &wire[..], &budget)) else {
            panic!("an answer was written")
        };
        assert_eq!(frame.bytes, [1, 2, 3]);
        let read = |wire: &[u8]| block_on(read_answer(&mut &wire[..], &budget));
        assert!(matches!(read(&[OVERLOADED]), Ok(Answer::Overloaded)));
        assert!(matches!(read(&[REFUSED]), Ok(Answer::Refused)));
        assert_eq!(read(&[9]).unwrap_err(), FrameError::UnknownStatus(9));
        assert_eq!(read(&[]).unwrap_err(), FrameError::Missing);
        assert_eq!(
            read(&[ANSWERED, 0xff, 0xff, 0xff, 0xff]).unwrap_err(),
            FrameError::TooLong {
                length: u32::MAX as usize,
                cap: RESPONSE_MAX
            }
        );
    }

    #[test]
    fn the_fuzz_target_holds_on_small_inputs() {
        for data in [
            &[][..],
            &[0],
            &[0, 0, 0, 0, 1, 7],
            &[0, 0, 0, 0, 9, 7],
            &[1, 1],
            &[77],
        ] {
            fuzz_answer(data);
        }
    }

    #[test]
    fn protocol_names_carry_their_version() {
        let names = Protocol::ALL.map(Protocol::name);
        assert_eq!(names, ["/radmesh/case/1", "/radmesh/witness/1"]);
    }
}
