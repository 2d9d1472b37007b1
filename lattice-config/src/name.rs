//! Names of apps, components, providers and links: DNS labels, parsed once at the edge.
//!
//! Each kind of name is its own type, so that a provider cannot be passed where a component is
//! meant. A DNS label is also a valid bus subject token, file name and Kubernetes name, which is why
//! nothing further down has to escape them.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text::quoted;

/// The longest DNS label, by RFC 1035.
const NAME_LENGTH_MAX: usize = 63;

/// The text is not a name; the message says what is wrong with it and what a name looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {kind}: {problem}", quoted(.text))]
pub struct NameError {
    kind: &'static str,
    text: String,
    problem: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                match problem(&text) {
                    None => Ok(Self(text)),
                    Some(problem) => Err(NameError { kind: $kind, text, problem }),
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

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
                    "description": "Lower-case letters, digits and `-`, starting with a letter and not \
                                    ending with `-`; at most 63 characters.",
                })
            }
        }
    };
}

name!(
    /// The name of a component or of a provider, where either may stand (`to:` of a link).
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
    /// The name that tells apart two links of one interface from one component.
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
        return Some("it is empty");
    }
    if text.len() > NAME_LENGTH_MAX {
        return Some("it is longer than 63 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("it must start with a lower-case letter");
    }
    if text.ends_with('-') {
        return Some("it must not end with `-`");
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!text.chars().all(allowed)).then_some("only lower-case letters, digits and `-` are allowed")
}
