//! Random interfaces: each is supported or rejected with a reason, and the generated components
//! fit.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_stub::plan::{ComponentWorld, Signature};
use weft_stub::{StubError, skeleton, stub};

use crate::support::{component_if_valid, fuse};

/// The types without a definition.
const PLAIN: [&str; 13] = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char", "string",
];

/// The types of keys of maps.
const KEYS: [&str; 11] = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "char", "string",
];

/// A sequence of choices; after its end each choice is the first option.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn of(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % count.max(1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.of(count) == count - 1
    }
}

/// A type with a name.
#[derive(Clone)]
struct Named {
    name: String,
    is_resource: bool,
}

/// Interfaces under construction. Each may use the types of those before.
struct Interfaces<'a> {
    choices: Choices<'a>,
    text: String,
    types: Vec<Vec<Named>>,
}

impl Interfaces<'_> {
    /// The package `a:b` with `count` interfaces.
    fn package(choices: &[u8], count: usize) -> String {
        let mut interfaces = Interfaces {
            choices: Choices(choices.iter()),
            text: "package a:b@0.1.0 {\n".to_owned(),
            types: Vec::new(),
        };
        for index in 0..count {
            interfaces.add(index);
        }
        interfaces.text + "}"
    }

    fn add(&mut self, index: usize) {
        let mut text = String::new();
        let mut types = Vec::new();
        if index > 0 && self.choices.one_in(2) {
            let from = self.choices.of(index);
            let used = self.choices.of(self.types[from].len());
            if let Some(used) = self.types[from].get(used).cloned() {
                let name = format!("from-{from}");
                let _ = writeln!(text, "use i{from}.{{{} as {name}}};", used.name);
                types.push(Named { name, ..used });
            }
        }
        for number in 0..self.choices.of(4) {
            let named = self.define(number, &types, &mut text);
            types.push(named);
        }
        let may_be_concurrent = self.choices.one_in(4);
        for number in 0..self.choices.of(5) {
            self.declare(number, &types, may_be_concurrent, &mut text);
        }
        let _ = writeln!(self.text, "interface i{index} {{\n{text}}}");
        self.types.push(types);
    }

    fn define(&mut self, number: usize, types: &[Named], text: &mut String) -> Named {
        let name = format!("t{number}");
        let part = |interfaces: &mut Self| interfaces.value(types, 2, "own");
        let kind = self.choices.of(7);
        let definition = match kind {
            0 => format!(
                "record {name} {{ %record: {}, b: {} }}",
                part(self),
                part(self)
            ),
            1 => format!(
                "variant {name} {{ %list({}), none, link-failure({}) }}",
                part(self),
                part(self)
            ),
            2 => format!("enum {name} {{ a, %type, c }}"),
            3 => format!("flags {name} {{ {} }}", flags(1 + self.choices.of(32))),
            4 => format!("type {name} = {};", part(self)),
            5 => format!(
                "resource {name} {{ constructor(a: {}); m: func(a: {}) -> {}; s: static func(); }}",
                part(self),
                part(self),
                part(self),
            ),
            _ => format!("resource {name};"),
        };
        let _ = writeln!(text, "{definition}");
        Named {
            name,
            is_resource: kind > 4,
        }
    }

    fn declare(
        &mut self,
        number: usize,
        types: &[Named],
        may_be_concurrent: bool,
        text: &mut String,
    ) {
        let mut params = String::new();
        for param in 0..self.choices.of(4) {
            let ty = self.outer(types, may_be_concurrent, "borrow");
            let _ = write!(params, "p{param}: {ty}, ");
        }
        let word = if may_be_concurrent && self.choices.one_in(2) {
            "async func"
        } else {
            "func"
        };
        let result = match self.choices.of(4) {
            0 => String::new(),
            1 => format!(" -> result<{}, string>", self.value(types, 1, "own")),
            _ => format!(" -> {}", self.outer(types, may_be_concurrent, "own")),
        };
        let _ = writeln!(text, "f{number}: {word}({params}){result};");
    }

    fn outer(&mut self, types: &[Named], may_be_concurrent: bool, handles: &str) -> String {
        if may_be_concurrent && self.choices.one_in(3) {
            let word = ["stream", "future"][self.choices.of(2)];
            return format!("{word}<{}>", self.value(types, 1, "own"));
        }
        self.value(types, 3, handles)
    }

    /// A type of at most `levels` levels, with owned or borrowed handles.
    fn value(&mut self, types: &[Named], levels: usize, handles: &str) -> String {
        if levels == 0 {
            return PLAIN[self.choices.of(PLAIN.len())].to_owned();
        }
        let inner = |interfaces: &mut Self| interfaces.value(types, levels - 1, handles);
        match self.choices.of(10) {
            0 => "list<u8>".to_owned(),
            1 => format!("list<{}>", inner(self)),
            2 => format!("option<{}>", inner(self)),
            3 => format!("tuple<{}, {}>", inner(self), inner(self)),
            4 => format!("result<{}, {}>", inner(self), inner(self)),
            5 | 6 => match types.get(self.choices.of(types.len())) {
                Some(named) if named.is_resource => format!("{handles}<{}>", named.name),
                Some(named) => named.name.clone(),
                None => "string".to_owned(),
            },
            7 => {
                let key = KEYS[self.choices.of(KEYS.len())];
                format!("map<{key}, {}>", inner(self))
            }
            _ => PLAIN[self.choices.of(PLAIN.len())].to_owned(),
        }
    }
}

fn flags(count: usize) -> String {
    let flags: Vec<_> = (0..count).map(|flag| format!("flag{flag}")).collect();
    flags.join(", ")
}

fn name(index: usize) -> String {
    format!("a:b/i{index}@0.1.0")
}

fn world(word: &str, indices: &[usize]) -> String {
    let items = indices
        .iter()
        .map(|index| format!("{word} {};", name(*index)));
    items.collect()
}

/// Generates all components for these interfaces, and fuses them.
fn check(
    packages: &str,
    indices: &[usize],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<(), TestCaseError> {
    let make = |word| component_if_valid(packages, &world(word, indices));
    let (Some(importer), Some(exporter)) = (make("import"), make("export")) else {
        return Err(TestCaseError::reject("the world is invalid"));
    };
    let fail = |error: String| TestCaseError::fail(format!("{error}\n{packages}\n{indices:?}"));
    let component_world =
        |bytes: &[u8]| ComponentWorld::of(bytes).map_err(|error| fail(error.to_string()));
    let described = |bytes: &[u8]| weft_compose::describe(bytes).expect("the component is valid");

    // The tools omit empty interfaces.
    let imported: Vec<_> = described(&importer)
        .imports
        .into_iter()
        .map(|item| item.name)
        .collect();
    let exported: Vec<_> = described(&exporter)
        .exports
        .into_iter()
        .map(|item| item.name)
        .collect();
    let names: Vec<_> = indices.iter().map(|index| name(*index)).collect();
    let names = |there: &[String]| -> Vec<String> {
        names
            .iter()
            .filter(|name| there.contains(name))
            .cloned()
            .collect()
    };
    let import_names = names(&imported);
    let import_names: Vec<_> = import_names.iter().map(String::as_str).collect();
    let made = match stub(&component_world(&importer)?, &import_names, is_direct) {
        Ok(made) => made,
        Err(StubError::Unsupported(refusals)) if !refusals.is_empty() => return Ok(()),
        Err(error) => return Err(fail(crate::support::chain(&error))),
    };
    let joined = made.joined.iter().map(String::as_str);
    let edges: Vec<_> = joined.map(|name| (0, name, 1)).collect();
    if let Some(bytes) = &made.bytes {
        fuse(&[("importer", &importer), ("stub", bytes)], &edges, &[0]).map_err(fail)?;
    }

    let export_names = names(&exported);
    let export_names: Vec<_> = export_names.iter().map(String::as_str).collect();
    let served = skeleton(&component_world(&exporter)?, &export_names, is_direct)
        .map_err(|error| fail(crate::support::chain(&error)))?;
    let joined = served.joined.iter().map(String::as_str);
    let edges: Vec<_> = joined.map(|name| (1, name, 0)).collect();
    if let Some(bytes) = &served.bytes {
        let parts = [("exporter", &exporter[..]), ("skeleton", bytes)];
        fuse(&parts, &edges, &[0, 1]).map_err(fail)?;
    }
    let links: Vec<_> = import_names.iter().map(|name| (*name, *name)).collect();
    let pairs = made.plan.served_by(&served.plan, &links);
    let pairs = pairs.map_err(|error| fail(crate::support::chain(&error)))?;
    prop_assert_eq!(pairs.len(), made.plan.functions().count());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_interfaces_are_carried_or_refused(
        choices in vec(any::<u8>(), 0..300),
        linked in vec(any::<bool>(), 1..5),
        is_typed in any::<bool>(),
    ) {
        let packages = Interfaces::package(&choices, linked.len());
        let indices: Vec<_> = (0..linked.len()).filter(|index| linked[*index]).collect();
        check(&packages, &indices, &|_| is_typed)?;
    }
}
