//! A component as its validated binary says it is.
//!
//! Types are read from the validator, not from decoded WIT: when a component imports and exports
//! one interface (a filter does), WIT has one interface for both, and the binary two exact types.

use std::collections::HashMap;

use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentEntityType, ComponentInstanceTypeId,
    ComponentItem, ResourceId,
};
use wasmparser::types::Types;
use wasmparser::{
    Error as BinaryReaderError, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator,
    WasmFeatures,
};

use crate::describe::DescribeError;
use crate::limits::{MAX_COMPONENT_BYTES, MAX_NESTING};
use crate::measure;

/// What an engine without concurrency support takes.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_IMPLEMENTS);

/// What an engine with concurrency support takes.
const FEATURES_ASYNC: WasmFeatures = FEATURES.union(WasmFeatures::CM_ASYNC);

const MAGIC: &[u8] = b"\0asm";

/// Whether function bodies are validated as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// They are.
    Validated,
    /// They are left to whoever validates the result.
    Skipped,
}

/// A validated component.
pub(crate) struct Component {
    pub(crate) types: Types,
    pub(crate) imports: Vec<Item>,
    pub(crate) exports: Vec<Item>,
    /// Whether it needs an engine with concurrency support.
    pub(crate) uses_async: bool,
    type_names: HashMap<ComponentAnyTypeId, String>,
    /// Where each imported resource is first imported.
    imported_resources: HashMap<ResourceId, ResourcePath>,
}

/// A named import or export at the outermost level.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) item: ComponentItem,
}

/// A resource by the interface that has it.
#[derive(Debug, Clone)]
pub(crate) struct ResourcePath {
    /// The import; for a resource imported on its own, its name.
    pub(crate) import: String,
    pub(crate) resource: String,
}

impl Component {
    /// Reads and validates a component.
    pub(crate) fn read(bytes: &[u8], bodies: Bodies) -> Result<Self, DescribeError> {
        recognise(bytes)?;
        let (outline, uses_async) = match Outline::read(bytes, FEATURES, bodies) {
            Ok(outline) => (outline, false),
            Err(_) => (Outline::read(bytes, FEATURES_ASYNC, bodies)?, true),
        };
        let component = outline.into_component(uses_async);
        if component.is_wit_package() {
            return Err(DescribeError::WitPackage);
        }
        measure::check(&component)?;
        Ok(component)
    }

    /// The import of this name.
    pub(crate) fn import(&self, name: &str) -> Option<&ComponentItem> {
        find(&self.imports, name)
    }

    /// The export of this name.
    pub(crate) fn export(&self, name: &str) -> Option<&ComponentItem> {
        find(&self.exports, name)
    }

    /// The name by which an interface exports a type, if it has one.
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

    /// Where a resource is imported, unless the component defines it.
    pub(crate) fn resource_import(&self, id: ResourceId) -> Option<&ResourcePath> {
        self.imported_resources.get(&id)
    }

    /// The resource that an instance exports under a name.
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

    fn name_types(&mut self) {
        for item in self.imports.iter().chain(&self.exports) {
            name_type(&mut self.type_names, &item.name, &item.item.ty);
            if let ComponentEntityType::Instance(id) = item.item.ty {
                for (name, item) in &self.types[id].exports {
                    name_type(&mut self.type_names, name, &item.ty);
                }
            }
        }
    }

    fn place_resources(&mut self) {
        for Item { name: import, item } in &self.imports {
            let mut place = |resource: &str, ty: &ComponentEntityType| {
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
            place(import, &item.ty);
            if let ComponentEntityType::Instance(id) = item.ty {
                self.types[id]
                    .exports
                    .iter()
                    .for_each(|(name, item)| place(name, &item.ty));
            }
        }
    }
}

/// The validator's result, with the names of the outermost level.
struct Outline {
    types: Types,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    fn read(bytes: &[u8], features: WasmFeatures, bodies: Bodies) -> Result<Self, DescribeError> {
        let mut validator = Validator::new_with_features(features);
        let mut allocations = FuncValidatorAllocations::default();
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        let mut depth = 0_usize;
        let mut types = None;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            let valid = validator.payload(&payload)?;
            if depth == 0 {
                outermost_names(payload, &mut imports, &mut exports)?;
            }
            match valid {
                ValidPayload::Ok => {}
                ValidPayload::Parser(_) if depth == MAX_NESTING => {
                    return Err(DescribeError::NestedTooDeeply { limit: MAX_NESTING });
                }
                ValidPayload::Parser(_) => depth += 1,
                ValidPayload::Func(..) if bodies == Bodies::Skipped => {}
                ValidPayload::Func(function, body) => {
                    let mut function = function.into_validator(allocations);
                    function.validate(&body)?;
                    allocations = function.into_allocations();
                }
                ValidPayload::End(end) => {
                    depth = depth.saturating_sub(1);
                    types = Some(end);
                }
            }
        }
        // The parser ends every input that it accepts with an end of the outermost level.
        let types = types.ok_or(DescribeError::Truncated {
            offset: bytes.len(),
            message: "unexpected end-of-file".to_owned(),
        })?;
        Ok(Self {
            types,
            imports,
            exports,
        })
    }

    fn into_component(self, uses_async: bool) -> Component {
        let types = &self.types;
        let item = |name: String, item: Option<&ComponentItem>| {
            item.cloned().map(|item| Item { name, item })
        };
        let imports = self.imports.into_iter().filter_map(|name| {
            let found = types.component_item_for_import(&name);
            item(name, found)
        });
        let exports = self.exports.into_iter().filter_map(|name| {
            let found = types.component_item_for_export(&name);
            item(name, found)
        });
        let (imports, exports) = (imports.collect(), exports.collect());
        let mut component = Component {
            types: self.types,
            imports,
            exports,
            uses_async,
            type_names: HashMap::new(),
            imported_resources: HashMap::new(),
        };
        component.name_types();
        component.place_resources();
        component
    }
}

fn outermost_names(
    payload: Payload<'_>,
    imports: &mut Vec<String>,
    exports: &mut Vec<String>,
) -> Result<(), BinaryReaderError> {
    match payload {
        Payload::ComponentImportSection(section) => {
            for import in section {
                imports.push(import?.name.name.to_owned());
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section {
                exports.push(export?.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

/// Refuses what is not a component at the first look, and what is too large to look at.
fn recognise(bytes: &[u8]) -> Result<(), DescribeError> {
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

impl From<BinaryReaderError> for DescribeError {
    fn from(error: BinaryReaderError) -> Self {
        let offset = usize::try_from(error.offset()).unwrap_or(usize::MAX);
        let message = error.message().to_owned();
        if message.contains("unexpected end-of-file") {
            Self::Truncated { offset, message }
        } else {
            Self::Invalid { offset, message }
        }
    }
}

fn find<'a>(items: &'a [Item], name: &str) -> Option<&'a ComponentItem> {
    items
        .iter()
        .find(|item| item.name == name)
        .map(|item| &item.item)
}

fn name_type(
    names: &mut HashMap<ComponentAnyTypeId, String>,
    name: &str,
    ty: &ComponentEntityType,
) {
    if let ComponentEntityType::Type { created, .. } = ty {
        names.entry(*created).or_insert_with(|| name.to_owned());
    }
}
