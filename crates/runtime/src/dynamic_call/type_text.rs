//! Types as WIT, for messages: the library for WAVE has no maps.

use std::fmt::{self, Display, Formatter};

use wasmtime::component::Type;
use wasmtime::component::wasm_wave::wasm::DisplayType;

/// A type as WIT, written out in full. Types are nested at most as deeply as the caller allows.
pub(super) struct TypeText<'a>(pub(super) &'a Type);

impl Display for TypeText<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Type::List(list) => generic(out, "list", &[Some(list.ty())]),
            Type::Map(map) => generic(out, "map", &[Some(map.key()), Some(map.value())]),
            Type::Option(option) => generic(out, "option", &[Some(option.ty())]),
            Type::Tuple(tuple) => {
                generic(out, "tuple", &tuple.types().map(Some).collect::<Vec<_>>())
            }
            Type::Result(result) => match (result.ok(), result.err()) {
                (None, None) => out.write_str("result"),
                (ok, None) => generic(out, "result", &[ok]),
                (ok, err) => generic(out, "result", &[ok, err]),
            },
            Type::Record(record) => {
                out.write_str("record { ")?;
                for (number, field) in record.fields().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(out, "{comma}{}: {}", field.name, TypeText(&field.ty))?;
                }
                out.write_str(" }")
            }
            Type::Variant(variant) => {
                out.write_str("variant { ")?;
                for (number, case) in variant.cases().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(out, "{comma}{}", case.name)?;
                    if let Some(ty) = &case.ty {
                        write!(out, "({})", TypeText(ty))?;
                    }
                }
                out.write_str(" }")
            }
            // The others contain no types.
            other => DisplayType(other).fmt(out),
        }
    }
}

fn generic(out: &mut Formatter<'_>, name: &str, types: &[Option<Type>]) -> fmt::Result {
    write!(out, "{name}<")?;
    for (number, ty) in types.iter().enumerate() {
        out.write_str(if number > 0 { ", " } else { "" })?;
        match ty {
            Some(ty) => TypeText(ty).fmt(out)?,
            None => out.write_str("_")?,
        }
    }
    out.write_str(">")
}
