//! Responses to requests whose component failed.

use http::{Response, StatusCode};
use weft_ingress::{Body, error_response};
use weft_link::Protocol;
use weft_telemetry::chain;
use weft_telemetry::logs::{self, GuestStream};
use weft_wire::FailureCode;

use crate::endpoint::{Endpoint, Failure};

/// The cause of a missing response that a guest of 0.2 does not see: nothing reads its body before
/// the host has its head, and its writes wait once the buffer is full.
const WAITING_BODY_HINT: &str = "; a handler that writes more than 64 KiB of a body before it calls \
     `response-outparam.set` waits for ever";

/// The response to a request that failed with `failure`. A fault of the guest gets an id: the
/// details are logged under that id and not sent to the client.
pub(super) fn response(endpoint: &Endpoint, failure: &Failure) -> Response<Body> {
    let name = format!("{}/{}", endpoint.app(), endpoint.component());
    match failure {
        Failure::Full { .. } | Failure::PoolFull | Failure::MemoryFull { .. } => {
            error_response::busy(&format!("`{name}`: {failure}"))
        }
        Failure::Link {
            code: FailureCode::Busy,
            ..
        } => {
            report(endpoint, failure);
            error_response::busy(&format!(
                "`{name}`: a component that it is linked to is busy"
            ))
        }
        Failure::Link {
            code: FailureCode::Deadline,
            ..
        } => {
            report(endpoint, failure);
            let reason =
                format!("`{name}`: a component that it is linked to did not answer in time");
            error_response::late(&reason)
        }
        Failure::Deadline { .. } => {
            let hint = match endpoint.protocol() {
                Some(Protocol::HttpP2) => WAITING_BODY_HINT,
                _ => "",
            };
            logs::guest_line(
                endpoint.app(),
                endpoint.component(),
                GuestStream::Host,
                &format!("{failure}{hint}"),
            );
            error_response::late(&format!("`{name}`: {failure}"))
        }
        Failure::SilentClient => {
            error_response::text(StatusCode::REQUEST_TIMEOUT, &format!("`{name}`: {failure}"))
        }
        Failure::OfInstance(failure) => response(endpoint, failure),
        Failure::BadRequest(reason) => error_response::text(StatusCode::BAD_REQUEST, reason),
        Failure::Limit(_)
        | Failure::Exited(_)
        | Failure::AfterResponse { .. }
        | Failure::Unfinished
        | Failure::Link { .. }
        | Failure::Trapped(_)
        | Failure::NotLoaded(_)
        | Failure::NoResponse
        | Failure::ErrorCode(_) => {
            let id = report(endpoint, failure);
            error_response::component_failed(&name, id)
        }
    }
}

/// Logs the failure under a new id and returns the id.
pub(super) fn report(endpoint: &Endpoint, failure: &Failure) -> String {
    if failure.is_guest_fault() {
        endpoint.count_trap();
    }
    let id = error_response::error_id();
    let message = format!("error {id}: {}", chain(failure));
    logs::guest_line(
        endpoint.app(),
        endpoint.component(),
        GuestStream::Host,
        &message,
    );
    id
}
