//! Manifest files: read, validated, and with component files replaced by their digests. All
//! errors that this machine can detect are reported here, before a request to a host.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use weft_lattice_config::{App, Digest, Source};

use crate::artifact::{Artifact, ArtifactError, read_at_most};
use crate::did_you_mean::suggest;
use crate::failure::{Failure, Kind, Message, Plain, chain};

/// The maximum size to read; the limit of `weft-lattice-config` for a manifest is lower.
const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The file name that means standard input.
const STDIN: &str = "-";

/// An app that is ready for a deploy.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// The name of the file, as given.
    pub(crate) file: String,
    /// The app, in which every source is a digest.
    pub(crate) app: App,
    /// The content of its component files.
    pub(crate) artifacts: BTreeMap<Digest, Upload>,
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
    let mut manifests = Vec::new();
    let mut mistakes = Vec::new();
    for file in files {
        match read(file) {
            Ok(manifest) => manifests.push(manifest),
            Err(messages) => mistakes.extend(messages),
        }
    }
    if mistakes.is_empty() {
        Ok(manifests)
    } else {
        Err(Failure::all(Kind::Input, mistakes))
    }
}

fn read(file: &Path) -> Result<Manifest, Vec<Message>> {
    let name = if is_stdin(file) {
        "<stdin>".to_owned()
    } else {
        file.display().to_string()
    };
    let text = text(file, &name).map_err(|plain| vec![plain.into()])?;
    let mut app = App::from_yaml(&name, &text)
        .map_err(|errors| vec![Message::Formatted(errors.to_string())])?;
    let directory = file
        .parent()
        .filter(|_| !is_stdin(file))
        .unwrap_or(Path::new(""));
    let artifacts = resolve(&mut app, directory, &name)?;
    Ok(Manifest {
        file: name,
        app,
        artifacts,
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

/// Replaces every file by the digest of its bytes.
fn resolve(
    app: &mut App,
    directory: &Path,
    manifest: &str,
) -> Result<BTreeMap<Digest, Upload>, Vec<Message>> {
    let mut digests: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    let mut uploads = BTreeMap::new();
    let mut mistakes = Vec::new();
    for component in &mut app.spec.components {
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
            Err(error) => mistakes.push(unusable(component.name.as_str(), manifest, &error)),
        }
    }
    if mistakes.is_empty() {
        Ok(uploads)
    } else {
        Err(mistakes)
    }
}

fn unusable(component: &str, manifest: &str, error: &ArtifactError) -> Message {
    let help = match error {
        ArtifactError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Some(format!(
                "build the component, or correct `source.file` in `{manifest}`; the path is relative to \
                 the manifest"
            ))
        }
        // The cause names what the file contains instead, and the next step.
        ArtifactError::Read { .. } | ArtifactError::Describe { .. } => None,
    };
    let message = format!("component `{component}` of `{manifest}` cannot be deployed");
    Plain {
        message,
        causes: chain(error),
        help,
    }
    .into()
}
