//! Types in words.

use weft_json::{Kind, Type};
use weft_wire::SimpleType;

/// A type for a sentence: "the record `order`", "`list<string>`".
pub(crate) fn described(ty: &Type) -> String {
    match ty.name() {
        Some(name) => format!("the {} `{}`", word(ty.kind()), name.name),
        None => format!("`{}`", text(ty)),
    }
}

/// A type as WIT writes it, with names in place of definitions.
pub(crate) fn text(ty: &Type) -> String {
    match (ty.name(), ty.kind()) {
        (Some(name), _) => name.name.clone(),
        (None, Kind::Scalar(scalar)) => scalar.name().to_owned(),
        (None, Kind::Bytes) => "list<u8>".to_owned(),
        (None, Kind::List(element)) => format!("list<{}>", text(element)),
        (None, Kind::Option(some)) => format!("option<{}>", text(some)),
        (None, Kind::Map { key, value }) => format!("map<{}, {}>", text(key), text(value)),
        (None, Kind::Tuple(members)) => {
            let members: Vec<_> = members.iter().map(text).collect();
            format!("tuple<{}>", members.join(", "))
        }
        (None, Kind::Result { ok, err }) => match (ok, err) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{}>", text(ok)),
            (ok, Some(err)) => {
                let ok = ok.as_ref().map_or("_".to_owned(), text);
                format!("result<{ok}, {}>", text(err))
            }
        },
        (None, Kind::Stream(element)) => format!("stream<{}>", simple(*element)),
        (None, Kind::Future(Some(value))) => format!("future<{}>", text(value)),
        (None, kind) => word(kind).to_owned(),
    }
}

pub(crate) fn simple(ty: SimpleType) -> &'static str {
    match ty {
        SimpleType::Scalar(scalar) => scalar.name(),
        SimpleType::String => "string",
        SimpleType::Bytes => "list<u8>",
    }
}

/// The word of WIT for a kind of type.
fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Scalar(scalar) => scalar.name(),
        Kind::String => "string",
        Kind::Bytes | Kind::List(_) => "list",
        Kind::Map { .. } => "map",
        Kind::Record(_) => "record",
        Kind::Tuple(_) => "tuple",
        Kind::Variant(_) => "variant",
        Kind::Enum(_) => "enum",
        Kind::Option(_) => "option",
        Kind::Result { .. } => "result",
        Kind::Flags(_) => "flags",
        Kind::Stream(_) => "stream",
        Kind::Future(_) => "future",
        _ => "type",
    }
}
