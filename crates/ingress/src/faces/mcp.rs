//! The face `mcp`: the Model Context Protocol over `POST`, without sessions.

use bytes::Bytes;
use http::request::Parts;
use weft_api::Response;
use weft_api::mcp::{Pending, Step};

use super::rpc::part;
use super::{Answer, arguments, returned};
use crate::typed_route::{CallContext, TypedRoute, off_the_connection};

/// The next step after a message, with the parameters of a call as a part of the body.
enum Next {
    Respond(Response),
    List(Pending),
    Call {
        function: String,
        params: Bytes,
        pending: Pending,
    },
}

/// Responds to a request with this body.
pub(super) async fn respond(
    route: &TypedRoute,
    head: &Parts,
    body: Bytes,
    calls: CallContext<'_>,
) -> Answer {
    let (api, headers) = (route.api().clone(), head.headers.clone());
    let length = body.len();
    let read = move || match api.mcp(&headers, &body) {
        Step::Respond(response) => Next::Respond(response),
        Step::List(pending) => Next::List(pending),
        Step::Call {
            function,
            arguments,
            pending,
        } => Next::Call {
            params: part(&body, arguments),
            function: function.into_owned(),
            pending,
        },
    };
    Ok(match off_the_connection(length, read).await? {
        Next::Respond(response) => response,
        Next::List(pending) => pending.tools(route.tools()),
        Next::Call {
            function,
            params,
            pending,
        } => call(route, (&function, params), pending, calls).await?,
    })
}

async fn call(
    route: &TypedRoute,
    (function, params): (&str, Bytes),
    pending: Pending,
    calls: CallContext<'_>,
) -> Answer {
    let Some(operation) = route.api().method(function) else {
        return Err(super::not_found());
    };
    let arguments = match arguments(route, operation, params).await? {
        Ok(arguments) => arguments,
        Err(problem) => return Ok(pending.problem(&problem)),
    };
    let result = match route.call_function(operation, &arguments, calls).await {
        Ok(result) => result,
        Err(failed) => return Ok(pending.problem(&failed.problem)),
    };
    Ok(match returned(route, operation, result).await? {
        Ok(json) => pending.value(route.tools(), function, json.as_deref()),
        Err(problem) => pending.problem(&problem),
    })
}
