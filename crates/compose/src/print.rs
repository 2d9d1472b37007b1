//! Prints signatures and definitions as WIT text.

use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId,
    ComponentFuncTypeId, ComponentValType,
};
use wasmparser::names::KebabString;

use crate::binary::Component;
use crate::limits::MAX_SIGNATURE_BYTES;

/// A function type: `func(sku: string) -> result<u32, string>`.
pub(crate) fn signature(component: &Component, id: ComponentFuncTypeId) -> String {
    let mut printer = Printer::new(component);
    let function = &component.types[id];
    printer.text(if function.async_ {
        "async func("
    } else {
        "func("
    });
    printer.fields(
        function.params.iter().map(|(name, ty)| (name, Some(ty))),
        Payload::Colon,
    );
    printer.text(")");
    if let Some(result) = &function.result {
        printer.text(" -> ");
        printer.value(result);
    }
    printer.finish()
}

/// A named type with its definition: `record item { sku: string }`.
pub(crate) fn definition(component: &Component, id: ComponentDefinedTypeId, name: &str) -> String {
    let mut printer = Printer::new(component);
    let (keyword, open) = match &component.types[id] {
        ComponentDefinedType::Record(_) => ("record", " { "),
        ComponentDefinedType::Variant(_) => ("variant", " { "),
        ComponentDefinedType::Enum(_) => ("enum", " { "),
        ComponentDefinedType::Flags(_) => ("flags", " { "),
        _ => ("type", " = "),
    };
    for text in [keyword, " ", name, open] {
        printer.text(text);
    }
    printer.body(id);
    if open == " { " {
        printer.text(" }");
    }
    printer.finish()
}

/// The notation of a field's payload, after its name.
#[derive(Clone, Copy)]
enum Payload {
    Colon,
    Parentheses,
}

struct Printer<'a> {
    component: &'a Component,
    out: String,
}

impl<'a> Printer<'a> {
    fn new(component: &'a Component) -> Self {
        Self {
            component,
            out: String::new(),
        }
    }

    /// Returns whether the text has its full length. A full printer walks no further, so a hostile
    /// type is cheap.
    fn is_full(&self) -> bool {
        self.out.len() > MAX_SIGNATURE_BYTES
    }

    fn finish(mut self) -> String {
        if self.is_full() {
            let end = (0..=MAX_SIGNATURE_BYTES)
                .rev()
                .find(|end| self.out.is_char_boundary(*end));
            self.out.truncate(end.unwrap_or_default());
            self.out.push('…');
        }
        self.out
    }

    fn text(&mut self, text: &str) {
        if !self.is_full() {
            self.out.push_str(text);
        }
    }

    fn fields<'t>(
        &mut self,
        fields: impl Iterator<Item = (&'t KebabString, Option<&'t ComponentValType>)>,
        payload: Payload,
    ) {
        for (index, (name, ty)) in fields.enumerate() {
            if self.is_full() {
                return;
            }
            if index > 0 {
                self.text(", ");
            }
            self.text(name);
            let Some(ty) = ty else { continue };
            let (before, after) = match payload {
                Payload::Colon => (": ", ""),
                Payload::Parentheses => ("(", ")"),
            };
            self.text(before);
            self.value(ty);
            self.text(after);
        }
    }

    fn value(&mut self, ty: &ComponentValType) {
        match ty {
            ComponentValType::Primitive(primitive) => self.text(&primitive.to_string()),
            ComponentValType::Type(id) => {
                match self.component.type_name(ComponentAnyTypeId::Defined(*id)) {
                    Some(name) => self.text(name),
                    None => self.anonymous(*id),
                }
            }
        }
    }

    /// Prints a type without a name; in a valid interface, records, variants, enums and flags have
    /// one.
    fn anonymous(&mut self, id: ComponentDefinedTypeId) {
        if self.is_full() {
            return;
        }
        let keyword = match &self.component.types[id] {
            ComponentDefinedType::Record(_) => "record",
            ComponentDefinedType::Variant(_) => "variant",
            ComponentDefinedType::Enum(_) => "enum",
            ComponentDefinedType::Flags(_) => "flags",
            _ => return self.body(id),
        };
        self.text(keyword);
        self.text(" { ");
        self.body(id);
        self.text(" }");
    }

    fn body(&mut self, id: ComponentDefinedTypeId) {
        // Not borrowed from the printer, which is written to during the walk.
        let component = self.component;
        match &component.types[id] {
            ComponentDefinedType::Primitive(primitive) => self.text(&primitive.to_string()),
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(name, ty)| (name, Some(ty)));
                self.fields(fields, Payload::Colon);
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant
                    .cases
                    .iter()
                    .map(|(name, case)| (name, case.ty.as_ref()));
                self.fields(cases, Payload::Parentheses);
            }
            ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
                self.fields(names.iter().map(|name| (name, None)), Payload::Colon);
            }
            ComponentDefinedType::List { element, .. } => self.generic("list", &[Some(element)]),
            ComponentDefinedType::Map { key, value, .. } => {
                self.generic("map", &[Some(key), Some(value)]);
            }
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => {
                self.text("list<");
                self.value(element);
                self.text(&format!(", {length}>"));
            }
            ComponentDefinedType::Tuple(tuple) => {
                let types: Vec<_> = tuple.types.iter().map(Some).collect();
                self.generic("tuple", &types);
            }
            ComponentDefinedType::Option { ty, .. } => self.generic("option", &[Some(ty)]),
            ComponentDefinedType::Result { ok, err, .. } => {
                self.generic("result", &[ok.as_ref(), err.as_ref()]);
            }
            ComponentDefinedType::Own(id) => self.resource(*id),
            ComponentDefinedType::Borrow(id) => {
                self.text("borrow<");
                self.resource(*id);
                self.text(">");
            }
            ComponentDefinedType::Future { ty, .. } => self.generic("future", &[ty.as_ref()]),
            ComponentDefinedType::Stream { ty, .. } => self.generic("stream", &[ty.as_ref()]),
        }
    }

    /// Prints `name<a, b>` without absent types at the end, and with `_` for other absent types.
    fn generic(&mut self, name: &str, types: &[Option<&ComponentValType>]) {
        self.text(name);
        let present = types
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        if present == 0 {
            return;
        }
        for (index, ty) in types[..present].iter().enumerate() {
            self.text(if index == 0 { "<" } else { ", " });
            match ty {
                Some(ty) => self.value(ty),
                None => self.text("_"),
            }
        }
        self.text(">");
    }

    fn resource(&mut self, id: AliasableResourceId) {
        let component = self.component;
        let name = component.type_name(ComponentAnyTypeId::Resource(id));
        self.text(name.unwrap_or("resource"));
    }
}
