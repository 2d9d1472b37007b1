//! The type of `weft:link/direct`, the instance of typed host functions that a stub imports.

use wasm_encoder::{ComponentTypeRef, ComponentValType, InstanceType, PrimitiveValType};

use super::AssembleError;
use crate::plan::{CallPath, ComponentWorld, Kind, Outcome, PlannedInterface, Signature};

/// The name of the function with this index.
pub(super) fn name(index: u32) -> String {
    format!("f{index}")
}

/// The type of the instance with all direct functions of the interfaces.
pub(super) fn instance<'a>(
    importer: &ComponentWorld,
    interfaces: impl Iterator<Item = &'a PlannedInterface>,
) -> Result<InstanceType, AssembleError> {
    let mut types = Types::default();
    for interface in interfaces {
        let known = &importer.resolve.interfaces[interface.id].functions;
        for function in &interface.functions {
            let CallPath::Direct(signature) = &function.path else {
                continue;
            };
            // Parameter names are a part of a component function's type.
            let params = known.get(&function.name).map(|known| &known.params);
            let params = params.filter(|params| params.len() == signature.params.len());
            let params = params.ok_or_else(|| AssembleError::NotDirect {
                interface: interface.name.clone(),
                function: function.name.clone(),
            })?;
            let names = params.iter().map(|param| param.name.as_str());
            types.add(&name(function.index), names, signature);
        }
    }
    Ok(types.instance)
}

/// An instance type under construction.
#[derive(Default)]
struct Types {
    instance: InstanceType,
    /// The index of `list<u8>`, once it is defined.
    bytes: Option<u32>,
}

impl Types {
    fn add<'p>(&mut self, name: &str, names: impl Iterator<Item = &'p str>, signature: &Signature) {
        let params: Vec<_> = names
            .zip(&signature.params)
            .map(|(name, kind)| (name, self.value(*kind)))
            .collect();
        let result = match signature.outcome {
            Outcome::Nothing => None,
            Outcome::Plain(kind) => Some(self.value(kind)),
            Outcome::Fallible(ok) => {
                let ok = ok.map(|kind| self.value(kind));
                let error = Some(PrimitiveValType::String.into());
                let index = self.instance.type_count();
                self.instance.ty().defined_type().result(ok, error);
                Some(ComponentValType::Type(index))
            }
        };
        let index = self.instance.type_count();
        self.instance.ty().function().params(params).result(result);
        self.instance.export(name, ComponentTypeRef::Func(index));
    }

    fn value(&mut self, kind: Kind) -> ComponentValType {
        let primitive = match kind {
            Kind::Bool => PrimitiveValType::Bool,
            Kind::U8 => PrimitiveValType::U8,
            Kind::S8 => PrimitiveValType::S8,
            Kind::U16 => PrimitiveValType::U16,
            Kind::S16 => PrimitiveValType::S16,
            Kind::U32 => PrimitiveValType::U32,
            Kind::S32 => PrimitiveValType::S32,
            Kind::U64 => PrimitiveValType::U64,
            Kind::S64 => PrimitiveValType::S64,
            Kind::F32 => PrimitiveValType::F32,
            Kind::F64 => PrimitiveValType::F64,
            Kind::Char => PrimitiveValType::Char,
            Kind::String => PrimitiveValType::String,
            Kind::Bytes => return ComponentValType::Type(self.bytes()),
        };
        primitive.into()
    }

    fn bytes(&mut self) -> u32 {
        if let Some(bytes) = self.bytes {
            return bytes;
        }
        let index = self.instance.type_count();
        self.instance.ty().defined_type().list(PrimitiveValType::U8);
        self.bytes = Some(index);
        index
    }
}
