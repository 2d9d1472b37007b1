//! Calls of a component's functions with arguments in WAVE or JSON, for `weft call`.
//!
//! Arguments and results are dynamic values; links between components do not use this module.

mod function;
mod json;
mod signature;
mod type_text;
mod wave;

use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::{Component, ComponentExportIndex, Val};
use weft_control::{CallReply, CallRequest, CallTimes, ErrorCode};
use weft_node::runtime;

use self::function::{Function, FunctionName};
use self::json::JsonTypes;
use crate::endpoint::{Endpoint, Exports, Failure};

/// The longest expression that is parsed.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// The most characters of an invalid expression that a message repeats.
const EXPRESSION_SHOWN_CHARS: usize = 80;

/// A reason for which a call has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The expression cannot be parsed.
    #[error("`{expression}` is not a call: {problem}")]
    Expression {
        /// Shortened to [`EXPRESSION_SHOWN_CHARS`].
        expression: String,
        problem: String,
    },
    /// The component does not export the function.
    #[error("component `{component}` does not export function `{function}`; found {exports}")]
    NoFunction {
        component: String,
        function: String,
        /// The exported function with nearly this name.
        similar: Option<String>,
        /// The exported functions, for the message.
        exports: String,
    },
    /// Several interfaces of the component have the function.
    #[error("function `{function}` is exported by several interfaces: {interfaces}")]
    Ambiguous {
        function: String,
        /// The interfaces, for the message.
        interfaces: String,
    },
    /// The arguments do not match the types of the function.
    #[error("the arguments do not fit `{function}`: {problem}")]
    Arguments {
        function: String,
        /// The invalid piece of the arguments, and the reason.
        problem: String,
    },
    /// The result has no text.
    #[error("the result of `{function}` has no text form: {problem}")]
    Result { function: String, problem: String },
    /// A parameter or result has a type without a text form.
    #[error("`{function}` takes or returns a {found}, which has no text form; call it over a link")]
    NoText { function: String, found: String },
    /// The call failed in the component, or before it.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl CallError {
    /// Converts the error for the caller: adds a code and the next step.
    pub(crate) fn for_caller(self, endpoint: &Endpoint) -> runtime::CallError {
        let code = match &self {
            Self::Expression { .. }
            | Self::Ambiguous { .. }
            | Self::Arguments { .. }
            | Self::Result { .. }
            | Self::NoText { .. } => ErrorCode::BadRequest,
            Self::NoFunction { .. } => ErrorCode::NotFound,
            Self::Failed(failure) => match failure {
                Failure::Full { .. } | Failure::PoolFull | Failure::MemoryFull { .. } => {
                    ErrorCode::Busy
                }
                Failure::Deadline { .. } | Failure::SilentClient => ErrorCode::Deadline,
                Failure::BadRequest(_) => ErrorCode::BadRequest,
                Failure::NotLoaded(_) => ErrorCode::Internal,
                Failure::Limit(_)
                | Failure::Exited(_)
                | Failure::AfterResponse { .. }
                | Failure::OfInstance(_)
                | Failure::Unfinished
                | Failure::Link { .. }
                | Failure::Trapped(_)
                | Failure::NoResponse
                | Failure::ErrorCode(_) => ErrorCode::Trapped,
            },
        };
        let help = match &self {
            Self::NoFunction {
                similar: Some(similar),
                ..
            } => Some(format!("did you mean `{similar}`?")),
            Self::NoFunction { .. } | Self::Arguments { .. } => {
                let target = format!("{}/{}", endpoint.app(), endpoint.component());
                Some(format!(
                    "run `weft inspect {target}` to list the functions and their types"
                ))
            }
            Self::Ambiguous { function, .. } => Some(format!(
                "write the interface before it, as in `ns:pkg/iface.{function}(…)`"
            )),
            Self::Expression { .. } => Some(
                "write `func(arguments)` or `ns:pkg/iface.func(arguments)`, arguments in WAVE: \
                 `\"text\", 3, {a: 1}`; or the function and its arguments in JSON"
                    .to_owned(),
            ),
            Self::Result { .. } | Self::NoText { .. } | Self::Failed(_) => None,
        };
        runtime::CallError {
            code,
            help,
            source: Box::new(self),
        }
    }
}

/// An exported function, with the arguments of the call.
struct Target {
    index: ComponentExportIndex,
    arguments: Vec<Val>,
    results: usize,
    form: Form,
}

/// The form of arguments and result.
enum Form {
    Wave,
    Json(JsonTypes),
}

/// The outcome of one or several successful calls.
pub(crate) struct CallOutcome {
    /// The last result, in the form of the arguments.
    result: Option<String>,
    /// The duration of each call. Never empty.
    durations: Vec<Duration>,
}

impl CallOutcome {
    /// The reply to the caller.
    pub(crate) fn reply(mut self) -> CallReply {
        let elapsed: Duration = self.durations.iter().sum();
        self.durations.sort_unstable();
        CallReply {
            result: self.result,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            times: call_times(&self.durations),
        }
    }
}

/// The distribution of durations in ascending order; `None` for fewer than two.
fn call_times(sorted: &[Duration]) -> Option<CallTimes> {
    let [min, .., max] = sorted else { return None };
    let nanoseconds = |duration: &Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    // The nearest-rank method.
    let percentile = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).map_or(0, nanoseconds)
    };
    Some(CallTimes {
        calls: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        min_ns: nanoseconds(min),
        median_ns: percentile(50),
        p99_ns: percentile(99),
        max_ns: nanoseconds(max),
    })
}

/// Calls a function of `endpoint`, as often as the request says and one after another, each time
/// within the endpoint's deadline. Returns the last result, in the form of the arguments. Dropping
/// the future stops the guest.
///
/// # Errors
/// The [`CallError`] of the first call that fails.
pub(crate) async fn call(
    endpoint: &Endpoint,
    call: &CallRequest,
) -> Result<CallOutcome, CallError> {
    let (name, arguments) = split(call)?;
    let component = endpoint.component_code().await?;
    let target = Target::new(endpoint, &component, &name, arguments)?;
    let mut durations = Vec::new();
    let mut result = None;
    for _ in 0..call.repeat {
        let started = Instant::now();
        result = request(endpoint, &target).await?;
        durations.push(started.elapsed());
    }
    let result = result.map(|value| target.form.write(value)).transpose();
    let result = result.map_err(|problem| CallError::Result {
        function: name.function.to_owned(),
        problem,
    })?;
    Ok(CallOutcome { result, durations })
}

/// The arguments as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments<'a> {
    /// Including the parentheses.
    Wave(&'a str),
    /// An object of parameters.
    Json(&'a str),
}

/// Splits a request into the name of the function and the arguments.
fn split(call: &CallRequest) -> Result<(FunctionName<'_>, Arguments<'_>), CallError> {
    let text = call.expression.trim();
    let invalid = |problem: String| CallError::Expression {
        expression: text.chars().take(EXPRESSION_SHOWN_CHARS).collect(),
        problem,
    };
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(invalid("longer than 1 MiB".to_owned()));
    }
    let (name, arguments) = match (&call.json, text.find('(')) {
        (Some(json), None) => (text, Arguments::Json(json)),
        (Some(_), Some(_)) => {
            let problem = "expected a function without `(` beside arguments in JSON";
            return Err(invalid(problem.to_owned()));
        }
        (None, Some(open)) => {
            let (name, arguments) = text.split_at(open);
            if !arguments.ends_with(')') {
                return Err(invalid("expected `)` at the end".to_owned()));
            }
            (name, Arguments::Wave(arguments))
        }
        (None, None) => {
            let problem = "expected `func(arguments)`, found no `(`";
            return Err(invalid(problem.to_owned()));
        }
    };
    let name = FunctionName::parse(name).map_err(invalid)?;
    Ok((name, arguments))
}

impl Target {
    fn new(
        endpoint: &Endpoint,
        component: &Component,
        name: &FunctionName<'_>,
        arguments: Arguments<'_>,
    ) -> Result<Self, CallError> {
        let function = Function::find(endpoint, component, name)?;
        let parameters = function.parameters();
        let no_text = |found| CallError::NoText {
            function: name.function.to_owned(),
            found,
        };
        wave::check_types(&function.types).map_err(|found| no_text(found.to_owned()))?;
        let (arguments, form) = match arguments {
            Arguments::Wave(text) => (wave::parse(text, &parameters), Form::Wave),
            Arguments::Json(text) => {
                let types = JsonTypes::new(&function.types).map_err(no_text)?;
                let arguments = types.read(text);
                let arguments = arguments.map_err(|problem| {
                    format!("{problem}; expected {}", signature::of(&parameters))
                });
                (arguments, Form::Json(types))
            }
        };
        Ok(Self {
            index: function.index,
            arguments: arguments.map_err(|problem| CallError::Arguments {
                function: name.function.to_owned(),
                problem,
            })?,
            results: function.types.results().len(),
            form,
        })
    }
}

impl Form {
    /// Writes a result.
    ///
    /// # Errors
    /// If the value has no text.
    fn write(&self, value: Val) -> Result<String, String> {
        match self {
            Self::Wave => wave::write(value),
            Self::Json(types) => types.write(&value),
        }
    }
}

/// Makes one call, which counts as a request of its own.
async fn request(endpoint: &Endpoint, target: &Target) -> Result<Option<Val>, Failure> {
    let _admission = endpoint.admit()?;
    let limit = endpoint.settings().deadline;
    let deadline = Instant::now() + limit;
    let running = endpoint.in_turns(run(endpoint, target, deadline));
    let outcome = tokio::time::timeout_at(deadline, running).await;
    let outcome = outcome.unwrap_or(Err(Failure::Deadline { limit }));
    if outcome.as_ref().is_err_and(Failure::is_guest_fault) {
        endpoint.count_trap();
    }
    outcome
}

async fn run(
    endpoint: &Endpoint,
    target: &Target,
    deadline: Instant,
) -> Result<Option<Val>, Failure> {
    let mut instance = endpoint.instance_for_call(deadline, 0).await?;
    let Exports::Plain(exports) = &instance.exports else {
        return Err(Failure::BadRequest(
            "the component takes HTTP requests only".to_owned(),
        ));
    };
    let Some(function) = exports.get_func(&mut instance.store, target.index) else {
        return Err(Failure::BadRequest(
            "the function is not exported".to_owned(),
        ));
    };
    let mut results = vec![Val::Bool(false); target.results];
    match function
        .call_async(&mut instance.store, &target.arguments, &mut results)
        .await
    {
        Ok(()) => {
            endpoint.give_back(instance);
            Ok(results.into_iter().next())
        }
        Err(error) => Err(Failure::of(error, instance.store.data())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_split_into_a_function_and_arguments_of_either_form() {
        let request = |expression: &str, json: Option<&str>| CallRequest {
            app: "shop".to_owned(),
            component: "pricing".to_owned(),
            expression: expression.to_owned(),
            json: json.map(str::to_owned),
            repeat: 1,
        };
        let call = request(r#" shop:catalog/pricing.quote("a.b(c", 3) "#, None);
        let (name, arguments) = split(&call).unwrap();
        assert_eq!(name.to_string(), "shop:catalog/pricing.quote");
        assert_eq!(arguments, Arguments::Wave(r#"("a.b(c", 3)"#));

        let call = request("primary.quote", Some("{}"));
        let (name, arguments) = split(&call).unwrap();
        assert_eq!(name.to_string(), "primary.quote");
        assert_eq!(arguments, Arguments::Json("{}"));

        for (expression, json, expected) in [
            ("quote", None, "found no `(`"),
            ("quote(1", None, "expected `)`"),
            ("quote(1)", Some("{}"), "beside arguments in JSON"),
            ("shop/pricing.quote(1)", None, "shop/pricing"),
            ("(1)", None, "expected the name of a function"),
        ] {
            let error = split(&request(expression, json)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn several_calls_report_their_distribution_and_one_does_not() {
        let reply = |nanoseconds: Vec<u64>| {
            let durations = nanoseconds.into_iter().map(Duration::from_nanos).collect();
            let result = Some("7".to_owned());
            CallOutcome { result, durations }.reply()
        };
        let one = reply(vec![7_999]);
        assert_eq!((one.elapsed_us, one.times), (7, None));
        let several = reply((1..=200).rev().map(|number| number * 1_000).collect());
        assert_eq!(several.elapsed_us, 20_100);
        let expected = CallTimes {
            calls: 200,
            min_ns: 1_000,
            median_ns: 100_000,
            p99_ns: 198_000,
            max_ns: 200_000,
        };
        assert_eq!(several.times, Some(expected));
    }
}
