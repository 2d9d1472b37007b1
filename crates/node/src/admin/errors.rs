//! Errors in the form of the control protocol: a stable code, a message, the causes and the next
//! step.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use weft_control::bus_rpc::{self, BusRpcError};
use weft_control::{ErrorBody, ErrorCode, FindHostError};
use weft_lattice_config::Mistakes;
use weft_state::artifacts::ArtifactError;

use super::router::{Body, full};
use crate::controller::DeployError;
use crate::desired_writer::ChangeError;
use crate::runtime::{CallError, PrepareErrorKind};

/// An answer that is not a success.
pub(super) struct ApiError(ErrorBody);

impl ApiError {
    pub(super) fn unauthorized() -> Self {
        Self(ErrorBody::unauthorized())
    }

    pub(super) fn bad_request(message: String) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub(super) fn not_found(message: String) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub(super) fn refused(message: String) -> Self {
        Self::new(ErrorCode::Refused, message)
    }

    pub(super) fn internal() -> Self {
        Self::new(
            ErrorCode::Internal,
            "internal error of the host; see its log",
        )
    }

    /// The bodies of other requests take all memory for bodies.
    pub(super) fn full() -> Self {
        Self::new(
            ErrorCode::Busy,
            "the host receives too many uploads at once; try again in a moment",
        )
    }

    /// An internal failure with its causes.
    pub(super) fn failed(error: &dyn std::error::Error) -> Self {
        Self::of(ErrorCode::Internal, error)
    }

    /// The failure of a request that was forwarded to another host.
    pub(super) fn unreachable_host(host: &str, error: &BusRpcError) -> Self {
        if let BusRpcError::TooLarge { .. } = error {
            return Self::of(ErrorCode::BadRequest, error).help(format!(
                "send the request to the admin API of host `{host}` itself, with `--admin`"
            ));
        }
        let mut refusal = Self::of(ErrorCode::Busy, error);
        let cause = std::mem::replace(
            &mut refusal.0.message,
            format!("host `{host}` did not answer"),
        );
        refusal.0.causes.insert(0, cause);
        refusal.help("list the hosts and their status with `weft get hosts`")
    }

    /// The error in the answer of another host.
    pub(super) fn of_answer(answer: &bus_rpc::Answer) -> Self {
        serde_json::from_slice(&answer.body).map_or_else(|_| Self::internal(), Self)
    }

    /// A host that was lost, or did not answer, while it executed a call.
    pub(super) fn lost_call(host: &str, cause: Option<&BusRpcError>) -> Self {
        let message = format!("host `{host}` was lost during the call, which may have run");
        let mut refusal = Self::new(ErrorCode::Internal, message);
        refusal.0.causes = cause.map(ToString::to_string).into_iter().collect();
        refusal.help("check the effects of the call before you repeat it")
    }

    /// A host that was lost before it answered a request that may be repeated.
    pub(super) fn lost_host(host: &str) -> Self {
        let message = format!("host `{host}` was lost before it answered");
        let refusal = Self::new(ErrorCode::Internal, message);
        refusal.help("list the hosts and their status with `weft get hosts`")
    }

    /// An unknown app; `names` are the existing ones.
    pub(super) fn unknown_app(name: &str, names: &[&str]) -> Self {
        let error = Self::not_found(format!("there is no app `{name}`"));
        if names.is_empty() {
            return error.help("no apps are deployed; deploy an app with `weft deploy FILE`");
        }
        error.help(format!("deployed apps: {}", list(names)))
    }

    /// An unknown component of an app; `names` are the existing ones.
    pub(super) fn unknown_component(app: &str, name: &str, names: &[&str]) -> Self {
        let error = Self::not_found(format!("app `{app}` has no component `{name}`"));
        error.help(format!("components of the app: {}", list(names)))
    }

    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ErrorBody {
            code,
            message: message.into(),
            causes: Vec::new(),
            help: None,
            mistakes: Mistakes::default(),
        })
    }

    /// The error's own message, and its sources as causes.
    fn of(code: ErrorCode, error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let causes = causes.map(ToString::to_string).collect();
        Self(ErrorBody {
            code,
            message: error.to_string(),
            causes,
            help: None,
            mistakes: Mistakes::default(),
        })
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The error as an answer over the bus.
    pub(super) fn bus_rpc(&self) -> bus_rpc::Answer {
        bus_rpc::Answer {
            status: status(self.0.code).as_u16(),
            body: self.bytes(),
        }
    }

    fn bytes(&self) -> Bytes {
        // Strings always serialise; an empty body would still carry the status.
        serde_json::to_vec(&self.0).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(full(self.bytes()));
        *response.status_mut() = status(self.0.code);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// The most names in an error; for more there is `weft get`.
const NAMES_MAX: usize = 20;

fn list(names: &[&str]) -> String {
    let quoted = names.iter().take(NAMES_MAX);
    let quoted: Vec<_> = quoted.map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::Trapped => StatusCode::BAD_GATEWAY,
        ErrorCode::Deadline => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<DeployError> for ApiError {
    fn from(error: DeployError) -> Self {
        let mut refusal = Self::of(deploy_code(&error), &error);
        if let DeployError::Rejected(rejection) = &error {
            refusal.0.mistakes = rejection.mistakes();
            if rejection.only().is_none() {
                refusal.0.message = format!("the app has {} mistakes", refusal.0.mistakes.0.len());
            }
        }
        refusal
    }
}

/// The code of an error; that of a rejection for several reasons is theirs if they have the same.
fn deploy_code(error: &DeployError) -> ErrorCode {
    match error {
        DeployError::Rejected(rejection) => {
            let mut codes = rejection.errors().map(deploy_code);
            let first = codes.next().unwrap_or(ErrorCode::Refused);
            match codes.all(|code| code == first) {
                true => first,
                false => ErrorCode::Refused,
            }
        }
        DeployError::Prepare(error) => match error.kind {
            PrepareErrorKind::Malformed => ErrorCode::BadRequest,
            PrepareErrorKind::Missing => ErrorCode::NotFound,
            PrepareErrorKind::Refused => ErrorCode::Refused,
            PrepareErrorKind::Internal => ErrorCode::Internal,
        },
        DeployError::RouteTaken { .. } => ErrorCode::Conflict,
        DeployError::Lattice(ChangeError::Conflict { .. }) => ErrorCode::Conflict,
        DeployError::Lattice(ChangeError::Missing { .. }) => ErrorCode::NotFound,
        DeployError::Lattice(ChangeError::TooMany { .. }) => ErrorCode::Refused,
        DeployError::Lattice(ChangeError::Store(_) | ChangeError::Object(_))
        | DeployError::Stopping => ErrorCode::Busy,
        DeployError::Lattice(_) | DeployError::Internal => ErrorCode::Internal,
        DeployError::ProviderType { .. }
        | DeployError::Provider(_)
        | DeployError::ProviderLink(_) => ErrorCode::Refused,
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        let refusal = Self::of(error.code, &*error.source);
        match error.help {
            Some(help) => refusal.help(help),
            None => refusal,
        }
    }
}

impl From<FindHostError> for ApiError {
    fn from(error: FindHostError) -> Self {
        let code = match &error {
            FindHostError::Missing { .. } => ErrorCode::NotFound,
            FindHostError::Ambiguous { .. } => ErrorCode::BadRequest,
        };
        Self::of(code, &error).help(error.help())
    }
}

impl From<ArtifactError> for ApiError {
    fn from(error: ArtifactError) -> Self {
        let code = match &error {
            ArtifactError::Missing { .. } => ErrorCode::NotFound,
            ArtifactError::Mismatch { .. } | ArtifactError::TooLarge { .. } => {
                ErrorCode::BadRequest
            }
            ArtifactError::Io { .. } => ErrorCode::Internal,
        };
        Self::of(code, &error)
    }
}
