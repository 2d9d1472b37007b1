//! Identifiers of placement: hosts, and the components and stores of apps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{AppName, ComponentName, NameError, ProviderName, text_type};
use crate::quote::quoted;

/// Maximum length of a host id: room for 32 bytes as hex digits or in a shorter encoding.
const HOST_ID_LENGTH_MAX: usize = 64;

text_type!(
    /// The identity of a host: the text form of its public key.
    HostId,
    "a host id",
    problem: problem,
    pattern: "^[-_A-Za-z0-9]{1,64}$",
    description: "Up to 64 letters, digits, `-` and `_`."
);

/// The identifier of a component of an app, written `shop/orders`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentId {
    /// The app.
    pub app: AppName,
    /// The component of the app.
    pub component: ComponentName,
}

/// The identifier of the store of a provider of an app, written `shop/orders-db`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId {
    /// The app.
    pub app: AppName,
    /// The provider of the app.
    pub provider: ProviderName,
}

/// A text that does not identify a part of an app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// `/` is missing.
    #[error("{} does not name a part of an app: expected `app/name`", quoted(.0))]
    Form(String),
    /// One of the names is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
}

macro_rules! pair {
    ($id:ident, $field:ident) => {
        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let (app, name) = text
                    .split_once('/')
                    .ok_or_else(|| IdError::Form(text.to_owned()))?;
                Ok($id {
                    app: app.parse()?,
                    $field: name.parse()?,
                })
            }
        }

        impl TryFrom<String> for $id {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> String {
                id.to_string()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&format!("{}/{}", self.app, self.$field))
            }
        }
    };
}

pair!(ComponentId, component);
pair!(StoreId, provider);

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    if text.len() > HOST_ID_LENGTH_MAX {
        return Some("must have at most 64 characters");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!text.chars().all(allowed)).then_some("must contain only letters, digits, `-` and `_`")
}
