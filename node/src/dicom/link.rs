//! One upper-layer connection (PS3.8): PDUs in and out, with bounds on sizes and waits.
//!
//! dicom-ul reads and writes every PDU but P-DATA. Those carry the images; they are cut here
//! into slices of the receive buffer, so that an image is copied once, from the socket.

use bytes::{Buf, Bytes, BytesMut};
use dicom_ul::pdu::{self, AbortRQServiceProviderReason, AbortRQSource, Pdu};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Largest PDU body that we take and send: 256 KiB with the PDU's header.
pub const PDU_MAX: u32 = 262_144 - PDU_HEADER_LEN as u32;

/// Length of a PDU header: type, reserved byte, length.
pub const PDU_HEADER_LEN: usize = 6;

/// Length of a presentation data value's own header: length, context, control.
const PDV_HEADER_LEN: usize = 6;

/// Smallest piece of the socket that is read at once.
const READ_MIN: usize = 64 * 1024;

/// After an abort or a rejection, how long and how much a peer may still send before the socket
/// is closed on it. Closing at once would reset the connection and lose our last word.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 8 << 20;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
    /// The peer closed without a word.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer was silent, or did not read, for too long.
    #[error("the peer did not answer in time")]
    Timeout,
    /// A PDU larger than the one that was agreed.
    #[error("a PDU of {length} bytes exceeds the limit")]
    PduTooLarge {
        /// Its announced length.
        length: u32,
    },
    /// Bytes that are no PDU.
    #[error("the peer sent a malformed PDU")]
    Malformed,
    /// A PDU of ours cannot be written (a title or name too long for its field).
    #[error("a PDU could not be encoded")]
    Encode,
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// A byte stream under a link.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Lets the peer know at once what has arrived. Senders that leave Nagle's algorithm on (most
    /// do) otherwise wait for a delayed acknowledgement after every message: 12 ms an image.
    fn acknowledge(&self) {}
}

impl Transport for tokio::net::TcpStream {
    fn acknowledge(&self) {
        // The kernel forgets this after a while, so it is asked for again after each read. Where
        // it does not exist, nothing but speed is lost.
        #[cfg(target_os = "linux")]
        let _ = self.set_quickack(true);
    }
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {}

/// A presentation data value: a fragment of a command or of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdv {
    /// Presentation context.
    pub context: u8,
    /// Whether it belongs to a command (else to a data set).
    pub is_command: bool,
    /// Whether it is the last of its command or data set.
    pub is_last: bool,
    /// The fragment.
    pub data: Bytes,
}

/// What a peer sent.
#[derive(Debug)]
pub enum Received {
    /// A P-DATA PDU's values, in order.
    Data(Vec<Pdv>),
    /// Any other PDU.
    Control(Pdu),
}

/// A connection between two application entities.
#[derive(Debug)]
pub struct Link<S> {
    stream: S,
    buffer: BytesMut,
    /// Bytes that the peer takes in one PDU body.
    peer_pdu_max: u32,
    idle: Duration,
}

impl<S: Transport> Link<S> {
    /// A link over `stream`; a read or write that takes longer than `idle` ends it.
    pub fn new(stream: S, idle: Duration) -> Self {
        let buffer = BytesMut::with_capacity(READ_MIN);
        Self {
            stream,
            buffer,
            peer_pdu_max: PDU_MAX,
            idle,
        }
    }

    /// Sets what the peer takes, from its Maximum Length (0 means no limit; PS3.8 annex D.1).
    pub fn set_peer_pdu_max(&mut self, announced: Option<u32>) {
        self.peer_pdu_max = match announced {
            None | Some(0) => PDU_MAX,
            Some(length) => length.clamp(128, PDU_MAX),
        };
    }

    /// Most bytes of content that fit one of the peer's PDUs; fragments have even lengths
    /// (PS3.8 annex E.1).
    pub fn content_max(&self) -> usize {
        (self.peer_pdu_max as usize - PDV_HEADER_LEN) & !1
    }

    /// The next PDU.
    ///
    /// # Errors
    /// [`LinkError`]; the link is then of no more use than to abort.
    pub async fn receive(&mut self) -> Result<Received, LinkError> {
        let idle = self.idle;
        timeout(idle, self.receive_pdu())
            .await
            .map_err(|_| LinkError::Timeout)?
    }

    async fn receive_pdu(&mut self) -> Result<Received, LinkError> {
        self.fill(PDU_HEADER_LEN).await?;
        let [kind, _, l0, l1, l2, l3, ..] = self.buffer[..] else {
            return Err(LinkError::Closed);
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if length > PDU_MAX {
            return Err(LinkError::PduTooLarge { length });
        }
        let whole = PDU_HEADER_LEN + length as usize;
        self.fill(whole).await?;
        let mut body = self.buffer.split_to(whole).freeze();
        if kind == 0x04 {
            body.advance(PDU_HEADER_LEN);
            return split_values(body).map(Received::Data);
        }
        match pdu::read_pdu(&body[..], PDU_MAX, true) {
            Ok(Some(pdu)) => Ok(Received::Control(pdu)),
            Ok(None) | Err(_) => Err(LinkError::Malformed),
        }
    }

    /// Reads until the buffer holds `length` bytes.
    async fn fill(&mut self, length: usize) -> Result<(), LinkError> {
        while self.buffer.len() < length {
            self.buffer
                .reserve((length - self.buffer.len()).max(READ_MIN));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(LinkError::Closed);
            }
            self.stream.acknowledge();
        }
        Ok(())
    }

    /// Sends a PDU other than P-DATA.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn send(&mut self, pdu: &Pdu) -> Result<(), LinkError> {
        let mut bytes = Vec::with_capacity(1024);
        pdu::write_pdu(&mut bytes, pdu).map_err(|_| LinkError::Encode)?;
        self.send_bytes(&bytes).await
    }

    /// Sends a whole command set.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn send_command(&mut self, context: u8, set: &[u8]) -> Result<(), LinkError> {
        let mut pieces = set.chunks(self.content_max()).peekable();
        let mut bytes = Vec::with_capacity(set.len() + PDU_HEADER_LEN + PDV_HEADER_LEN);
        while let Some(piece) = pieces.next() {
            bytes.extend(data_head(
                context,
                true,
                pieces.peek().is_none(),
                piece.len(),
            ));
            bytes.extend(piece);
        }
        self.send_bytes(&bytes).await
    }

    /// Sends one P-DATA PDU whose content stands in `frame` after [`DATA_HEAD_LEN`] bytes that
    /// are filled in here, so that content read from a file is not moved again.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn send_data(
        &mut self,
        context: u8,
        is_last: bool,
        frame: &mut [u8],
    ) -> Result<(), LinkError> {
        let length = frame.len().saturating_sub(DATA_HEAD_LEN);
        let head = data_head(context, false, is_last, length);
        frame
            .get_mut(..DATA_HEAD_LEN)
            .ok_or(LinkError::Encode)?
            .copy_from_slice(&head);
        self.send_bytes(frame).await
    }

    async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(self.idle, write)
            .await
            .map_err(|_| LinkError::Timeout)?
            .map_err(LinkError::from)
    }

    /// Sends A-ABORT and closes.
    pub async fn abort(mut self, reason: AbortRQServiceProviderReason) {
        let source = AbortRQSource::ServiceProvider(reason);
        if self.send(&Pdu::AbortRQ { source }).await.is_ok() {
            self.close().await;
        }
    }

    /// Closes after the last PDU, leaving the peer a moment to read it.
    pub async fn close(mut self) {
        let drain = async {
            let _ = self.stream.shutdown().await;
            let mut left = LINGER_BYTES;
            loop {
                self.buffer.clear();
                self.buffer.reserve(READ_MIN);
                match self.stream.read_buf(&mut self.buffer).await {
                    Ok(read) if read > 0 && read < left => left -= read,
                    Ok(_) | Err(_) => break,
                }
            }
        };
        let _ = timeout(LINGER, drain).await;
    }
}

/// Bytes before the content in a P-DATA PDU with one value.
pub const DATA_HEAD_LEN: usize = PDU_HEADER_LEN + PDV_HEADER_LEN;

/// The heads of a P-DATA PDU with one value of `length` bytes (PS3.8 section 9.3.5).
fn data_head(context: u8, command: bool, last: bool, length: usize) -> [u8; DATA_HEAD_LEN] {
    // `length` is within a PDU: the callers cut by `content_max`.
    let [p0, p1, p2, p3] = ((length + PDV_HEADER_LEN) as u32).to_be_bytes();
    let [v0, v1, v2, v3] = ((length + 2) as u32).to_be_bytes();
    let control = u8::from(command) | u8::from(last) << 1;
    [0x04, 0, p0, p1, p2, p3, v0, v1, v2, v3, context, control]
}

/// Cuts a P-DATA body into its values.
fn split_values(mut body: Bytes) -> Result<Vec<Pdv>, LinkError> {
    let mut values = Vec::with_capacity(1);
    while !body.is_empty() {
        let [l0, l1, l2, l3, context, control, ..] = body[..] else {
            return Err(LinkError::Malformed);
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        body.advance(4);
        if length < 2 || length > body.len() {
            return Err(LinkError::Malformed);
        }
        let mut data = body.split_to(length);
        data.advance(2);
        let (is_command, is_last) = (control & 1 != 0, control & 2 != 0);
        values.push(Pdv {
            context,
            is_command,
            is_last,
            data,
        });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    async fn received(bytes: &[u8]) -> Result<Received, LinkError> {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        peer.write_all(bytes).await.expect("room for it");
        drop(peer);
        Link::new(ours, IDLE).receive().await
    }

    #[tokio::test]
    async fn values_are_cut_and_lies_refused() {
        let two = b"\x04\0\0\0\0\x0f\0\0\0\x03\x01\x03a\0\0\0\x04\x03\x00bc";
        let Ok(Received::Data(values)) = received(two).await else {
            panic!("no data")
        };
        let seen: Vec<_> = values
            .iter()
            .map(|v| (v.context, v.is_command, v.is_last, v.data.as_ref()))
            .collect();
        assert_eq!(
            seen,
            [(1, true, true, &b"a"[..]), (3, false, false, &b"bc"[..])]
        );
        for (bytes, error) in [
            (
                &b"\x04\0\0\0\0\x06\0\0\0\x03\x01\x03"[..],
                LinkError::Malformed,
            ),
            (b"\x04\0\0\0\0\x06\0\0\0\x01\x01\x03", LinkError::Malformed),
            (b"\x04\0\0\0\0\x05\0\0\0\x02\x01", LinkError::Malformed),
            (b"\x04\0\0\0\0\x06\0\0", LinkError::Closed),
            (b"", LinkError::Closed),
            (b"\x01\0\0\0\0\x02ab", LinkError::Malformed),
            (
                b"GET / HTTP/1.1\r\n\r\n",
                LinkError::PduTooLarge {
                    length: 0x5420_2f20,
                },
            ),
            (
                b"\x04\0\xff\xff\xff\xff",
                LinkError::PduTooLarge { length: u32::MAX },
            ),
        ] {
            assert_eq!(received(bytes).await.err(), Some(error), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_is_received() {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (mut ours, mut theirs) = (Link::new(ours, IDLE), Link::new(theirs, IDLE));
        ours.set_peer_pdu_max(Some(200));
        assert_eq!(ours.content_max(), 194);
        ours.send_command(5, &[7; 300]).await.expect("room");
        let mut command = Vec::new();
        for last in [false, true] {
            let Ok(Received::Data(values)) = theirs.receive().await else {
                panic!("no data")
            };
            assert_eq!((values[0].is_last, values[0].is_command), (last, true));
            command.extend_from_slice(&values[0].data);
        }
        assert_eq!(command, [7; 300]);
        let mut frame = [[0; DATA_HEAD_LEN].as_slice(), b"pixels"].concat();
        ours.send_data(5, true, &mut frame).await.expect("room");
        let Ok(Received::Data(values)) = theirs.receive().await else {
            panic!("no data")
        };
        let expected = Pdv {
            context: 5,
            is_command: false,
            is_last: true,
            data: Bytes::from("pixels"),
        };
        assert_eq!(values, [expected]);
    }

    #[test]
    fn hostile_association_requests_end_in_errors() {
        use dicom_ul::pdu::{AssociationRQ, PresentationContextProposed, UserVariableItem};
        let request = Pdu::AssociationRQ(AssociationRQ {
            protocol_version: 1,
            calling_ae_title: "A".to_owned(),
            called_ae_title: "B".to_owned(),
            application_context_name: "1.2.840.10008.3.1.1.1".to_owned(),
            presentation_contexts: vec![PresentationContextProposed {
                id: 1,
                abstract_syntax: "1.2.840.10008.1.1".to_owned(),
                transfer_syntaxes: vec!["1.2.840.10008.1.2".to_owned()],
            }],
            user_variables: vec![
                UserVariableItem::MaxLength(1),
                UserVariableItem::ImplementationVersionName("X".to_owned()),
                UserVariableItem::SopClassExtendedNegotiationSubItem("1.2".to_owned(), vec![1]),
            ],
        });
        let mut bytes = Vec::new();
        pdu::write_pdu(&mut bytes, &request).expect("valid");
        for at in PDU_HEADER_LEN..bytes.len() {
            for value in [0, 1, 0x7f, 0xff, bytes[at] ^ 1] {
                let mut hostile = bytes.clone();
                hostile[at] = value;
                let _ = pdu::read_pdu(&hostile[..], PDU_MAX, true);
            }
            let mut cut = bytes[..at].to_vec();
            cut[2..6].copy_from_slice(&((at - PDU_HEADER_LEN) as u32).to_be_bytes());
            let _ = pdu::read_pdu(&cut[..], PDU_MAX, true);
        }
    }
}
