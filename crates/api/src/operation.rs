//! An operation: a function of an interface with its requests and responses.

use std::sync::Arc;

use weft_json::{Function, Settings};
use weft_lattice_config::template::RequestTemplate;
use weft_lattice_config::{OperationSpec, RouteSpec};
use weft_wire::{Scalar, SimpleType};

use crate::inputs::{self, BodyInput, Inputs};
use crate::mistakes::MistakesAt;
use crate::outcome::{Outcome, Output};
use crate::socket::MessageKind;
use crate::streams::StreamFormat;
use crate::type_text;

/// A function of an interface with its requests and responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub(crate) interface: Arc<str>,
    pub(crate) function: Function,
    pub(crate) request: RequestTemplate,
    pub(crate) location: Option<weft_lattice_config::template::LocationTemplate>,
    pub(crate) settings: Settings,
    pub(crate) inputs: Inputs,
    pub(crate) outcome: Outcome,
}

impl Operation {
    pub(crate) fn bind(
        (route, settings): (&RouteSpec, Settings),
        spec: &OperationSpec,
        (interface, function): (&Arc<str>, &Function),
        mistakes: &mut MistakesAt<'_>,
    ) -> Self {
        let operation = Self {
            interface: interface.clone(),
            function: function.clone(),
            request: spec.request.clone(),
            location: spec.location.clone(),
            settings,
            inputs: inputs::bind(spec, function, mistakes),
            outcome: Outcome::bind(route, spec, function, mistakes),
        };
        if operation.socket().is_some() && spec.ok.is_some() {
            let message = format!("`{}` is a WebSocket, which has no status", function.name);
            mistakes.add_with_help("ok", message, "remove `ok`");
        }
        operation
    }

    /// The name of the function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.function.name
    }

    /// The requests of the operation, below the path of the route.
    #[must_use]
    pub fn request(&self) -> &RequestTemplate {
        &self.request
    }

    /// The body of its requests.
    #[must_use]
    pub fn body(&self) -> &BodyInput {
        &self.inputs.body
    }

    /// The body of its responses that are not errors.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.outcome.ok
    }

    /// The statuses of results and errors of the function, in order.
    pub fn statuses(&self) -> impl Iterator<Item = u16> {
        self.outcome.statuses().into_iter()
    }

    /// The messages of the operation, if it is a WebSocket: `GET` of a function that takes a stream
    /// of messages and returns one.
    #[must_use]
    pub fn socket(&self) -> Option<MessageKind> {
        match (self.body(), self.output()) {
            (BodyInput::Messages(kind), Output::Stream(element)) if *element == kind.element() => {
                Some(*kind)
            }
            _ => None,
        }
    }

    /// True if the call of the function is a streaming call: of an `async func`, or with a stream.
    #[must_use]
    pub fn is_concurrent(&self) -> bool {
        self.function.is_async
            || matches!(
                self.body(),
                BodyInput::Stream(_) | BodyInput::Form | BodyInput::Messages(_)
            )
            || matches!(self.output(), Output::Stream(_))
    }

    /// The reason why a stream of the operation has no form in a body, if it has none.
    #[must_use]
    pub fn unserved_stream(&self) -> Option<String> {
        if let BodyInput::Stream(element) = self.body()
            && *element != SimpleType::Scalar(Scalar::U8)
        {
            let ty = type_text::simple(*element);
            let mut reason = format!(
                "takes a `stream<{ty}>`, and the body of a request can only be a `stream<u8>`"
            );
            if MessageKind::of_function(&self.function).is_some() {
                reason += "; with `GET` it is a WebSocket";
            }
            return Some(reason);
        }
        if self.socket().is_some() {
            return None;
        }
        if let BodyInput::Messages(kind) = self.body() {
            let ty = type_text::simple(kind.element());
            return Some(format!(
                "takes a `stream<{ty}>`, and a `GET` request with it is a WebSocket, whose \
                 function returns a `stream<{ty}>`, too"
            ));
        }
        match self.output() {
            Output::Stream(element) if StreamFormat::of(*element).is_empty() => {
                let ty = type_text::simple(*element);
                Some(format!(
                    "returns a `stream<{ty}>`, and the body of a response can only be a \
                     `stream<u8>` or a `stream<string>`"
                ))
            }
            _ => None,
        }
    }

    /// True if a call may run twice, because its host was lost: `GET`, `PUT` and `DELETE`, but no
    /// WebSocket, whose messages have effects.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.request.method.is_idempotent() && self.socket().is_none()
    }
}
