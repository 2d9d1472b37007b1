//! A route, and the HTTP API of an interface.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::header_name::HeaderName;
use crate::interface::InterfaceName;
use crate::name::ComponentName;
use crate::quote::quoted;
use crate::routes::{HostPattern, PathPrefix};
use crate::template::{LocationTemplate, RequestTemplate, ValuePath};
use crate::wit_name::WitName;

/// Maximum number of operations of a route: a request is compared with each.
pub const OPERATIONS_MAX: usize = 256;
/// Maximum number of cases with one status: a variant with more is not for people.
pub const CASES_MAX: usize = 1024;
/// Maximum number of faces, of which each is named at most once.
const FACES_MAX: usize = 4;

/// An HTTP route from a host and a path to a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouteSpec {
    /// The host name of the requests. Any host by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostPattern>,
    /// The path prefix of the requests. Any path by default.
    #[serde(default)]
    pub path: PathPrefix,
    /// The component that handles the requests.
    pub to: ComponentName,
    /// The interface of the component that the route serves as an HTTP API. Without it, the
    /// component handles HTTP itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceName>,
    /// The functions of the API and their requests. By default, each function has the request
    /// `POST /NAME`. Needs `interface`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = OPERATIONS_MAX))]
    pub operations: Vec<OperationSpec>,
    /// The statuses of errors, by the name of the error type. 422 by default. Needs `interface`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, ErrorStatuses>")]
    pub errors: BTreeMap<WitName, ErrorStatuses>,
    /// The form of names in JSON: `camel` (the default) or `kebab`. Needs `interface`.
    #[serde(default, skip_serializing_if = "NameStyle::is_default")]
    pub names: NameStyle,
    /// The form of 64-bit integers in JSON: `number` (the default) or `string`. Needs `interface`.
    #[serde(default, skip_serializing_if = "Int64Form::is_default")]
    pub int64: Int64Form,
    /// The faces of the API. By default `http`, and `docs` on hosts that listen on loopback only.
    /// Needs `interface`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = FACES_MAX))]
    pub faces: Option<Vec<Face>>,
}

/// A function of an HTTP API and its requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OperationSpec {
    /// The name of the function.
    pub func: WitName,
    /// The requests for the function, such as `GET /orders/{id}`.
    #[serde(rename = "as")]
    pub request: RequestTemplate,
    /// The status of a result that is not an error. 200 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 299))]
    pub ok: Option<u16>,
    /// The header `location` of a result that is not an error, such as `/orders/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationTemplate>,
    /// The parameters in headers of the request, by the names of the headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, ValuePath>")]
    pub headers: BTreeMap<HeaderName, ValuePath>,
    /// The parameter that is the whole body. By default, the body is an object with all parameters
    /// that stand nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<WitName>,
}

/// The statuses of the cases of an error type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ErrorStatuses {
    /// The status of cases that are not listed. Without it, all cases must be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultStatus>,
    /// The cases with each status, from 400 to 599.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, ErrorCases>")]
    pub statuses: BTreeMap<ErrorStatus, ErrorCases>,
}

/// The status of a response to a failed request: 400 to 599.
///
/// ```
/// # use weft_lattice_config::ErrorStatus;
/// assert_eq!("404".parse::<ErrorStatus>().unwrap().get(), 404);
/// assert!("200".parse::<ErrorStatus>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorStatus(u16);

/// A text or number that is not the status of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not the status of an error: expected a number from 400 to 599", quoted(.0))]
pub struct ErrorStatusError(String);

/// Cases with one status: a list, or a map with `cases` and `hide`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ErrorCasesForm", into = "ErrorCasesForm")]
pub struct ErrorCases {
    /// The names of the cases.
    pub cases: Vec<WitName>,
    /// Keeps the values of the cases for the log of the host, out of responses.
    pub hide: bool,
}

/// The status of cases that are not listed: a number, or a map with `status` and `hide`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DefaultStatusForm", into = "DefaultStatusForm")]
pub struct DefaultStatus {
    /// The status.
    pub status: ErrorStatus,
    /// Keeps the values of the cases for the log of the host, out of responses.
    pub hide: bool,
}

/// The form of the names of fields and parameters in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameStyle {
    /// `unitPrice`
    #[default]
    Camel,
    /// `unit-price`, as in WIT.
    Kebab,
}

/// The form of 64-bit integers in JSON output. Both forms are accepted as input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Int64Form {
    /// A number with all digits. Clients in JavaScript round numbers above 2^53.
    #[default]
    Number,
    /// A string of digits.
    String,
}

/// A face of an HTTP API.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Face {
    /// The operations.
    Http,
    /// The OpenAPI document at `/openapi.json`, and a page to read and try it at `/docs`.
    Docs,
    /// JSON-RPC 2.0 at `/rpc`.
    Rpc,
    /// The Model Context Protocol at `/mcp`.
    Mcp,
}

// === impl RouteSpec ===

impl RouteSpec {
    /// A route to a component that handles HTTP itself.
    #[must_use]
    pub fn raw(host: Option<HostPattern>, path: PathPrefix, to: ComponentName) -> Self {
        Self {
            host,
            path,
            to,
            interface: None,
            operations: Vec::new(),
            errors: BTreeMap::new(),
            names: NameStyle::default(),
            int64: Int64Form::default(),
            faces: None,
        }
    }
}

impl NameStyle {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Int64Form {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Face {
    /// All faces.
    pub const ALL: [Face; FACES_MAX] = [Face::Http, Face::Docs, Face::Rpc, Face::Mcp];

    /// The keyword in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Face::Http => "http",
            Face::Docs => "docs",
            Face::Rpc => "rpc",
            Face::Mcp => "mcp",
        }
    }
}

// === impl ErrorStatus ===

impl ErrorStatus {
    /// The status as a number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u64> for ErrorStatus {
    type Error = ErrorStatusError;

    fn try_from(number: u64) -> Result<Self, ErrorStatusError> {
        match u16::try_from(number) {
            Ok(status @ 400..=599) => Ok(Self(status)),
            Ok(_) | Err(_) => Err(ErrorStatusError(number.to_string())),
        }
    }
}

impl std::str::FromStr for ErrorStatus {
    type Err = ErrorStatusError;

    fn from_str(text: &str) -> Result<Self, ErrorStatusError> {
        let invalid = || ErrorStatusError(text.to_owned());
        let is_plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u64>().map_err(|_| invalid())?;
        if is_plain {
            number.try_into()
        } else {
            Err(invalid())
        }
    }
}

impl std::fmt::Display for ErrorStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for ErrorStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

impl<'de> Deserialize<'de> for ErrorStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ErrorStatus;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a status from 400 to 599")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ErrorStatus, E> {
                number.try_into().map_err(E::custom)
            }

            // The key of a map is text.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ErrorStatus, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

// === forms ===

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ErrorCasesForm {
    List(Vec<WitName>),
    Map {
        cases: Vec<WitName>,
        #[serde(default, skip_serializing_if = "super::is_false")]
        hide: bool,
    },
}

impl From<ErrorCasesForm> for ErrorCases {
    fn from(form: ErrorCasesForm) -> Self {
        match form {
            ErrorCasesForm::List(cases) => Self { cases, hide: false },
            ErrorCasesForm::Map { cases, hide } => Self { cases, hide },
        }
    }
}

impl From<ErrorCases> for ErrorCasesForm {
    fn from(ErrorCases { cases, hide }: ErrorCases) -> Self {
        if hide {
            Self::Map { cases, hide }
        } else {
            Self::List(cases)
        }
    }
}

impl JsonSchema for ErrorCases {
    fn schema_name() -> Cow<'static, str> {
        "ErrorCases".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let name = generator.subschema_for::<WitName>();
        json_schema!({
            "type": ["array", "object"],
            "items": name,
            "maxItems": CASES_MAX,
            "properties": {
                "cases": {
                    "type": "array",
                    "items": name,
                    "maxItems": CASES_MAX,
                    "description": "The names of the cases.",
                },
                "hide": hide_schema(),
            },
            "required": ["cases"],
            "additionalProperties": false,
            "description": "The cases of an error with one status: a list, or a map with `cases` \
                            and `hide`.",
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum DefaultStatusForm {
    Number(ErrorStatus),
    Map {
        status: ErrorStatus,
        #[serde(default, skip_serializing_if = "super::is_false")]
        hide: bool,
    },
}

impl From<DefaultStatusForm> for DefaultStatus {
    fn from(form: DefaultStatusForm) -> Self {
        match form {
            DefaultStatusForm::Number(status) => Self {
                status,
                hide: false,
            },
            DefaultStatusForm::Map { status, hide } => Self { status, hide },
        }
    }
}

impl From<DefaultStatus> for DefaultStatusForm {
    fn from(DefaultStatus { status, hide }: DefaultStatus) -> Self {
        if hide {
            Self::Map { status, hide }
        } else {
            Self::Number(status)
        }
    }
}

impl JsonSchema for DefaultStatus {
    fn schema_name() -> Cow<'static, str> {
        "DefaultStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "object"],
            "minimum": 400,
            "maximum": 599,
            "properties": {
                "status": {
                    "type": "integer",
                    "minimum": 400,
                    "maximum": 599,
                    "description": "The status, from 400 to 599.",
                },
                "hide": hide_schema(),
            },
            "required": ["status"],
            "additionalProperties": false,
            "description": "The status of errors that are not listed: a number from 400 to 599, or \
                            a map with `status` and `hide`.",
        })
    }
}

fn hide_schema() -> Schema {
    json_schema!({
        "type": "boolean",
        "default": false,
        "description": "Keeps the value of the error for the log of the host, out of the response.",
    })
}
