//! Integers in LEB128: seven bits in each byte, the lowest first, and a mark on all but the last.
//!
//! The shortest form is written. A longer one is read as long as it stays within the bytes that the type's
//! largest value takes, as the core specification has it; bits beyond the type are refused.

/// How an attempt to read an integer ended.
pub(crate) enum Read<T> {
    /// The value, and how many bytes it took.
    Done(T, usize),
    /// The bytes end first.
    Truncated,
    /// It is longer or larger than its type.
    TooLarge,
}

const MORE: u8 = 0x80;
const SEVEN: u8 = 0x7f;

pub(crate) fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value > u64::from(SEVEN) {
        out.push(low_bits(value) | MORE);
        value >>= 7;
    }
    out.push(low_bits(value));
}

pub(crate) fn write_signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = low_bits(value.cast_unsigned());
        // What is left repeats the sign, and the sign is the byte's own highest bit.
        if (value >> 6) == 0 || (value >> 6) == -1 {
            out.push(byte);
            return;
        }
        out.push(byte | MORE);
        value >>= 7;
    }
}

pub(crate) fn read_unsigned(bytes: &[u8], bits: u32) -> Read<u64> {
    let mut value = 0;
    let mut shift = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let payload = u64::from(byte & SEVEN);
        let room = bits - shift;
        if room < 7 && payload >> room != 0 {
            return Read::TooLarge;
        }
        value |= payload << shift;
        if byte & MORE == 0 {
            return Read::Done(value, index + 1);
        }
        shift += 7;
        if shift >= bits {
            return Read::TooLarge;
        }
    }
    Read::Truncated
}

pub(crate) fn read_signed(bytes: &[u8], bits: u32) -> Read<i64> {
    let mut value = 0_i64;
    let mut shift = 0;
    for (index, byte) in bytes.iter().enumerate() {
        // The seven bits with their own sign, so that the last byte spreads it over all that is above.
        let payload = i64::from((byte << 1).cast_signed() >> 1);
        let room = bits - shift;
        if room < 7 && !matches!(payload >> (room - 1), 0 | -1) {
            return Read::TooLarge;
        }
        let mask_of_seven = if byte & MORE == 0 {
            -1
        } else {
            i64::from(SEVEN)
        };
        value |= (payload & mask_of_seven) << shift;
        if byte & MORE == 0 {
            return Read::Done(value, index + 1);
        }
        shift += 7;
        if shift >= bits {
            return Read::TooLarge;
        }
    }
    Read::Truncated
}

/// The lowest seven bits.
fn low_bits(value: u64) -> u8 {
    let [byte, ..] = value.to_le_bytes();
    byte & SEVEN
}
