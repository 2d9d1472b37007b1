//! Names of imports, and the private names of a fused component's parts.

use std::fmt;

use semver::Version;

/// The name under which a fused component imports `original` for part `part` alone.
///
/// Both forms are valid import names: an interface keeps its package and version under a different
/// namespace, a plain name stays a plain name.
///
/// ```
/// assert_eq!(
///     weft_compose::private_name(3, "wasi:cli/environment@0.2.3"),
///     "c3-wasi:cli/environment@0.2.3",
/// );
/// assert_eq!(weft_compose::private_name(0, "primary"), "c0-primary");
/// ```
#[must_use]
pub fn private_name(part: usize, original: &str) -> String {
    format!("c{part}-{original}")
}

/// Returns whether `name` has the form of a [`private_name`].
///
/// A component that imported such a name would get the identity of another part.
pub(crate) fn is_reserved(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('c') else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && rest[digits..].starts_with('-')
}

/// The name of an interface, up to compatible versions.
///
/// Names on one track can be bound to the same implementation: `a:b/c@0.2.0` and `a:b/c@0.2.6`, but
/// not `a:b/c@0.3.0`. A name without a version has a track of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Track {
    interface: String,
    /// Up to the first number that is not zero.
    version: Option<String>,
}

impl Track {
    pub(crate) fn of(name: &str) -> Self {
        let (interface, version) = split(name);
        Self {
            interface: interface.to_owned(),
            version: version.as_ref().map(compatible),
        }
    }
}

/// Returns the version in a name.
pub(crate) fn version(name: &str) -> Option<Version> {
    split(name).1
}

fn split(name: &str) -> (&str, Option<Version>) {
    match name.rsplit_once('@') {
        Some((interface, version)) => match Version::parse(version) {
            Ok(version) => (interface, Some(version)),
            Err(_) => (name, None),
        },
        None => (name, None),
    }
}

fn compatible(version: &Version) -> String {
    match version {
        Version { pre, .. } if !pre.is_empty() => version.to_string(),
        Version {
            major: 0,
            minor: 0,
            patch,
            ..
        } => format!("0.0.{patch}"),
        Version {
            major: 0, minor, ..
        } => format!("0.{minor}"),
        Version { major, .. } => major.to_string(),
    }
}

impl fmt::Display for Track {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{}@{version}", self.interface),
            None => formatter.write_str(&self.interface),
        }
    }
}
