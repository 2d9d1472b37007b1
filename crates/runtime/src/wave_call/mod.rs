//! Calls of a component's functions with arguments in WAVE, for `weft call`.
//!
//! Arguments and results are dynamic values; links between components do not use this module.

mod arguments;
mod type_text;

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type, Val};
use weft_control::{CallReply, CallTimes, ErrorCode};
use weft_lattice_config::{InterfaceName, InterfaceRef};
use weft_node::runtime;

use self::arguments::Parameter;
use crate::endpoint::{Endpoint, Exports, Failure};

/// The longest expression that is parsed.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// The most characters of an invalid expression that a message repeats.
const EXPRESSION_SHOWN_CHARS: usize = 80;

/// The deepest nesting of a function's types: bounds the recursion over them.
const TYPE_DEPTH_MAX: usize = 64;

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
    /// A parameter or result has a type without a text form.
    #[error("`{function}` takes or returns a {found}, which has no text form; call it over a link")]
    NoText {
        function: String,
        found: &'static str,
    },
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
            Self::NoFunction { .. } | Self::Arguments { .. } => {
                let target = format!("{}/{}", endpoint.app(), endpoint.component());
                Some(format!(
                    "run `weft inspect {target}` to list the functions and their types"
                ))
            }
            Self::Ambiguous { function, .. } => {
                Some(format!("write the interface before it, as in `ns:pkg/iface.{function}(…)`"))
            }
            Self::Expression { .. } => Some(
                "write `func(arguments)` or `ns:pkg/iface.func(arguments)`, arguments in WAVE: `\"text\", 3, {a: 1}`"
                    .to_owned(),
            ),
            Self::NoText { .. } | Self::Failed(_) => None,
        };
        runtime::CallError {
            code,
            help,
            source: Box::new(self),
        }
    }
}

/// A parsed expression: `ns:pkg/iface[@version].func(args)`, `name.func(args)` for an interface
/// with a plain name, or `func(args)` for a function of the component itself or of one of its
/// interfaces.
#[derive(Debug, PartialEq, Eq)]
struct Expression<'a> {
    interface: Option<Interface<'a>>,
    function: &'a str,
    /// Including the parentheses.
    arguments: &'a str,
}

/// An exported interface, as an expression names it.
#[derive(Debug, PartialEq, Eq)]
enum Interface<'a> {
    Named(InterfaceRef),
    Plain(&'a str),
}

impl Interface<'_> {
    /// True for the export with this name.
    fn matches(&self, export: &str) -> bool {
        match self {
            Self::Named(interface) => {
                let name = export.parse::<InterfaceName>();
                name.is_ok_and(|name| interface.matches(&name))
            }
            Self::Plain(name) => *name == export,
        }
    }
}

impl Display for Interface<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(interface) => interface.fmt(out),
            Self::Plain(name) => out.write_str(name),
        }
    }
}

/// An exported function, with the arguments of the call.
struct Target {
    index: ComponentExportIndex,
    arguments: Vec<Val>,
    results: usize,
}

/// The outcome of one or several successful calls.
pub(crate) struct CallOutcome {
    /// The last result, in WAVE.
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

/// Calls the function of `endpoint` that `text` names, `repeat` times one after another, each time
/// within the endpoint's deadline. Returns the last result in WAVE. Dropping the future stops the
/// guest.
///
/// # Errors
/// The [`CallError`] of the first call that fails.
pub(crate) async fn call(
    endpoint: &Endpoint,
    text: &str,
    repeat: u32,
) -> Result<CallOutcome, CallError> {
    let expression = Expression::parse(text)?;
    let component = endpoint.component_code().await?;
    let target = find(endpoint, &component, &expression)?;
    let mut durations = Vec::new();
    let mut result = None;
    for _ in 0..repeat {
        let started = Instant::now();
        result = request(endpoint, &target).await?;
        durations.push(started.elapsed());
    }
    let result = result
        .map(|value| render(expression.function, value))
        .transpose()?;
    Ok(CallOutcome { result, durations })
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

fn find(
    endpoint: &Endpoint,
    component: &Component,
    expression: &Expression<'_>,
) -> Result<Target, CallError> {
    let candidates = candidates(component, expression);
    let (parent, signature) = match &candidates[..] {
        [] => return Err(no_function(endpoint, component, expression)),
        [(parent, signature)] => (parent.as_deref(), signature),
        several => {
            let several = several.iter().filter_map(|(parent, _)| parent.as_deref());
            return Err(CallError::Ambiguous {
                function: expression.function.to_owned(),
                interfaces: quoted(several),
            });
        }
    };
    let parent = parent.and_then(|name| component.get_export_index(None, name));
    let Some(index) = component.get_export_index(parent.as_ref(), expression.function) else {
        return Err(no_function(endpoint, component, expression));
    };
    let parameters = signature.params().map(|(name, ty)| Parameter {
        name: name.to_owned(),
        ty,
    });
    let parameters: Vec<_> = parameters.collect();
    let types = parameters.iter().map(|parameter| parameter.ty.clone());
    for ty in types.chain(signature.results()) {
        check_text_form(expression.function, &ty, 0)?;
    }
    let arguments = arguments::parse(expression.arguments, &parameters);
    let arguments = arguments.map_err(|problem| CallError::Arguments {
        function: expression.function.to_owned(),
        problem,
    })?;
    Ok(Target {
        index,
        arguments,
        results: signature.results().len(),
    })
}

/// The exported functions that an expression may mean, each with the name of its interface. Without
/// an interface, a function of the component itself comes before those of interfaces.
fn candidates(
    component: &Component,
    expression: &Expression<'_>,
) -> Vec<(Option<String>, ComponentFunc)> {
    let engine = component.engine();
    let component_type = component.component_type();
    let mut candidates = Vec::new();
    for (name, item) in component_type.exports(engine) {
        match (&expression.interface, item.ty) {
            (None, item @ ComponentItem::ComponentFunc(_)) if name == expression.function => {
                return function_type(item)
                    .map(|function| (None, function))
                    .into_iter()
                    .collect();
            }
            (requested, ComponentItem::ComponentInstance(instance)) => {
                let matches = requested
                    .as_ref()
                    .is_none_or(|requested| requested.matches(name));
                let export = instance.get_export(engine, expression.function);
                if matches && let Some(function) = export.and_then(|it| function_type(it.ty)) {
                    candidates.push((Some(name.to_owned()), function));
                }
            }
            _ => {}
        }
    }
    candidates
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted = names.map(|name| format!("`{name}`"));
    quoted.collect::<Vec<_>>().join(", ")
}

fn function_type(item: ComponentItem) -> Option<ComponentFunc> {
    match item {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    }
}

fn no_function(
    endpoint: &Endpoint,
    component: &Component,
    expression: &Expression<'_>,
) -> CallError {
    let engine = component.engine();
    let component_type = component.component_type();
    let mut exports = Vec::new();
    for (name, item) in component_type.exports(engine) {
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                let functions = instance.exports(engine).filter_map(|(function, item)| {
                    function_type(item.ty).map(|_| format!("`{name}.{function}`"))
                });
                exports.extend(functions);
            }
            ComponentItem::ComponentFunc(_) => exports.push(format!("`{name}`")),
            _ => {}
        }
    }
    let function = match &expression.interface {
        Some(interface) => format!("{interface}.{}", expression.function),
        None => expression.function.to_owned(),
    };
    CallError::NoFunction {
        component: endpoint.component().to_owned(),
        function,
        exports: if exports.is_empty() {
            "none".to_owned()
        } else {
            exports.join(", ")
        },
    }
}

fn render(function: &str, value: Val) -> Result<String, CallError> {
    let text = with_maps_as_lists(value).to_wave();
    text.map_err(|error| CallError::Arguments {
        function: function.to_owned(),
        problem: format!("the result has no text form: {error}"),
    })
}

/// Replaces maps by lists of pairs, their form in WAVE. Values are as deep as their checked types.
fn with_maps_as_lists(value: Val) -> Val {
    let all = |values: Vec<Val>| values.into_iter().map(with_maps_as_lists).collect();
    let boxed = |value: Option<Box<Val>>| value.map(|value| Box::new(with_maps_as_lists(*value)));
    match value {
        Val::Map(entries) => {
            let entries = entries.into_iter();
            let pairs = entries.map(|(key, value)| {
                Val::Tuple(vec![with_maps_as_lists(key), with_maps_as_lists(value)])
            });
            Val::List(pairs.collect())
        }
        Val::List(items) => Val::List(all(items)),
        Val::Tuple(items) => Val::Tuple(all(items)),
        Val::Record(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, value)| (name, with_maps_as_lists(value)));
            Val::Record(fields.collect())
        }
        Val::Variant(name, payload) => Val::Variant(name, boxed(payload)),
        Val::Option(some) => Val::Option(boxed(some)),
        Val::Result(Ok(value)) => Val::Result(Ok(boxed(value))),
        Val::Result(Err(value)) => Val::Result(Err(boxed(value))),
        other => other,
    }
}

/// Rejects types without a text form, before the call runs.
fn check_text_form(function: &str, ty: &Type, depth: usize) -> Result<(), CallError> {
    let unsupported = |found| {
        Err(CallError::NoText {
            function: function.to_owned(),
            found,
        })
    };
    if depth > TYPE_DEPTH_MAX {
        return unsupported("type nested too deeply");
    }
    let inner = |ty: &Type| check_text_form(function, ty, depth + 1);
    match ty {
        Type::Own(_) | Type::Borrow(_) => unsupported("resource"),
        Type::Stream(_) => unsupported("stream"),
        Type::Future(_) => unsupported("future"),
        Type::ErrorContext => unsupported("error context"),
        Type::FixedLengthList(_) => unsupported("list of fixed length"),
        Type::List(list) => inner(&list.ty()),
        Type::Map(map) => inner(&map.key()).and_then(|()| inner(&map.value())),
        Type::Option(option) => inner(&option.ty()),
        Type::Tuple(tuple) => tuple.types().try_for_each(|ty| inner(&ty)),
        Type::Record(record) => record.fields().try_for_each(|field| inner(&field.ty)),
        Type::Variant(variant) => variant
            .cases()
            .filter_map(|case| case.ty)
            .try_for_each(|ty| inner(&ty)),
        Type::Result(result) => [result.ok(), result.err()]
            .into_iter()
            .flatten()
            .try_for_each(|ty| inner(&ty)),
        _ => Ok(()),
    }
}

impl<'a> Expression<'a> {
    fn parse(text: &'a str) -> Result<Self, CallError> {
        let invalid = |problem: &str| CallError::Expression {
            expression: text.chars().take(EXPRESSION_SHOWN_CHARS).collect(),
            problem: problem.to_owned(),
        };
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(invalid("longer than 1 MiB"));
        }
        let text = text.trim();
        let open = text
            .find('(')
            .ok_or_else(|| invalid("expected `func(arguments)`, found no `(`"))?;
        let (path, arguments) = text.split_at(open);
        if !arguments.ends_with(')') {
            return Err(invalid("expected `)` at the end"));
        }
        // The last dot separates them: versions contain dots, names of functions do not.
        match path.rsplit_once('.') {
            Some((interface, function)) => {
                let interface = match interface.contains([':', '/']) {
                    true => Interface::Named(
                        interface
                            .parse()
                            .map_err(|error| invalid(&format!("{error}")))?,
                    ),
                    false => Interface::Plain(interface),
                };
                Ok(Self {
                    interface: Some(interface),
                    function,
                    arguments,
                })
            }
            None => Ok(Self {
                interface: None,
                function: path,
                arguments,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_split_into_interface_function_and_arguments() {
        let call = Expression::parse(r#"shop:catalog/pricing.quote("a.b(c", 3)"#).unwrap();
        assert_eq!(call.interface.unwrap().to_string(), "shop:catalog/pricing");
        assert_eq!(
            (call.function, call.arguments),
            ("quote", r#"("a.b(c", 3)"#)
        );

        let call = Expression::parse("shop:catalog/pricing@0.1.0.quote()").unwrap();
        assert_eq!(
            call.interface.unwrap().to_string(),
            "shop:catalog/pricing@0.1.0"
        );

        let call = Expression::parse(r#"primary.quote("a.b")"#).unwrap();
        assert_eq!(call.interface, Some(Interface::Plain("primary")));
        assert_eq!(call.function, "quote");

        let call = Expression::parse("run()").unwrap();
        assert_eq!((call.interface, call.function), (None, "run"));
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

    #[test]
    fn the_maps_of_a_result_are_lists_of_pairs() {
        let map = |value| Val::Map(vec![(Val::String("a".to_owned()), value)]);
        let cases = [
            (map(Val::U8(1)), r#"[("a", 1)]"#),
            (Val::Map(Vec::new()), "[]"),
            (
                Val::Option(Some(Box::new(map(Val::List(vec![map(Val::U8(2))]))))),
                r#"some([("a", [[("a", 2)]])])"#,
            ),
            (
                Val::Result(Err(Some(Box::new(Val::Record(vec![(
                    "of".to_owned(),
                    Val::Variant("c".to_owned(), Some(Box::new(map(Val::Bool(true))))),
                )]))))),
                r#"err({of: c([("a", true)])})"#,
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(render("f", value).unwrap(), expected);
        }
    }

    #[test]
    fn an_invalid_call_is_rejected_with_the_expected_form() {
        for (text, expected) in [
            ("quote", "found no `(`"),
            ("quote(1", "expected `)`"),
            ("shop/pricing.quote(1)", "shop/pricing"),
        ] {
            let error = Expression::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
