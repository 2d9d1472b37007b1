//! `weft call`: calls a function of a deployed component.

use std::io::{self, Read};
use std::time::Duration;

use clap::{Args, value_parser};
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use weft_control::{CALL_REPEAT_MAX, CallReply, CallRequest, CallTimes, JSON_BYTES_MAX};

use crate::all_hosts::OneHost;
use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};
use crate::target::{AppTarget, ComponentTarget};

const AFTER_HELP: &str = "\
Examples:
  weft call shop/pricing 'shop:catalog/pricing.find(\"teapot\")'
  weft call shop/orders 'shop:catalog/orders.place([{sku: \"teapot\", quantity: 1}])' -o json
  weft call shop/pricing 'shop:catalog/pricing.find(\"teapot\")' --repeat 1000
  weft call shop/orders place '{\"lines\": [{\"sku\": \"teapot\", \"quantity\": 1}]}'
  jq .order request.json | weft call shop/orders place -

An expression is a function with its arguments in WAVE: numbers, true, 'c', \"text\", [1, 2],
(1, \"a\"), {field: 1}, case(1), some(1), none, ok(1), err(\"why\"). A function without parentheses
takes its arguments as a JSON object of parameters, and its result is JSON, as in an HTTP API.
Single quotes protect both from the shell. `weft inspect APP/COMPONENT` lists the functions of a
component, and shells complete them (`weft help completions`).";

/// The help for an invalid expression.
const ACCEPTED_FORM: &str = "\
    expected a function with its arguments in parentheses, as in \
    'shop:catalog/pricing.find(\"teapot\")', or a function and its arguments in JSON, as in \
    shop:catalog/pricing.find '{\"sku\": \"teapot\"}'; `weft inspect APP/COMPONENT` lists the functions";

/// The argument that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The arguments in JSON of a function without any.
const NO_ARGUMENTS: &str = "{}";

/// Call a function of a deployed component, on a host that runs it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Call {
    /// Component to call
    #[arg(value_name = "APP/COMPONENT", add = completion::component())]
    component: ComponentTarget,
    /// Function and its arguments in WAVE, or a function alone
    #[arg(value_name = "EXPRESSION", add = completion::function())]
    expression: String,
    /// Arguments of a function alone: a JSON object of parameters, or `-` to read it from standard
    /// input
    #[arg(value_name = "JSON")]
    json: Option<String>,
    /// Repeat the call, each time as a separate request, and print the latencies
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1,
        value_parser = value_parser!(u32).range(1..=i64::from(CALL_REPEAT_MAX))
    )]
    repeat: u32,
    #[command(flatten)]
    one_host: OneHost,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The result of the call.
#[derive(Debug)]
struct Returned {
    reply: CallReply,
    /// True if the result is JSON, false for WAVE.
    is_json: bool,
}

impl Call {
    /// Runs the command.
    ///
    /// # Errors
    /// The component or the function is missing, the arguments are invalid, or the guest fails.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let json = arguments(&self.expression, self.json)?;
        let is_json = json.is_some();
        let client = connection::client(&self.host).await?;
        let ComponentTarget { app, component } = self.component;
        let request = CallRequest {
            app: app.to_string(),
            component: component.to_string(),
            expression: self.expression,
            json,
            repeat: self.repeat,
        };
        let called = match self.one_host.row(&client).await? {
            Some(host) => client.for_row(&host)?.call_here(&request).await,
            None => client.call(&request).await,
        };
        match called {
            Ok(reply) => output::report(&Returned { reply, is_json }, self.output).map(drop),
            Err(error) => {
                let target = AppTarget {
                    app,
                    component: Some(component),
                };
                let failure = connection::explain(&client, &target, error).await;
                Err(match failure.kind() {
                    Kind::Input => failure.or_help(ACCEPTED_FORM),
                    Kind::Failed
                    | Kind::Host
                    | Kind::Guest
                    | Kind::Identity
                    | Kind::Interrupted => failure,
                })
            }
        }
    }
}

/// The arguments in JSON; `None` for an expression, which has them in WAVE.
///
/// # Errors
/// Neither form is complete, or standard input cannot be read.
fn arguments(expression: &str, json: Option<String>) -> Result<Option<String>, Failure> {
    let text = expression.trim();
    let invalid = |problem: String| Failure::new(Kind::Input, problem).or_help(ACCEPTED_FORM);
    match (text.find('('), json) {
        (Some(0), _) => Err(invalid(format!("`{expression}` is not a call"))),
        (None, _) if text.is_empty() => Err(invalid("the function has no name".to_owned())),
        (None, Some(json)) if json == STANDARD_INPUT => read_standard_input().map(Some),
        (None, json) => Ok(Some(json.unwrap_or_else(|| NO_ARGUMENTS.to_owned()))),
        (Some(_), None) if text.ends_with(')') => Ok(None),
        (Some(_), None) => Err(invalid(format!("`{expression}` is not a call"))),
        (Some(_), Some(_)) => Err(invalid(format!(
            "`{expression}` has arguments already, and there are others in JSON"
        ))),
    }
}

fn read_standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let input = io::stdin().take(JSON_BYTES_MAX as u64 + 1);
    let read = io::BufReader::new(input).read_to_string(&mut text);
    let invalid = |problem: String| Failure::new(Kind::Input, problem);
    match read {
        Ok(bytes) if bytes as u64 > JSON_BYTES_MAX as u64 => Err(invalid(format!(
            "standard input has more than {JSON_BYTES_MAX} bytes, the limit of a call"
        ))),
        Ok(_) => Ok(text),
        Err(error) => Err(
            invalid("cannot read the arguments from standard input".to_owned()).caused_by(&error),
        ),
    }
}

impl Serialize for Returned {
    /// The fields of the reply; a result in JSON is a value, not a string.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WithValue<'a> {
            result: Option<Box<RawValue>>,
            elapsed_us: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            times: Option<&'a CallTimes>,
        }
        if !self.is_json {
            return self.reply.serialize(serializer);
        }
        let result = self.reply.result.clone().map(RawValue::from_string);
        let value = WithValue {
            result: result.transpose().map_err(S::Error::custom)?,
            elapsed_us: self.reply.elapsed_us,
            times: self.reply.times.as_ref(),
        };
        value.serialize(serializer)
    }
}

impl Report for Returned {
    /// The result; empty for a function without a result.
    fn text(&self) -> String {
        let result = self.reply.result.clone();
        let times = self.reply.times.as_ref().map(distribution);
        let lines: Vec<_> = result.into_iter().chain(times).collect();
        lines.join("\n")
    }
}

/// The latencies of repeated calls, in words.
fn distribution(times: &CallTimes) -> String {
    let CallTimes {
        calls,
        min_ns,
        median_ns,
        p99_ns,
        max_ns,
    } = *times;
    let [min, median, p99, max] = [min_ns, median_ns, p99_ns, max_ns].map(Duration::from_nanos);
    format!("{calls} calls: median {median:.1?}, min {min:.1?}, p99 {p99:.1?}, max {max:.1?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_arguments_in_parentheses_or_in_json() {
        let read = |text: &str, json: Option<&str>| {
            arguments(text, json.map(str::to_owned)).map_err(|failure| failure.kind())
        };
        for text in ["f()", "a:b/c@0.1.0.f(\"(\", {a: 1})", " a:b/c.f(1) "] {
            assert_eq!(read(text, None), Ok(None), "{text:?}");
            assert_eq!(read(text, Some("{}")), Err(Kind::Input), "{text:?}");
        }
        for text in ["f", "a:b/c.f"] {
            assert_eq!(read(text, None), Ok(Some("{}".to_owned())), "{text:?}");
            let json = "{\"a\": 1}";
            assert_eq!(
                read(text, Some(json)),
                Ok(Some(json.to_owned())),
                "{text:?}"
            );
        }
        for text in ["", "(1)", "f(1"] {
            assert_eq!(read(text, None), Err(Kind::Input), "{text:?}");
        }
    }

    #[test]
    fn only_the_result_and_the_latencies_are_printed() {
        let returned = |result: Option<&str>| Returned {
            reply: CallReply {
                result: result.map(str::to_owned),
                elapsed_us: 7,
                times: None,
            },
            is_json: false,
        };
        assert_eq!(returned(Some("ok(1)")).text(), "ok(1)");
        assert_eq!(returned(None).text(), "");
        let mut several = returned(Some("7"));
        several.reply.times = Some(CallTimes {
            calls: 100,
            min_ns: 900,
            median_ns: 1_240,
            p99_ns: 50_000,
            max_ns: 2_000_000,
        });
        assert_eq!(
            several.text(),
            "7\n100 calls: median 1.2µs, min 900.0ns, p99 50.0µs, max 2.0ms"
        );
        let expected = serde_json::json!({"result": null, "elapsed_us": 7});
        assert_eq!(serde_json::to_value(returned(None)).unwrap(), expected);
    }

    #[test]
    fn a_result_in_json_is_a_value_with_all_its_digits() {
        let returned = |result: Option<&str>| Returned {
            reply: CallReply {
                result: result.map(str::to_owned),
                elapsed_us: 7,
                times: None,
            },
            is_json: true,
        };
        let text = serde_json::to_string(&returned(Some("{\"n\":18446744073709551615}"))).unwrap();
        assert_eq!(
            text,
            "{\"result\":{\"n\":18446744073709551615},\"elapsed_us\":7}"
        );
        let text = serde_json::to_string(&returned(None)).unwrap();
        assert_eq!(text, "{\"result\":null,\"elapsed_us\":7}");
    }
}
