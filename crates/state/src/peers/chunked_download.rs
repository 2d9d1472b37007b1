//! Bytes that come in chunks from a peer that is not believed.

use bytes::{Bytes, BytesMut};
use weft_lattice_config::Digest;

use super::message::{MAX_CHUNK_BYTES, Part};

/// The buffer that is made before a byte has come; the size that a peer claims is not believed.
const FIRST_BUFFER_BYTES: usize = 128 << 10;

/// Bytes on their way.
#[derive(Debug)]
pub struct Assembly {
    digest: Digest,
    size_max: usize,
    /// What the peer said with the first chunk.
    size: Option<usize>,
    bytes: BytesMut,
}

/// A part to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins.
    pub offset: u64,
    /// How long it is at most.
    pub length: u32,
}

/// Why what a peer sends is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// It is more than may be.
    #[error("expected at most {limit} bytes, found {found}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// What the peer says.
        found: u64,
    },
    /// The parts do not fit together.
    #[error("expected parts of {expected} bytes, found one of {found}")]
    Size {
        /// What the first part said.
        expected: u64,
        /// What a later one says.
        found: u64,
    },
    /// A part is empty, or longer than was asked for.
    #[error("expected 1 to {limit} bytes, found {found}")]
    Part {
        /// What was asked for.
        limit: usize,
        /// What came.
        found: usize,
    },
    /// The whole is something else.
    #[error("expected bytes with digest `{expected}`, found `{found}`")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
}

impl Assembly {
    /// Nothing yet, of what hashes to `digest` and has at most `size_max` bytes.
    #[must_use]
    pub fn new(digest: Digest, size_max: usize) -> Self {
        Self {
            digest,
            size_max,
            size: None,
            bytes: BytesMut::new(),
        }
    }

    /// The chunks to ask for next, at most `window` of them, each of `length` bytes; none when all has come.
    /// Before the first has come it is one, because it says how many there are.
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
            // Not more than the largest chunk.
            length: u32::try_from(length).unwrap_or(u32::MAX),
        });
        chunks.collect()
    }

    /// Takes the part at the end of what has come.
    ///
    /// # Errors
    /// An [`AssemblyError`]: nothing more of this peer's is of use.
    pub fn take(&mut self, chunk: Chunk, part: &Part) -> Result<(), AssemblyError> {
        let found = part.size;
        let size = match (usize::try_from(found), self.size) {
            (Ok(size), None) if size <= self.size_max => size,
            (_, None) => {
                let limit = self.size_max;
                return Err(AssemblyError::TooLarge { limit, found });
            }
            (Ok(size), Some(known)) if size == known => size,
            (_, Some(known)) => {
                let expected = known as u64;
                return Err(AssemblyError::Size { expected, found });
            }
        };
        if self.size.is_none() {
            self.bytes.reserve(size.min(FIRST_BUFFER_BYTES));
        }
        self.size = Some(size);
        let expected = (size - self.bytes.len()).min(chunk.length as usize);
        // Shorter ones would leave a gap before the next that was asked for.
        if part.bytes.len() != expected || chunk.offset != self.bytes.len() as u64 {
            let (limit, found) = (expected, part.bytes.len());
            return Err(AssemblyError::Part { limit, found });
        }
        self.bytes.extend_from_slice(&part.bytes);
        Ok(())
    }

    /// Whether all has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.size == Some(self.bytes.len())
    }

    /// The whole, if it is what was asked for.
    ///
    /// # Errors
    /// [`AssemblyError::Digest`].
    pub fn finish(self) -> Result<Bytes, AssemblyError> {
        let found = Digest::of(&self.bytes);
        if found == self.digest {
            return Ok(self.bytes.freeze());
        }
        let expected = self.digest;
        Err(AssemblyError::Digest { expected, found })
    }
}
