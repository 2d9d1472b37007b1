//! Replaces the types that an import aliases from another import by types of its own.
//!
//! The composing library would otherwise import a linked interface a second time, for its types. It
//! also could not share an interface whose types come from a private import in one part and from
//! another import in the next part. Value types are equal by structure, so the owning interface
//! does not matter.

use std::collections::{HashMap, HashSet};

use wac_graph::types::{DefinedType, InterfaceId, ItemKind, Package, Type, Types, ValueType};

/// The binding of an import in the fused component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportBinding {
    /// Linked to another part.
    Linked,
    /// Imported for this part alone.
    Private,
    /// Imported once for all parts that have it.
    Shared,
}

/// Copies value types into the imports of a package that alias them from differently bound imports.
///
/// A resource stays in its interface: all its users must refer to the same type.
pub(crate) fn detach(
    types: &mut Types,
    package: &Package,
    binding: impl Fn(&str) -> ImportBinding,
) {
    let imports = types[package.ty()].imports.iter();
    let imports: Vec<_> = imports
        .filter_map(|(name, kind)| match kind {
            ItemKind::Instance(id) => Some((*id, binding(name))),
            _ => None,
        })
        .collect();
    let bindings: HashMap<_, _> = imports.iter().copied().collect();
    let mut names = None;
    for (id, binding) in imports {
        let is_detached = |owner: InterfaceId| match (binding, bindings.get(&owner)) {
            (ImportBinding::Linked, _) | (_, None | Some(ImportBinding::Shared)) => false,
            (_, Some(ImportBinding::Linked)) => true,
            (user, Some(ImportBinding::Private)) => user == ImportBinding::Shared,
        };
        if remove_uses(types, id, is_detached) {
            let names = names.get_or_insert_with(|| type_names(types, package));
            name_components(types, id, names);
        }
    }
}

/// Removes the uses of some interfaces; returns whether there were any.
fn remove_uses(
    types: &mut Types,
    id: InterfaceId,
    is_detached: impl Fn(InterfaceId) -> bool,
) -> bool {
    let mut uses = std::mem::take(&mut types[id].uses);
    let count = uses.len();
    let exports = &types[id].exports;
    uses.retain(|name, used| {
        let is_resource = matches!(exports.get(name), Some(ItemKind::Type(Type::Resource(_))));
        is_resource || !is_detached(used.interface)
    });
    let is_changed = uses.len() < count;
    types[id].uses = uses;
    is_changed
}

/// Names for the types of a package's imports: `item-of-types` for `item` of `a:b/types@0.1.0`.
///
/// The name contains the interface, so that parts with the same interface choose the same name.
fn type_names(types: &Types, package: &Package) -> HashMap<ValueType, String> {
    let mut names = HashMap::new();
    for (name, kind) in &types[package.ty()].imports {
        let (Some(label), ItemKind::Instance(id)) = (label(name), kind) else {
            continue;
        };
        for (name, kind) in &types[*id].exports {
            if let ItemKind::Type(Type::Value(ty)) = kind {
                names
                    .entry(*ty)
                    .or_insert_with(|| format!("{name}-of-{label}"));
            }
        }
    }
    names
}

/// The last part of an interface's name; a plain name is its own label.
fn label(name: &str) -> Option<&str> {
    let label = name.rsplit('/').next()?;
    label.split('@').next()
}

/// Exports the component types of an interface's types, each before its first use.
///
/// A record that an interface exports may have fields of records that the interface does not
/// export. The interface that was used before exported those, and an import may not contain unnamed
/// records.
fn name_components(types: &mut Types, id: InterfaceId, names: &HashMap<ValueType, String>) {
    let exports = std::mem::take(&mut types[id].exports);
    let mut walk = Walk {
        types,
        names,
        seen: exports.values().filter_map(value_type).collect(),
        missing: Vec::new(),
    };
    let taken: HashSet<_> = exports.keys().cloned().collect();
    let mut all = Vec::with_capacity(exports.len());
    for (name, kind) in exports {
        walk.item(kind);
        let missing = walk.missing.drain(..);
        all.extend(missing.filter(|(name, _)| !taken.contains(name)));
        all.push((name, kind));
    }
    types[id].exports = all.into_iter().collect();
}

fn value_type(kind: &ItemKind) -> Option<ValueType> {
    match kind {
        ItemKind::Type(Type::Value(ty)) => Some(*ty),
        _ => None,
    }
}

/// A walk through types that collects the unnamed ones that need a name.
struct Walk<'a> {
    types: &'a Types,
    names: &'a HashMap<ValueType, String>,
    /// Types that are named here, or have been visited.
    seen: HashSet<ValueType>,
    missing: Vec<(String, ItemKind)>,
}

impl Walk<'_> {
    fn item(&mut self, kind: ItemKind) {
        match kind {
            ItemKind::Type(Type::Value(ValueType::Defined(id))) => {
                // The type itself is exported.
                self.parts(&self.types[id]);
            }
            ItemKind::Func(id) => {
                let function = &self.types[id];
                for ty in function.params.values().chain(&function.result) {
                    self.value(*ty);
                }
            }
            _ => {}
        }
    }

    /// The validator bounds the depth of this recursion to 100; no type is visited twice.
    fn value(&mut self, ty: ValueType) {
        let ValueType::Defined(id) = ty else {
            return;
        };
        if !self.seen.insert(ty) {
            return;
        }
        let definition = &self.types[id];
        self.parts(definition);
        if let (true, Some(name)) = (needs_name(definition), self.names.get(&ty)) {
            let kind = ItemKind::Type(Type::Value(ty));
            self.missing.push((name.clone(), kind));
        }
    }

    fn parts(&mut self, definition: &DefinedType) {
        match definition {
            DefinedType::Tuple(types) => types.iter().for_each(|ty| self.value(*ty)),
            DefinedType::List(ty)
            | DefinedType::FixedSizeList(ty, _)
            | DefinedType::Option(ty)
            | DefinedType::Alias(ty) => self.value(*ty),
            DefinedType::Map(key, value) => {
                self.value(*key);
                self.value(*value);
            }
            DefinedType::Result { ok, err } => {
                ok.iter().chain(err).for_each(|ty| self.value(*ty));
            }
            DefinedType::Variant(variant) => {
                let payloads = variant.cases.values().flatten();
                payloads.for_each(|ty| self.value(*ty));
            }
            DefinedType::Record(record) => {
                record.fields.values().for_each(|ty| self.value(*ty));
            }
            DefinedType::Stream(ty) | DefinedType::Future(ty) => {
                ty.iter().for_each(|ty| self.value(*ty));
            }
            DefinedType::Flags(_) | DefinedType::Enum(_) => {}
        }
    }
}

/// Returns whether the component model requires a name for such a type.
fn needs_name(definition: &DefinedType) -> bool {
    matches!(
        definition,
        DefinedType::Record(_)
            | DefinedType::Variant(_)
            | DefinedType::Flags(_)
            | DefinedType::Enum(_)
    )
}
