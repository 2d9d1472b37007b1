//! Regular expressions for strings that are not all strings of a type.
//!
//! They are exact: a client that generates bodies from a schema finds none that is refused.

/// Base64 with padding, and zeros in the bits that no byte has.
pub(super) const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|\
    [A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// The decimal integers of a range that has zero, without other forms such as `-0` or `01`.
pub(super) fn integers(min: i128, max: i128) -> String {
    let mut pattern = format!("^(0|{}", up_to(max.unsigned_abs()));
    if min < 0 {
        pattern += &format!("|-({})", up_to(min.unsigned_abs()));
    }
    pattern + ")$"
}

/// The decimal integers from one to a number.
fn up_to(max: u128) -> String {
    let digits = max.to_string();
    let mut forms = Vec::new();
    if digits.len() > 1 {
        forms.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    // Numbers of the same length that are smaller from one digit on.
    for (index, digit) in digits.char_indices() {
        let least = if index == 0 { '1' } else { '0' };
        if digit > least {
            let below = char::from(digit as u8 - 1);
            let rest = digits.len() - index - 1;
            let (before, any) = (&digits[..index], any_digits(rest));
            forms.push(match least == below {
                true => format!("{before}{least}{any}"),
                false => format!("{before}[{least}-{below}]{any}"),
            });
        }
    }
    forms.push(digits);
    forms.join("|")
}

fn any_digits(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "[0-9]".to_owned(),
        count => format!("[0-9]{{{count}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::integers;

    #[test]
    fn a_pattern_has_the_digits_of_its_bounds() {
        let expected = "^(0|[1-9][0-9]{0,1}|1[0-9]{2}|2[0-4][0-9]|25[0-4]|255)$";
        assert_eq!(integers(0, 255), expected);
        let expected = "^(0|[1-9][0-9]{0,1}|1[0-1][0-9]|12[0-6]|127|\
                        -([1-9][0-9]{0,1}|1[0-1][0-9]|12[0-7]|128))$";
        assert_eq!(integers(-128, 127), expected);
    }
}
