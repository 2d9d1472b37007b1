//! `weft check`: checks manifests and their components without a host.

use clap::Args;
use serde::Serialize;
use weft_host::{DeployError, ManifestCheck};
use weft_lattice_config::mistake_paths::{component_path, route_path};
use weft_lattice_config::{AppName, Mistake, Mistakes, Source};

use crate::failure::{Failure, Kind};
use crate::manifest::{self, Manifest};
use crate::manifest_files::ManifestFiles;
use crate::output::{self, Format, Report};
use crate::providers;

const AFTER_HELP: &str = "\
Examples:
  weft check shop.yaml                    check a manifest with its components
  weft check apps/*.yaml                  check several, also for routes that two of them have

The checks are those of `weft deploy`: the manifest, the imports and exports of the components, the
types of both ends of each link, the configuration of providers, and the routes. No host is needed,
and nothing is compiled. A host also checks what only it knows: the routes of other apps, and the
backends of providers.

All mistakes are reported, each with its line. The exit code is 2 if there are any.";

/// Check manifests and their components without a host
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Check {
    #[command(flatten)]
    files: ManifestFiles,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// A manifest without a mistake.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    app: AppName,
    /// The components whose bytes are not on this machine, so that they were not checked.
    unchecked: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
struct AllChecked(Vec<Checked>);

impl Check {
    /// Runs the command.
    ///
    /// # Errors
    /// The mistakes of all manifests.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (manifests, mut messages) = manifest::read_each(&self.files.all());
        let mut all = AllChecked::default();
        if !manifests.is_empty() {
            let directory = tempfile::tempdir().map_err(|error| cannot_check(&error))?;
            let registry = providers::without_host();
            let check = ManifestCheck::start(directory.path(), registry)
                .map_err(|error| cannot_check(&error))?;
            let routes = shared_routes(&manifests);
            for (manifest, routes) in manifests.iter().zip(routes) {
                let (mut mistakes, unchecked) = mistakes(&check, manifest).await?;
                mistakes.append(routes);
                if mistakes.is_empty() {
                    all.0.push(Checked {
                        file: manifest.file.clone(),
                        app: manifest.app.metadata.name.clone(),
                        unchecked,
                    });
                } else {
                    messages.push(manifest.located(mistakes));
                }
            }
        }
        output::report(&all, self.output)?;
        match messages.is_empty() {
            true => Ok(()),
            false => Err(Failure::all(Kind::Input, messages)),
        }
    }
}

/// The mistakes of a manifest, and the names of its components whose bytes are not here.
async fn mistakes(
    check: &ManifestCheck,
    manifest: &Manifest,
) -> Result<(Mistakes, Vec<String>), Failure> {
    for (digest, upload) in &manifest.artifacts {
        let added = check.add(digest, &upload.bytes);
        added.map_err(|error| cannot_check(&error))?;
    }
    let mut mistakes = match check.check(&manifest.app).await {
        Ok(()) => Mistakes::default(),
        Err(DeployError::Rejected(rejection)) => rejection.mistakes(),
        Err(error) => return Err(cannot_check(&error)),
    };
    let unusable = &manifest.unusable.0;
    let is_of_file = |mistake: &Mistake| {
        let file = format!("{}.file", mistake.path);
        unusable.iter().any(|unusable| unusable.path == file)
    };
    mistakes.0.retain(|mistake| !is_of_file(mistake));
    mistakes.append(manifest.unusable.clone());
    let mut unchecked = Vec::new();
    for (index, component) in manifest.app.spec.components.iter().enumerate() {
        let is_here = match &component.source {
            Source::Digest(digest) => manifest.artifacts.contains_key(digest),
            Source::File(_) => true,
        };
        if !is_here {
            let source = format!("{}.source", component_path(index));
            mistakes.0.retain(|mistake| mistake.path != source);
            unchecked.push(component.name.to_string());
        }
    }
    Ok((mistakes, unchecked))
}

/// The routes of each manifest that a manifest before it has, too.
fn shared_routes(manifests: &[Manifest]) -> Vec<Mistakes> {
    let mut shared = Vec::new();
    for (number, Manifest { app, .. }) in manifests.iter().enumerate() {
        let mut mistakes = Mistakes::default();
        for (index, route) in app.spec.routes.iter().enumerate() {
            let mut others = manifests[..number].iter();
            let owner = others.find(|other| {
                let mut routes = other.app.spec.routes.iter();
                other.app.metadata.name != app.metadata.name
                    && routes.any(|it| (&it.host, &it.path) == (&route.host, &route.path))
            });
            if let Some(owner) = owner {
                let message = format!(
                    "route `{}` is also a route of app `{}` (`{}`)",
                    route.pattern(),
                    owner.app.metadata.name,
                    owner.file
                );
                let mistake = Mistake::new(route_path(index), message);
                mistakes.push(mistake.with_help("change one of them: a route belongs to one app"));
            }
        }
        shared.push(mistakes);
    }
    shared
}

fn cannot_check(error: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::Failed, "cannot check the manifests").caused_by(error)
}

impl Report for AllChecked {
    fn text(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|Checked { file, app, .. }| format!("{app}: good ({file})"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn note(&self) -> Option<String> {
        let notes = self.0.iter().flat_map(|checked| {
            let components = checked.unchecked.iter();
            components.map(|component| {
                format!(
                    "{}/{component}: not checked: its source is a digest, and the bytes are not here",
                    checked.app
                )
            })
        });
        let notes: Vec<_> = notes.collect();
        (!notes.is_empty()).then(|| notes.join("\n"))
    }
}
