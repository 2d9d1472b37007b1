//! A component as described by its validated binary.
//!
//! Types are read from the validator, not from decoded WIT: for an interface that a component both
//! imports and exports (a filter does), WIT has one type and the binary has two exact ones.

use std::collections::HashMap;

use wasmparser::Parser;
use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentEntityType, ComponentInstanceTypeId,
    ComponentItem, ResourceId,
};
use wasmparser::types::Types;

use crate::describe::DescribeError;
use crate::limits::MAX_COMPONENT_BYTES;
use crate::scan::{Bodies, FEATURES, FEATURES_ASYNC, Scan, unsupported_feature};
use crate::type_size;

const MAGIC: &[u8] = b"\0asm";

/// A validated component.
pub(crate) struct Component {
    pub(crate) types: Types,
    pub(crate) imports: Vec<Item>,
    pub(crate) exports: Vec<Item>,
    /// True if the component needs an engine with concurrency support.
    pub(crate) uses_async: bool,
    type_names: HashMap<ComponentAnyTypeId, String>,
    /// The first import of each imported resource.
    imported_resources: HashMap<ResourceId, ResourcePath>,
}

/// A named import or export at the outermost level.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) item: ComponentItem,
}

/// A resource, addressed by the interface that contains it.
#[derive(Debug, Clone)]
pub(crate) struct ResourcePath {
    /// The name of the import; for a resource imported on its own, its name.
    pub(crate) import: String,
    pub(crate) resource: String,
}

impl Component {
    /// Reads and validates a component.
    pub(crate) fn read(bytes: &[u8], bodies: Bodies) -> Result<Self, DescribeError> {
        check_header(bytes)?;
        let (scan, uses_async) = match Scan::read(bytes, FEATURES, bodies) {
            Ok(scan) => (scan, false),
            Err(_) => {
                let scan = Scan::read(bytes, FEATURES_ASYNC, bodies);
                (scan.map_err(|error| name_feature(bytes, error))?, true)
            }
        };
        let component = Self::new(scan, uses_async);
        if component.is_wit_package() {
            return Err(DescribeError::WitPackage);
        }
        type_size::check(&component)?;
        Ok(component)
    }

    fn new(scan: Scan, uses_async: bool) -> Self {
        let Scan {
            types,
            imports,
            exports,
        } = scan;
        let item = |name: String, item: Option<&ComponentItem>| {
            item.cloned().map(|item| Item { name, item })
        };
        let imports = imports.into_iter().filter_map(|name| {
            let found = types.component_item_for_import(&name);
            item(name, found)
        });
        let exports = exports.into_iter().filter_map(|name| {
            let found = types.component_item_for_export(&name);
            item(name, found)
        });
        let (imports, exports) = (imports.collect(), exports.collect());
        let mut component = Self {
            types,
            imports,
            exports,
            uses_async,
            type_names: HashMap::new(),
            imported_resources: HashMap::new(),
        };
        component.index_type_names();
        component.index_resources();
        component
    }

    /// Returns the import of this name.
    pub(crate) fn import(&self, name: &str) -> Option<&ComponentItem> {
        find(&self.imports, name)
    }

    /// Returns the export of this name.
    pub(crate) fn export(&self, name: &str) -> Option<&ComponentItem> {
        find(&self.exports, name)
    }

    /// Returns the name under which an interface exports a type.
    pub(crate) fn type_name(&self, id: ComponentAnyTypeId) -> Option<&str> {
        let mut next = Some(id);
        while let Some(id) = next {
            if let Some(name) = self.type_names.get(&id) {
                return Some(name);
            }
            next = self.types.peel_alias(id);
        }
        None
    }

    /// Returns the import of a resource; `None` if the component defines the resource.
    pub(crate) fn resource_import(&self, id: ResourceId) -> Option<&ResourcePath> {
        self.imported_resources.get(&id)
    }

    /// Returns the resource that an instance exports under a name.
    pub(crate) fn exported_resource(
        &self,
        instance: ComponentInstanceTypeId,
        name: &str,
    ) -> Option<AliasableResourceId> {
        match self.types[instance].exports.get(name)?.ty {
            ComponentEntityType::Type {
                created: ComponentAnyTypeId::Resource(id),
                ..
            } => Some(id),
            _ => None,
        }
    }

    fn is_wit_package(&self) -> bool {
        let is_component_type = |item: &Item| {
            matches!(
                item.item.ty,
                ComponentEntityType::Type {
                    created: ComponentAnyTypeId::Component(_),
                    ..
                }
            )
        };
        self.imports.is_empty()
            && !self.exports.is_empty()
            && self.exports.iter().all(is_component_type)
    }

    fn index_type_names(&mut self) {
        for item in self.imports.iter().chain(&self.exports) {
            insert_type_name(&mut self.type_names, &item.name, &item.item.ty);
            if let ComponentEntityType::Instance(id) = item.item.ty {
                for (name, item) in &self.types[id].exports {
                    insert_type_name(&mut self.type_names, name, &item.ty);
                }
            }
        }
    }

    fn index_resources(&mut self) {
        for Item { name: import, item } in &self.imports {
            let mut insert = |resource: &str, ty: &ComponentEntityType| {
                if let ComponentEntityType::Type {
                    created: ComponentAnyTypeId::Resource(id),
                    ..
                } = ty
                {
                    self.imported_resources
                        .entry(id.resource())
                        .or_insert_with(|| ResourcePath {
                            import: import.clone(),
                            resource: resource.to_owned(),
                        });
                }
            };
            insert(import, &item.ty);
            if let ComponentEntityType::Instance(id) = item.ty {
                self.types[id]
                    .exports
                    .iter()
                    .for_each(|(name, item)| insert(name, &item.ty));
            }
        }
    }
}

/// Refuses bytes that are obviously not a component, and components over the size limit.
fn check_header(bytes: &[u8]) -> Result<(), DescribeError> {
    if bytes.len() > MAX_COMPONENT_BYTES {
        return Err(DescribeError::TooLarge {
            limit: MAX_COMPONENT_BYTES,
            found: bytes.len(),
        });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(DescribeError::NotWasm {
            found: first_bytes(bytes),
        });
    }
    if Parser::is_core_wasm(bytes) {
        return Err(DescribeError::CoreModule);
    }
    Ok(())
}

/// Names the feature that an invalid component requires, if hosts do not run that feature.
fn name_feature(bytes: &[u8], error: DescribeError) -> DescribeError {
    match &error {
        // Other errors need no second scan: the validator's messages on features have this word.
        DescribeError::Invalid { offset, message } if message.contains("require") => {
            match unsupported_feature(bytes, *offset) {
                Some(unsupported) => DescribeError::UnsupportedFeature {
                    feature: unsupported.name,
                    instead: unsupported.instead,
                },
                None => error,
            }
        }
        _ => error,
    }
}

fn first_bytes(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "(nothing)".to_owned();
    }
    let bytes: Vec<_> = bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    bytes.join(" ")
}

fn find<'a>(items: &'a [Item], name: &str) -> Option<&'a ComponentItem> {
    items
        .iter()
        .find(|item| item.name == name)
        .map(|item| &item.item)
}

fn insert_type_name(
    names: &mut HashMap<ComponentAnyTypeId, String>,
    name: &str,
    ty: &ComponentEntityType,
) {
    if let ComponentEntityType::Type { created, .. } = ty {
        names.entry(*created).or_insert_with(|| name.to_owned());
    }
}
