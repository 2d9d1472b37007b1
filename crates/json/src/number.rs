//! Numbers of a body, exactly.
//!
//! An integer never passes through a double: the digits of a decimal number are read as they are,
//! so `41.0` and `4e1` are integers, and `18446744073709551615` keeps its last digit.

use weft_wire::Scalar;

use crate::problem::cut_number;

/// The most digits of an integer of 64 bits.
const DIGITS_MAX: u64 = 20;

/// The largest number that is a float of 32 bits: the shortest text of the largest one. Numbers
/// between it and the next power of two would be rounded to it as well, and are out of range.
pub(crate) const SINGLE_MAX: f64 = 3.402_823_5e38;

/// A number as it is in a body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number<'de> {
    /// A number of JSON.
    Decimal(&'de str),
    /// An unsigned integer of CBOR.
    Unsigned(u64),
    /// A negative integer of CBOR: -1 minus this.
    Negative(u64),
    /// A float of CBOR.
    Float(f64),
}

/// The integer that a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer {
    Exact(i128),
    /// Beyond all integers of 64 bits.
    Large,
    /// A number with a fraction, or not finite.
    Fraction,
}

impl Number<'_> {
    pub(crate) fn integer(self) -> Integer {
        match self {
            // Most integers are plain and short.
            Self::Decimal(text) => match text.parse::<i64>() {
                Ok(value) => Integer::Exact(value.into()),
                Err(_) => decimal_integer(text),
            },
            Self::Unsigned(value) => Integer::Exact(value.into()),
            Self::Negative(value) => Integer::Exact(-1 - i128::from(value)),
            Self::Float(value) => float_integer(value),
        }
    }

    /// The nearest double; infinite if the number is beyond all doubles.
    fn double(self) -> f64 {
        match self {
            // The grammar of Rust contains the one of JSON.
            Self::Decimal(text) => text.parse().unwrap_or(f64::INFINITY),
            Self::Unsigned(value) => value as f64,
            Self::Negative(value) => -1.0 - value as f64,
            Self::Float(value) => value,
        }
    }

    /// The nearest float of 32 bits: a decimal number is rounded once.
    fn single(self) -> f32 {
        match self {
            Self::Decimal(text) => text.parse().unwrap_or(f32::INFINITY),
            Self::Unsigned(value) => value as f32,
            Self::Negative(value) => (-1 - i128::from(value)) as f32,
            Self::Float(value) => value as f32,
        }
    }

    /// The float of 32 bits, if the number is in its range.
    pub(crate) fn single_in_range(self) -> Option<f32> {
        let is_in_range = self.is_special() || self.double().abs() <= SINGLE_MAX;
        is_in_range.then(|| self.single())
    }

    /// The float of 64 bits, if the number is in its range.
    pub(crate) fn double_in_range(self) -> Option<f64> {
        let value = self.double();
        (self.is_special() || value.is_finite()).then_some(value)
    }

    /// True for a number of CBOR that is infinite or no number itself.
    fn is_special(self) -> bool {
        matches!(self, Self::Float(value) if !value.is_finite())
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Decimal(text) => cut_number(text),
            Self::Unsigned(value) => value.to_string(),
            Self::Negative(value) => (-1 - i128::from(value)).to_string(),
            Self::Float(value) => format!("{value:?}"),
        }
    }
}

/// The text of a float: the shortest number that is read as the same float, without a fraction of
/// zero, or a word. The caller formats the number, in the width of its type.
pub(crate) fn float_text(value: f64, shortest: &str) -> &str {
    match value {
        value if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => shortest.strip_suffix(".0").unwrap_or(shortest),
    }
}

/// The least and the largest value of an integer type.
pub(crate) const fn range(scalar: Scalar) -> Option<(i128, i128)> {
    Some(match scalar {
        Scalar::U8 => (0, u8::MAX as i128),
        Scalar::S8 => (i8::MIN as i128, i8::MAX as i128),
        Scalar::U16 => (0, u16::MAX as i128),
        Scalar::S16 => (i16::MIN as i128, i16::MAX as i128),
        Scalar::U32 => (0, u32::MAX as i128),
        Scalar::S32 => (i32::MIN as i128, i32::MAX as i128),
        Scalar::U64 => (0, u64::MAX as i128),
        Scalar::S64 => (i64::MIN as i128, i64::MAX as i128),
        Scalar::Bool | Scalar::F32 | Scalar::F64 | Scalar::Char => return None,
    })
}

/// True for integers of 64 bits.
pub(crate) const fn is_wide(scalar: Scalar) -> bool {
    matches!(scalar, Scalar::U64 | Scalar::S64)
}

/// Reads `-?(0|[1-9][0-9]*)`, the form of integers in strings and keys.
pub(crate) fn plain_integer(text: &str) -> Option<Integer> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = match digits.as_bytes() {
        [] => false,
        [b'0'] => text.len() == 1,
        [first, ..] => *first != b'0' && digits.bytes().all(|digit| digit.is_ascii_digit()),
    };
    is_plain.then(|| decimal_integer(text))
}

/// The length of a number of JSON at the start of a text, or the offset of the defect.
pub(crate) fn scan(bytes: &[u8]) -> Result<usize, usize> {
    let digits = |from: usize| {
        let rest = bytes[from..].iter();
        rest.take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += match (bytes.get(at), digits(at)) {
        (_, 0) => return Err(at),
        (Some(b'0'), _) => 1,
        (_, count) => count,
    };
    if bytes.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        at += 1 + count;
        if count == 0 {
            return Err(at);
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = digits(at);
        at += count;
        if count == 0 {
            return Err(at);
        }
    }
    Ok(at)
}

fn decimal_integer(text: &str) -> Integer {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = || whole.bytes().chain(fraction.bytes());
    let leading = digits().take_while(|digit| *digit == b'0').count();
    let significant = whole.len() + fraction.len() - leading;
    if significant == 0 {
        return Integer::Exact(0);
    }
    // The value is the digits times ten to this. A text has fewer than 2^60 bytes.
    let shift = exponent_of(exponent) - fraction.len() as i64;
    let zeros = digits_trailing(whole, fraction) as i64;
    if shift + zeros < 0 {
        return Integer::Fraction;
    }
    if significant as i64 + shift > DIGITS_MAX as i64 {
        return Integer::Large;
    }
    // At most twenty digits remain, of the digits and of the zeros after them.
    let count = (significant as i64 + shift) as usize;
    let kept = digits().skip(leading).chain(std::iter::repeat(b'0'));
    let value = kept
        .take(count)
        .fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let value = if is_negative { -value } else { value };
    if value > u64::MAX.into() || value < i64::MIN.into() {
        return Integer::Large;
    }
    Integer::Exact(value)
}

/// The number of zeros at the end of the digits.
fn digits_trailing(whole: &str, fraction: &str) -> usize {
    if !fraction.is_empty() {
        return 0;
    }
    whole.len() - whole.trim_end_matches('0').len()
}

/// The exponent, within bounds that no text can outweigh with digits.
fn exponent_of(text: &str) -> i64 {
    const BOUND: i64 = 1 << 61;
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = digits.bytes().fold(0_i64, |value, digit| {
        (value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0')))
        .min(BOUND)
    });
    if is_negative { -value } else { value }
}

fn float_integer(value: f64) -> Integer {
    // Doubles of this range that are whole are exact as integers.
    const BOUND: f64 = 18_446_744_073_709_551_616.0;
    if !value.is_finite() || value.fract() != 0.0 {
        return Integer::Fraction;
    }
    if value >= BOUND || value < i64::MIN as f64 {
        return Integer::Large;
    }
    Integer::Exact(value as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_integers_in_every_form() {
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("0e999999999999999999999", 0),
            ("41.0", 41),
            ("4e1", 40),
            ("4E+1", 40),
            ("-1.50e1", -15),
            ("12300e-2", 123),
            ("0.00012e5", 12),
            ("18446744073709551615", u64::MAX.into()),
            ("18446744073709551615.000", u64::MAX.into()),
            ("-9223372036854775808", i64::MIN.into()),
            (
                "1844674407370955161500000000000e-11",
                18_446_744_073_709_551_615,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal_integer(text), Integer::Exact(expected), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_fractions_or_too_large() {
        for text in [
            "1.5",
            "1e-1",
            "10.01",
            "123e-999999999999999999999",
            "0.1e-5",
        ] {
            assert_eq!(decimal_integer(text), Integer::Fraction, "{text}");
        }
        let digits = "9".repeat(400);
        let texts = [
            "1e999999",
            "1e99999999999999999999999999",
            "18446744073709551616",
            "-9223372036854775809",
            &digits,
        ];
        for text in texts {
            assert_eq!(decimal_integer(text), Integer::Large, "{text}");
        }
    }

    #[test]
    fn floats_of_cbor_are_integers_if_they_are_whole() {
        let cases = [
            (41.0, Integer::Exact(41)),
            (-0.0, Integer::Exact(0)),
            (
                9_007_199_254_740_993.0,
                Integer::Exact(9_007_199_254_740_992),
            ),
            (18_446_744_073_709_551_616.0, Integer::Large),
            (
                -9_223_372_036_854_775_808.0,
                Integer::Exact(i64::MIN.into()),
            ),
            (0.5, Integer::Fraction),
            (f64::NAN, Integer::Fraction),
            (f64::INFINITY, Integer::Fraction),
        ];
        for (value, expected) in cases {
            assert_eq!(float_integer(value), expected, "{value}");
        }
    }

    #[test]
    fn a_plain_integer_has_no_other_form() {
        assert_eq!(plain_integer("-12"), Some(Integer::Exact(-12)));
        assert_eq!(plain_integer("0"), Some(Integer::Exact(0)));
        for text in [
            "", "-", "-0", "01", "+1", "1.0", "1e1", " 1", "1 ", "٣", "0x1",
        ] {
            assert_eq!(plain_integer(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_of_json_ends_where_its_grammar_ends() {
        for (text, length) in [("0", 1), ("01", 1), ("-1.5e+3,", 7), ("12]", 2), ("1E5", 3)] {
            assert_eq!(scan(text.as_bytes()), Ok(length), "{text}");
        }
        for (text, defect) in [
            ("-", 1),
            ("1.", 2),
            ("1.e", 2),
            ("1e", 2),
            ("1e+", 3),
            ("-a", 1),
        ] {
            assert_eq!(scan(text.as_bytes()), Err(defect), "{text}");
        }
    }
}
