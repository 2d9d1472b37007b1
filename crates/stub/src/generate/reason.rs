//! What generated code says is wrong with bytes, by number. The numbers are the wire's
//! (`weft_wire::Malformed`); a test holds both together.

/// A reason why bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Reason {
    Truncated = 1,
    Integer = 2,
    Bool = 3,
    Char = 4,
    Utf8 = 5,
    Discriminant = 6,
    Flags = 7,
    Bytes = 10,
    Trailing = 11,
    Handle = 12,
    UnknownHandle = 13,
    UnknownFunction = 14,
}

impl Reason {
    pub(crate) const fn code(self) -> i32 {
        self as i32
    }
}

#[cfg(test)]
mod tests {
    use weft_wire::Malformed;

    use super::Reason;

    #[test]
    fn the_numbers_are_those_of_the_wire() {
        let pairs = [
            (Reason::Truncated, Malformed::Truncated),
            (Reason::Integer, Malformed::Integer),
            (Reason::Bool, Malformed::Bool),
            (Reason::Char, Malformed::Char),
            (Reason::Utf8, Malformed::Utf8),
            (Reason::Discriminant, Malformed::Discriminant),
            (Reason::Flags, Malformed::Flags),
            (Reason::Bytes, Malformed::Bytes),
            (Reason::Trailing, Malformed::Trailing),
            (Reason::Handle, Malformed::Handle),
            (Reason::UnknownHandle, Malformed::UnknownHandle),
            (Reason::UnknownFunction, Malformed::UnknownFunction),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(u32::try_from(ours.code()), Ok(theirs.code()), "{theirs}");
        }
    }
}
