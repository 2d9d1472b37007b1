//! The JSON that cargo prints about a build, a message on each line.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::event::{Event, Stream};
use crate::shell::Shell;

/// The maximum number of components of one build.
const COMPONENTS_MAX: usize = 1024;

/// The components that a build has made.
#[derive(Debug, Default)]
pub(super) struct Artifacts(Vec<Artifact>);

#[derive(Debug, Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    filenames: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum CargoLine {
    CompilerArtifact(Artifact),
    CompilerMessage {
        message: Value,
    },
    #[serde(other)]
    Other,
}

impl Artifacts {
    /// Reads a line: a component is stored, and everything for people is published.
    pub(super) fn read(&mut self, shell: &Shell, stream: Stream, line: &str) {
        if let Some(artifact) = artifact(shell, stream, line)
            && artifact.component().is_some()
            && self.0.len() < COMPONENTS_MAX
        {
            self.0.push(artifact);
        }
    }

    /// The component of the package with this manifest: the library, else the only program.
    pub(super) fn component(&self, manifest: &Path) -> Result<PathBuf, Error> {
        let is_own = |artifact: &&Artifact| is_same(&artifact.manifest_path, manifest);
        let own: Vec<_> = self.0.iter().filter(is_own).collect();
        let library = own.iter().find(|artifact| artifact.is_library());
        match (library, &own[..]) {
            (Some(component), _) | (None, [component]) => Ok(component
                .component()
                .map_or_else(PathBuf::new, Path::to_owned)),
            (None, []) => Err(Error::Sources {
                problem: format!("`{}` makes no component", manifest.display()),
                help: "make it a library with `[lib] crate-type = [\"cdylib\"]`; in a workspace, \
                       set `build.dir` to the folder of one package"
                    .to_owned(),
            }),
            (None, several) => {
                let names = several.iter().map(|it| format!("`{}`", it.target.name));
                Err(Error::Sources {
                    problem: format!(
                        "`{}` makes {} programs, expected one component: {}",
                        manifest.display(),
                        several.len(),
                        names.collect::<Vec<_>>().join(", ")
                    ),
                    help: "name one with `build.command` and `build.output`".to_owned(),
                })
            }
        }
    }
}

impl Artifact {
    fn component(&self) -> Option<&Path> {
        let mut files = self.filenames.iter().map(PathBuf::as_path);
        files.find(|file| file.extension().is_some_and(|it| it == "wasm"))
    }

    fn is_library(&self) -> bool {
        self.target.crate_types.iter().any(|it| it == "cdylib")
    }
}

/// Publishes a line, unless it is about an artifact, which is returned.
fn artifact(shell: &Shell, stream: Stream, line: &str) -> Option<Artifact> {
    let message = match stream {
        Stream::Stdout if line.starts_with('{') => serde_json::from_str(line).ok(),
        Stream::Stdout | Stream::Stderr => None,
    };
    match message {
        Some(CargoLine::CompilerArtifact(artifact)) => return Some(artifact),
        Some(CargoLine::CompilerMessage { message }) => {
            shell.publish(Event::CompilerMessage { message });
        }
        Some(CargoLine::Other) => {}
        None => {
            let line = line.to_owned();
            shell.publish(Event::Output { stream, line });
        }
    }
    None
}

/// Publishes a line: JSON of cargo as what it is, and other text as it is.
pub(super) fn publish(shell: &Shell, stream: Stream, line: &str) {
    drop(artifact(shell, stream, line));
}

fn is_same(left: &Path, right: &Path) -> bool {
    match (fs::canonicalize(left), fs::canonicalize(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, crate_type: &str, file: &str) -> Artifact {
        Artifact {
            manifest_path: "/a/Cargo.toml".into(),
            target: Target {
                name: name.to_owned(),
                crate_types: vec![crate_type.to_owned()],
            },
            filenames: vec!["/t/a.d".into(), file.into()],
        }
    }

    fn component(artifacts: Vec<Artifact>) -> Result<PathBuf, Error> {
        Artifacts(artifacts).component(Path::new("/a/Cargo.toml"))
    }

    #[test]
    fn the_component_is_the_library_or_else_the_only_program() {
        let library = || made("a", "cdylib", "/t/a.wasm");
        let program = |name| made(name, "bin", "/t/p.wasm");
        let found = component(vec![program("p"), library()]).unwrap();
        assert_eq!(found, Path::new("/t/a.wasm"));
        assert_eq!(
            component(vec![program("p")]).unwrap(),
            Path::new("/t/p.wasm")
        );
        let several = component(vec![program("p"), program("q")]).unwrap_err();
        assert!(several.to_string().contains("`p`, `q`"), "{several}");
        let none = component(Vec::new()).unwrap_err();
        assert!(none.help().unwrap().contains("cdylib"), "{none}");
    }

    #[test]
    fn messages_of_cargo_are_read_by_their_reason() {
        let line = r#"{"reason":"compiler-artifact","package_id":"x","manifest_path":"/a/Cargo.toml",
            "target":{"kind":["cdylib"],"crate_types":["cdylib"],"name":"a"},"filenames":["/t/a.wasm"]}"#;
        let message: CargoLine = serde_json::from_str(line).unwrap();
        assert!(matches!(message, CargoLine::CompilerArtifact(it) if it.is_library()));
        let message: CargoLine = serde_json::from_str(r#"{"reason":"build-finished"}"#).unwrap();
        assert!(matches!(message, CargoLine::Other));
    }
}
