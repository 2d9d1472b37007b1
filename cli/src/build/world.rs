//! The WIT world that a component must implement.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Kind, Message, Plain};
use crate::interfaces::{Import, Need};
use crate::providers;
use crate::wit_source;
use weft_compose::Description;

/// A world of a folder of WIT files.
#[derive(Debug)]
pub(crate) struct World {
    /// The folder of its package.
    pub(crate) folder: PathBuf,
    /// The name within its package.
    pub(crate) name: String,
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

/// Reads the world with this name, or the only world of the package.
///
/// # Errors
/// The WIT is invalid, or the world is missing or ambiguous.
pub(super) fn read(folder: &Path, name: Option<&str>) -> Result<World, Failure> {
    let invalid = |message: String| Failure::new(Kind::Input, message);
    let (resolve, package) = wit_source::read_package(folder).map_err(invalid)?;
    let worlds = &resolve.packages[package].worlds;
    let found = match (name, worlds.len()) {
        (Some(name), _) => worlds.get(name),
        (None, 1) => worlds.values().next(),
        (None, _) => None,
    };
    let Some(&world) = found else {
        let names = worlds.keys().map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        let count = worlds.len();
        let message = match name {
            Some(name) => format!("no world `{name}` in `{}`", folder.display()),
            None => format!("`{}` has {count} worlds, expected one", folder.display()),
        };
        return Err(invalid(message).with_help(match count {
            0 => "add a world, as in `world app { export greeter; }`".to_owned(),
            _ => format!("set `build.world` to one of {names}"),
        }));
    };
    let world = &resolve.worlds[world];
    let names = |items: &wit_parser::IndexMap<wit_parser::WorldKey, wit_parser::WorldItem>| {
        items
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect()
    };
    Ok(World {
        folder: folder.to_owned(),
        name: world.name.clone(),
        imports: names(&world.imports),
        exports: names(&world.exports),
    })
}

impl World {
    /// True if the world imports or exports an interface of `wasi:http`.
    pub(super) fn uses_http(&self) -> bool {
        let mut names = self.imports.iter().chain(&self.exports);
        names.any(|name| name.starts_with("wasi:http/"))
    }

    /// Compares a component with the world. A component may lack imports of the world that its
    /// program does not use, and may import what every host provides.
    ///
    /// # Errors
    /// The missing exports and the unexpected imports.
    pub(super) fn check(&self, component: &Description) -> Result<(), Failure> {
        let exports: BTreeSet<&str> = component.exports.iter().map(|it| &*it.name).collect();
        let missing = self.exports.iter();
        let missing = missing
            .filter(|name| !exports.contains(name.as_str()))
            .map(|name| format!("missing export `{name}`"));
        let registry = providers::without_host();
        let unexpected = component.imports.iter().filter(|import| {
            let needs_link = matches!(
                Import::new(import, &registry).need,
                Need::Link | Need::Unlinkable | Need::OtherVersion
            );
            needs_link && !self.imports.contains(&import.name)
        });
        let unexpected = unexpected.map(|import| format!("unexpected import `{}`", import.name));
        let causes: Vec<_> = missing.chain(unexpected).collect();
        if causes.is_empty() {
            return Ok(());
        }
        let message = Message::Plain(Plain {
            message: format!(
                "the component does not implement world `{}` of `{}`",
                self.name,
                self.folder.display()
            ),
            causes,
            help: Some(
                "change the program or the world; `weft inspect FILE` lists the imports and \
                 exports of a component"
                    .to_owned(),
            ),
        });
        Err(Failure::all(Kind::Failed, vec![message]))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(wit: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.wit"), wit).unwrap();
        folder
    }

    const GREETER: &str =
        "package a:b@0.1.0;\ninterface i { f: func(); }\ninterface j { f: func(); }\n";

    fn text(failure: &Failure) -> String {
        format!("{:?}", failure.messages())
    }

    fn component(imports: &[&str], exports: &[&str]) -> Description {
        let item = |name: &&str| weft_compose::Extern {
            name: (*name).to_owned(),
            implements: None,
            kind: weft_compose::ExternKind::Instance,
            functions: vec![weft_compose::FunctionInfo {
                name: "f".to_owned(),
                signature: "func()".to_owned(),
            }],
            resources: Vec::new(),
        };
        Description {
            wit: String::new(),
            imports: imports.iter().map(item).collect(),
            exports: exports.iter().map(item).collect(),
            uses_async: false,
        }
    }

    #[test]
    fn a_component_has_the_exports_of_its_world_and_no_other_links() {
        let folder = folder(&format!("{GREETER}world w {{ import j; export i; }}"));
        let world = read(folder.path(), None).unwrap();
        let good = component(&["wasi:cli/stdout@0.2.6", "a:b/j@0.1.0"], &["a:b/i@0.1.0"]);
        world.check(&good).unwrap();
        world.check(&component(&[], &["a:b/i@0.1.0"])).unwrap();
        let bad = component(&["x:y/z@1.0.0"], &["a:b/j@0.1.0"]);
        let failure = text(&world.check(&bad).unwrap_err());
        for part in [
            "world `w`",
            "missing export `a:b/i@0.1.0`",
            "unexpected import `x:y/z@1.0.0`",
        ] {
            assert!(failure.contains(part), "{part} in {failure}");
        }
    }

    #[test]
    fn the_world_is_the_only_one_or_the_named_one() {
        let folder = folder(&format!("{GREETER}world w {{ export i; }}\nworld v {{}}"));
        let ambiguous = text(&read(folder.path(), None).unwrap_err());
        assert!(ambiguous.contains("2 worlds"), "{ambiguous}");
        assert!(ambiguous.contains("`w`, `v`"), "{ambiguous}");
        assert_eq!(read(folder.path(), Some("v")).unwrap().name, "v");
        let missing = text(&read(folder.path(), Some("u")).unwrap_err());
        assert!(missing.contains("no world `u`"), "{missing}");
    }

    #[test]
    fn invalid_wit_is_reported_with_its_place() {
        let folder = folder("package a:b;\nworld {");
        let failure = text(&read(folder.path(), None).unwrap_err());
        assert!(failure.contains("a.wit"), "{failure}");
    }
}
