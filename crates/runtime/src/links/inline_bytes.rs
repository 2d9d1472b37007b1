//! Bytes as they cross between the host and generated code: in four words if they are few.
//!
//! A list costs whoever receives it an allocation, which is a call into it; words do not, and most calls have few
//! bytes both ways. The WIT of both forms is `link.wit` of `weft-stub`.

use bytes::Bytes;
use wasmtime::AsContext;
use wasmtime::component::WasmList;

/// How many words there are.
const WORDS: usize = 4;

/// The bytes of a word.
const WORD: usize = size_of::<u64>();

/// `length` and the words, for who is given few bytes.
type FewFlat = (u32, u64, u64, u64, u64);

/// What is given back: few bytes, or a list in their place.
pub(super) type GivenBack<L> = (u32, u64, u64, u64, u64, Option<L>);

/// Bytes that fit into the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Few {
    length: u32,
    words: [u64; WORDS],
}

impl Few {
    /// What generated code gave. What its words have beyond `length` means nothing.
    ///
    /// # Errors
    /// If `length` is more than words have, which no generated code says.
    pub(super) fn given((length, a, b, c, d): FewFlat) -> wasmtime::Result<Self> {
        if usize::try_from(length).is_ok_and(|length| length <= WORDS * WORD) {
            let words = [a, b, c, d];
            return Ok(Self { length, words });
        }
        Err(wasmtime::Error::msg(format!(
            "{length} bytes do not fit into {WORDS} words"
        )))
    }

    /// The bytes in words, if they are few.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
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

    pub(super) fn flat(self) -> FewFlat {
        let [a, b, c, d] = self.words;
        (self.length, a, b, c, d)
    }
}

/// What a call gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Few(Few),
    Many(Vec<u8>),
}

impl Reply {
    /// For generated code.
    pub(super) fn give_back(self) -> GivenBack<Vec<u8>> {
        match self {
            Self::Few(few) => {
                let (length, a, b, c, d) = few.flat();
                (length, a, b, c, d, None)
            }
            Self::Many(bytes) => (0, 0, 0, 0, 0, Some(bytes)),
        }
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Few(few) => few.to_vec(),
            Self::Many(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        Few::of(&bytes).map_or(Self::Many(bytes), Self::Few)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Few::of(&bytes).map_or_else(|| Self::Many(bytes.into()), Self::Few)
    }
}

/// What a stub gives to a call.
pub(super) enum Arguments {
    Few(Few),
    /// Where they are in the importer's memory.
    Many(WasmList<u8>),
}

impl Arguments {
    pub(super) fn to_vec(&self, importer: &impl AsContext) -> Vec<u8> {
        match self {
            Self::Few(few) => few.to_vec(),
            Self::Many(list) => list.as_le_slice(importer.as_context()).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_come_back_from_words_as_they_were(bytes in prop::collection::vec(any::<u8>(), 0..=40)) {
            let reply = Reply::from(bytes.clone());
            prop_assert_eq!(matches!(reply, Reply::Few(_)), bytes.len() <= 32);
            prop_assert_eq!(&reply, &Reply::from(Bytes::from(bytes.clone())));
            prop_assert_eq!(reply.into_vec(), bytes);
        }
    }

    #[test]
    fn what_words_have_beyond_their_bytes_is_not_looked_at() {
        let few = Few::given((3, u64::from_le_bytes(*b"abcdefgh"), 1, 2, 3));
        assert_eq!(few.map(Few::to_vec).ok(), Some(b"abc".to_vec()));
    }

    #[test]
    fn more_bytes_than_words_have_are_an_error() {
        assert!(Few::given((32, 0, 0, 0, 0)).is_ok());
        let error = Few::given((33, 0, 0, 0, 0)).unwrap_err();
        assert_eq!(error.to_string(), "33 bytes do not fit into 4 words");
    }
}
