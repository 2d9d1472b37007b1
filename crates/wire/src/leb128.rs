//! Integers in LEB128: seven bits in each byte, the lowest first, and a continuation bit on all but
//! the last.
//!
//! The shortest form is written. A longer form is accepted up to the length of the type's largest
//! value, as in the core specification; bits beyond the type are refused.

/// The result of reading an integer.
pub(crate) enum Read<T> {
    /// The value, and the number of bytes it took.
    Done(T, usize),
    /// The bytes end within the integer.
    Truncated,
    /// The integer is longer or larger than its type.
    TooLarge,
}

const CONTINUATION: u8 = 0x80;
const PAYLOAD_BITS: u8 = 0x7f;

pub(crate) fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value > u64::from(PAYLOAD_BITS) {
        out.push(low_bits(value) | CONTINUATION);
        value >>= 7;
    }
    out.push(low_bits(value));
}

pub(crate) fn write_signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = low_bits(value.cast_unsigned());
        // Stop if the remaining bits only repeat the sign, which is the highest bit of this byte.
        if (value >> 6) == 0 || (value >> 6) == -1 {
            out.push(byte);
            return;
        }
        out.push(byte | CONTINUATION);
        value >>= 7;
    }
}

pub(crate) fn read_unsigned(bytes: &[u8], bits: u32) -> Read<u64> {
    let mut value = 0;
    let mut shift = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let payload = u64::from(byte & PAYLOAD_BITS);
        let room = bits - shift;
        if room < 7 && payload >> room != 0 {
            return Read::TooLarge;
        }
        value |= payload << shift;
        if byte & CONTINUATION == 0 {
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
        // The seven bits, sign-extended, so that the last byte fills all higher bits with the sign.
        let payload = i64::from((byte << 1).cast_signed() >> 1);
        let room = bits - shift;
        if room < 7 && !matches!(payload >> (room - 1), 0 | -1) {
            return Read::TooLarge;
        }
        let mask_of_seven = if byte & CONTINUATION == 0 {
            -1
        } else {
            i64::from(PAYLOAD_BITS)
        };
        value |= (payload & mask_of_seven) << shift;
        if byte & CONTINUATION == 0 {
            return Read::Done(value, index + 1);
        }
        shift += 7;
        if shift >= bits {
            return Read::TooLarge;
        }
    }
    Read::Truncated
}

/// Returns the lowest seven bits.
fn low_bits(value: u64) -> u8 {
    let [byte, ..] = value.to_le_bytes();
    byte & PAYLOAD_BITS
}
