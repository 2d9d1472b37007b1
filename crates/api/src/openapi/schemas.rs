//! The schemas of named types that a document mentions.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use weft_json::{Interface, Param, Settings, Type, TypeName, schema};

use crate::api::Api;

/// The schemas of the named types of an API. Those that are mentioned are in the document.
pub(crate) struct Schemas {
    settings: Settings,
    /// The start of all references.
    root: &'static str,
    types: Vec<Type>,
    /// The key of each type.
    keys: BTreeMap<TypeName, String>,
    mentioned: RefCell<BTreeSet<TypeName>>,
    /// The schemas of problems.
    problems: RefCell<Map<String, Value>>,
}

impl Schemas {
    /// The schemas of a document with definitions below `root`.
    pub(crate) fn new(api: &Api, root: &'static str) -> Self {
        let functions = api.operations().iter().map(|it| it.function.clone());
        let interface = Interface {
            functions: functions.collect(),
            ..api.interface().clone()
        };
        let types: Vec<_> = interface.named_types().into_iter().cloned().collect();
        let names: BTreeSet<_> = types.iter().filter_map(|ty| ty.name().cloned()).collect();
        let keys = names.iter().map(|name| {
            let same = names.iter().filter(|other| other.name == name.name);
            (name.clone(), key(name, same.count() == 1))
        });
        Self {
            settings: api.settings(),
            root,
            keys: keys.collect(),
            types,
            mentioned: RefCell::default(),
            problems: RefCell::default(),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// The schema of a type where it is mentioned.
    pub(crate) fn mention(&self, ty: &Type) -> Value {
        schema::mention(ty, self.settings, &|name| self.reference(name))
    }

    /// The schema of a type in full, if it has a name, too.
    pub(crate) fn full(&self, ty: &Type) -> Value {
        schema::of(ty, self.settings, &|name| self.reference(name))
    }

    /// The schema of an object of parameters.
    pub(crate) fn arguments(&self, params: &[Param]) -> Value {
        schema::arguments(params, self.settings, &|name| self.reference(name))
    }

    fn reference(&self, name: &TypeName) -> String {
        self.mentioned.borrow_mut().insert(name.clone());
        format!("{}{}", self.root, self.key(name))
    }

    /// The key of a named type. No other key begins with it and a dot.
    pub(crate) fn key<'s>(&'s self, name: &'s TypeName) -> &'s str {
        self.keys.get(name).map_or(&name.name, String::as_str)
    }

    /// A reference to the schema of a problem, which has the key.
    pub(crate) fn problem(&self, key: &str, schema: Value) -> Value {
        self.problems.borrow_mut().insert(key.to_owned(), schema);
        json!({ "$ref": format!("{}{key}", self.root) })
    }

    /// The definitions of all problems, and of all types that were mentioned, directly or by
    /// others.
    pub(crate) fn definitions(&self) -> Map<String, Value> {
        let mut definitions = self.problems.borrow().clone();
        // A type stands after its parts, so in reverse all types that mention it come before it.
        for ty in self.types.iter().rev() {
            let Some(name) = ty.name() else { continue };
            if !self.mentioned.borrow().contains(name) {
                continue;
            }
            let definition = schema::of(ty, self.settings, &|name| self.reference(name));
            definitions.insert(self.keys[name].clone(), definition);
        }
        definitions
    }
}

/// The key of a type: its name, after that of its interface if several have the name.
fn key(name: &TypeName, is_unique: bool) -> String {
    match &name.interface {
        Some(interface) if !is_unique => {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
            let interface = interface.replace(|c| !is_plain(c), "_");
            format!("{interface}.{}", name.name)
        }
        _ => name.name.clone(),
    }
}
