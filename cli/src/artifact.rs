//! The bytes of a component on this machine: read with a bound, and looked at before they are used.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use weft_compose::{DescribeError, Description};
use weft_lattice_config::Digest;

/// The bytes of a component and what they say of themselves.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// The digest of the bytes.
    pub(crate) digest: Digest,
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// What the component imports and exports.
    pub(crate) description: Description,
}

/// Why a file is no component that can be used.
#[derive(Debug)]
pub(crate) enum ArtifactError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is no component.
    Describe {
        /// The file.
        path: PathBuf,
        /// What it is instead, or what is wrong with it.
        source: DescribeError,
    },
}

impl Artifact {
    /// Reads a component from a file.
    ///
    /// # Errors
    /// The file cannot be read, or is no component.
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

    /// Looks at the bytes of a component.
    ///
    /// # Errors
    /// The bytes are no component.
    pub(crate) fn new(bytes: Bytes) -> Result<Artifact, DescribeError> {
        let description = weft_compose::describe(&bytes)?;
        Ok(Artifact {
            digest: Digest::of(&bytes),
            bytes,
            description,
        })
    }
}

/// The content of a file, or the first `limit` bytes and one more, which proves that it is too large.
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
