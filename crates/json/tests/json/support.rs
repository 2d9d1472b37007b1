//! Interfaces and bodies of tests.

use weft_json::{
    DecodeError, EncodeError, Format, Function, Interface, Problem, Settings, Type, decode, encode,
};
use weft_wire::Limits;

pub(crate) const NAME: &str = "test:types/api@1.2.3";

/// The interface with these items.
pub(crate) fn parse(items: &str) -> Interface {
    let text = format!("package test:types@1.2.3;\ninterface api {{\n{items}\n}}");
    Interface::from_text(&text, NAME).unwrap_or_else(|error| panic!("{error}\n{text:.2000}"))
}

pub(crate) fn function(items: &str, name: &str) -> Function {
    let interface = parse(items);
    let function = interface.function(name);
    let reasons = &interface.unsupported;
    function.unwrap_or_else(|| panic!("{reasons:?}")).clone()
}

/// The type of the only parameter of a function with this parameter.
pub(crate) fn param(items: &str, ty: &str) -> Type {
    let items = format!("{items}\n f: func(p: {ty});");
    function(&items, "f").params[0].ty.clone()
}

pub(crate) fn read_with(
    format: Format,
    body: &[u8],
    ty: &Type,
    settings: Settings,
) -> Result<Vec<u8>, DecodeError> {
    // A previous content of the output stays.
    let mut out = vec![0xee; 3];
    decode::value(format, body, ty, settings, Limits::LINK, &mut out)?;
    assert_eq!(out[..3], [0xee; 3]);
    Ok(out.split_off(3))
}

/// The value bytes of a body of JSON.
pub(crate) fn read(body: &str, ty: &Type) -> Result<Vec<u8>, DecodeError> {
    read_with(Format::Json, body.as_bytes(), ty, Settings::default())
}

/// The problems of a body of JSON, as lines.
pub(crate) fn problems(body: &str, ty: &Type) -> Vec<String> {
    match read(body, ty) {
        Err(DecodeError::Invalid(problems)) => problems.iter().map(Problem::to_string).collect(),
        other => panic!("{body}: {other:?}"),
    }
}

/// The error of syntax of a body of JSON.
pub(crate) fn syntax(body: &[u8], ty: &Type) -> String {
    match read_with(Format::Json, body, ty, Settings::default()) {
        Err(DecodeError::Syntax(error)) => error.to_string(),
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(body)),
    }
}

pub(crate) fn write_with(
    format: Format,
    bytes: &[u8],
    ty: &Type,
    settings: Settings,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = vec![0xee; 3];
    encode::value(format, bytes, ty, settings, 64 << 20, &mut out)?;
    assert_eq!(out[..3], [0xee; 3]);
    Ok(out.split_off(3))
}

/// The body of JSON of value bytes.
pub(crate) fn write(bytes: &[u8], ty: &Type) -> Result<String, EncodeError> {
    let body = write_with(Format::Json, bytes, ty, Settings::default())?;
    Ok(String::from_utf8(body).expect("a body of JSON is UTF-8"))
}
