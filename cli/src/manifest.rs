//! Manifest files: read, validated, and with component files replaced by their digests. All
//! errors that this machine can detect are reported here, before a request to a host.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use weft_lattice_config::mistake_paths::component_path;
use weft_lattice_config::{
    App, Build, ComponentSpec, Digest, MANIFEST_BYTES_MAX, Mistake, Mistakes, Source,
};

use crate::artifact::{Artifact, ArtifactError, read_at_most};
use crate::did_you_mean::suggest;
use crate::failure::{Failure, Kind, Message, Plain, chain};
use crate::wit_source;

/// The file name that means standard input.
const STDIN: &str = "-";

/// An app that is ready for a deploy.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// The name of the file, as given.
    pub(crate) file: String,
    /// The content of the file.
    text: String,
    /// The app, in which every source is a digest, except those of unusable files.
    pub(crate) app: App,
    /// The builds of its components, which are no part of the app that is deployed.
    pub(crate) builds: Vec<Build>,
    /// The content of its component files.
    pub(crate) artifacts: BTreeMap<Digest, Upload>,
    /// The component files that cannot be read, or are no components.
    pub(crate) unusable: Mistakes,
}

/// An artifact that the host may not have yet.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The first component with these bytes.
    pub(crate) component: String,
    pub(crate) bytes: Bytes,
}

/// Reads manifests; if any is invalid, reports the errors of all.
///
/// # Errors
/// A file cannot be read, is not a valid manifest, or names a file that is not a component.
pub(crate) fn read_all(files: &[PathBuf]) -> Result<Vec<Manifest>, Failure> {
    let (manifests, mut mistakes) = read_each(files);
    let unusable = manifests.iter().filter(|it| !it.unusable.is_empty());
    mistakes.extend(unusable.map(|it| it.located(it.unusable.clone())));
    if mistakes.is_empty() {
        Ok(manifests)
    } else {
        Err(Failure::all(Kind::Input, mistakes))
    }
}

/// Reads manifests. Returns those whose text is valid, and the errors of the others.
pub(crate) fn read_each(files: &[PathBuf]) -> (Vec<Manifest>, Vec<Message>) {
    let mut manifests = Vec::new();
    let mut mistakes = Vec::new();
    for file in files {
        match read(file) {
            Ok(manifest) => manifests.push(manifest),
            Err(messages) => mistakes.extend(messages),
        }
    }
    (manifests, mistakes)
}

impl Manifest {
    /// The message for mistakes that were found beyond the text, each with its line.
    pub(crate) fn located(&self, mistakes: Mistakes) -> Message {
        let located = mistakes.locate(&self.file, &self.text);
        Message::Formatted(located.to_string())
    }
}

/// The text of a manifest, and the app in it.
#[derive(Debug)]
pub(crate) struct ManifestText {
    /// The name of the file for messages.
    pub(crate) file: String,
    text: String,
    pub(crate) app: App,
}

/// Reads a manifest without its component files.
///
/// # Errors
/// The file cannot be read, or is not a valid manifest.
pub(crate) fn read_text(file: &Path) -> Result<ManifestText, Vec<Message>> {
    let name = if is_stdin(file) {
        "<stdin>".to_owned()
    } else {
        file.display().to_string()
    };
    let text = text(file, &name).map_err(|plain| vec![plain.into()])?;
    let app = App::from_yaml(&name, &text)
        .map_err(|errors| vec![Message::Formatted(errors.to_string())])?;
    Ok(ManifestText {
        file: name,
        text,
        app,
    })
}

fn read(path: &Path) -> Result<Manifest, Vec<Message>> {
    let ManifestText {
        file,
        text,
        mut app,
    } = read_text(path)?;
    let directory = path
        .parent()
        .filter(|_| !is_stdin(path))
        .unwrap_or(Path::new(""));
    let (artifacts, mut unusable) = resolve(&mut app, directory, &file);
    unusable.append(wit_source::resolve(&mut app, directory, &artifacts));
    let builds = app.spec.components.iter();
    let builds = builds.filter_map(|it| it.build.clone()).collect();
    Ok(Manifest {
        file,
        text,
        builds,
        app: app.without_builds(),
        artifacts,
        unusable,
    })
}

// === the text ===

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == STDIN
}

fn text(file: &Path, name: &str) -> Result<String, Plain> {
    let bytes = if is_stdin(file) {
        read_stdin()
    } else {
        read_at_most(file, MANIFEST_BYTES_MAX)
    };
    let bytes = bytes.map_err(|error| unreadable(file, name, &error))?;
    if bytes.starts_with(b"\0asm") {
        return Err(Plain {
            message: format!("`{name}` is a WebAssembly file, expected a YAML manifest"),
            help: Some(format!(
                "reference the file in a manifest as `source: {{ file: {name} }}` of a component, and \
                 deploy the manifest; `weft inspect {name}` lists its imports"
            )),
            ..Plain::default()
        });
    }
    // Only the beginning was read: its text would have other mistakes.
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(Plain {
            message: format!(
                "`{name}` is too large for a manifest: expected at most {MANIFEST_BYTES_MAX} bytes"
            ),
            help: Some("give the path of a manifest, as in `weft deploy shop.yaml`".to_owned()),
            ..Plain::default()
        });
    }
    String::from_utf8(bytes).map_err(|error| Plain {
        message: format!("`{name}` is not UTF-8 text, expected a YAML manifest"),
        causes: vec![error.to_string()],
        help: Some("give the path of a manifest, as in `weft deploy shop.yaml`".to_owned()),
    })
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MANIFEST_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(file: &Path, name: &str, error: &io::Error) -> Plain {
    let similar = if error.kind() == io::ErrorKind::NotFound {
        similar_file(file)
    } else {
        None
    };
    let help = match similar {
        Some(similar) => format!("did you mean `{}`?", similar.display()),
        None => {
            "give the path of a manifest, as in `weft deploy shop.yaml`, or `-` for standard input"
                .to_owned()
        }
    };
    Plain {
        message: format!("cannot read the manifest `{name}`"),
        causes: vec![error.to_string()],
        help: Some(help),
    }
}

/// A YAML file in the same directory with a similar name.
fn similar_file(file: &Path) -> Option<PathBuf> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let entries = fs::read_dir(directory.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    let similar = suggest(
        file.file_name()?.to_str()?,
        names.iter().map(String::as_str),
    )?;
    Some(file.with_file_name(similar))
}

// === the components ===

/// Replaces every file by the digest of its bytes. Returns the artifacts, and the components whose
/// files cannot be used.
fn resolve(
    app: &mut App,
    directory: &Path,
    manifest: &str,
) -> (BTreeMap<Digest, Upload>, Mistakes) {
    let mut digests: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    let mut uploads = BTreeMap::new();
    let mut mistakes = Mistakes::default();
    for (index, component) in app.spec.components.iter_mut().enumerate() {
        let Source::File(file) = &component.source else {
            continue;
        };
        let path = directory.join(file);
        let known = digests.get(&path).cloned();
        let digest = known.map_or_else(
            || {
                Artifact::read(&path).map(|artifact| {
                    let name = component.name.to_string();
                    let Artifact { digest, bytes, .. } = artifact;
                    uploads.entry(digest.clone()).or_insert(Upload {
                        component: name,
                        bytes,
                    });
                    digest
                })
            },
            Ok,
        );
        match digest {
            Ok(digest) => {
                digests.insert(path, digest.clone());
                component.source = Source::Digest(digest);
            }
            Err(error) => mistakes.push(unusable(index, component, manifest, &error)),
        }
    }
    (uploads, mistakes)
}

fn unusable(
    index: usize,
    component: &ComponentSpec,
    manifest: &str,
    error: &ArtifactError,
) -> Mistake {
    let path = format!("{}.source.file", component_path(index));
    let message = format!(
        "component `{}`: {}",
        component.name,
        chain(error).join(": ")
    );
    let mistake = Mistake::new(path, message);
    match error {
        ArtifactError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => mistake
            .with_help(match &component.build {
                Some(_) => format!("build the component with `weft build -f {manifest}`"),
                None => "build the component, or correct the path, which is relative to the \
                         manifest"
                    .to_owned(),
            }),
        // The message names what the file contains instead, and the next step.
        ArtifactError::Read { .. } | ArtifactError::Describe { .. } => mistake,
    }
}
