//! Component artifacts on this machine: read with a size limit, and parsed before they are used.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use weft_compose::{DescribeError, Description};
use weft_lattice_config::Digest;

/// The bytes of a component and their description.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    /// The imports and exports of the component, and its WIT.
    pub(crate) description: Description,
}

/// The reasons why a file cannot be used as a component.
#[derive(Debug)]
pub(crate) enum ArtifactError {
    /// The file cannot be read.
    Read { path: PathBuf, source: io::Error },
    /// The file is not a valid component.
    Describe {
        path: PathBuf,
        source: DescribeError,
    },
}

impl Artifact {
    /// Reads a component from a file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a component.
    pub(crate) fn read(path: &Path) -> Result<Artifact, ArtifactError> {
        let bytes = read_at_most(path, weft_compose::MAX_COMPONENT_BYTES).map_err(|source| {
            ArtifactError::Read {
                path: path.to_owned(),
                source,
            }
        })?;
        Artifact::new(bytes.into()).map_err(|source| ArtifactError::Describe {
            path: path.to_owned(),
            source,
        })
    }

    /// Parses the bytes of a component.
    ///
    /// # Errors
    /// The bytes are not a component.
    pub(crate) fn new(bytes: Bytes) -> Result<Artifact, DescribeError> {
        let description = weft_compose::describe(&bytes)?;
        Ok(Artifact {
            digest: Digest::of(&bytes),
            bytes,
            description,
        })
    }
}

/// Reads a file, but at most `limit + 1` bytes: the extra byte proves that the file is too large.
pub(crate) fn read_at_most(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl std::fmt::Display for ArtifactError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ArtifactError::Read { path, .. } => {
                write!(formatter, "cannot read `{}`", path.display())
            }
            ArtifactError::Describe { path, .. } => {
                write!(formatter, "cannot use `{}` as a component", path.display())
            }
        }
    }
}

impl std::error::Error for ArtifactError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ArtifactError::Read { source, .. } => Some(source),
            ArtifactError::Describe { source, .. } => Some(source),
        }
    }
}
