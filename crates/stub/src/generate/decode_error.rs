//! The numbers by which generated code reports decoding errors. They equal those of
//! `weft_wire::Malformed`; a test compares both.

/// The reason that bytes are not a valid value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum DecodeError {
    Truncated = 1,
    Integer = 2,
    Bool = 3,
    Char = 4,
    Utf8 = 5,
    Discriminant = 6,
    Flags = 7,
    Elements = 8,
    Bytes = 10,
    Trailing = 11,
    Handle = 12,
    UnknownHandle = 13,
    UnknownFunction = 14,
}

impl DecodeError {
    pub(crate) const fn code(self) -> i32 {
        self as i32
    }
}

#[cfg(test)]
mod tests {
    use weft_wire::Malformed;

    use super::DecodeError;

    #[test]
    fn the_numbers_are_those_of_the_wire() {
        let pairs = [
            (DecodeError::Truncated, Malformed::Truncated),
            (DecodeError::Integer, Malformed::Integer),
            (DecodeError::Bool, Malformed::Bool),
            (DecodeError::Char, Malformed::Char),
            (DecodeError::Utf8, Malformed::Utf8),
            (DecodeError::Discriminant, Malformed::Discriminant),
            (DecodeError::Flags, Malformed::Flags),
            (DecodeError::Elements, Malformed::Elements),
            (DecodeError::Bytes, Malformed::Bytes),
            (DecodeError::Trailing, Malformed::Trailing),
            (DecodeError::Handle, Malformed::Handle),
            (DecodeError::UnknownHandle, Malformed::UnknownHandle),
            (DecodeError::UnknownFunction, Malformed::UnknownFunction),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(u32::try_from(ours.code()), Ok(theirs.code()), "{theirs}");
        }
    }
}
