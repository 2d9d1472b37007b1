//! The control protocol: what `weft` and a host's admin API say to each other.
//!
//! HTTP/1.1 with JSON bodies on the admin address, every request authorised by
//! `Authorization: Bearer <token>`. A failed request carries an [`ErrorBody`].
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `GET /v1/{apps,components,links,providers,routes,hosts}` | | array of the row type in [`rows`] |
//! | `GET /v1/links/why?app=&from=&interface=&name=` ([`LinkQuery`]) | | [`rows::LinkWhyRow`] |
//! | `PUT /v1/artifacts/{digest}` | component bytes | `204` |
//! | `HEAD /v1/artifacts/{digest}` | | `204` or `404` |
//! | `GET /v1/artifacts/{digest}` | | component bytes |
//! | `POST /v1/apps` | [`DeployRequest`] | [`DeployReport`] |
//! | `DELETE /v1/apps/{name}` | | [`UndeployReport`] |
//! | `POST /v1/call` | [`CallRequest`] | [`CallReply`] |
//! | `GET /v1/{placements,inventory}` | | array of the row type in [`rows`] |
//! | `GET /v1/status?app=` | | [`StatusReport`] |
//! | `POST /v1/plan` | [`DeployRequest`]; the bytes need not be there | [`PlanReport`] |
//! | `GET /v1/drain` | | [`DrainReport`] |
//! | `POST /v1/drain` | [`DrainRequest`] | [`DrainReport`] |
//! | `POST /v1/labels` | [`LabelRequest`] | [`LabelReport`] |
//! | `POST /v1/fault?check=` | [`FaultRequest`] | [`FaultReport`] |
//! | `GET /v1/events?since_ms=&follow=` | | one [`EventRow`] as JSON per line |
//! | any of these as `/v1/hosts/{host}/…` ([`HostRef`]) | | what that host answers |
//! | `GET /v1/logs?app=&component=&tail=&follow=` | | one [`LogLine`] as JSON per line |

use serde::{Deserialize, Serialize};
use weft_lattice_config::App;

pub mod bus_rpc;
pub mod client;
pub mod fault;
mod host_ref;
pub mod links;
pub mod operating;
pub mod rows;
pub mod token;

pub use client::{Client, ClientError};
pub use fault::{FaultReport, FaultRequest};
pub use host_ref::{FindHostError, HostNameError, HostRef, check_host_name};
pub use links::LinkQuery;
pub use operating::{
    DrainReport, DrainRequest, EventRow, LabelReport, LabelRequest, PlanReport, StatusReport,
};

/// The admin address a host listens on, and `weft` looks at, unless told otherwise.
pub const ADMIN_ADDRESS_DEFAULT: &str = "127.0.0.1:7411";

/// The largest JSON body either side reads: a manifest is at most 1 MiB of text.
pub const JSON_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many log lines `GET /v1/logs` returns at most when `tail` is not given.
pub const LOG_TAIL_DEFAULT: usize = 100;

/// What `POST /v1/apps` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The manifest; every source is a digest whose bytes were uploaded before.
    pub app: App,
}

/// What a deploy did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployReport {
    /// The app's name.
    pub app: String,
    /// Its new revision.
    pub revision: u64,
    /// What changed against the revision before, one line each; empty if nothing did.
    pub changes: Vec<String>,
    /// The routes the app now answers, as in `weft get routes`.
    pub routes: Vec<rows::RouteRow>,
}

/// What an undeploy did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndeployReport {
    /// The app's name.
    pub app: String,
    /// The revision of its tombstone.
    pub revision: u64,
}

/// What `POST /v1/call` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// The app's name.
    pub app: String,
    /// The component's name.
    pub component: String,
    /// The function and its arguments in WAVE, for example `shop:catalog/pricing.quote("teapot", 3)`.
    pub expression: String,
    /// How often it is called, each time as a request of its own, one after another: 1 to
    /// [`CALL_REPEAT_MAX`].
    #[serde(default = "once")]
    pub repeat: u32,
}

/// The most calls of one [`CallRequest`]: enough to measure anything, and a bound for what is remembered
/// of each.
pub const CALL_REPEAT_MAX: u32 = 1_000_000;

fn once() -> u32 {
    1
}

/// What a call returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReply {
    /// The result in WAVE; `None` if the function returns nothing.
    pub result: Option<String>,
    /// How long the call took on the host, in microseconds; of several calls, all together.
    pub elapsed_us: u64,
    /// How long each took, of several calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<CallTimes>,
}

/// How long each of several calls took on the host, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTimes {
    /// How many there were.
    pub calls: u32,
    /// The fastest.
    pub min_ns: u64,
    /// Half of them took no longer.
    pub median_ns: u64,
    /// 99 of 100 took no longer.
    pub p99_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

/// A line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Counts the lines of this host since it started.
    pub sequence: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The app the line came from; empty for a line that is not a guest's.
    pub app: String,
    /// The component the line came from.
    pub component: String,
    /// `stdout`, `stderr`, `log` (from `wasi:logging`) or `host` (what the host says of the guest).
    pub stream: String,
    /// The text, without its line end.
    pub message: String,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable name for programs.
    pub code: ErrorCode,
    /// What happened, for people.
    pub message: String,
    /// What led to it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl ErrorBody {
    /// The token is missing or wrong.
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
        }
    }
}

/// The stable names of what can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The token is missing or wrong.
    Unauthorized,
    /// The request does not read: bad JSON, a bad digest, a bad expression.
    BadRequest,
    /// What it names is not there.
    NotFound,
    /// What it asks for clashes with what is there (a route another app has).
    Conflict,
    /// It reads, and it cannot be done: a link that cannot be made, a component that does not compile.
    Refused,
    /// The called guest trapped.
    Trapped,
    /// The called guest did not finish in time.
    Deadline,
    /// The host is full or shutting down; try again.
    Busy,
    /// The host failed; its log says more.
    Internal,
}
