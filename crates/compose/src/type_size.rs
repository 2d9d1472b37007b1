//! Measures the types of a component, written out in full.
//!
//! Types are a graph in the binary and a tree for every walk through them, so a small binary can
//! contain an enormous tree. The validator bounds its depth, this module its size.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentValType,
};
use wasmparser::types::Types;

use crate::binary::Component;
use crate::describe::DescribeError;
use crate::limits::MAX_TYPE_NODES;

/// Refuses a component whose types exceed [`MAX_TYPE_NODES`].
pub(crate) fn check(component: &Component) -> Result<(), DescribeError> {
    let mut measure = Measure {
        types: &component.types,
        sizes: HashMap::new(),
    };
    let items = component.imports.iter().chain(&component.exports);
    let found = items.fold(0_u64, |sum, item| {
        sum.saturating_add(measure.entity(&item.item.ty))
    });
    if found > MAX_TYPE_NODES {
        return Err(DescribeError::TypesTooLarge {
            limit: MAX_TYPE_NODES,
            found,
        });
    }
    Ok(())
}

struct Measure<'a> {
    types: &'a Types,
    sizes: HashMap<ComponentDefinedTypeId, u64>,
}

impl Measure<'_> {
    fn entity(&mut self, ty: &ComponentEntityType) -> u64 {
        match *ty {
            ComponentEntityType::Func(id) => self.function(id),
            ComponentEntityType::Type {
                created: ComponentAnyTypeId::Defined(id),
                ..
            } => self.defined(id),
            ComponentEntityType::Instance(id) => {
                let exports = &self.types[id].exports;
                exports
                    .values()
                    .fold(1, |sum, item| sum.saturating_add(self.entity(&item.ty)))
            }
            ComponentEntityType::Value(ty) => self.value(&ty),
            ComponentEntityType::Type { .. }
            | ComponentEntityType::Module(_)
            | ComponentEntityType::Component(_) => 1,
        }
    }

    fn function(&mut self, id: ComponentFuncTypeId) -> u64 {
        let function = &self.types[id];
        let values = function
            .params
            .iter()
            .map(|(_, ty)| ty)
            .chain(&function.result);
        self.sum(values)
    }

    fn value(&mut self, ty: &ComponentValType) -> u64 {
        match ty {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(id) => self.defined(*id),
        }
    }

    /// The validator bounds the depth of this recursion to 100.
    fn defined(&mut self, id: ComponentDefinedTypeId) -> u64 {
        if let Some(size) = self.sizes.get(&id) {
            return *size;
        }
        let size = match &self.types[id] {
            ComponentDefinedType::Record(record) => self.sum(record.fields.values()),
            ComponentDefinedType::Variant(variant) => {
                let cases = u64::try_from(variant.cases.len()).unwrap_or(u64::MAX);
                let payloads = variant.cases.values().filter_map(|case| case.ty.as_ref());
                self.sum(payloads).saturating_add(cases)
            }
            ComponentDefinedType::Tuple(tuple) => self.sum(tuple.types.iter()),
            ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
                u64::try_from(names.len()).unwrap_or(u64::MAX)
            }
            ComponentDefinedType::List { element: ty, .. }
            | ComponentDefinedType::FixedLengthList { element: ty, .. }
            | ComponentDefinedType::Option { ty, .. } => self.sum([ty]),
            ComponentDefinedType::Map { key, value, .. } => self.sum([key, value]),
            ComponentDefinedType::Result { ok, err, .. } => self.sum(ok.iter().chain(err)),
            ComponentDefinedType::Future { ty, .. } | ComponentDefinedType::Stream { ty, .. } => {
                self.sum(ty)
            }
            ComponentDefinedType::Primitive(_)
            | ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_) => 1,
        };
        self.sizes.insert(id, size);
        size
    }

    fn sum<'t>(&mut self, values: impl IntoIterator<Item = &'t ComponentValType>) -> u64 {
        values
            .into_iter()
            .fold(1, |sum, ty| sum.saturating_add(self.value(ty)))
    }
}
