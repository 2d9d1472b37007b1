//! `weft describe`: everything about an app, a component or a host on one page.

mod app;
mod component;
mod host;
mod page;
mod recent;

use clap::Args;
use weft_control::HostRef;
use weft_control::rows::HostRow;

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format};
use crate::target::{AppTarget, ComponentTarget};

const AFTER_HELP: &str = "\
Examples:
  weft describe shop                      an app: components, links, routes, providers
  weft describe shop/storefront           a component, and the standing of every host towards it
  weft describe host north                a host and its components

Each page ends with the latest events, as the host of the command observed them, and the latest log
lines with warnings and errors.";

/// Describe an app, a component or a host on one page
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Describe {
    /// App or component; or the word `app`, `component` or `host`, and a name
    #[arg(value_name = "APP|APP/COMPONENT|host HOST", num_args = 1..=2, required = true)]
    subject: Vec<String>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The subject of a page.
#[derive(Debug, PartialEq, Eq)]
enum Subject {
    App(AppTarget),
    Component(ComponentTarget),
    Host(HostRef),
}

impl Describe {
    /// Runs the command.
    ///
    /// # Errors
    /// The subject is missing, or no host answers.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let words: Vec<_> = self.subject.iter().map(String::as_str).collect();
        let subject = Subject::parse(&words)?;
        let client = connection::client(&self.host).await?;
        match subject {
            Subject::App(target) => {
                output::report(&app::fetch(&client, &target).await?, self.output)
            }
            Subject::Component(target) => {
                output::report(&component::fetch(&client, &target).await?, self.output)
            }
            Subject::Host(host) => output::report(&host::fetch(&client, &host).await?, self.output),
        }
        .map(drop)
    }
}

impl Subject {
    fn parse(words: &[&str]) -> Result<Subject, Failure> {
        match words {
            ["host" | "hosts", name] => {
                let host = name
                    .parse()
                    .map_err(|error| Failure::from_error(Kind::Input, &error));
                host.map(Subject::Host)
            }
            ["app" | "apps" | "component" | "components", target] | [target] => target
                .parse()
                .map(Subject::of)
                .map_err(|message: String| Failure::new(Kind::Input, message)),
            _ => {
                let message = format!("`{}` is no subject", words.join(" "));
                Err(Failure::new(Kind::Input, message).or_help(
                    "expected `APP`, `APP/COMPONENT` or `host HOST`, as in \
                     `weft describe shop/storefront`",
                ))
            }
        }
    }

    fn of(target: AppTarget) -> Subject {
        match target.component {
            None => Subject::App(target),
            Some(component) => Subject::Component(ComponentTarget {
                app: target.app,
                component,
            }),
        }
    }
}

/// The address for HTTP requests of the host of the command, which is the first of its rows.
fn http_of(hosts: &[HostRow]) -> Option<&str> {
    hosts.first()?.http.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_target_or_a_kind_and_a_name() {
        let app = || "shop".parse().map(Subject::App).unwrap();
        assert_eq!(Subject::parse(&["shop"]).unwrap(), app());
        assert_eq!(Subject::parse(&["app", "shop"]).unwrap(), app());
        let component = "shop/cart".parse().map(Subject::Component).unwrap();
        assert_eq!(Subject::parse(&["shop/cart"]).unwrap(), component);
        let host = "north".parse().map(Subject::Host).unwrap();
        assert_eq!(Subject::parse(&["host", "north"]).unwrap(), host);
        for words in [&["pod", "shop"][..], &["Shop"], &["host", "a b"]] {
            let failure = Subject::parse(words).unwrap_err();
            assert_eq!(failure.kind(), Kind::Input, "{words:?}");
        }
    }
}
