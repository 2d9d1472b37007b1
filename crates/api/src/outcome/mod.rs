//! The outcome of an operation: from the result of a function to the status and the parts of a
//! response.

pub(crate) mod errors;
mod location;
mod respond;
mod returned;

use std::collections::BTreeSet;

use http::StatusCode;
use weft_json::{Function, Kind, Type};
use weft_lattice_config::template::Method;
use weft_lattice_config::{OperationSpec, RouteSpec};
use weft_wire::SimpleType;

use crate::mistakes::MistakesAt;

pub(crate) use self::errors::{ErrorRule, ErrorRules, case_names};
pub(crate) use self::location::Location;
pub use self::respond::Accept;
pub(crate) use self::respond::{guest_problem_kind, title};
pub use self::returned::Returned;

/// The responses of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The status of a result that is not an error.
    pub(crate) status: StatusCode,
    /// The value of such a result.
    pub(crate) ok: Output,
    /// The location of such a result.
    pub(crate) location: Option<Location>,
    /// The errors; `None` if the function cannot fail.
    pub(crate) errors: Option<ErrorOutput>,
    /// True if a missing value is 404.
    pub(crate) is_none_missing: bool,
}

/// The value in the body of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The function returns nothing.
    None,
    /// A value.
    Value(Type),
    /// The bytes of a `list<u8>`.
    Bytes,
    /// A stream.
    Stream(SimpleType),
}

/// The errors of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorOutput {
    /// The type of the error, if it has a value.
    pub(crate) ty: Option<Type>,
    /// The statuses.
    pub(crate) rules: ErrorRules,
}

impl Outcome {
    /// The outcome of a function in an operation of a route. Mistakes are added to `mistakes`,
    /// whose path is that of the operation.
    pub(crate) fn bind(
        route: &RouteSpec,
        spec: &OperationSpec,
        function: &Function,
        mistakes: &mut MistakesAt<'_>,
    ) -> Self {
        let (ok, errors) = match function.result.as_ref().map(|ty| (ty, ty.kind())) {
            None => (None, None),
            Some((_, Kind::Result { ok, err })) => {
                let rules = ErrorRules::new(err.as_ref(), &route.errors);
                let ty = err.clone();
                (ok.as_ref(), Some(ErrorOutput { ty, rules }))
            }
            Some((ty, _)) => (Some(ty), None),
        };
        let output = ok.map_or(Output::None, |ty| output_of(ty, mistakes));
        if output == Output::None {
            check_unused(spec, function, mistakes);
        }
        let template = spec.location.as_ref();
        let location = template
            .zip(ok)
            .and_then(|(template, ok)| Location::bind(template, &route.path, ok, mistakes));
        Self {
            status: status_of(&output, spec),
            location,
            errors,
            is_none_missing: spec.request.method == Method::Get
                && ok.is_some_and(|ty| ty.optional().is_some()),
            ok: output,
        }
    }

    /// The statuses of results and errors, in order.
    pub(crate) fn statuses(&self) -> BTreeSet<u16> {
        let errors = self
            .errors
            .iter()
            .flat_map(|errors| errors.rules.statuses());
        let missing = self.is_none_missing.then_some(StatusCode::NOT_FOUND);
        let all = errors.chain(missing).chain([self.status]);
        all.map(|status| status.as_u16()).collect()
    }
}

fn output_of(ty: &Type, mistakes: &mut MistakesAt<'_>) -> Output {
    match ty.kind() {
        Kind::Bytes => Output::Bytes,
        Kind::Stream(element) => Output::Stream(*element),
        Kind::Future(_) => {
            mistakes.add("func", "a future cannot be the result of an HTTP API");
            Output::None
        }
        _ => Output::Value(ty.clone()),
    }
}

fn status_of(output: &Output, spec: &OperationSpec) -> StatusCode {
    match (output, spec.ok) {
        (Output::None, _) => StatusCode::NO_CONTENT,
        // The manifest allows 200 to 299, all of which are statuses.
        (_, Some(status)) => StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        (_, None) => StatusCode::OK,
    }
}

/// Reports keys about a result of a function without one.
fn check_unused(spec: &OperationSpec, function: &Function, mistakes: &mut MistakesAt<'_>) {
    let keys = [
        ("ok", spec.ok.is_some()),
        ("location", spec.location.is_some()),
    ];
    for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set) {
        let message = format!(
            "`{}` has no result: its status is 204, without a body",
            function.name
        );
        let help = format!("remove `{key}`");
        mistakes.add_with_help(key, message, &help);
    }
}
