//! Interfaces that nobody thought of: records and resources, used from each other under any name.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

/// What an interface is made from; numbers choose among what there is when they are used.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    /// Whether a type is a resource, and what a record is made from.
    types: Vec<(bool, usize)>,
    /// The interface, its type, and whether the type is given another name.
    uses: Vec<(usize, usize, bool)>,
    functions: Vec<Vec<usize>>,
}

pub(crate) fn seed() -> impl Strategy<Value = Seed> {
    let types = vec((any::<bool>(), any::<usize>()), 0..3);
    let uses = vec((any::<usize>(), any::<usize>(), any::<bool>()), 0..3);
    let functions = vec(vec(any::<usize>(), 0..4), 0..3);
    (types, uses, functions).prop_map(|(types, uses, functions)| Seed {
        types,
        uses,
        functions,
    })
}

/// A named type as an interface sees it.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    is_resource: bool,
    /// The interfaces whose resources are part of it, and those by way of which they come.
    owners: BTreeSet<usize>,
}

/// An interface, `i<index>` in its package.
#[derive(Debug, Default)]
pub(crate) struct Interface {
    /// What stands between its braces.
    pub(crate) text: String,
    types: Vec<Named>,
    /// The interfaces whose resources are part of its types; itself, if it has resources.
    pub(crate) owners: BTreeSet<usize>,
}

/// Interfaces of which later ones use the types of earlier ones.
pub(crate) fn interfaces(seeds: &[Seed]) -> Vec<Interface> {
    let mut made: Vec<Interface> = Vec::new();
    for (index, seed) in seeds.iter().enumerate() {
        let mut interface = Interface::default();
        interface.use_types(index, &seed.uses, &made);
        interface.define_types(index, &seed.types);
        interface.declare_functions(&seed.functions);
        let types = interface.types.iter();
        interface.owners = types.flat_map(|ty| ty.owners.clone()).collect();
        made.push(interface);
    }
    made
}

impl Interface {
    fn use_types(&mut self, index: usize, uses: &[(usize, usize, bool)], earlier: &[Self]) {
        for (from, which, is_renamed) in uses {
            let Some(from) = from.checked_rem(earlier.len()) else {
                continue;
            };
            let types = &earlier[from].types;
            let Some(which) = which.checked_rem(types.len()) else {
                continue;
            };
            let mut used = types[which].clone();
            let original = used.name.clone();
            if *is_renamed {
                used.name = format!("{original}-of-{index}");
            }
            if self.has_type(&used.name) {
                continue;
            }
            let name = &used.name;
            self.text += &format!("use i{from}.{{{original} as {name}}};\n");
            if !used.owners.is_empty() {
                used.owners.insert(from);
            }
            self.types.push(used);
        }
    }

    fn define_types(&mut self, index: usize, types: &[(bool, usize)]) {
        for (number, (is_resource, choice)) in types.iter().enumerate() {
            // The same names in every interface, as far as they do not meet.
            let mut name = format!("t{number}");
            if self.has_type(&name) {
                name = format!("{name}-in-{index}");
            }
            let mut owners = BTreeSet::new();
            if *is_resource {
                owners.insert(index);
                self.text += &format!("resource {name} {{ constructor(); get: func() -> u32; }}\n");
            } else {
                let field = self.value(*choice, false, &mut owners);
                self.text += &format!("record {name} {{ a: {field}, b: option<{field}> }}\n");
            }
            self.types.push(Named {
                name,
                is_resource: *is_resource,
                owners,
            });
        }
    }

    fn declare_functions(&mut self, functions: &[Vec<usize>]) {
        // All types that they can mention are the interface's already.
        let mut owners = BTreeSet::new();
        for (number, choices) in functions.iter().enumerate() {
            let mut params = String::new();
            for (number, choice) in choices.iter().enumerate() {
                let ty = self.value(*choice, true, &mut owners);
                params += &format!("p{number}: {ty}, ");
            }
            let choice = choices.first().copied().unwrap_or_default();
            let result = self.value(choice, false, &mut owners);
            self.text += &format!("f{number}: func({params}) -> {result};\n");
        }
    }

    /// A type that consists of at most one that has a name.
    fn value(&self, choice: usize, may_borrow: bool, owners: &mut BTreeSet<usize>) -> String {
        let count = self.types.len() + 1;
        let Some(named) = self.types.get(choice % count) else {
            return "string".to_owned();
        };
        owners.extend(&named.owners);
        let name = &named.name;
        match choice / count % 3 {
            0 if named.is_resource && may_borrow => format!("borrow<{name}>"),
            1 => format!("list<{name}>"),
            2 => format!("result<{name}, string>"),
            _ => name.clone(),
        }
    }

    fn has_type(&self, name: &str) -> bool {
        self.types.iter().any(|ty| ty.name == name)
    }
}
