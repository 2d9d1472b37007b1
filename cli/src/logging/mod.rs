//! The log of a host process: filter, format, the queue before standard error ([`queue_writer`]),
//! and the buffer that `weft logs` reads.

mod queue_writer;

use std::io;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use weft_host::logs::{GUEST_TARGET, Logs};

use self::queue_writer::{FlushOnDrop, QueueWriter};
use crate::environment;
use crate::failure::{Failure, Kind};
use crate::output::colour_on_stderr;
use crate::progress;
use crate::styled::Colour;

/// The format of the log on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    // A line of text for each event.
    #[default]
    Text,
    // A JSON object for each event.
    Json,
}

/// Starts logging to standard error, and copies the lines of guests to `logs`.
///
/// Records of the `log` crate are not bridged: every `log::trace!` of the wasm runtime would
/// then pass the filter, and some are on the path of a request.
///
/// The log is complete once the returned guard has been dropped.
///
/// # Errors
/// `WEFT_LOG` is not a valid filter, or the thread of the log cannot be started.
pub(crate) fn start(format: LogFormat, logs: &Logs) -> Result<FlushOnDrop, Failure> {
    let directives = environment::log_filter();
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        Failure::new(
            Kind::Input,
            format!("invalid log filter in `WEFT_LOG`: `{directives}`"),
        )
        .caused_by(&error)
        .or_help("expected levels by target, as in `info` or `warn,weft=debug`")
    })?;
    let writer = QueueWriter::start(io::stderr(), |lines| {
        tracing::warn!(
            lines,
            "log lines were dropped, because standard error was not read"
        );
    });
    let writer = writer.map_err(|error| {
        Failure::new(Kind::Failed, "cannot start the thread of the log").caused_by(&error)
    })?;
    let flush = writer.flush_on_drop();
    // The console filter does not apply to `weft logs`.
    let guests = Targets::new().with_target(GUEST_TARGET, LevelFilter::TRACE);
    let subscriber = tracing_subscriber::registry()
        .with(logs.layer().with_filter(guests))
        .with(console(format, writer).with_filter(filter));
    tracing::subscriber::set_global_default(subscriber).map_err(|error| {
        Failure::new(
            Kind::Failed,
            "logging is already initialized in this process",
        )
        .caused_by(&error)
    })?;
    progress::leave_to_log();
    Ok(flush)
}

fn console<S>(format: LogFormat, writer: QueueWriter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Text => layer.with_ansi(colour_on_stderr() == Colour::On).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}
