//! The WIT worlds of stubs and skeletons, and how a module becomes a component of one.

use std::collections::HashSet;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Docs, Function, InterfaceId, Resolve, Span, Stability, TypeDefKind, TypeId, WorldId, WorldItem,
    WorldKey,
};

use super::error::GenerateError;

/// What stubs import and skeletons export.
const LINK: &str = include_str!("link.wit");

/// One interface of a stub or skeleton, with the functions that take bytes.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) key: WorldKey,
    pub(crate) id: InterfaceId,
    /// Each with its index on the link.
    pub(crate) functions: Vec<(u32, String)>,
}

/// On which side of a link a component stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Stub,
    Skeleton,
}

/// A world with the interfaces of a link and nothing else.
#[derive(Debug)]
pub(crate) struct LinkWorld {
    pub(crate) resolve: Resolve,
    world: WorldId,
    /// `weft:link/call` or `weft:link/serve`.
    link: (WorldKey, InterfaceId),
    pub(crate) carried: Vec<Carried>,
}

impl LinkWorld {
    pub(crate) fn new(
        resolve: &Resolve,
        carried: &[Carried],
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

    /// The interface through which host and component speak.
    pub(crate) fn link(&self) -> &WorldKey {
        &self.link.0
    }

    /// A function of that interface.
    pub(crate) fn link_function(&self, name: &str) -> &Function {
        &self.resolve.interfaces[self.link.1].functions[name]
    }

    /// The resources that the interfaces define, each with its interface.
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

    /// Makes a component of a module for this world.
    pub(crate) fn componentize(&self, mut module: Vec<u8>) -> Result<Vec<u8>, GenerateError> {
        let failed = |message: String| GenerateError::Componentize { message };
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)
            .map_err(|error| failed(format!("{error:#}")))?;
        ComponentEncoder::default()
            .module(&module)
            .and_then(|encoder| encoder.encode())
            .map_err(|error| failed(format!("{error:#}")))
    }

    /// Adds the interfaces to the world, and before them as imports those of which they use types.
    fn fill(&mut self, side: Side) {
        let own: HashSet<InterfaceId> = self.carried.iter().map(|one| one.id).collect();
        let mut used = Vec::new();
        for interface in &self.carried {
            self.add_used(interface.id, &own, &mut used);
        }
        let world = &mut self.resolve.worlds[self.world];
        for id in used {
            world.imports.insert(WorldKey::Interface(id), item(id));
        }
        let target = match side {
            Side::Stub => &mut world.exports,
            Side::Skeleton => &mut world.imports,
        };
        for interface in &self.carried {
            target.insert(interface.key.clone(), item(interface.id));
        }
    }

    /// What an interface uses comes before it.
    fn add_used(
        &self,
        id: InterfaceId,
        own: &HashSet<InterfaceId>,
        used: &mut Vec<InterfaceId>,
    ) {
        for dependency in self.resolve.interface_direct_deps(id) {
            if !own.contains(&dependency) && !used.contains(&dependency) {
                self.add_used(dependency, own, used);
                used.push(dependency);
            }
        }
    }
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

/// Leaves only the functions that are carried: of other interfaces only types are wanted.
fn prune(resolve: &mut Resolve, carried: &[Carried]) {
    for (id, interface) in resolve.interfaces.iter_mut() {
        let of_this = || carried.iter().filter(|one| one.id == id);
        interface.functions.retain(|name, _| {
            of_this().any(|one| one.functions.iter().any(|(_, function)| function == name))
        });
    }
}

fn has_resources(resolve: &Resolve, id: InterfaceId) -> bool {
    let mut types = resolve.interfaces[id].types.values();
    types.any(|id| matches!(resolve.types[*id].kind, TypeDefKind::Resource))
}
