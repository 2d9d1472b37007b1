//! An operation: a function of an interface with its requests and responses.

use std::sync::Arc;

use weft_json::{Function, Settings};
use weft_lattice_config::template::RequestTemplate;
use weft_lattice_config::{OperationSpec, RouteSpec};

use crate::inputs::{self, BodyInput, Inputs};
use crate::mistakes::MistakesAt;
use crate::outcome::{Outcome, Output};

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
        Self {
            interface: interface.clone(),
            function: function.clone(),
            request: spec.request.clone(),
            location: spec.location.clone(),
            settings,
            inputs: inputs::bind(spec, function, mistakes),
            outcome: Outcome::bind(route, spec, function, mistakes),
        }
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

    /// True if a call may run twice, because its host was lost: `GET`, `PUT` and `DELETE`.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.request.method.is_idempotent()
    }
}
