//! `weft call`: calls a function of a deployed component.

use std::time::Duration;

use clap::{Args, value_parser};
use serde::Serialize;
use weft_control::{CALL_REPEAT_MAX, CallReply, CallRequest, CallTimes};

use crate::all_hosts::OneHost;
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

Arguments and results are written in WAVE: numbers, true, 'c', \"text\", [1, 2], (1, \"a\"),
{field: 1}, case(1), some(1), none, ok(1), err(\"why\"). Single quotes protect the expression from
the shell. `weft inspect APP/COMPONENT` lists the functions of a component.";

/// The help for an invalid expression.
const ACCEPTED_FORM: &str = "\
    expected a function with its arguments in parentheses, as in \
    'shop:catalog/pricing.find(\"teapot\")'; `weft inspect APP/COMPONENT` lists the functions";

/// Call a function of a deployed component, on a host that runs it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Call {
    /// Component to call
    #[arg(value_name = "APP/COMPONENT")]
    component: ComponentTarget,
    /// Function and its arguments in WAVE
    #[arg(value_name = "EXPRESSION")]
    expression: String,
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
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Returned(CallReply);

impl Call {
    /// Runs the command.
    ///
    /// # Errors
    /// The component or the function is missing, the arguments are invalid, or the guest fails.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        check_form(&self.expression)?;
        let client = connection::client(&self.host).await?;
        let ComponentTarget { app, component } = self.component;
        let request = CallRequest {
            app: app.to_string(),
            component: component.to_string(),
            expression: self.expression,
            repeat: self.repeat,
        };
        let called = match self.one_host.row(&client).await? {
            Some(host) => client.for_row(&host)?.call_here(&request).await,
            None => client.call(&request).await,
        };
        match called {
            Ok(reply) => output::report(&Returned(reply), self.output).map(drop),
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

/// Rejects expressions that are invalid whatever the types, without a request to the host.
fn check_form(expression: &str) -> Result<(), Failure> {
    let text = expression.trim();
    let has_name = text.find('(').is_some_and(|parenthesis| parenthesis > 0);
    if has_name && text.ends_with(')') {
        return Ok(());
    }
    Err(Failure::new(Kind::Input, format!("`{expression}` is not a call")).or_help(ACCEPTED_FORM))
}

impl Report for Returned {
    /// The result in WAVE; empty for a function without a result.
    fn text(&self) -> String {
        let result = self.0.result.clone();
        let times = self.0.times.as_ref().map(distribution);
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
    fn a_call_has_a_name_and_parentheses() {
        for text in ["f()", "a:b/c@0.1.0.f(\"(\", {a: 1})", " a:b/c.f(1) "] {
            assert!(check_form(text).is_ok(), "{text:?}");
        }
        for text in ["", "f", "a:b/c.f", "(1)", "f(1", "f)"] {
            assert_eq!(
                check_form(text).map_err(|failure| failure.kind()),
                Err(Kind::Input),
                "{text:?}"
            );
        }
    }

    #[test]
    fn only_the_result_and_the_latencies_are_printed() {
        let returned = |result: Option<&str>| {
            Returned(CallReply {
                result: result.map(str::to_owned),
                elapsed_us: 7,
                times: None,
            })
        };
        assert_eq!(returned(Some("ok(1)")).text(), "ok(1)");
        assert_eq!(returned(None).text(), "");
        let Returned(mut several) = returned(Some("7"));
        several.times = Some(CallTimes {
            calls: 100,
            min_ns: 900,
            median_ns: 1_240,
            p99_ns: 50_000,
            max_ns: 2_000_000,
        });
        assert_eq!(
            Returned(several).text(),
            "7\n100 calls: median 1.2µs, min 900.0ns, p99 50.0µs, max 2.0ms"
        );
        let expected = serde_json::json!({"result": null, "elapsed_us": 7});
        assert_eq!(serde_json::to_value(returned(None)).unwrap(), expected);
    }
}
