//! Combines generated and typed functions in the interfaces that an importer imports.
//!
//! The generated component is nested in an outer one. The outer component also imports the typed
//! functions of the host, and exports instances with both kinds of functions under the names of the
//! importer's imports. Functions are passed on as they are: a call of a typed function runs no
//! generated code.

mod component_names;
mod direct_instance;
mod import_sections;
mod shared_types;

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentExportKind, ComponentExportSection,
    ComponentImportSection, ComponentInstanceSection, ComponentSectionId, ComponentTypeRef,
    ComponentTypeSection, RawSection,
};

use crate::plan::{CallPath, ComponentWorld, Plan, PlannedInterface};
pub(crate) use component_names::ComponentNames;
use import_sections::ImportSections;
pub(crate) use shared_types::add_shared_types;

/// The instance of typed host functions. The function with index 3 is named `f3`.
pub const DIRECT: &str = "weft:link/direct";

/// The reason a stub could not be assembled.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The generated component cannot be read.
    #[error("cannot parse the generated component")]
    Read(#[from] wasmparser::BinaryReaderError),
    /// The generated component imports an item that the outer component cannot repeat.
    #[error(
        "the generated component has {found} before its last import: expected types and interfaces"
    )]
    UnexpectedItem {
        /// The kind of the item.
        found: &'static str,
    },
    /// The plan needs generated functions or types, and the generated component is missing.
    #[error("no component was generated for interface `{interface}`")]
    NothingGenerated {
        /// The interface.
        interface: String,
    },
    /// The plan was not made for this component.
    #[error(
        "function `{function}` of interface `{interface}` does not match its planned signature"
    )]
    NotDirect {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
}

/// True if a stub of this plan needs generated parts: functions, or types that other interfaces of
/// the importer may use.
#[must_use]
pub fn is_generated(importer: &ComponentWorld, plan: &Plan) -> bool {
    stubbed(plan).any(|interface| has_generated(importer, interface))
}

/// True if the plan needs a stub: the host itself defines interfaces with concurrent functions.
#[must_use]
pub fn is_needed(plan: &Plan) -> bool {
    stubbed(plan).next().is_some()
}

/// Assembles the stub of an importer's plan around the `generated` component. That component
/// exports all interfaces of the plan without concurrent functions.
///
/// # Errors
///
/// Fails if the plan does not match the component or the generated component.
pub fn stub(
    importer: &ComponentWorld,
    plan: &Plan,
    generated: Option<Arc<[u8]>>,
) -> Result<Arc<[u8]>, AssembleError> {
    let has_direct = stubbed(plan).any(has_direct);
    match generated {
        Some(generated) if !has_direct => Ok(generated),
        generated => {
            let assembly = Assembly::new(importer, plan, generated.as_deref())?;
            Ok(assembly.finish()?.into())
        }
    }
}

/// The interfaces of a plan that are part of its stub.
fn stubbed(plan: &Plan) -> impl Iterator<Item = &PlannedInterface> {
    plan.interfaces
        .iter()
        .filter(|interface| !interface.concurrent)
}

/// The interfaces of a stub in the order of the importer's imports. That puts an interface before
/// those that use its types: a type that depends on another can only be exported after it.
fn used_first<'p>(importer: &ComponentWorld, plan: &'p Plan) -> Vec<&'p PlannedInterface> {
    let imports = importer.resolve.worlds[importer.world].imports.keys();
    let names = imports.map(|key| importer.resolve.name_world_key(key));
    let places: HashMap<_, _> = names.zip(0_usize..).collect();
    let mut interfaces: Vec<_> = stubbed(plan).collect();
    interfaces.sort_by_key(|interface| places.get(&interface.name));
    interfaces
}

fn has_generated(importer: &ComponentWorld, interface: &PlannedInterface) -> bool {
    interface.has_generated() || !importer.resolve.interfaces[interface.id].types.is_empty()
}

fn has_direct(interface: &PlannedInterface) -> bool {
    let mut functions = interface.functions.iter();
    functions.any(|function| matches!(function.path, CallPath::Direct(_)))
}

/// An item of an instance: its name, its kind, and its index among the items of that kind.
type Item<'a> = (&'a str, ComponentExportKind, u32);

/// The outer component under construction.
struct Assembly<'a> {
    importer: &'a ComponentWorld,
    plan: &'a Plan,
    component: Component,
    /// Number of items of each kind, and so the index of the next.
    types: u32,
    instances: u32,
    funcs: u32,
    direct: u32,
    generated: Option<u32>,
}

impl<'a> Assembly<'a> {
    /// Writes all imports, and instantiates the generated component.
    fn new(
        importer: &'a ComponentWorld,
        plan: &'a Plan,
        generated: Option<&[u8]>,
    ) -> Result<Self, AssembleError> {
        let imports = generated
            .map(ImportSections::read)
            .transpose()?
            .unwrap_or_default();
        let mut component = Component::new();
        for section in &imports.sections {
            component.section(section);
        }
        let mut assembly = Self {
            importer,
            plan,
            component,
            types: imports.types,
            instances: imports.instances,
            funcs: 0,
            direct: 0,
            generated: None,
        };
        assembly.import_direct()?;
        if let Some(generated) = generated {
            assembly.instantiate(generated, &imports);
        }
        Ok(assembly)
    }

    fn import_direct(&mut self) -> Result<(), AssembleError> {
        let mut types = ComponentTypeSection::new();
        types.instance(&direct_instance::instance(
            self.importer,
            stubbed(self.plan),
        )?);
        let mut imports = ComponentImportSection::new();
        imports.import(DIRECT, ComponentTypeRef::Instance(self.types));
        self.component.section(&types).section(&imports);
        self.types += 1;
        self.direct = self.next_instance();
        Ok(())
    }

    /// Passes the outer component's imports on to the generated component, which has the same.
    fn instantiate(&mut self, generated: &[u8], imports: &ImportSections<'_>) {
        self.component.section(&RawSection {
            id: ComponentSectionId::Component.into(),
            data: generated,
        });
        let imports = imports.imports.iter();
        let arguments: Vec<_> = imports
            .map(|(name, instance)| (*name, ComponentExportKind::Instance, *instance))
            .collect();
        let mut instances = ComponentInstanceSection::new();
        instances.instantiate(0, arguments);
        self.component.section(&instances);
        self.generated = Some(self.next_instance());
    }

    fn finish(mut self) -> Result<Vec<u8>, AssembleError> {
        for interface in used_first(self.importer, self.plan) {
            self.add(interface)?;
        }
        Ok(self.component.finish())
    }

    /// Exports an interface: the generated instance, or a new instance of generated and direct
    /// items.
    fn add(&mut self, interface: &'a PlannedInterface) -> Result<(), AssembleError> {
        let mut aliases = ComponentAliasSection::new();
        let generated = self.generated_interface(interface, &mut aliases)?;
        let instance = match generated {
            Some(generated) if !has_direct(interface) => {
                self.component.section(&aliases);
                generated
            }
            _ => {
                let items = self.items(interface, generated, &mut aliases)?;
                let mut instances = ComponentInstanceSection::new();
                instances.export_items(items);
                self.component.section(&aliases).section(&instances);
                self.next_instance()
            }
        };
        let kind = ComponentExportKind::Instance;
        let mut exports = ComponentExportSection::new();
        exports.export(&interface.name, kind, instance, None);
        self.component.section(&exports);
        // Each export also defines an instance.
        self.next_instance();
        Ok(())
    }

    fn next_instance(&mut self) -> u32 {
        self.instances += 1;
        self.instances - 1
    }

    /// The items of an interface, with types before the functions that use them.
    fn items(
        &mut self,
        interface: &'a PlannedInterface,
        generated: Option<u32>,
        aliases: &mut ComponentAliasSection,
    ) -> Result<Vec<Item<'a>>, AssembleError> {
        let mut items = Vec::new();
        if let Some(generated) = generated {
            let importer = self.importer;
            for name in importer.resolve.interfaces[interface.id].types.keys() {
                let index = self.alias(aliases, generated, ComponentExportKind::Type, name);
                items.push((name.as_str(), ComponentExportKind::Type, index));
            }
        }
        for function in &interface.functions {
            let kind = ComponentExportKind::Func;
            let index = match (&function.path, generated) {
                (CallPath::Direct(_), _) => self.alias(
                    aliases,
                    self.direct,
                    kind,
                    &direct_instance::name(function.index),
                ),
                (_, Some(generated)) => self.alias(aliases, generated, kind, &function.name),
                (_, None) => return Err(nothing_generated(interface)),
            };
            items.push((&function.name, kind, index));
        }
        Ok(items)
    }

    /// The generated instance of an interface; `None` if no part of the interface is generated.
    fn generated_interface(
        &mut self,
        interface: &PlannedInterface,
        aliases: &mut ComponentAliasSection,
    ) -> Result<Option<u32>, AssembleError> {
        if !has_generated(self.importer, interface) {
            return Ok(None);
        }
        let generated = self.generated.ok_or_else(|| nothing_generated(interface))?;
        let kind = ComponentExportKind::Instance;
        Ok(Some(self.alias(aliases, generated, kind, &interface.name)))
    }

    /// Aliases an export of an instance, and returns its index.
    fn alias(
        &mut self,
        aliases: &mut ComponentAliasSection,
        instance: u32,
        kind: ComponentExportKind,
        name: &str,
    ) -> u32 {
        aliases.alias(Alias::InstanceExport {
            instance,
            kind,
            name,
        });
        let next = match kind {
            ComponentExportKind::Instance => &mut self.instances,
            ComponentExportKind::Type => &mut self.types,
            _ => &mut self.funcs,
        };
        *next += 1;
        *next - 1
    }
}

fn nothing_generated(interface: &PlannedInterface) -> AssembleError {
    AssembleError::NothingGenerated {
        interface: interface.name.clone(),
    }
}
