//! Finds the interfaces that a fused component must export only for their types.
//!
//! The exports of a component may refer only to types that have a name outside: imported ones, and
//! those of its exports. If a part exports an interface with a record whose fields are records of a
//! linked import, fusing removes the name of these. The exporter of that interface must then export
//! it as well.

use std::collections::{BTreeSet, HashMap, HashSet};

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentInstanceTypeId, ComponentValType,
};

use crate::binary::Component;
use crate::graph::Graph;

/// Returns the exports, by part and name, that give names to the types of the component's exports,
/// in an order in which they can be exported. Exports of `graph.exporters` are not listed.
pub(crate) fn exports<'g>(graph: &'g Graph<'_>) -> Vec<(usize, &'g str)> {
    let owners: Vec<_> = graph.components.iter().map(owners).collect();
    let rank: HashMap<_, _> = graph
        .order
        .iter()
        .enumerate()
        .map(|(rank, part)| (*part, rank))
        .collect();
    let mut open: Vec<(usize, usize)> = graph
        .exporters
        .iter()
        .flat_map(|part| (0..graph.components[*part].exports.len()).map(move |at| (*part, at)))
        .collect();
    // A type is named by an export of a part further down, or by an earlier export of the same
    // part.
    let mut found: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
    while let Some((part, at)) = open.pop() {
        if !found.insert((rank[&part], part, at)) {
            continue;
        }
        let component = &graph.components[part];
        let referenced = referenced(component, at);
        let owners = referenced.iter().filter_map(|id| owners[part].get(id));
        open.extend(owners.filter_map(|owner| match owner {
            Owner::Export(at) => Some((part, *at)),
            Owner::Import(name) => {
                let edge = graph.link(part, name)?;
                let mut exports = graph.components[edge.to].exports.iter();
                let at = exports.position(|item| item.name == edge.export)?;
                Some((edge.to, at))
            }
        }));
    }
    found
        .into_iter()
        .filter(|(_, part, _)| !graph.exporters.contains(part))
        .map(|(_, part, at)| (part, graph.components[part].exports[at].name.as_str()))
        .collect()
}

/// The item that names a type within a component.
enum Owner<'a> {
    Import(&'a str),
    /// The index of the export.
    Export(usize),
}

fn owners(component: &Component) -> HashMap<ComponentAnyTypeId, Owner<'_>> {
    let mut owners = HashMap::new();
    for item in &component.imports {
        for id in named_types(component, item.item.ty) {
            owners.entry(id).or_insert(Owner::Import(&item.name));
        }
    }
    for (at, item) in component.exports.iter().enumerate() {
        for id in named_types(component, item.item.ty) {
            owners.entry(id).or_insert(Owner::Export(at));
        }
    }
    owners
}

/// The types that an interface names.
fn named_types(component: &Component, ty: ComponentEntityType) -> Vec<ComponentAnyTypeId> {
    let ComponentEntityType::Instance(id) = ty else {
        return Vec::new();
    };
    let items = component.types[id].exports.values();
    items
        .filter_map(|item| match item.ty {
            ComponentEntityType::Type { created, .. } => Some(created),
            _ => None,
        })
        .collect()
}

/// The types that an export refers to but does not name.
fn referenced(component: &Component, at: usize) -> HashSet<ComponentAnyTypeId> {
    let ty = component.exports[at].item.ty;
    let ComponentEntityType::Instance(id) = ty else {
        return HashSet::new();
    };
    let mut walk = Walk {
        component,
        seen: HashSet::new(),
        referenced: HashSet::new(),
    };
    walk.instance(id);
    for id in named_types(component, ty) {
        walk.referenced.remove(&id);
    }
    walk.referenced
}

/// A walk through types that ends at types with a name of their own.
struct Walk<'a> {
    component: &'a Component,
    seen: HashSet<ComponentDefinedTypeId>,
    referenced: HashSet<ComponentAnyTypeId>,
}

impl Walk<'_> {
    fn instance(&mut self, id: ComponentInstanceTypeId) {
        let types = &self.component.types;
        for item in types[id].exports.values() {
            match item.ty {
                ComponentEntityType::Type {
                    referenced: ComponentAnyTypeId::Defined(id),
                    ..
                } => self.parts(id),
                ComponentEntityType::Func(id) => {
                    let function = &types[id];
                    let params = function.params.iter().map(|(_, ty)| ty);
                    self.values(params.chain(&function.result));
                }
                _ => {}
            }
        }
    }

    fn values<'t>(&mut self, values: impl IntoIterator<Item = &'t ComponentValType>) {
        for ty in values {
            if let ComponentValType::Type(id) = *ty {
                self.value(id);
            }
        }
    }

    /// The validator bounds the depth of this recursion to 100; no type is visited twice.
    fn value(&mut self, id: ComponentDefinedTypeId) {
        use ComponentDefinedType as T;
        match &self.component.types[id] {
            T::Record(_) | T::Variant(_) | T::Flags(_) | T::Enum(_) => {
                self.referenced.insert(ComponentAnyTypeId::Defined(id));
            }
            _ if self.seen.insert(id) => self.parts(id),
            _ => {}
        }
    }

    fn parts(&mut self, id: ComponentDefinedTypeId) {
        use ComponentDefinedType as T;
        let component = self.component;
        match &component.types[id] {
            T::Record(record) => self.values(record.fields.values()),
            T::Variant(variant) => {
                self.values(variant.cases.values().filter_map(|case| case.ty.as_ref()));
            }
            T::Tuple(tuple) => self.values(tuple.types.iter()),
            T::List { element: ty, .. }
            | T::FixedLengthList { element: ty, .. }
            | T::Option { ty, .. } => self.values([ty]),
            T::Map { key, value, .. } => self.values([key, value]),
            T::Result { ok, err, .. } => self.values(ok.iter().chain(err)),
            T::Future { ty, .. } | T::Stream { ty, .. } => self.values(ty),
            T::Own(id) | T::Borrow(id) => {
                self.referenced.insert(ComponentAnyTypeId::Resource(*id));
            }
            T::Primitive(_) | T::Flags(_) | T::Enum(_) => {}
        }
    }
}
