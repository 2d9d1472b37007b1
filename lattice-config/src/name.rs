//! Names of apps, components, providers and links: DNS labels, parsed once at the edge.
//!
//! Each kind of name is its own type, so that a provider cannot be passed for a component. A DNS
//! label is also a valid bus subject token, file name and Kubernetes name, so no other code has to
//! escape names.

use crate::quote::quoted;

/// The longest DNS label, by RFC 1035.
const NAME_LENGTH_MAX: usize = 63;

/// A text that does not have the form of its type of name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {kind}: {problem}", quoted(.text))]
pub struct NameError {
    kind: &'static str,
    text: String,
    problem: &'static str,
}

impl NameError {
    pub(crate) fn new(kind: &'static str, text: String, problem: &'static str) -> NameError {
        NameError {
            kind,
            text,
            problem,
        }
    }
}

/// Defines a type for short text of a fixed form. `problem` returns the violated rule, or `None`
/// for valid text.
macro_rules! text_type {
    (
        $(#[$doc:meta])* $name:ident, $kind:literal,
        problem: $problem:path, pattern: $pattern:literal, description: $description:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::NameError> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::NameError;

            fn try_from(text: String) -> Result<Self, $crate::NameError> {
                match $problem(&text) {
                    None => Ok(Self(text)),
                    Some(problem) => Err($crate::NameError::new($kind, text, problem)),
                }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $description,
                })
            }
        }
    };
}
pub(crate) use text_type;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        text_type!(
            $(#[$doc])* $name, $kind,
            problem: problem,
            pattern: "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
            description: "Up to 63 lower-case letters, digits and `-`, starting with a letter and not \
                          ending with `-`."
        );
    };
}

name!(
    /// The name of a component or a provider, for keys that accept either (`to` of a link).
    Name,
    "a name"
);
name!(
    /// The name of an app, unique in its lattice.
    AppName,
    "an app name"
);
name!(
    /// The name of a component, unique among the components and providers of its app.
    ComponentName,
    "a component name"
);
name!(
    /// The name of a provider, unique among the components and providers of its app.
    ProviderName,
    "a provider name"
);
name!(
    /// The name that distinguishes links from one component for one interface.
    LinkName,
    "a link name"
);

impl From<ComponentName> for Name {
    fn from(name: ComponentName) -> Name {
        Name(name.0)
    }
}

impl From<ProviderName> for Name {
    fn from(name: ProviderName) -> Name {
        Name(name.0)
    }
}

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    if text.len() > NAME_LENGTH_MAX {
        return Some("must have at most 63 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("must start with a lower-case letter");
    }
    if text.ends_with('-') {
        return Some("must not end with `-`");
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!text.chars().all(allowed)).then_some("must contain only lower-case letters, digits and `-`")
}
