//! Where things are in the memory of generated modules.
//!
//! ```text
//! 0         16              32             64
//! | nothing | return area   | small result | handles of resources | arena …
//! ```
//!
//! Pointers are never null, and behind what is allocated there are [`SLACK`] bytes that may be read.

/// What host and exporter return through, and what is returned to them.
pub(crate) const RETURN_AREA: i32 = 16;

/// Where a result is decoded that is no larger than [`SMALL_RESULT`].
pub(crate) const RESULT_AREA: i32 = 32;

/// The most bytes of a result for which nothing has to be allocated.
pub(crate) const SMALL_RESULT: u32 = 32;

/// Where the arena begins, or the table of handles before it.
pub(crate) const HOME: i32 = 64;

/// Copies of up to 16 bytes read two whole words, and the end of a text is read as one.
pub(crate) const SLACK: i32 = 16;

/// Most calls are small; the memory grows where they are not.
pub(crate) const INITIAL_PAGES: u64 = 1;

/// The end of the memory before it grows.
pub(crate) const INITIAL_END: i32 = 0x1_0000;
