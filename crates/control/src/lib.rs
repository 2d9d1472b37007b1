//! The control protocol between `weft` and a host's admin API.
//!
//! HTTP/1.1 with JSON bodies on the admin address, every request authorised by
//! `Authorization: Bearer <token>`. A failed request carries an [`ErrorBody`].
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `GET /v1/{apps,components,links,providers,routes,hosts}` | | array of a type in [`rows`] |
//! | `GET /v1/links/why?app=&from=&interface=&name=` ([`LinkQuery`]) | | [`rows::LinkWhyRow`] |
//! | `PUT /v1/artifacts/{digest}` | component bytes | `204` |
//! | `HEAD /v1/artifacts/{digest}` | | `204` or `404` |
//! | `GET /v1/artifacts/{digest}` | | component bytes |
//! | `POST /v1/apps` | [`DeployRequest`] | [`DeployReport`] |
//! | `GET /v1/apps/{name}` | | [`AppRecord`] |
//! | `DELETE /v1/apps/{name}` | | [`UndeployReport`] |
//! | `POST /v1/call?here=` | [`CallRequest`] | [`CallReply`] |
//! | `GET /v1/placements?why=&app=`, `GET /v1/inventory` | | array of the row type in [`rows`] |
//! | `GET /v1/status?app=` | | [`StatusReport`] |
//! | `POST /v1/plan` | [`DeployRequest`]; the bytes need not be there | [`PlanReport`] |
//! | `GET /v1/drain` | | [`DrainReport`] |
//! | `POST /v1/drain` | [`DrainRequest`] | [`DrainReport`] |
//! | `POST /v1/labels?check=` | [`LabelRequest`] | [`LabelReport`], also of a mere check |
//! | `POST /v1/keyvalue/accept` | [`AcceptRequest`] | [`AcceptReport`] |
//! | `POST /v1/gc` | [`CollectionRequest`] | [`CollectionReport`] |
//! | `POST /v1/fault?check=` | [`FaultRequest`] | [`FaultReport`] |
//! | `GET /v1/events?since_ms=&follow=` | | one [`EventRow`] as JSON per line |
//! | any of these as `/v1/hosts/{host}/…` ([`HostRef`]) | | what that host answers |
//! | `GET /v1/logs?app=&component=&tail=&…` ([`LogQuery`]) | | one [`LogLine`] as JSON per line |
//!
//! Rows of components, links and routes, log lines and explanations of links are those of the
//! answering host: a client [gathers](client::gather) them from all hosts. A call is executed by
//! any host that runs the component, unless the query is `here=true`.

use serde::{Deserialize, Serialize};
use weft_lattice_config::{App, Mistakes};

pub mod bus_rpc;
pub mod client;
pub mod collection;
pub mod fault;
mod host_ref;
pub mod links;
pub mod logs;
pub mod operating;
pub mod rows;
pub mod token;

pub use client::{Client, ClientError, GatherError, Gathered, SilentHost};
pub use collection::{CollectionReport, CollectionRequest};
pub use fault::{FaultReport, FaultRequest};
pub use host_ref::{FindHostError, HostNameError, HostRef, check_host_name};
pub use links::LinkQuery;
pub use logs::{ErrorId, LogCursor, LogQuery};
pub use operating::{
    AcceptReport, AcceptRequest, DrainReport, DrainRequest, EventRow, LabelReport, LabelRequest,
    PlanReport, StatusReport,
};

/// The default admin address: a host listens on it, and `weft` connects to it.
pub const ADMIN_ADDRESS_DEFAULT: &str = "127.0.0.1:7411";

/// The largest JSON body that either side reads: a manifest is at most 1 MiB of text.
pub const JSON_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The number of log lines that `GET /v1/logs` returns at most without `tail`.
pub const LOG_TAIL_DEFAULT: usize = 100;

/// The body of `POST /v1/apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The manifest; every source is the digest of uploaded bytes.
    pub app: App,
    /// True to replace a stored record of the app that the host cannot read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// The answer to a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployReport {
    /// The app's name.
    pub app: String,
    /// Its new revision.
    pub revision: u64,
    /// The changes from the previous revision, one line each; empty if nothing changed.
    pub changes: Vec<String>,
    /// The routes the app now answers, as in `weft get routes`.
    pub routes: Vec<rows::RouteRow>,
}

/// The answer to `GET /v1/apps/{name}`: the desired state of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppRecord {
    /// The manifest; every source is a digest.
    pub app: App,
    /// The desired revision.
    pub revision: u64,
    /// Time of the last change, in milliseconds since the Unix epoch.
    pub changed_at_ms: u64,
}

/// The answer to an undeploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndeployReport {
    /// The app's name.
    pub app: String,
    /// The revision of its tombstone.
    pub revision: u64,
}

/// The body of `POST /v1/call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// The app's name.
    pub app: String,
    /// The component's name.
    pub component: String,
    /// The function and its arguments in WAVE, for example `shop:catalog/pricing.quote("teapot",
    /// 3)`; with arguments in JSON, the function alone.
    pub expression: String,
    /// The arguments as a JSON object of parameters, as the body of an HTTP API has them
    /// (`docs/json.md`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// The number of calls, each a request of its own, one after another: 1 to [`CALL_REPEAT_MAX`].
    #[serde(default = "repeat_default")]
    pub repeat: u32,
}

/// The most calls of one [`CallRequest`]: enough for any measurement, and a bound for the stored
/// times.
pub const CALL_REPEAT_MAX: u32 = 1_000_000;

fn repeat_default() -> u32 {
    1
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReply {
    /// The result, in WAVE or JSON as the arguments; `None` if the function returns nothing.
    pub result: Option<String>,
    /// The duration of the call on the host, in microseconds; of several calls, their sum.
    pub elapsed_us: u64,
    /// The distribution of the durations of several calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<CallTimes>,
}

/// The distribution of the durations of several calls on the host, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTimes {
    /// The number of calls.
    pub calls: u32,
    /// The shortest duration.
    pub min_ns: u64,
    /// The 50th percentile.
    pub median_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The longest duration.
    pub max_ns: u64,
}

/// A line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The name of the host; empty in the answer of the host itself.
    #[serde(default)]
    pub host: String,
    /// The number of the line, counted from the start of the host.
    pub sequence: u64,
    /// The start of the host, in milliseconds since the Unix epoch: another start counts anew.
    #[serde(default)]
    pub started_ms: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The app of the guest; empty for a line of the host.
    pub app: String,
    /// The component of the guest.
    pub component: String,
    /// `stdout`, `stderr`, `log` (from `wasi:logging`) or `host` (a message of the host about the
    /// guest).
    pub stream: String,
    /// The text, without its line end.
    pub message: String,
}

/// The body of every answer with an error status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable name for programs.
    pub code: ErrorCode,
    /// What happened, for people.
    pub message: String,
    /// The chain of causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The next step for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The mistakes in the app of a deploy or a plan, with their places.
    #[serde(default, skip_serializing_if = "Mistakes::is_empty")]
    pub mistakes: Mistakes,
}

impl ErrorBody {
    /// The answer to a request with a missing or wrong token.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self {
            code: ErrorCode::Unauthorized,
            message: "the admin token is missing or wrong".to_owned(),
            causes: Vec::new(),
            help: Some(
                "the token is in the file `admin.token` of the host's data directory: give `--data-dir`"
                    .to_owned(),
            ),
            mistakes: Mistakes::default(),
        }
    }
}

/// The stable names of error kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The token is missing or wrong.
    Unauthorized,
    /// The request is malformed: invalid JSON, digest or expression.
    BadRequest,
    /// The named object does not exist.
    NotFound,
    /// The request conflicts with the current state, such as a route of another app.
    Conflict,
    /// The request is well-formed but not possible: a link that cannot be made, a component that
    /// does not compile.
    Refused,
    /// The called guest trapped.
    Trapped,
    /// The called guest exceeded its deadline.
    Deadline,
    /// The host is full or shutting down; try again.
    Busy,
    /// The host failed; its log has the details.
    Internal,
}
