//! Values as the text of a path segment, a query or a header.
//!
//! Texts are decoded already: percent-encoding belongs to the place of a text.

use weft_wire::{Decoder, Encoder, Limits, Scalar};

use crate::decode::{bool_key, char_of, expected, float_word};
use crate::error::EncodeError;
use crate::number::{Number, float_text, scan};
use crate::problem::{Problem, one_of, quote};
use crate::settings::Settings;
use crate::types::{Kind, Names, Type};

/// The number of texts that a type takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bindable {
    /// One: a bool, a number, a char, a string, an enum.
    One,
    /// One or none: an option of these. It fits a query and a header, not a path.
    Optional,
    /// Any number: a list of these. It fits a query and a header, not a path.
    Many,
}

/// Returns the number of texts that a type takes; `None` for a type that no text can be.
#[must_use]
pub fn bindable(ty: &Type) -> Option<Bindable> {
    match ty.kind() {
        Kind::Option(some) => is_word(some).then_some(Bindable::Optional),
        Kind::List(element) => is_word(element).then_some(Bindable::Many),
        _ => is_word(ty).then_some(Bindable::One),
    }
}

/// Reads a value from texts, and appends its value bytes to the output.
///
/// The pointer of a problem is empty for the only text, and `/1` for the second one of several: the
/// caller puts the name of the parameter before it.
///
/// ```
/// use weft_json::{Interface, text};
///
/// let wit = "package a:b; interface i { enum size { small, large } f: func(p: list<size>); }";
/// let interface = Interface::from_text(wit, "a:b/i")?;
/// let sizes = &interface.functions[0].params[0].ty;
///
/// let mut bytes = Vec::new();
/// text::decode(sizes, &["large", "small"], 100, &mut bytes).expect("two sizes");
/// assert_eq!(bytes, [2, 1, 0]);
/// let problem = text::decode(sizes, &["large", "huge"], 100, &mut bytes).unwrap_err();
/// assert_eq!(problem.pointer, "/1");
/// assert_eq!(problem.expected, "one of `small`, `large`");
/// # Ok::<(), weft_json::TextError>(())
/// ```
///
/// # Errors
/// If a text has another form, there are too many or too few, the type takes no text, or the value
/// has more than `limit` bytes.
pub fn decode(
    ty: &Type,
    texts: &[impl AsRef<str>],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let limits = Limits::LINK;
    let mut encoder = Encoder::new(out, limit);
    let too_large = |_| problem("", format!("a value of at most {limit} bytes"), "more");
    match (bindable(ty), ty.kind(), texts) {
        (Some(Bindable::Many), Kind::List(element), texts) => {
            if texts.len() as u64 > limits.elements {
                let expected = format!("at most {} values", limits.elements);
                return Err(problem("", expected, texts.len().to_string()));
            }
            encoder.list(texts.len()).map_err(too_large)?;
            for (index, text) in texts.iter().enumerate() {
                word(element, text.as_ref(), &mut encoder, limit).map_err(|found| Problem {
                    pointer: format!("/{index}"),
                    ..found
                })?;
            }
            Ok(())
        }
        (Some(Bindable::Optional), _, []) => encoder.none().map_err(too_large),
        (Some(Bindable::Optional), Kind::Option(some), [text]) => {
            encoder.some().map_err(too_large)?;
            word(some, text.as_ref(), &mut encoder, limit)
        }
        (Some(Bindable::One), _, [text]) => word(ty, text.as_ref(), &mut encoder, limit),
        (Some(_), _, []) => Err(problem("", form(ty), "nothing")),
        (Some(_), _, several) => Err(problem(
            "",
            "one value",
            format!("{} values", several.len()),
        )),
        (None, ..) => Err(problem("", "a type that is a text", form(ty))),
    }
}

/// Writes a value as text, for example into the path of a `location`.
///
/// # Errors
/// If the type is not one text, or the bytes are not a value of it.
pub fn encode(ty: &Type, bytes: &[u8]) -> Result<String, EncodeError> {
    if bindable(ty) != Some(Bindable::One) {
        return Err(EncodeError::NotText);
    }
    let mut decoder = Decoder::new(bytes, Limits::LINK)?;
    let text = match ty.kind() {
        Kind::Scalar(Scalar::Bool) => decoder.bool()?.to_string(),
        Kind::Scalar(Scalar::U8) => decoder.u8()?.to_string(),
        Kind::Scalar(Scalar::S8) => decoder.s8()?.to_string(),
        Kind::Scalar(Scalar::U16) => decoder.u16()?.to_string(),
        Kind::Scalar(Scalar::S16) => decoder.s16()?.to_string(),
        Kind::Scalar(Scalar::U32) => decoder.u32()?.to_string(),
        Kind::Scalar(Scalar::S32) => decoder.s32()?.to_string(),
        Kind::Scalar(Scalar::U64) => decoder.u64()?.to_string(),
        Kind::Scalar(Scalar::S64) => decoder.s64()?.to_string(),
        Kind::Scalar(Scalar::F32) => {
            let value = decoder.f32()?;
            float_text(value.into(), &format!("{value:?}")).to_owned()
        }
        Kind::Scalar(Scalar::F64) => {
            let value = decoder.f64()?;
            float_text(value, &format!("{value:?}")).to_owned()
        }
        Kind::Scalar(Scalar::Char) => decoder.char()?.to_string(),
        Kind::Enum(cases) => {
            let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
            cases[decoder.discriminant(count)? as usize].name.clone()
        }
        _ => decoder.string()?.to_owned(),
    };
    decoder.finish()?;
    Ok(text)
}

fn is_word(ty: &Type) -> bool {
    matches!(ty.kind(), Kind::Scalar(_) | Kind::String | Kind::Enum(_))
}

/// Reads the value of one text.
fn word(ty: &Type, text: &str, encoder: &mut Encoder<'_>, limit: usize) -> Result<(), Problem> {
    let encoded = match ty.kind() {
        Kind::String => Some(encoder.string(text)),
        Kind::Enum(_) => {
            let found = ty.find(text, Names::Kebab);
            found.map(|index| encoder.list(index))
        }
        Kind::Scalar(scalar) => self::scalar(*scalar, text, encoder),
        _ => None,
    };
    match encoded {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) => Err(problem(
            "",
            format!("a value of at most {limit} bytes"),
            "more",
        )),
        None => Err(problem("", form(ty), quote(text))),
    }
}

/// Writes the scalar that a text is, if it is one.
fn scalar(
    scalar: Scalar,
    text: &str,
    encoder: &mut Encoder<'_>,
) -> Option<Result<(), weft_wire::EncodeError>> {
    Some(match scalar {
        Scalar::Bool => encoder.bool(bool_key(text)?),
        Scalar::Char => encoder.char(char_of(text)?),
        Scalar::F64 => encoder.f64(match float_word(text) {
            Some(value) => value,
            None => number(text)?.double_in_range()?,
        }),
        Scalar::F32 => encoder.f32(match float_word(text) {
            Some(value) => value as f32,
            None => number(text)?.single_in_range()?,
        }),
        integer => crate::decode::encode_integer(
            integer,
            crate::decode::in_range(integer, number(text)?.integer())?,
            encoder,
        ),
    })
}

/// The number that a whole text is, in the grammar of JSON.
fn number(text: &str) -> Option<Number<'_>> {
    (scan(text.as_bytes()) == Ok(text.len())).then_some(Number::Decimal(text))
}

/// The form of a type as text: that of JSON, without the quotes.
fn form(ty: &Type) -> String {
    match ty.kind() {
        Kind::Scalar(Scalar::Char) => "one character".to_owned(),
        Kind::String => "a text".to_owned(),
        Kind::Enum(cases) => one_of(cases.iter().map(|case| &*case.name)),
        _ => expected(ty, Settings::default()),
    }
}

fn problem(pointer: &str, expected: impl Into<String>, found: impl Into<String>) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        expected: expected.into(),
        found: found.into(),
    }
}
