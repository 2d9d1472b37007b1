//! Types and functions in WIT syntax, for messages.

use weft_wire::Scalar;
use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

use super::is_async;
use super::signature::scalar_type;

/// The maximum length of a text; longer ones end in `…`. A hostile type can be of any length in
/// WIT.
const MAX_TEXT_BYTES: usize = 1 << 10;

/// A function: `total: func(items: list<item>) -> u32`.
pub(super) fn function(resolve: &Resolve, function: &Function) -> String {
    let mut text = WitWriter::new(resolve);
    text.push(&function.name);
    text.push(if is_async(&function.kind) {
        ": async func("
    } else {
        ": func("
    });
    for (index, param) in function.params.iter().enumerate() {
        text.push(if index > 0 { ", " } else { "" });
        text.push(&param.name);
        text.push(": ");
        text.value(&param.ty);
    }
    text.push(")");
    if let Some(result) = &function.result {
        text.push(" -> ");
        text.value(result);
    }
    text.finish()
}

/// A type: `list<item>`.
pub(super) fn value(resolve: &Resolve, ty: &Type) -> String {
    let mut text = WitWriter::new(resolve);
    text.value(ty);
    text.finish()
}

struct WitWriter<'a> {
    resolve: &'a Resolve,
    out: String,
}

impl<'a> WitWriter<'a> {
    fn new(resolve: &'a Resolve) -> Self {
        Self {
            resolve,
            out: String::new(),
        }
    }

    /// Ends the walk once the text is full, so a hostile type costs little.
    fn is_full(&self) -> bool {
        self.out.len() > MAX_TEXT_BYTES
    }

    fn push(&mut self, text: &str) {
        if !self.is_full() {
            self.out.push_str(text);
        }
    }

    fn finish(mut self) -> String {
        if self.is_full() {
            self.out
                .truncate(self.out.floor_char_boundary(MAX_TEXT_BYTES));
            self.out.push('…');
        }
        self.out
    }

    fn value(&mut self, ty: &Type) {
        let name = match ty {
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Id(id) => return self.defined(*id),
            scalar => scalar_type(scalar).map_or("", Scalar::name),
        };
        self.push(name);
    }

    /// Writes a type by its name, if it has one. So the recursion is as deep as unnamed types are
    /// nested, and each level writes text: the text is full before the recursion is deep.
    fn defined(&mut self, id: TypeId) {
        if self.is_full() {
            return;
        }
        let definition = &self.resolve.types[id];
        if let Some(name) = &definition.name {
            return self.push(name);
        }
        match &definition.kind {
            TypeDefKind::Type(ty) => self.value(ty),
            TypeDefKind::Handle(Handle::Own(id)) => self.defined(*id),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                self.push("borrow<");
                self.defined(*id);
                self.push(">");
            }
            TypeDefKind::List(ty) => self.generic("list", [Some(ty)]),
            TypeDefKind::FixedLengthList(ty, length) => {
                self.push("list<");
                self.value(ty);
                self.push(&format!(", {length}>"));
            }
            TypeDefKind::Map(key, value) => self.generic("map", [Some(key), Some(value)]),
            TypeDefKind::Option(ty) => self.generic("option", [Some(ty)]),
            TypeDefKind::Tuple(tuple) => self.generic("tuple", tuple.types.iter().map(Some)),
            TypeDefKind::Stream(ty) => self.generic("stream", ty.iter().map(Some)),
            TypeDefKind::Future(ty) => self.generic("future", ty.iter().map(Some)),
            TypeDefKind::Result(result) => match (&result.ok, &result.err) {
                (None, None) => self.push("result"),
                (ok, None) => self.generic("result", [ok.as_ref()]),
                (ok, err) => self.generic("result", [ok.as_ref(), err.as_ref()]),
            },
            // These are always named in WIT.
            TypeDefKind::Record(_)
            | TypeDefKind::Resource
            | TypeDefKind::Flags(_)
            | TypeDefKind::Variant(_)
            | TypeDefKind::Enum(_)
            | TypeDefKind::Unknown => self.push("unnamed type"),
        }
    }

    /// Writes `name<…>`, with `_` for a missing type; without parameters, only the name.
    fn generic<'t>(&mut self, name: &str, types: impl IntoIterator<Item = Option<&'t Type>>) {
        self.push(name);
        let mut separator = "<";
        for ty in types {
            self.push(separator);
            separator = ", ";
            match ty {
                Some(ty) => self.value(ty),
                None => self.push("_"),
            }
        }
        if separator == ", " {
            self.push(">");
        }
    }
}
