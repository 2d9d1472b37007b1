//! Names of WIT interfaces, and the rule by which their versions match.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::quote::quoted;

/// The full name of an interface that a component imports or exports: `ns:pkg/iface[@version]`.
///
/// ```
/// # use weft_lattice_config::{InterfaceName, InterfaceRef};
/// let name: InterfaceName = "shop:catalog/pricing@0.1.3".parse().unwrap();
/// let required: InterfaceRef = "shop:catalog/pricing@0.1.0".parse().unwrap();
/// assert!(required.matches(&name));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName {
    /// `shop` in `shop:catalog/pricing@0.1.0`.
    pub namespace: String,
    /// `catalog` in `shop:catalog/pricing@0.1.0`.
    pub package: String,
    /// `pricing` in `shop:catalog/pricing@0.1.0`.
    pub interface: String,
    /// `0.1.0` in `shop:catalog/pricing@0.1.0`.
    pub version: Option<Version>,
}

/// The interfaces that a link serves: one (`ns:pkg/iface`) or all of a package (`ns:pkg`).
///
/// The version is optional. It must be complete (`0.1.0`) and matches by [`satisfies`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceRef {
    /// `wasi` in `wasi:keyvalue/store`.
    pub namespace: String,
    /// `keyvalue` in `wasi:keyvalue/store`.
    pub package: String,
    /// `store` in `wasi:keyvalue/store`; `None` stands for every interface of the package that the
    /// component imports.
    pub interface: Option<String>,
    /// The oldest accepted version; `None` accepts any.
    pub version: Option<Version>,
}

/// A text that is not the name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {kind}: {problem}; expected {expected}", quoted(.text))]
pub struct InterfaceError {
    text: String,
    kind: &'static str,
    problem: String,
    expected: &'static str,
}

/// Returns whether an offered version satisfies a required one, by semantic versioning as the
/// component model uses it.
///
/// - Without a required version, any offer is accepted. A required version needs an offered
///   version.
/// - Both must be on one compatibility track: the same major version if that is above zero, else
///   the same minor version if that is above zero, else the same version.
/// - The offered version must not be older than the required one.
/// - A pre-release is compatible with itself only. Build metadata is ignored.
///
/// ```
/// # use weft_lattice_config::interface::satisfies;
/// # use semver::Version;
/// let required = Version::new(0, 1, 0);
/// assert!(satisfies(Some(&required), Some(&Version::new(0, 1, 3))));
/// assert!(!satisfies(Some(&required), Some(&Version::new(0, 2, 0))));
/// ```
#[must_use]
pub fn satisfies(required: Option<&Version>, offered: Option<&Version>) -> bool {
    match (required, offered) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(required), Some(offered)) => version_satisfies(required, offered),
    }
}

/// Returns the newest of the exports that serves the requested interface: the same interface in a
/// version that [`satisfies`] the requested one. Exports without the name of an interface serve
/// none.
///
/// ```
/// # use weft_lattice_config::interface::newest_serving;
/// let exports = ["shop:catalog/pricing@0.1.0", "shop:catalog/pricing@0.1.3", "log"];
/// let requested = "shop:catalog/pricing@0.1.0".parse().unwrap();
/// assert_eq!(newest_serving(&requested, exports), Some("shop:catalog/pricing@0.1.3"));
/// ```
#[must_use]
pub fn newest_serving<'a>(
    requested: &InterfaceName,
    exports: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let named = exports
        .into_iter()
        .filter_map(|export| Some((export, export.parse::<InterfaceName>().ok()?)));
    let serving = named.filter(|(_, name)| requested.is_served_by(name));
    let newest = serving.max_by(|(_, left), (_, right)| left.version.cmp(&right.version));
    newest.map(|(export, _)| export)
}

fn version_satisfies(required: &Version, offered: &Version) -> bool {
    if !required.pre.is_empty() || !offered.pre.is_empty() {
        return required.cmp_precedence(offered).is_eq();
    }
    track(required) == track(offered) && required.cmp_precedence(offered).is_le()
}

/// The compatibility track: two releases are compatible only if their tracks are equal.
fn track(version: &Version) -> (u64, u64, u64) {
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => (0, 0, patch),
        (0, minor, _) => (0, minor, 0),
        (major, _, _) => (major, 0, 0),
    }
}

// === impl InterfaceName ===

impl InterfaceName {
    /// True if an export with the name `offered` serves this interface: the same interface, in a
    /// version that [`satisfies`] this one.
    #[must_use]
    pub fn is_served_by(&self, offered: &InterfaceName) -> bool {
        self.namespace == offered.namespace
            && self.package == offered.package
            && self.interface == offered.interface
            && satisfies(self.version.as_ref(), offered.version.as_ref())
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceError;

    fn from_str(text: &str) -> Result<Self, InterfaceError> {
        let invalid = |problem| InterfaceError {
            text: text.to_owned(),
            kind: "the name of an interface",
            problem,
            expected: "`ns:pkg/iface` or `ns:pkg/iface@1.2.3`",
        };
        let parts = Parts::parse(text).map_err(invalid)?;
        let Some(interface) = parts.interface else {
            return Err(invalid(
                "missing `/` and an interface after the package".to_owned(),
            ));
        };
        let Parts {
            namespace,
            package,
            version,
            ..
        } = parts;
        Ok(InterfaceName {
            namespace,
            package,
            interface,
            version,
        })
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = InterfaceError;

    fn try_from(text: String) -> Result<Self, InterfaceError> {
        text.parse()
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> String {
        name.to_string()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}/{}",
            self.namespace, self.package, self.interface
        )?;
        fmt_version(self.version.as_ref(), formatter)
    }
}

// === impl InterfaceRef ===

impl InterfaceRef {
    /// Returns whether the reference includes the interface: same namespace and package, same
    /// interface if one is named, and a version that [`satisfies`] the required one.
    #[must_use]
    pub fn matches(&self, name: &InterfaceName) -> bool {
        self.namespace == name.namespace
            && self.package == name.package
            && self
                .interface
                .as_ref()
                .is_none_or(|interface| *interface == name.interface)
            && satisfies(self.version.as_ref(), name.version.as_ref())
    }
}

impl FromStr for InterfaceRef {
    type Err = InterfaceError;

    fn from_str(text: &str) -> Result<Self, InterfaceError> {
        let invalid = |problem| InterfaceError {
            text: text.to_owned(),
            kind: "an interface",
            problem,
            expected: "`ns:pkg/iface`, or `ns:pkg` for all interfaces of the package, with an \
                       optional version as in `ns:pkg/iface@1.2.3`",
        };
        let Parts {
            namespace,
            package,
            interface,
            version,
        } = Parts::parse(text).map_err(invalid)?;
        Ok(InterfaceRef {
            namespace,
            package,
            interface,
            version,
        })
    }
}

impl TryFrom<String> for InterfaceRef {
    type Error = InterfaceError;

    fn try_from(text: String) -> Result<Self, InterfaceError> {
        text.parse()
    }
}

impl From<InterfaceRef> for String {
    fn from(reference: InterfaceRef) -> String {
        reference.to_string()
    }
}

impl From<InterfaceName> for InterfaceRef {
    fn from(name: InterfaceName) -> InterfaceRef {
        let InterfaceName {
            namespace,
            package,
            interface,
            version,
        } = name;
        InterfaceRef {
            namespace,
            package,
            interface: Some(interface),
            version,
        }
    }
}

impl fmt::Display for InterfaceRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.namespace, self.package)?;
        if let Some(interface) = &self.interface {
            write!(formatter, "/{interface}")?;
        }
        fmt_version(self.version.as_ref(), formatter)
    }
}

impl JsonSchema for InterfaceName {
    fn schema_name() -> Cow<'static, str> {
        "InterfaceName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[a-z][-a-z0-9]*:[a-z][-a-z0-9]*/[A-Za-z][-A-Za-z0-9]*(@[0-9]+\\.[0-9]+\\.[0-9]+.*)?$",
            "description": "A WIT interface: `ns:pkg/iface`. The optional version (`@1.2.3`) is the \
                            oldest accepted one; newer compatible versions match as well.",
        })
    }
}

impl JsonSchema for InterfaceRef {
    fn schema_name() -> Cow<'static, str> {
        "InterfaceRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[a-z][-a-z0-9]*:[a-z][-a-z0-9]*(/[A-Za-z][-A-Za-z0-9]*)?(@[0-9]+\\.[0-9]+\\.[0-9]+.*)?$",
            "description": "A WIT interface: `ns:pkg/iface`, or `ns:pkg` for every interface of the \
                            package that the component imports. The optional version (`@1.2.3`) is \
                            the oldest accepted one; newer compatible versions match as well.",
        })
    }
}

// === helpers ===

struct Parts {
    namespace: String,
    package: String,
    interface: Option<String>,
    version: Option<Version>,
}

impl Parts {
    fn parse(text: &str) -> Result<Parts, String> {
        let (name, version) = match text.split_once('@') {
            None => (text, None),
            Some((name, version)) => (name, Some(parse_version(version)?)),
        };
        let (namespace, rest) = name
            .split_once(':')
            .ok_or("missing `:` after the namespace")?;
        let (package, interface) = match rest.split_once('/') {
            None => (rest, None),
            Some((package, interface)) => (package, Some(interface)),
        };
        check_label("namespace", namespace, Case::Lower)?;
        check_label("package", package, Case::Lower)?;
        if let Some(interface) = interface {
            check_label("interface", interface, Case::Any)?;
        }
        Ok(Parts {
            namespace: namespace.to_owned(),
            package: package.to_owned(),
            interface: interface.map(str::to_owned),
            version,
        })
    }
}

fn parse_version(text: &str) -> Result<Version, String> {
    Version::parse(text)
        .map_err(|error| format!("invalid or incomplete version {} ({error})", quoted(text)))
}

/// The letter case of the words of a label.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    /// An interface may also have upper-case words (`parse-URL`), but not words of mixed case.
    Any,
}

/// True for words of letters and digits joined by `-`, the first of which starts with a letter.
pub(crate) fn is_label(label: &str, case: Case) -> bool {
    let lower = |word: &str| {
        word.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let upper = |word: &str| {
        word.bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let word_is_fine =
        |word: &str| !word.is_empty() && (lower(word) || (case == Case::Any && upper(word)));
    label.starts_with(|c: char| c.is_ascii_alphabetic()) && label.split('-').all(word_is_fine)
}

fn check_label(part: &str, label: &str, case: Case) -> Result<(), String> {
    if is_label(label, case) {
        Ok(())
    } else {
        Err(format!(
            "the {part} {} must be words of letters and digits joined by `-`",
            quoted(label)
        ))
    }
}

fn fmt_version(version: Option<&Version>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    version.map_or(Ok(()), |version| write!(formatter, "@{version}"))
}
