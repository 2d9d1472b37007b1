//! Where things are in the memory of generated modules.
//!
//! ```text
//! 0         16            80              112            144
//! | nothing | return area | few arguments | small result | handles of resources | arena …
//! ```
//!
//! Pointers are never null, and behind what is allocated there are [`SLACK`] bytes that may be read.

/// What host and exporter return through, and what is returned to them.
pub(crate) const RETURN_AREA: i32 = 16;

/// Where a skeleton has the arguments that are given to it in words.
pub(crate) const ARGUMENTS_AREA: i32 = 80;

/// Where a result is decoded that is no larger than [`RESULT_AREA_BYTES`].
pub(crate) const RESULT_AREA: i32 = 112;

/// The most bytes of a result for which nothing has to be allocated.
pub(crate) const RESULT_AREA_BYTES: u32 = 32;

/// Where the arena begins, or the table of handles before it.
pub(crate) const ARENA_START: i32 = 144;

/// How many words carry bytes that are few: enough for a short text or some numbers.
pub(crate) const INLINE_WORDS: u32 = 4;

/// Up to how many bytes are few.
pub(crate) const MAX_INLINE_BYTES: u32 = 8 * INLINE_WORDS;

/// Where the parts of `tuple<u32, u64, u64, u64, u64, option<list<u8>>>` are: bytes that were given back.
pub(crate) mod returned_bytes {
    use super::MAX_INLINE_BYTES;

    pub(crate) const LENGTH: u32 = 0;
    pub(crate) const WORDS: u32 = 8;
    pub(crate) const IS_LIST: u32 = WORDS + MAX_INLINE_BYTES;
    pub(crate) const LIST: u32 = IS_LIST + 4;
    pub(crate) const LIST_LENGTH: u32 = LIST + 4;
}

/// Where what is given back begins in a result with it.
pub(crate) const RESULT_PAYLOAD: u32 = 8;

/// Copies of up to 16 bytes read two whole words, and the end of a text is read as one.
pub(crate) const SLACK: i32 = 16;

/// Most calls are small; the memory grows where they are not.
pub(crate) const INITIAL_PAGES: u64 = 1;

/// The end of the memory before it grows.
pub(crate) const INITIAL_END: i32 = 0x1_0000;
