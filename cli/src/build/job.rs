//! The build of one component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use weft_build::rust::{self, Toolchain};
use weft_build::{Cancel, Error, Output, Shell, Sources, c, javascript, python};
use weft_lattice_config::{Build, Digest, Language};

use super::event::{Event, Sink};
use super::world::World;
use super::{Settings, world};
use crate::artifact::Artifact;
use crate::failure::{Failure, Kind};

/// The folder with the WIT of a component, in the folder of its sources, unless the manifest names
/// one.
const WIT_FOLDER_DEFAULT: &str = "wit";

/// The module with the program, unless the manifest names one.
const ENTRY_DEFAULT: &str = "app";

/// A component to build.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The name of the component.
    pub(crate) component: String,
    /// The build section of the manifest.
    pub(crate) build: Build,
    /// The folder of the sources.
    pub(crate) dir: PathBuf,
    /// The file of the component in the manifest.
    pub(crate) file: PathBuf,
    /// The folder with the WIT source that the manifest names.
    pub(crate) wit: Option<PathBuf>,
}

/// A component that was built.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) file: PathBuf,
    pub(crate) bytes: usize,
    pub(crate) digest: Digest,
}

impl Job {
    /// Builds the component, puts it at its file, and compares it with its WIT world.
    pub(super) fn build(
        &self,
        settings: &Settings,
        cancel: &Cancel,
        sink: &Arc<Sink>,
    ) -> Result<Built, Failure> {
        if !self.dir.is_dir() {
            let message = format!("missing folder `{}`", self.dir.display());
            return Err(Failure::new(Kind::Input, message)
                .with_help("correct `build.dir`, which is relative to the manifest"));
        }
        let world = self.world()?;
        let (sink, component) = (Arc::clone(sink), self.component.clone());
        let shell = Shell::new(
            settings.cache.clone(),
            Output::Events,
            cancel.clone(),
            move |event| sink(&component, Event::Tool(event)),
        );
        let made = self.make(&shell, settings, world.as_ref())?;
        self.place(&made)?;
        self.check(world.as_ref())
    }

    /// Runs the tool or the command, and returns the path of the component that it has made.
    fn make(
        &self,
        shell: &Shell,
        settings: &Settings,
        world: Option<&World>,
    ) -> Result<PathBuf, Failure> {
        let base = |program: &str| {
            let mut command = Command::new(program);
            command.current_dir(&self.dir);
            command
        };
        let rust = rust::Settings {
            toolchain: Toolchain::Auto,
            linker: settings.linker.clone(),
            base: &base,
        };
        if let Some(command) = &self.build.command {
            let mut shell_command = base("sh");
            shell_command.args(["-c", command]);
            if self.build.language == Some(Language::Rust) {
                let cargo = rust::prepare(shell, &rust).map_err(|error| failure(&error))?;
                shell_command.envs(cargo.variables);
            }
            shell
                .run_reading(&mut shell_command, |stream, line| {
                    rust::publish_line(shell, stream, line);
                })
                .map_err(|error| failure(&error))?;
            return Ok(self.output());
        }
        let made = match self.build.language {
            Some(Language::Rust) | None => {
                rust::build(shell, &rust, &self.dir, settings.diagnostics)
            }
            Some(Language::Python) => {
                let sources = self.sources(world)?;
                python::build(shell, &sources).map(|()| sources.output)
            }
            Some(Language::JavaScript) => {
                let sources = self.sources(world)?;
                let http = match world.is_some_and(World::uses_http) {
                    true => javascript::Http::Used,
                    false => javascript::Http::Unused,
                };
                javascript::build(shell, &sources, http).map(|()| sources.output)
            }
            Some(Language::C) => {
                let sources = self.sources(world)?;
                c::build(shell, &sources, &rust).map(|()| sources.output)
            }
        };
        made.map_err(|error| failure(&error))
    }

    /// The file that a command writes.
    fn output(&self) -> PathBuf {
        match &self.build.output {
            Some(output) => self.dir.join(output),
            None => self.file.clone(),
        }
    }

    fn sources(&self, world: Option<&World>) -> Result<Sources, Failure> {
        let Some(world) = world else {
            let message = format!("missing WIT folder `{}`", self.wit_folder().display());
            return Err(Failure::new(Kind::Input, message).with_help(
                "set `wit` of the component to the folder with its world, relative to the manifest",
            ));
        };
        let output = self.output();
        create_folder(&output)?;
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| {
                let message = format!("cannot find `{}`", path.display());
                Failure::new(Kind::Failed, message).caused_by(&error)
            })
        };
        Ok(Sources {
            dir: self.dir.clone(),
            entry: self
                .build
                .entry
                .clone()
                .unwrap_or_else(|| ENTRY_DEFAULT.to_owned()),
            wit: absolute(&world.folder)?,
            world: world.name.clone(),
            output: absolute(&output)?,
        })
    }

    fn wit_folder(&self) -> PathBuf {
        let default = || self.dir.join(WIT_FOLDER_DEFAULT);
        self.wit.clone().unwrap_or_else(default)
    }

    /// The world of the component; `None` if it has no WIT source.
    fn world(&self) -> Result<Option<World>, Failure> {
        let folder = self.wit_folder();
        if self.wit.is_none() && self.build.world.is_none() && !folder.is_dir() {
            return Ok(None);
        }
        world::read(&folder, self.build.world.as_deref()).map(Some)
    }

    /// Copies a component to its file in the manifest, whole or not at all.
    fn place(&self, made: &Path) -> Result<(), Failure> {
        let is_same = match (fs::canonicalize(made), fs::canonicalize(&self.file)) {
            (Ok(made), Ok(file)) => made == file,
            _ => made == self.file,
        };
        if is_same {
            return Ok(());
        }
        if !made.is_file() {
            let message = format!("the build made no file `{}`", made.display());
            return Err(Failure::new(Kind::Failed, message).with_help(
                "set `build.output` to the file that the command writes, relative to `build.dir`",
            ));
        }
        create_folder(&self.file)?;
        let copy = || {
            let folder = self.file.parent().filter(|it| !it.as_os_str().is_empty());
            let mut temporary = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
            std::io::copy(&mut fs::File::open(made)?, &mut temporary)?;
            let mode = fs::metadata(made)?.permissions();
            temporary.as_file().set_permissions(mode)?;
            temporary.persist(&self.file).map_err(|error| error.error)?;
            Ok::<_, std::io::Error>(())
        };
        copy().map_err(|error| {
            let message = format!("cannot write `{}`", self.file.display());
            Failure::new(Kind::Failed, message).caused_by(&error)
        })
    }

    fn check(&self, world: Option<&World>) -> Result<Built, Failure> {
        if !self.file.is_file() {
            let message = format!("the build made no file `{}`", self.file.display());
            return Err(Failure::new(Kind::Failed, message)
                .with_help("correct `source.file`, or set `build.output`"));
        }
        let artifact = Artifact::read(&self.file)
            .map_err(|error| Failure::from_error(Kind::Failed, &error))?;
        if let Some(world) = world {
            world.check(&artifact.description)?;
        }
        Ok(Built {
            file: self.file.clone(),
            bytes: artifact.bytes.len(),
            digest: artifact.digest,
        })
    }
}

fn create_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(|error| {
        let message = format!("cannot create `{}`", folder.display());
        Failure::new(Kind::Failed, message).caused_by(&error)
    })
}

fn failure(error: &Error) -> Failure {
    let kind = match error {
        Error::Cancelled => Kind::Interrupted,
        Error::Sources { .. } => Kind::Input,
        _ => Kind::Failed,
    };
    let failure = Failure::from_error(kind, error);
    match error.help() {
        Some(help) => failure.with_help(help),
        None => failure,
    }
}
