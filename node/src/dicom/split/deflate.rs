//! Inflates a deflated data set (PS3.5 section A.5), with a bound on what comes out.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Read, Write};

/// Output is handed on in pieces of this size.
const PIECE_LEN: usize = 64 * 1024;

/// Bytes that may follow the stream: one pads it to an even length.
const PADDING_MAX: usize = 1;

/// The length of the end of a gzip member.
const GZIP_END_LEN: usize = 8;

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
/// The stream is raw (RFC 1951). What some writers produce is taken as well: a zlib header (RFC
/// 1950), or the end of a gzip member after the stream (CRC-32 and length, RFC 1952 section 2.3.1)
/// if it is right.
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
    let mut check = Crc::new();
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
        check.update(&piece[..made]);
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
    let mut rest = Vec::new();
    let longest = (GZIP_END_LEN + PADDING_MAX) as u64;
    (source.take(longest + 1).read_to_end(&mut rest)).map_err(|e| InflateError::Read(e.kind()))?;
    let gzip_end = [check.sum().to_le_bytes(), check.amount().to_le_bytes()].concat();
    let padding = rest.strip_prefix(&gzip_end[..]).unwrap_or(&rest);
    if padding.len() > PADDING_MAX {
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
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

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
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&data).expect("in memory");
        // Without name and comment the head of a member is 10 bytes.
        let gzip = gzip.finish().expect("in memory").split_off(10);
        let padded_gzip = [&gzip[..], &[0]].concat();
        let zlib = zlib.finish().expect("in memory");
        for stream in [raw(&data), padded, zlib, gzip, padded_gzip] {
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
        // Two bytes are no padding, and another stream's end is not this one's.
        for more in [&[0; 2][..], &[0; 8], &[0; 10]] {
            let tail = [&stream[..], more].concat();
            assert_eq!(inflate_to(&tail, 1 << 20), Err(InflateError::Trailing));
        }
    }
}
