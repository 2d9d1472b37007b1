//! Bytes between the host and generated code: up to 32 bytes inline in four words, more as a list.
//!
//! A list requires an allocation in its receiver, which is a call into it; words do not, and most
//! calls have at most 32 bytes in each direction. The WIT of both forms is `link.wit` of
//! `weft-stub`.

use bytes::Bytes;
use wasmtime::AsContext;
use wasmtime::component::WasmList;

/// Number of words.
const WORDS: usize = 4;

/// Bytes per word.
const WORD: usize = size_of::<u64>();

/// `length` and the words, as parameters and results of generated code.
type FlatBytes = (u32, u64, u64, u64, u64);

/// The result of a call: inline bytes, or a list in their place.
pub(super) type FlatReply<L> = (u32, u64, u64, u64, u64, Option<L>);

/// Bytes that fit into the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InlineBytes {
    length: u32,
    words: [u64; WORDS],
}

impl InlineBytes {
    /// The bytes that generated code passed. Bytes of the words beyond `length` have no meaning.
    ///
    /// # Errors
    /// If `length` exceeds the words, which generated code never passes.
    pub(super) fn from_flat((length, a, b, c, d): FlatBytes) -> wasmtime::Result<Self> {
        if usize::try_from(length).is_ok_and(|length| length <= WORDS * WORD) {
            let words = [a, b, c, d];
            return Ok(Self { length, words });
        }
        Err(wasmtime::Error::msg(format!(
            "{length} bytes do not fit into {WORDS} words"
        )))
    }

    /// The bytes in words, if they fit.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > WORDS * WORD {
            return None;
        }
        let mut padded = [0; WORDS * WORD];
        padded[..bytes.len()].copy_from_slice(bytes);
        let (words, _) = padded.as_chunks();
        let mut words = words.iter().copied().map(u64::from_le_bytes);
        Some(Self {
            length: u32::try_from(bytes.len()).ok()?,
            words: std::array::from_fn(|_| words.next().unwrap_or_default()),
        })
    }

    pub(super) fn to_vec(self) -> Vec<u8> {
        let mut bytes = self.words.map(u64::to_le_bytes).concat();
        bytes.truncate(self.length as usize);
        bytes
    }

    pub(super) fn to_flat(self) -> FlatBytes {
        let [a, b, c, d] = self.words;
        (self.length, a, b, c, d)
    }
}

/// The encoded result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Inline(InlineBytes),
    Heap(Vec<u8>),
}

impl Reply {
    /// The form that generated code receives.
    pub(super) fn into_flat(self) -> FlatReply<Vec<u8>> {
        match self {
            Self::Inline(inline) => {
                let (length, a, b, c, d) = inline.to_flat();
                (length, a, b, c, d, None)
            }
            Self::Heap(bytes) => (0, 0, 0, 0, 0, Some(bytes)),
        }
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Inline(inline) => inline.to_vec(),
            Self::Heap(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        InlineBytes::new(&bytes).map_or(Self::Heap(bytes), Self::Inline)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        InlineBytes::new(&bytes).map_or_else(|| Self::Heap(bytes.into()), Self::Inline)
    }
}

/// The encoded arguments of a call, as the stub passed them.
pub(super) enum Arguments {
    Inline(InlineBytes),
    /// A list in the importer's memory.
    List(WasmList<u8>),
}

impl Arguments {
    pub(super) fn to_vec(&self, importer: &impl AsContext) -> Vec<u8> {
        match self {
            Self::Inline(inline) => inline.to_vec(),
            Self::List(list) => list.as_le_slice(importer.as_context()).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_in_words_come_back_unchanged(bytes in prop::collection::vec(any::<u8>(), 0..=40)) {
            let reply = Reply::from(bytes.clone());
            prop_assert_eq!(matches!(reply, Reply::Inline(_)), bytes.len() <= 32);
            prop_assert_eq!(&reply, &Reply::from(Bytes::from(bytes.clone())));
            prop_assert_eq!(reply.into_vec(), bytes);
        }
    }

    #[test]
    fn bytes_of_words_beyond_the_length_are_ignored() {
        let inline = InlineBytes::from_flat((3, u64::from_le_bytes(*b"abcdefgh"), 1, 2, 3));
        assert_eq!(inline.map(InlineBytes::to_vec).ok(), Some(b"abc".to_vec()));
    }

    #[test]
    fn a_length_beyond_the_words_is_an_error() {
        assert!(InlineBytes::from_flat((32, 0, 0, 0, 0)).is_ok());
        let error = InlineBytes::from_flat((33, 0, 0, 0, 0)).unwrap_err();
        assert_eq!(error.to_string(), "33 bytes do not fit into 4 words");
    }
}
