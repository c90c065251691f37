//! Chunks of text -> chunks of one gzip member.
//!
//! Each chunk is deflated on its own and ends on a byte (sync flush), so consecutive chunks are one
//! deflate stream (RFC 1951, 3.2.4), whose checksum is combined from theirs. Consecutive members
//! would be valid, too (RFC 1952, 2.2), but curl reads only the first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

use super::checksum::Summand;

/// A third smaller than level 1 in about the same time; level 6 takes more than twice as long to
/// save another 6 %.
const LEVEL: Compression = Compression::new(2);

/// Head of a member (RFC 1952, 2.3): deflate, no flags, no time, unknown system.
pub(super) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A deflated chunk, with the checksum of its text.
#[derive(Clone, Debug)]
pub(super) struct Deflated {
    /// Its part of the stream.
    pub(super) bytes: Bytes,
    /// Checksum and length of the text.
    pub(super) checksum: Summand,
}

/// Deflates chunks one after the other. Its tables are large, so one is made for many chunks.
#[derive(Debug)]
pub(super) struct Deflater {
    compress: Compress,
    output: Box<[u8]>,
}

impl Deflater {
    pub(super) fn new() -> Self {
        Self { compress: Compress::new(LEVEL, false), output: vec![0; 16 * 1024].into() }
    }

    /// Deflates a chunk that follows `before`, to which it may refer, and that is not the last.
    pub(super) fn chunk(&mut self, before: &[u8], text: &[u8]) -> Deflated {
        self.compress.reset();
        if !before.is_empty() {
            // This fails only in the middle of a stream; then nothing is referred to.
            let _ = self.compress.set_dictionary(before);
        }
        self.deflate(std::iter::once(text), FlushCompress::Sync)
    }

    /// Deflates consecutive texts as one; another chunk follows.
    pub(super) fn whole<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]>) -> Deflated {
        self.compress.reset();
        self.deflate(texts, FlushCompress::Sync)
    }

    /// Deflates the last chunk.
    pub(super) fn last(&mut self, text: &[u8]) -> Deflated {
        self.compress.reset();
        self.deflate(std::iter::once(text), FlushCompress::Finish)
    }

    fn deflate<'a>(
        &mut self,
        texts: impl Iterator<Item = &'a [u8]>,
        end: FlushCompress,
    ) -> Deflated {
        let mut crc = Crc::new();
        let mut deflated = Vec::new();
        let mut texts = texts.peekable();
        while let Some(text) = texts.next() {
            crc.update(text);
            let flush = if texts.peek().is_some() { FlushCompress::None } else { end };
            self.write(text, flush, &mut deflated);
        }
        Deflated { bytes: deflated.into_boxed_slice().into(), checksum: Summand::of(&crc) }
    }

    fn write(&mut self, text: &[u8], flush: FlushCompress, deflated: &mut Vec<u8>) {
        let begun = self.compress.total_in();
        loop {
            let read = (self.compress.total_in() - begun) as usize;
            let written = self.compress.total_out();
            // This fails only if it is used wrongly, and then has written nothing.
            let _ = self.compress.compress(&text[read..], &mut self.output, flush);
            let written = (self.compress.total_out() - written) as usize;
            deflated.extend_from_slice(&self.output[..written]);
            if written < self.output.len() {
                return;
            }
        }
    }
}

/// A deflater that is kept between uses: making its tables, a third of a megabyte, takes longer than
/// deflating the end of a page.
#[derive(Debug, Default)]
pub(super) struct SpareDeflater(Mutex<Option<Deflater>>);

impl SpareDeflater {
    /// Deflates with the spare one, or with a new one while another thread has it.
    pub(super) fn with<T>(&self, deflate: impl FnOnce(&mut Deflater) -> T) -> T {
        let mut deflater = self.lock().take().unwrap_or_else(Deflater::new);
        let deflated = deflate(&mut deflater);
        *self.lock() = Some(deflater);
        deflated
    }

    fn lock(&self) -> MutexGuard<'_, Option<Deflater>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{Deflater, HEAD};
    use crate::exposition::checksum::Checksum;

    #[test]
    fn chunks_in_a_row_are_one_member_whatever_their_size() {
        let noise: Vec<u8> = (0..200_000u64)
            .map(|place| (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
            .collect();
        let chunks: [&[u8]; 5] =
            [b"a\n", &noise, &noise[noise.len() - 600..], &[b'x'; 100_000], b"the end\n"];
        let mut deflater = Deflater::new();
        let mut checksum = Checksum::default();
        let mut member = HEAD.to_vec();
        for (place, chunk) in chunks.iter().enumerate() {
            let last = place == chunks.len() - 1;
            let before: &[u8] = if place == 2 { &noise[noise.len() - 500..] } else { b"" };
            let deflated = if last { deflater.last(chunk) } else { deflater.chunk(before, chunk) };
            checksum = checksum.and(&deflated.checksum);
            member.extend_from_slice(&deflated.bytes);
        }
        member.extend_from_slice(&checksum.trailer());
        let mut decoder = flate2::bufread::GzDecoder::new(&*member);
        let mut text = Vec::new();
        decoder.read_to_end(&mut text).unwrap();
        assert!(text == chunks.concat());
        assert!(decoder.into_inner().is_empty(), "nothing follows the member");
    }
}
