//! Numbers in their YAML form.

use serde_json::Number;

/// Parses a number of the YAML 1.2 core schema that JSON can represent.
pub(crate) fn number(text: &str) -> Option<Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return unsigned(hex, 16);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return unsigned(octal, 8);
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    let starts = |c: char| c.is_ascii_digit() || matches!(c, '-' | '.');
    if !plain.starts_with(starts) || !plain.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    plain
        .parse::<u64>()
        .map(Number::from)
        .or_else(|_| plain.parse::<i64>().map(Number::from))
        .ok()
        .or_else(|| plain.parse::<f64>().ok().and_then(Number::from_f64))
}

/// Checks the digits first, because `from_str_radix` also accepts a sign.
fn unsigned(digits: &str, radix: u32) -> Option<Number> {
    let is_plain = digits.chars().all(|c| c.is_digit(radix));
    is_plain
        .then(|| u64::from_str_radix(digits, radix).ok().map(Number::from))
        .flatten()
}

/// True for `.inf`, `.nan` and decimal numbers that overflow, which YAML has and JSON does not.
pub(crate) fn is_not_finite(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    let is_named = matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    );
    is_named
        || (unsigned.starts_with(|c: char| c.is_ascii_digit())
            && text.parse::<f64>().is_ok_and(|number| !number.is_finite()))
}
