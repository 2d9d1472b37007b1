//! The bytes of components, with their descriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_compose::{DescribeError, Description};
use weft_lattice_config::{App, ComponentSpec, Digest, Source};
use weft_state::artifacts::{ArtifactError, Artifacts};

/// A component's bytes and their description.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    pub(crate) digest: Digest,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) description: Arc<Description>,
}

/// The binaries of an app, by component name.
pub(crate) type Binaries = BTreeMap<String, Binary>;

/// The reason why a component's bytes cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BinaryError {
    /// The manifest's source is not a digest.
    #[error(
        "the source of component `{component}` is a file, expected a digest; upload the file \
         with `weft deploy`"
    )]
    SourceIsFile { component: String },
    /// The artifact is missing or damaged.
    #[error("cannot read component `{component}`")]
    Artifact {
        component: String,
        #[source]
        source: ArtifactError,
    },
    /// The artifact is not a component.
    #[error("cannot use component `{component}`")]
    Describe {
        component: String,
        #[source]
        source: DescribeError,
    },
}

/// Reads the bytes of every component. Blocks.
///
/// # Errors
/// The first component whose bytes are missing or not a component.
pub(super) fn read(app: &App, artifacts: &Artifacts) -> Result<Binaries, BinaryError> {
    let components = app.spec.components.iter();
    components
        .map(|spec| Ok((spec.name.to_string(), read_one(spec, artifacts)?)))
        .collect()
}

/// Reads the bytes of every component that has some, with the errors of the others by their index.
/// Blocks.
pub(crate) fn read_all(app: &App, artifacts: &Artifacts) -> (Binaries, Vec<(usize, BinaryError)>) {
    let (mut binaries, mut errors) = (Binaries::new(), Vec::new());
    for (index, spec) in app.spec.components.iter().enumerate() {
        match read_one(spec, artifacts) {
            Ok(binary) => drop(binaries.insert(spec.name.to_string(), binary)),
            Err(error) => errors.push((index, error)),
        }
    }
    (binaries, errors)
}

fn read_one(spec: &ComponentSpec, artifacts: &Artifacts) -> Result<Binary, BinaryError> {
    let component = || spec.name.to_string();
    let Source::Digest(digest) = &spec.source else {
        return Err(BinaryError::SourceIsFile {
            component: component(),
        });
    };
    let bytes = artifacts
        .get(digest)
        .map_err(|source| BinaryError::Artifact {
            component: component(),
            source,
        })?;
    let description = weft_compose::describe(&bytes).map_err(|source| BinaryError::Describe {
        component: component(),
        source,
    })?;
    Ok(Binary {
        digest: digest.clone(),
        bytes: bytes.into(),
        description: Arc::new(description),
    })
}
