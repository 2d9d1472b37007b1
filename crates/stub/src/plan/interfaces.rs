//! The interfaces of one link end as a set: the resources they define, and the call path of each
//! function.

use std::collections::{BTreeSet, HashMap, HashSet};

use wit_parser::{
    Function, Interface, InterfaceId, Resolve, TypeDefKind, TypeId, TypeOwner, WorldItem, WorldKey,
};

use super::signature::{Outcome, Scalars, Signature, simple_type};
use super::type_walk::{MAX_FLAGS, SpecialType, definition, special_types};
use super::unsupported::{Reason, Unsupported};
use super::{CallPath, is_async, wit_text};

/// An interface of a set.
pub(super) struct NamedInterface<'a> {
    pub(super) name: &'a str,
    pub(super) id: InterfaceId,
    pub(super) interface: &'a Interface,
}

/// A set of interfaces.
pub(super) struct InterfaceSet<'a> {
    resolve: &'a Resolve,
    items: Vec<NamedInterface<'a>>,
    ids: HashSet<InterfaceId>,
}

impl<'a> InterfaceSet<'a> {
    /// Finds the named interfaces among the items of a world; duplicate names count once.
    pub(super) fn new<'w>(
        resolve: &'a Resolve,
        world: impl IntoIterator<Item = (&'w WorldKey, &'w WorldItem)>,
        names: &[&'a str],
    ) -> Result<Self, Vec<Unsupported>> {
        let world: HashMap<_, _> = world
            .into_iter()
            .map(|(key, item)| (resolve.name_world_key(key), item))
            .collect();
        let mut refusals = Vec::new();
        let mut items: Vec<NamedInterface<'_>> = Vec::new();
        let mut known = HashSet::new();
        for name in names.iter().copied().filter(|name| known.insert(*name)) {
            match find(&world, name) {
                Ok(id) => items.push(NamedInterface {
                    name,
                    id,
                    interface: &resolve.interfaces[id],
                }),
                Err(reason) => refusals.push(interface_unsupported(name, reason)),
            }
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let ids = items.iter().map(|item| item.id).collect();
        Ok(Self {
            resolve,
            items,
            ids,
        })
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &NamedInterface<'a>> {
        self.items.iter()
    }

    /// Interfaces with resources that occur under two names: a handle would not identify its
    /// interface.
    pub(super) fn defined_twice(&self) -> Vec<Unsupported> {
        let mut first: HashMap<InterfaceId, &str> = HashMap::new();
        let mut refusals = Vec::new();
        for item in &self.items {
            let first = *first.entry(item.id).or_insert(item.name);
            let resource = resources(self.resolve, item).next();
            if let Some((resource, _)) = resource.filter(|_| first != item.name) {
                let reason = Reason::DefinedTwice {
                    first: first.to_owned(),
                    resource: resource.to_owned(),
                };
                refusals.push(interface_unsupported(item.name, reason));
            }
        }
        refusals
    }

    /// True if an interface defines resources.
    pub(super) fn has_resources(&self, item: &NamedInterface<'a>) -> bool {
        resources(self.resolve, item).next().is_some()
    }

    /// The first concurrent function of an interface.
    pub(super) fn concurrent(&self, item: &NamedInterface<'a>) -> Option<&'a str> {
        let functions = item.interface.functions.values();
        functions
            .filter(|function| self.is_concurrent(function))
            .map(|function| function.name.as_str())
            .next()
    }

    /// Resources that an interface with concurrent functions defines and none of its functions
    /// uses. [`InterfaceSet::classify`] reports the used ones.
    pub(super) fn unused_resources(
        &self,
        item: &NamedInterface<'a>,
        concurrent: &str,
    ) -> Vec<Unsupported> {
        let functions = item.interface.functions.values();
        let mentioned: HashSet<_> = functions
            .flat_map(|function| special_types(self.resolve, function))
            .filter_map(|(_, special)| match special {
                SpecialType::Handle { resource } => Some(resource),
                _ => None,
            })
            .collect();
        resources(self.resolve, item)
            .filter(|(_, id)| !mentioned.contains(id))
            .map(|(name, _)| Unsupported {
                ty: Some(name.to_owned()),
                ..interface_unsupported(
                    item.name,
                    Reason::ResourceBesideConcurrent {
                        concurrent: concurrent.to_owned(),
                    },
                )
            })
            .collect()
    }

    /// Chooses the call path of one function, or collects the reasons against any.
    ///
    /// `concurrent` is the name of a concurrent function of the interface, if it has one.
    pub(super) fn classify(
        &self,
        item: &NamedInterface<'a>,
        function: &Function,
        concurrent: Option<&str>,
        is_direct: &dyn Fn(&Signature) -> bool,
    ) -> Result<CallPath, Vec<Unsupported>> {
        let special_types = special_types(self.resolve, function);
        let mut reported = BTreeSet::new();
        let refusals: Vec<_> = special_types
            .iter()
            .filter_map(|(ty, special)| {
                let reason = self.reason(*special, concurrent)?;
                let ty = wit_text::value(self.resolve, ty);
                // A handle occurs under each alias of its resource.
                reported.insert(ty.clone()).then_some(Unsupported {
                    interface: item.name.to_owned(),
                    function: Some(function.name.clone()),
                    ty: Some(ty),
                    reason,
                })
            })
            .collect();
        if !refusals.is_empty() {
            return Err(refusals);
        }
        if self.is_concurrent(function) {
            return Ok(CallPath::Concurrent);
        }
        let signature = Signature::of(self.resolve, function);
        let signature = signature.filter(|_| !has_methods(item.interface));
        if let Some(signature) = signature.filter(is_direct) {
            return Ok(CallPath::Direct(signature));
        }
        let scalars = Scalars::of(self.resolve, function);
        Ok(scalars.map_or(CallPath::Stub, CallPath::Scalars))
    }

    pub(super) fn is_concurrent(&self, function: &Function) -> bool {
        let mut special_types = special_types(self.resolve, function).into_iter();
        is_async(&function.kind) || special_types.any(|(_, special)| special.is_concurrent())
    }

    /// The reason a link cannot carry a type; `None` if it can.
    fn reason(&self, special: SpecialType, concurrent: Option<&str>) -> Option<Reason> {
        match special {
            SpecialType::Handle { resource } => {
                let owner = self.resolve.types[resource].owner;
                match (owner, concurrent) {
                    (TypeOwner::Interface(id), concurrent) if self.ids.contains(&id) => concurrent
                        .map(|concurrent| Reason::ResourceBesideConcurrent {
                            concurrent: concurrent.to_owned(),
                        }),
                    (owner, _) => Some(Reason::ForeignResource {
                        owner: self.owner_name(owner),
                    }),
                }
            }
            SpecialType::Stream(element) => {
                let is_carried =
                    element.is_some_and(|element| simple_type(self.resolve, &element).is_some());
                (!is_carried).then_some(Reason::StreamElement)
            }
            SpecialType::Future(value) => {
                let is_carried =
                    value.is_some_and(|value| Outcome::of(self.resolve, &value).is_some());
                (!is_carried).then_some(Reason::FutureValue)
            }
            SpecialType::Nested => Some(Reason::Nested),
            SpecialType::Unknown => Some(Reason::Kind),
            SpecialType::Flags(found) => Some(Reason::TooManyFlags {
                limit: MAX_FLAGS,
                found,
            }),
        }
    }

    fn owner_name(&self, owner: TypeOwner) -> String {
        let name = match owner {
            TypeOwner::Interface(id) => self.resolve.id_of(id),
            TypeOwner::World(_) | TypeOwner::None => None,
        };
        name.unwrap_or_else(|| "the component's world".to_owned())
    }
}

/// True if functions are named for a resource.
///
/// Such functions exist only in the component instance that defines the resource. Typed functions
/// cannot be mixed in, so the whole interface takes the stub. An importer has a subset of its
/// exporter's functions, so a function that takes the stub at the importer also does at the
/// exporter.
fn has_methods(interface: &Interface) -> bool {
    let mut functions = interface.functions.values();
    functions.any(|function| function.kind.resource().is_some())
}

/// The resources that an interface defines, with their names.
fn resources<'a>(
    resolve: &'a Resolve,
    item: &NamedInterface<'a>,
) -> impl Iterator<Item = (&'a str, TypeId)> {
    let id = item.id;
    let types = item.interface.types.iter();
    types
        .map(|(name, ty)| (name.as_str(), definition(resolve, *ty)))
        .filter(move |(_, ty)| {
            let definition = &resolve.types[*ty];
            matches!(definition.kind, TypeDefKind::Resource)
                && definition.owner == TypeOwner::Interface(id)
        })
}

fn find(world: &HashMap<String, &WorldItem>, name: &str) -> Result<InterfaceId, Reason> {
    match world.get(name) {
        Some(WorldItem::Interface { id, .. }) => Ok(*id),
        Some(WorldItem::Function(_) | WorldItem::Type { .. }) => Err(Reason::NotAnInterface),
        None => {
            let mut found: Vec<_> = world.keys().cloned().collect();
            found.sort();
            Err(Reason::Missing { found })
        }
    }
}

/// Reports an interface as a whole.
fn interface_unsupported(name: &str, reason: Reason) -> Unsupported {
    Unsupported {
        interface: name.to_owned(),
        function: None,
        ty: None,
        reason,
    }
}
