//! Random interfaces: records and resources that use each other under any name.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

/// The input for an interface; numbers select among the available items at the time of use.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    /// True for a resource; for a record, the number selects the type of its fields.
    types: Vec<(bool, usize)>,
    /// The interface, the type in it, and true for a use under another name.
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

/// A named type within an interface.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    is_resource: bool,
    /// The interfaces that own its resources, directly or through other types.
    owners: BTreeSet<usize>,
}

/// An interface, `i<index>` in its package.
#[derive(Debug, Default)]
pub(crate) struct Interface {
    /// The text between the braces.
    pub(crate) text: String,
    types: Vec<Named>,
    /// The interfaces that own the resources in its types; includes itself if it has resources.
    pub(crate) owners: BTreeSet<usize>,
}

/// Builds interfaces in which later ones use the types of earlier ones.
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
            // The same names in every interface, unless they collide.
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
        // All types available to functions are already part of the interface.
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

    /// A type that contains at most one named type.
    fn value(&self, choice: usize, may_borrow: bool, owners: &mut BTreeSet<usize>) -> String {
        let count = self.types.len() + 1;
        let Some(named) = self.types.get(choice % count) else {
            return "string".to_owned();
        };
        owners.extend(&named.owners);
        let name = &named.name;
        match choice / count % 4 {
            0 if named.is_resource && may_borrow => format!("borrow<{name}>"),
            1 => format!("list<{name}>"),
            2 => format!("result<{name}, string>"),
            3 => format!("map<u16, {name}>"),
            _ => name.clone(),
        }
    }

    fn has_type(&self, name: &str) -> bool {
        self.types.iter().any(|ty| ty.name == name)
    }
}
