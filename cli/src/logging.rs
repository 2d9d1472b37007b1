//! The log of a host process: which lines, in which form, and the copy that `weft logs` reads.

use std::io;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use weft_host::logs::{GUEST_TARGET, Logs};

use crate::environment;
use crate::failure::{Failure, Kind};
use crate::output::{Colour, colour_on_stderr};

/// The form of the log on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    // A line of text for each event.
    #[default]
    Text,
    // A JSON object for each event.
    Json,
}

/// Starts the log of this process: to standard error, and the guests' lines also to `logs`.
///
/// Lines of the `log` crate are left out: to take them, every `log::trace!` of the wasm runtime would
/// have to be asked about, and some of them stand on the path of a request.
///
/// # Errors
/// `WEFT_LOG` is no filter.
pub(crate) fn start(format: LogFormat, logs: &Logs) -> Result<(), Failure> {
    let directives = environment::log_filter();
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        Failure::new(
            Kind::Input,
            format!("`WEFT_LOG` is no filter: `{directives}`"),
        )
        .caused_by(&error)
        .or_help("expected levels by target, as in `info` or `warn,weft=debug`")
    })?;
    // What people see on the console has no say in what `weft logs` has.
    let guests = Targets::new().with_target(GUEST_TARGET, LevelFilter::TRACE);
    let subscriber = tracing_subscriber::registry()
        .with(logs.layer().with_filter(guests))
        .with(console(format).with_filter(filter));
    tracing::subscriber::set_global_default(subscriber).map_err(|error| {
        Failure::new(Kind::Failed, "the log of this process was started before").caused_by(&error)
    })
}

fn console<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    // A closed standard error must not stop a host: reporting the failed write would panic.
    let layer = fmt::layer()
        .with_writer(io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => layer.with_ansi(colour_on_stderr() == Colour::On).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}
