//! The projects that `weft new` makes: folders of `cli/templates`, which are part of the program.
//!
//! Each folder is a project that builds as it is. A copy has the name of the user's app in place of
//! [`SAMPLE_NAME`].

mod name;

use clap::ValueEnum;
use serde::Serialize;
use weft_lattice_config::Language;

pub(crate) use name::{nearest_valid, problem};

/// The name in the files of templates.
const SAMPLE_NAME: &str = "sample-app";

/// The kind of project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// An HTTP API of a WIT interface, without HTTP in the component
    Http,
    /// An interface over a key-value bucket
    Service,
    /// A stream of texts, as server-sent events
    Stream,
    /// A component that handles HTTP itself
    RawHttp,
}

/// The files of a project.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template {
    pub(crate) kind: Kind,
    pub(crate) language: Language,
    /// The paths within the project, with their contents.
    files: &'static [(&'static str, &'static str)],
    /// The request to try, below the address of the host.
    pub(crate) request: &'static str,
}

macro_rules! files {
    ($folder:literal: $($file:literal)+) => {
        &[$(($file, include_str!(concat!("../../templates/", $folder, "/", $file)))),+]
    };
}

/// The request of all templates with the interface `greeter`.
const GREETING: &str = "/greetings/Ada";

/// All templates; the first one of a language is its simplest.
pub(crate) const TEMPLATES: [Template; 7] = [
    Template {
        kind: Kind::Http,
        language: Language::Rust,
        files: files!("rust/http":
            ".gitignore" "Cargo.lock" "Cargo.toml" "README.md" "src/lib.rs" "weft.yaml"
            "wit/greeter.wit"),
        request: GREETING,
    },
    Template {
        kind: Kind::Service,
        language: Language::Rust,
        files: files!("rust/service":
            ".gitignore" "Cargo.lock" "Cargo.toml" "README.md" "src/book.rs" "src/lib.rs"
            "weft.yaml" "wit/guestbook.wit"
            "wit/deps/wasi-keyvalue-0.2.0-draft/atomic.wit"
            "wit/deps/wasi-keyvalue-0.2.0-draft/batch.wit"
            "wit/deps/wasi-keyvalue-0.2.0-draft/store.wit"
            "wit/deps/wasi-keyvalue-0.2.0-draft/watch.wit"
            "wit/deps/wasi-keyvalue-0.2.0-draft/world.wit"),
        request: "/entries -H content-type:application/json -d '{\"text\":\"I was here\"}'",
    },
    Template {
        kind: Kind::Stream,
        language: Language::Rust,
        files: files!("rust/stream":
            ".gitignore" "Cargo.lock" "Cargo.toml" "README.md" "src/lib.rs" "weft.yaml"
            "wit/countdown.wit"),
        request: "/countdown/3",
    },
    Template {
        kind: Kind::RawHttp,
        language: Language::Rust,
        files: files!("rust/raw-http":
            ".gitignore" "Cargo.lock" "Cargo.toml" "README.md" "src/main.rs" "weft.yaml"),
        request: "/",
    },
    Template {
        kind: Kind::Http,
        language: Language::Python,
        files: files!("python/http":
            ".gitignore" "README.md" "app.py" "greeting.py" "test_greeting.py" "weft.yaml"
            "wit/greeter.wit"),
        request: GREETING,
    },
    Template {
        kind: Kind::Http,
        language: Language::JavaScript,
        files: files!("javascript/http":
            ".gitignore" "README.md" "app.js" "app.test.js" "package.json" "weft.yaml"
            "wit/greeter.wit"),
        request: GREETING,
    },
    Template {
        kind: Kind::Http,
        language: Language::C,
        files: files!("c/http":
            ".gitignore" "README.md" "app.c" "greeting.h" "test_greeting.c" "weft.yaml"
            "wit/greeter.wit"),
        request: GREETING,
    },
];

impl Kind {
    /// The name on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Http => "http",
            Kind::Service => "service",
            Kind::Stream => "stream",
            Kind::RawHttp => "raw-http",
        }
    }
}

impl Template {
    /// The template of this kind and language; `None` if there is none.
    pub(crate) fn find(kind: Kind, language: Language) -> Option<&'static Template> {
        let is_searched = |it: &&Template| it.kind == kind && it.language == language;
        TEMPLATES.iter().find(is_searched)
    }

    /// The files of a project with this name.
    pub(crate) fn files(&self, name: &str) -> impl Iterator<Item = (&'static str, String)> {
        let snake = name.replace('-', "_");
        let name = name.to_owned();
        let replaced = move |text: &str| {
            text.replace(SAMPLE_NAME, &name)
                .replace(&SAMPLE_NAME.replace('-', "_"), &snake)
        };
        let files = self.files.iter();
        files.map(move |(path, content)| (*path, replaced(content)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use weft_lattice_config::{App, Source};

    use super::*;

    fn folder(template: &Template) -> PathBuf {
        let language = template.language.as_str();
        root()
            .join("cli/templates")
            .join(language)
            .join(template.kind.as_str())
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// The files below a folder that are no products of a build.
    fn tree(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if ["build", "target", "node_modules", "__pycache__"].contains(&name) {
                continue;
            }
            if path.is_dir() {
                tree(&path, below, found);
            } else {
                let path = path.strip_prefix(below).unwrap();
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn a_template_has_all_files_of_its_folder() {
        for template in TEMPLATES {
            let folder = folder(&template);
            let mut expected = BTreeSet::new();
            tree(&folder, &folder, &mut expected);
            let files = template.files("a").map(|(path, _)| path.to_owned());
            assert_eq!(files.collect::<BTreeSet<_>>(), expected, "{folder:?}");
        }
    }

    #[test]
    fn a_project_has_the_name_of_its_app_everywhere() {
        for template in TEMPLATES {
            for (path, content) in template.files("my-shop") {
                assert!(!content.contains("sample"), "{path}: {content}");
            }
            let files: Vec<_> = template.files("my-shop").collect();
            let text = |name| &files.iter().find(|(path, _)| *path == name).unwrap().1;
            let app = App::from_yaml("weft.yaml", text("weft.yaml")).unwrap();
            assert_eq!(app.metadata.name.as_str(), "my-shop");
            let component = &app.spec.components[0];
            let build = component.build.as_ref().unwrap();
            assert_eq!(build.language, Some(template.language));
            let file = Source::File("build/my-shop.wasm".to_owned());
            assert_eq!(component.source, file);
            assert!(text("README.md").contains("weft build"), "{template:?}");
            assert!((10..=30).contains(&text("README.md").lines().count()));
        }
    }

    /// The version of a package in a lock file.
    fn locked(lock: &str, package: &str) -> Vec<String> {
        let name = format!("name = \"{package}\"\nversion = \"");
        let found = lock.split(&name).skip(1);
        let versions = found.map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
        versions.collect()
    }

    #[test]
    fn templates_have_the_bindings_of_the_guests_that_are_tested() {
        let guests = fs::read_to_string(root().join("components/Cargo.lock")).unwrap();
        let expected = locked(&guests, "wit-bindgen");
        assert_eq!(expected.len(), 1);
        for kind in [Kind::Http, Kind::Service, Kind::Stream] {
            let template = Template::find(kind, Language::Rust).unwrap();
            let lock = template.files("a").find(|(path, _)| *path == "Cargo.lock");
            assert_eq!(
                locked(&lock.unwrap().1, "wit-bindgen"),
                expected,
                "{kind:?}"
            );
            let manifest = template.files("a").find(|(path, _)| *path == "Cargo.toml");
            assert!(manifest.unwrap().1.contains(&expected[0]), "{kind:?}");
        }
        assert_eq!(weft_build::c::WIT_BINDGEN, expected[0]);
    }

    #[test]
    fn templates_have_the_wit_that_hosts_serve() {
        let template = Template::find(Kind::Service, Language::Rust).unwrap();
        let mut compared = 0;
        for (path, content) in template.files("a") {
            if let Some(dependency) = path.strip_prefix("wit/")
                && dependency.starts_with("deps/")
            {
                let served = root().join("wit").join(dependency);
                assert_eq!(content, fs::read_to_string(served).unwrap(), "{path}");
                compared += 1;
            }
        }
        assert_eq!(compared, 5);
    }
}
