//! The face `rpc`: JSON-RPC 2.0 over `POST`.
//!
//! The calls of a batch take turns, in their order and within the deadline of one request.

use bytes::Bytes;
use http::StatusCode;
use weft_api::rpc::{self, Id, Message, Messages, RpcError};
use weft_api::{Operation, Response};

use super::{Answer, arguments, returned};
use crate::typed_route::{CallContext, Rejection, TypedRoute, off_the_connection};

/// The most bytes of the responses of a batch, after which its other calls are not made. One
/// response can exceed it.
const BATCH_RESPONSE_BYTES_MAX: usize = 16 << 20;

/// A message of a request, with its part of the body.
struct Call {
    id: Option<Id>,
    method: String,
    params: Bytes,
}

/// A call, or the response to a message that is none.
type Read = Result<Call, String>;

/// The messages of a request.
struct Batch {
    messages: Vec<Read>,
    is_list: bool,
}

/// Responds to a request with this body.
pub(super) async fn respond(route: &TypedRoute, body: Bytes, calls: CallContext<'_>) -> Answer {
    let length = body.len();
    let batch = off_the_connection(length, move || read(&body)).await?;
    let batch = match batch {
        Ok(batch) => batch,
        Err(response) => return Ok(Response::json(StatusCode::OK, response)),
    };
    let mut responses = Vec::new();
    let mut bytes = 0;
    for message in batch.messages {
        let response = match message {
            Ok(call) if bytes > BATCH_RESPONSE_BYTES_MAX => {
                call.id.map(|id| id.error(&RpcError::batch_too_large()))
            }
            Ok(call) => respond_to(route, call, calls).await?,
            Err(response) => Some(response),
        };
        bytes += response.as_ref().map_or(0, String::len);
        responses.extend(response);
    }
    Ok(match responses.is_empty() {
        true => Response::empty(StatusCode::NO_CONTENT),
        false if batch.is_list => {
            Response::json(StatusCode::OK, format!("[{}]", responses.join(",")))
        }
        false => Response::json(StatusCode::OK, responses.concat()),
    })
}

fn read(body: &Bytes) -> Result<Batch, String> {
    let messages = Messages::read(body).map_err(|error| Id::default().error(&error))?;
    let read = |message: Result<Message<'_>, rpc::Invalid>| match message {
        Ok(message) => Ok(Call {
            id: message.id,
            method: message.method.into_owned(),
            params: part(body, message.params),
        }),
        Err(invalid) => Err(invalid.id.error(&invalid.error)),
    };
    Ok(match messages {
        Messages::One(message) => Batch {
            messages: vec![read(message)],
            is_list: false,
        },
        Messages::Batch(messages) => Batch {
            messages: messages.into_iter().map(read).collect(),
            is_list: true,
        },
    })
}

/// The parameters as a part of the body, or else as bytes of their own.
pub(super) fn part(body: &Bytes, params: &[u8]) -> Bytes {
    let is_inside = body.as_ptr_range().contains(&params.as_ptr());
    match is_inside {
        true => body.slice_ref(params),
        false => Bytes::copy_from_slice(params),
    }
}

/// Makes a call. `None` for a notification, which has no response.
async fn respond_to(
    route: &TypedRoute,
    call: Call,
    calls: CallContext<'_>,
) -> Result<Option<String>, Rejection> {
    let Call { id, method, params } = call;
    let result = match route.api().method(&method) {
        Some(operation) => call_method(route, operation, params, calls).await?,
        None => Err(RpcError::unknown_method(&method)),
    };
    Ok(id.map(|id| match result {
        Ok(json) => id.result(&json),
        Err(error) => id.error(&error),
    }))
}

async fn call_method(
    route: &TypedRoute,
    operation: &Operation,
    params: Bytes,
    calls: CallContext<'_>,
) -> Result<Result<String, RpcError>, Rejection> {
    let arguments = match arguments(route, operation, params).await? {
        Ok(arguments) => arguments,
        Err(problem) => return Ok(Err(RpcError::of_params(&problem))),
    };
    let result = route.call_function(operation, &arguments, calls).await;
    drop(arguments);
    let result = match result {
        Ok(result) => result,
        Err(failed) => return Ok(Err(RpcError::of_failure(failed.code, &failed.problem))),
    };
    let returned = returned(route, operation, result).await?;
    Ok(match returned {
        Ok(json) => Ok(json.unwrap_or_else(|| "null".to_owned())),
        Err(problem) => Err(RpcError::of_result(&problem)),
    })
}
