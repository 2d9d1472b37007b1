//! Checks whether an export has the functions and types that an import expects.
//!
//! This is the component model's rule: the exporter may have more functions and types, shared ones
//! must be equal in structure, and resources are equal by name. The composing library checks again;
//! this check exists because it can report which function differs, and how.

mod equal;

use std::collections::HashSet;

use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentInstanceTypeId,
};

use crate::binary::Component;
use crate::print;

/// The resources that must be the same in an import and an export.
pub(crate) type ResourcePairs = Vec<(AliasableResourceId, AliasableResourceId)>;

/// A mismatch of an export, from the importer's point of view.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// `function`, `type` or `resource`.
    pub(crate) kind: &'static str,
    pub(crate) item: String,
    pub(crate) expected: String,
    pub(crate) found: Found,
}

/// The exporter's side of a mismatch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A different item under the same name.
    Other(String),
    /// No item of that name; these are the exporter's items of the same kind.
    Nothing(Vec<String>),
}

/// Compares the instance that `importer` expects with the one that `exporter` has.
pub(crate) fn instances(
    (importer, expected): (&Component, ComponentInstanceTypeId),
    (exporter, found): (&Component, ComponentInstanceTypeId),
) -> Result<ResourcePairs, Fault> {
    let mut matcher = Matcher {
        importer,
        exporter,
        equal: HashSet::new(),
        resources: Vec::new(),
        difference: None,
    };
    // Functions come first, so that a differing record is reported with a function that uses it.
    for (name, item) in &importer.types[expected].exports {
        if let ComponentEntityType::Func(id) = item.ty {
            matcher.function(name, id, found)?;
        }
    }
    for (name, item) in &importer.types[expected].exports {
        if let ComponentEntityType::Type { created, .. } = item.ty {
            matcher.named_type(name, created, found)?;
        }
    }
    Ok(matcher.resources)
}

struct Matcher<'a> {
    importer: &'a Component,
    exporter: &'a Component,
    equal: HashSet<(ComponentDefinedTypeId, ComponentDefinedTypeId)>,
    resources: ResourcePairs,
    /// The definitions of the innermost named types that differ.
    difference: Option<(String, String)>,
}

impl Matcher<'_> {
    fn function(
        &mut self,
        name: &str,
        expected: ComponentFuncTypeId,
        exporter: ComponentInstanceTypeId,
    ) -> Result<(), Fault> {
        let fault = |expected, found| Fault {
            kind: "function",
            item: name.to_owned(),
            expected,
            found,
        };
        let signature = print::signature(self.importer, expected);
        let Some(item) = self.exporter.types[exporter].exports.get(name) else {
            let others = names(self.exporter, exporter, |ty| {
                matches!(ty, ComponentEntityType::Func(_))
            });
            return Err(fault(signature, Found::Nothing(others)));
        };
        let ComponentEntityType::Func(found) = item.ty else {
            return Err(fault(signature, Found::Other(kind(&item.ty).to_owned())));
        };
        if self.functions_equal(expected, found) {
            return Ok(());
        }
        let other = print::signature(self.exporter, found);
        Err(match self.difference.take() {
            Some((expected_definition, found_definition)) if signature == other => fault(
                format!("{signature}; {expected_definition}"),
                Found::Other(format!("{other}; {found_definition}")),
            ),
            _ => fault(signature, Found::Other(other)),
        })
    }

    fn functions_equal(
        &mut self,
        expected: ComponentFuncTypeId,
        found: ComponentFuncTypeId,
    ) -> bool {
        let (importer, exporter) = (self.importer, self.exporter);
        let (expected, found) = (&importer.types[expected], &exporter.types[found]);
        expected.async_ == found.async_
            && expected.params.len() == found.params.len()
            && expected
                .params
                .iter()
                .zip(&found.params)
                .all(|((name, ty), (other, found))| name == other && self.values_equal(ty, found))
            && self.options_equal(expected.result.as_ref(), found.result.as_ref())
    }

    fn named_type(
        &mut self,
        name: &str,
        expected: ComponentAnyTypeId,
        exporter: ComponentInstanceTypeId,
    ) -> Result<(), Fault> {
        let (kind_name, text) = match expected {
            ComponentAnyTypeId::Resource(_) => ("resource", format!("resource {name}")),
            ComponentAnyTypeId::Defined(id) => ("type", print::definition(self.importer, id, name)),
            // Types of functions, instances and components are not part of WIT interfaces.
            _ => return Ok(()),
        };
        let fault = |found| Fault {
            kind: kind_name,
            item: name.to_owned(),
            expected: text,
            found,
        };
        let Some(item) = self.exporter.types[exporter].exports.get(name) else {
            let others = names(self.exporter, exporter, |ty| {
                matches!(ty, ComponentEntityType::Type { .. })
            });
            return Err(fault(Found::Nothing(others)));
        };
        let ComponentEntityType::Type { created: found, .. } = item.ty else {
            return Err(fault(Found::Other(kind(&item.ty).to_owned())));
        };
        match (expected, found) {
            (ComponentAnyTypeId::Resource(expected), ComponentAnyTypeId::Resource(found)) => {
                self.resources.push((expected, found));
                Ok(())
            }
            (ComponentAnyTypeId::Defined(expected), ComponentAnyTypeId::Defined(found))
                if self.definitions_equal(expected, found) =>
            {
                Ok(())
            }
            (_, ComponentAnyTypeId::Defined(found)) => Err(fault(Found::Other(print::definition(
                self.exporter,
                found,
                name,
            )))),
            _ => Err(fault(Found::Other(format!("resource {name}")))),
        }
    }
}

fn names(
    component: &Component,
    instance: ComponentInstanceTypeId,
    has_kind: impl Fn(&ComponentEntityType) -> bool,
) -> Vec<String> {
    let exports = component.types[instance].exports.iter();
    exports
        .filter(|(_, item)| has_kind(&item.ty))
        .map(|(name, _)| name.clone())
        .collect()
}

/// The kind of an item, for a message.
pub(crate) fn kind(ty: &ComponentEntityType) -> &'static str {
    match ty {
        ComponentEntityType::Module(_) => "core module",
        ComponentEntityType::Func(_) => "function",
        ComponentEntityType::Value(_) => "value",
        ComponentEntityType::Type { .. } => "type",
        ComponentEntityType::Instance(_) => "interface",
        ComponentEntityType::Component(_) => "component",
    }
}
