//! The WIT worlds of stubs and skeletons, and the conversion of a module to a component.

use std::collections::HashSet;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Docs, Function, InterfaceId, LiftLowerAbi, ManglingAndAbi, Resolve, Span, Stability,
    TypeDefKind, TypeId, WasmExport, WasmExportKind, WasmImport, WorldId, WorldItem, WorldKey,
};

use super::error::GenerateError;

/// The name mangling of the tools for imports and exports.
pub(crate) const MANGLING: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// The interfaces between generated components and the host.
const LINK: &str = include_str!("link.wit");

/// An interface of a stub or skeleton, with the functions that generated code carries.
#[derive(Debug, Clone)]
pub(crate) struct CarriedInterface {
    pub(crate) key: WorldKey,
    pub(crate) id: InterfaceId,
    pub(crate) functions: Vec<CarriedFunction>,
}

/// A function of a [`CarriedInterface`].
#[derive(Debug, Clone)]
pub(crate) struct CarriedFunction {
    /// The index on the link.
    pub(crate) index: u32,
    pub(crate) name: String,
    /// True for a function of few scalars, which need no encoding between two stores.
    pub(crate) is_scalars: bool,
}

/// The end of a link that a component serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Stub,
    Skeleton,
}

/// A world with the interfaces of a link only.
#[derive(Debug)]
pub(crate) struct LinkWorld {
    pub(crate) resolve: Resolve,
    world: WorldId,
    /// `weft:link/call` or `weft:link/serve`.
    link: (WorldKey, InterfaceId),
    pub(crate) carried: Vec<CarriedInterface>,
}

impl LinkWorld {
    pub(crate) fn new(
        resolve: &Resolve,
        carried: &[CarriedInterface],
        side: Side,
    ) -> Result<Self, GenerateError> {
        let mut resolve = resolve.clone();
        let mut ids = HashSet::new();
        for interface in carried {
            let is_new = ids.insert(interface.id);
            if !is_new && has_resources(&resolve, interface.id) {
                let name = resolve.name_world_key(&interface.key);
                return Err(GenerateError::Twice { name });
            }
        }
        prune(&mut resolve, carried);
        let package = resolve.push_source("link.wit", LINK).map_err(|error| {
            let message = format!("{error:#}");
            GenerateError::Reserved { message }
        })?;
        let (world, link) = match side {
            Side::Stub => ("stub", "call"),
            Side::Skeleton => ("skeleton", "serve"),
        };
        let world = resolve.packages[package].worlds[world];
        let link = resolve.packages[package].interfaces[link];
        let mut new = Self {
            resolve,
            world,
            link: (WorldKey::Interface(link), link),
            carried: carried.to_vec(),
        };
        new.fill(side);
        Ok(new)
    }

    /// The name of a host function as an import.
    pub(crate) fn link_import(&self, name: &str) -> (String, String) {
        let import = WasmImport::Func {
            interface: Some(&self.link.0),
            func: self.link_function(name),
        };
        self.resolve.wasm_import_name(MANGLING, import)
    }

    /// The name of a function for the host as an export, or of its `post-return`.
    pub(crate) fn link_export(&self, name: &str, kind: WasmExportKind) -> String {
        let export = WasmExport::Func {
            interface: Some(&self.link.0),
            func: self.link_function(name),
            kind,
        };
        self.resolve.wasm_export_name(MANGLING, export)
    }

    fn link_function(&self, name: &str) -> &Function {
        &self.resolve.interfaces[self.link.1].functions[name]
    }

    /// The resources of the carried interfaces, each with its interface.
    pub(crate) fn resources(&self) -> Vec<(WorldKey, TypeId)> {
        let mut resources = Vec::new();
        for interface in &self.carried {
            for id in self.resolve.interfaces[interface.id].types.values() {
                if matches!(self.resolve.types[*id].kind, TypeDefKind::Resource) {
                    resources.push((interface.key.clone(), *id));
                }
            }
        }
        resources
    }

    /// Turns a module for this world into a component.
    pub(crate) fn componentize(&self, mut module: Vec<u8>) -> Result<Vec<u8>, GenerateError> {
        module.extend(self.encode()?);
        ComponentEncoder::default()
            .module(&module)
            .and_then(|encoder| encoder.encode())
            .map_err(|error| failed(&error))
    }

    /// Encodes the world.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, GenerateError> {
        let mut bytes = Vec::new();
        embed_component_metadata(&mut bytes, &self.resolve, self.world, StringEncoding::UTF8)
            .map_err(|error| failed(&error))?;
        Ok(bytes)
    }

    /// Adds the carried interfaces to the world, and the interfaces whose types they use as
    /// imports.
    fn fill(&mut self, side: Side) {
        let mut items = WorldItems::default();
        for interface in &self.carried {
            self.place(&interface.key, interface.id, side == Side::Stub, &mut items);
        }
        let world = &mut self.resolve.worlds[self.world];
        world.imports.extend(items.imports);
        world.exports.extend(items.exports);
    }

    /// Adds an interface after those that it uses. An exported interface uses exported ones if they
    /// are carried too, and imports all others.
    fn place(&self, key: &WorldKey, id: InterfaceId, is_export: bool, items: &mut WorldItems) {
        if items.of(is_export).iter().any(|(placed, _)| placed == key) {
            return;
        }
        for used in self.resolve.interface_direct_deps(id) {
            let key = WorldKey::Interface(used);
            let is_carried = self.carried.iter().any(|carried| carried.key == key);
            self.place(&key, used, is_export && is_carried, items);
        }
        items.of(is_export).push((key.clone(), item(id)));
    }
}

/// The items of a world, each after those that it uses.
#[derive(Debug, Default)]
struct WorldItems {
    imports: Vec<(WorldKey, WorldItem)>,
    exports: Vec<(WorldKey, WorldItem)>,
}

impl WorldItems {
    fn of(&mut self, is_export: bool) -> &mut Vec<(WorldKey, WorldItem)> {
        if is_export {
            &mut self.exports
        } else {
            &mut self.imports
        }
    }
}

fn failed(error: &impl std::fmt::Display) -> GenerateError {
    // The alternate form includes the chain of causes.
    let message = format!("{error:#}");
    GenerateError::Componentize { message }
}

fn item(id: InterfaceId) -> WorldItem {
    WorldItem::Interface {
        id,
        stability: Stability::Unknown,
        external_id: None,
        docs: Docs::default(),
        span: Span::default(),
    }
}

/// Removes the functions that are not carried: other interfaces are only needed for their types.
fn prune(resolve: &mut Resolve, carried: &[CarriedInterface]) {
    for (id, interface) in resolve.interfaces.iter_mut() {
        let of_this = || carried.iter().filter(|one| one.id == id);
        interface.functions.retain(|name, _| {
            of_this().any(|one| one.functions.iter().any(|function| function.name == *name))
        });
    }
}

fn has_resources(resolve: &Resolve, id: InterfaceId) -> bool {
    let mut types = resolve.interfaces[id].types.values();
    types.any(|id| matches!(resolve.types[*id].kind, TypeDefKind::Resource))
}
