//! The type of `weft:link/direct`, the instance of typed host functions that a stub imports.

use wasm_encoder::{ComponentTypeRef, ComponentValType, InstanceType, PrimitiveValType};
use weft_wire::{Scalar, SimpleType, for_each_scalar};

use super::AssembleError;
use crate::plan::{CallPath, ComponentWorld, Outcome, PlannedInterface, Signature};

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
            .map(|(name, ty)| (name, self.value(*ty)))
            .collect();
        let result = match signature.outcome {
            Outcome::Nothing => None,
            Outcome::Plain(ty) => Some(self.value(ty)),
            Outcome::Fallible(ok) => {
                let ok = ok.map(|ty| self.value(ty));
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

    fn value(&mut self, ty: SimpleType) -> ComponentValType {
        match ty {
            SimpleType::Scalar(scalar) => primitive(scalar).into(),
            SimpleType::String => PrimitiveValType::String.into(),
            SimpleType::Bytes => ComponentValType::Type(self.bytes()),
        }
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

macro_rules! primitives {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        fn primitive(scalar: Scalar) -> PrimitiveValType {
            match scalar {
                $(Scalar::$scalar => PrimitiveValType::$scalar,)*
            }
        }
    };
}

for_each_scalar!(primitives);
