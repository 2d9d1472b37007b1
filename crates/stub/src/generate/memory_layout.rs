//! The memory layout of generated modules.
//!
//! ```text
//! 0         16            80              112            144
//! | nothing | return area | few arguments | small result | handles of resources | arena …
//! ```
//!
//! Pointers are never null, and allocations are followed by [`SLACK`] bytes that may be read.

/// The area for results of host functions, and for results that the host receives.
pub(crate) const RETURN_AREA: i32 = 16;

/// The address at which a skeleton stores arguments that it receives in words.
pub(crate) const ARGUMENTS_AREA: i32 = 80;

/// The address at which results of up to [`RESULT_AREA_BYTES`] are decoded.
pub(crate) const RESULT_AREA: i32 = 112;

/// The maximum size of a result that takes no allocation.
pub(crate) const RESULT_AREA_BYTES: u32 = 32;

/// The start of the arena, or of the table of handles before it.
pub(crate) const ARENA_START: i32 = 144;

/// Number of words for inline bytes: enough for a short string or some numbers.
pub(crate) const INLINE_WORDS: u32 = 4;

/// The maximum number of bytes that cross in words instead of a list.
pub(crate) const MAX_INLINE_BYTES: u32 = 8 * INLINE_WORDS;

/// Offsets in `tuple<u32, u64, u64, u64, u64, option<list<u8>>>`, the returned bytes.
pub(crate) mod returned_bytes {
    use super::MAX_INLINE_BYTES;

    pub(crate) const LENGTH: u32 = 0;
    pub(crate) const WORDS: u32 = 8;
    pub(crate) const IS_LIST: u32 = WORDS + MAX_INLINE_BYTES;
    pub(crate) const LIST: u32 = IS_LIST + 4;
    pub(crate) const LIST_LENGTH: u32 = LIST + 4;
}

/// The offset of the returned bytes in a `result`.
pub(crate) const RESULT_PAYLOAD: u32 = 8;

/// Copies of up to 16 bytes read two full words, and the end of a string is read as one word.
pub(crate) const SLACK: i32 = 16;

/// Most calls are small, and the memory grows for others.
pub(crate) const INITIAL_PAGES: u64 = 1;

/// The initial end of the memory.
pub(crate) const INITIAL_END: i32 = 0x1_0000;
