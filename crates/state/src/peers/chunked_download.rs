//! A download in chunks from an untrusted peer.

use bytes::{Bytes, BytesMut};
use weft_lattice_config::Digest;

use super::message::{MAX_CHUNK_BYTES, Part};

/// The buffer allocated before the first byte arrives; the size that a peer claims is not trusted.
const FIRST_BUFFER_BYTES: usize = 128 << 10;

/// A download in progress.
#[derive(Debug)]
pub struct ChunkedDownload {
    digest: Digest,
    size_max: usize,
    /// The size that the peer reported with the first part.
    size: Option<usize>,
    bytes: BytesMut,
}

/// A chunk to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The offset of its first byte.
    pub offset: u64,
    /// The most bytes of it.
    pub length: u32,
}

/// The reasons why a part is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedDownloadError {
    /// The whole is larger than allowed.
    #[error("download too large: expected at most {limit} bytes, found {found}")]
    TooLarge {
        /// The most bytes of the whole.
        limit: usize,
        /// The size that the peer reported.
        found: u64,
    },
    /// Two parts report different sizes of the whole.
    #[error("size of the download changed: expected {expected} bytes in total, found {found}")]
    Size {
        /// The size that the first part reported.
        expected: u64,
        /// The size that a later part reports.
        found: u64,
    },
    /// A part is empty, or has another length than requested.
    #[error("wrong length of a part: expected {limit} bytes, found {found}")]
    Part {
        /// The requested length.
        limit: usize,
        /// The length of the part.
        found: usize,
    },
    /// The whole does not have the requested digest.
    #[error("wrong digest of the download: expected `{expected}`, found `{found}`")]
    Digest {
        /// The requested digest.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
}

impl ChunkedDownload {
    /// Starts a download of the bytes with this `digest`, at most `size_max` of them.
    #[must_use]
    pub fn new(digest: Digest, size_max: usize) -> Self {
        Self {
            digest,
            size_max,
            size: None,
            bytes: BytesMut::new(),
        }
    }

    /// The chunks to request next, at most `window` of them with `length` bytes each; empty when
    /// the download is complete. The first call returns one chunk, because its part reports the
    /// size.
    #[must_use]
    pub fn next(&self, window: usize, length: usize) -> Vec<Chunk> {
        let length = length.clamp(1, MAX_CHUNK_BYTES);
        let (end, window) = match self.size {
            None => (1, 1),
            Some(size) => (size, window),
        };
        let offsets = (self.bytes.len()..end).step_by(length).take(window);
        let chunks = offsets.map(|offset| Chunk {
            offset: offset as u64,
            // `length` is at most `MAX_CHUNK_BYTES`.
            length: u32::try_from(length).unwrap_or(u32::MAX),
        });
        chunks.collect()
    }

    /// Appends a part.
    ///
    /// # Errors
    /// An [`ChunkedDownloadError`]; the download from this peer cannot continue.
    pub fn take(&mut self, chunk: Chunk, part: &Part) -> Result<(), ChunkedDownloadError> {
        let found = part.size;
        let size = match (usize::try_from(found), self.size) {
            (Ok(size), None) if size <= self.size_max => size,
            (_, None) => {
                let limit = self.size_max;
                return Err(ChunkedDownloadError::TooLarge { limit, found });
            }
            (Ok(size), Some(known)) if size == known => size,
            (_, Some(known)) => {
                let expected = known as u64;
                return Err(ChunkedDownloadError::Size { expected, found });
            }
        };
        if self.size.is_none() {
            self.bytes.reserve(size.min(FIRST_BUFFER_BYTES));
        }
        self.size = Some(size);
        let expected = (size - self.bytes.len()).min(chunk.length as usize);
        // A shorter part would leave a gap before the next requested chunk.
        if part.bytes.len() != expected || chunk.offset != self.bytes.len() as u64 {
            let (limit, found) = (expected, part.bytes.len());
            return Err(ChunkedDownloadError::Part { limit, found });
        }
        self.bytes.extend_from_slice(&part.bytes);
        Ok(())
    }

    /// True if all bytes have arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.size == Some(self.bytes.len())
    }

    /// Returns the whole, if it has the requested digest.
    ///
    /// # Errors
    /// [`ChunkedDownloadError::Digest`].
    pub fn finish(self) -> Result<Bytes, ChunkedDownloadError> {
        let found = Digest::of(&self.bytes);
        if found == self.digest {
            return Ok(self.bytes.freeze());
        }
        let expected = self.digest;
        Err(ChunkedDownloadError::Digest { expected, found })
    }
}
