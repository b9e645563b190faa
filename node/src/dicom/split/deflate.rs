//! Inflates a deflated data set (PS3.5 section A.5), with a bound on what comes out.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Read, Write};

/// Output is handed on in pieces of this size.
const PIECE_LEN: usize = 64 * 1024;

/// Bytes that may follow the stream: one pads it to an even length.
const PADDING_MAX: u64 = 1;

/// Why a deflated data set cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The source could not be read.
    #[error("reading the deflated data set failed: {0}")]
    Read(io::ErrorKind),
    /// The output could not be written.
    #[error("writing the inflated data set failed: {0}")]
    Write(io::ErrorKind),
    /// The bytes are no deflate stream, raw or with a zlib header.
    #[error("the data set is no deflate stream")]
    Corrupt,
    /// The stream does not end before the data does.
    #[error("the deflate stream is truncated")]
    Truncated,
    /// The output would exceed the caller's bound.
    #[error("the inflated data set is too large")]
    TooLarge,
    /// Something other than padding follows the stream.
    #[error("there are bytes after the deflate stream")]
    Trailing,
}

/// Inflates `source` into `out` and returns the number of bytes written, at most `limit`.
///
/// The stream is raw (RFC 1951); one with a zlib header (RFC 1950), which some writers produce,
/// is taken as well.
///
/// # Errors
/// [`InflateError`]; `out` may then hold part of the output.
pub fn inflate<R: Read, W: Write>(source: R, mut out: W, limit: u64) -> Result<u64, InflateError> {
    let mut source = BufReader::with_capacity(PIECE_LEN, source);
    let head = source
        .fill_buf()
        .map_err(|e| InflateError::Read(e.kind()))?;
    let mut stream = Decompress::new(has_zlib_header(head));
    let mut piece = vec![0; PIECE_LEN];
    loop {
        let input = source
            .fill_buf()
            .map_err(|e| InflateError::Read(e.kind()))?;
        let at_end = input.is_empty();
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress(input, &mut piece, FlushDecompress::None)
            .map_err(|_| InflateError::Corrupt)?;
        // Both differences are within a buffer.
        source.consume((stream.total_in() - before_in) as usize);
        if stream.total_out() > limit {
            return Err(InflateError::TooLarge);
        }
        let made = (stream.total_out() - before_out) as usize;
        out.write_all(&piece[..made])
            .map_err(|e| InflateError::Write(e.kind()))?;
        match status {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError if at_end && made == 0 => {
                return Err(InflateError::Truncated);
            }
            Status::Ok | Status::BufError => {}
        }
    }
    let rest = io::copy(&mut source.take(PADDING_MAX + 1), &mut io::sink())
        .map_err(|e| InflateError::Read(e.kind()))?;
    if rest > PADDING_MAX {
        return Err(InflateError::Trailing);
    }
    Ok(stream.total_out())
}

/// Whether the first two bytes are a zlib header: method 8, window up to 32 KiB, no dictionary,
/// check bits right (RFC 1950 section 2.2). As raw deflate, 0x78 would begin a stored block
/// whose length check the next bytes would have to pass.
fn has_zlib_header(head: &[u8]) -> bool {
    matches!(head, [cmf @ 0x78, flags, ..]
        if (u16::from(*cmf) << 8 | u16::from(*flags)).is_multiple_of(31) && flags & 0x20 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    fn raw(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn raw_and_zlib_streams_inflate() {
        let data: Vec<u8> = (0..300_000u32)
            .map(|n| (n.wrapping_mul(n) >> 5) as u8)
            .collect();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&data).expect("in memory");
        let mut padded = raw(&data);
        padded.push(0);
        for stream in [raw(&data), padded, zlib.finish().expect("in memory")] {
            let mut out = Vec::new();
            assert_eq!(inflate(&stream[..], &mut out, 300_000), Ok(300_000));
            assert_eq!(out, data);
        }
    }

    #[test]
    fn bombs_stumps_and_tails_are_refused() {
        let stream = raw(&vec![0; 1 << 20]);
        let inflate_to = |stream: &[u8], limit| inflate(stream, io::sink(), limit);
        assert_eq!(
            inflate_to(&stream, (1 << 20) - 1),
            Err(InflateError::TooLarge)
        );
        assert_eq!(
            inflate_to(&stream[..stream.len() - 1], 1 << 20),
            Err(InflateError::Truncated)
        );
        assert_eq!(inflate_to(b"", 1), Err(InflateError::Truncated));
        assert_eq!(inflate_to(&[0xff; 64], 1 << 20), Err(InflateError::Corrupt));
        let mut tail = stream;
        tail.extend([0, 0]);
        assert_eq!(inflate_to(&tail, 1 << 20), Err(InflateError::Trailing));
    }
}
