//! A request to a typed route, from its head and its body to a call.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use weft_api::{Accept, Api, FormParts, Matched, Operation, PathValues, Problem, RequestInput};

use crate::typed_route::Rejection;

/// A request without its body, and the operation that it is for.
pub(crate) struct Exchange {
    api: Arc<Api>,
    pub(crate) head: Parts,
    /// The index of the operation.
    index: usize,
    /// The values of the path.
    path: PathValues,
}

/// The body of a request, as far as it is received before the call.
pub(crate) enum Content {
    Bytes(Bytes),
    Form(FormParts),
}

/// The call that a request makes.
pub(crate) struct PreparedCall {
    pub(crate) arguments: Vec<u8>,
    pub(crate) accept: Accept,
}

impl Exchange {
    /// Finds the operation of a request.
    pub(crate) fn new(api: &Arc<Api>, head: Parts) -> Result<Self, Rejection> {
        let path = head.uri.path();
        let path = api.below(path).unwrap_or(path);
        let matched = api.find(&head.method, path);
        let matched = matched.map_err(|unmatched| Box::new(unmatched.response()))?;
        let Matched { index, path, .. } = matched;
        Ok(Self {
            api: api.clone(),
            head,
            index,
            path,
        })
    }

    /// The operation.
    pub(crate) fn operation(&self) -> &Operation {
        &self.api.operations()[self.index]
    }

    /// Converts the request to a call.
    pub(crate) fn prepare(
        &self,
        content: &Content,
        encoded_max: usize,
    ) -> Result<PreparedCall, Rejection> {
        let operation = self.operation();
        let rejected = |problem: Problem| Box::new(problem.response());
        let accept = operation.accept(&self.head.headers).map_err(rejected)?;
        let body = match content {
            Content::Bytes(bytes) => bytes,
            Content::Form(_) => &[][..],
        };
        let input = RequestInput {
            path: &self.path,
            query: self.head.uri.query(),
            headers: &self.head.headers,
            body,
            encoded_max,
        };
        let arguments = match content {
            Content::Bytes(_) => operation.arguments(&input),
            Content::Form(parts) => operation.arguments_of_form(&input, parts),
        };
        let arguments = arguments.map_err(rejected)?;
        Ok(PreparedCall { arguments, accept })
    }
}

impl Content {
    /// Number of bytes.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Form(parts) => parts.bytes(),
        }
    }
}
