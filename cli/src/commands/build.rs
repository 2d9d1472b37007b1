//! `weft build`: builds the components of a manifest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use weft_build::Cancel;
use weft_build::rust::Diagnostics;
use weft_lattice_config::ComponentName;

use crate::build::event::{BuildEvent, ComponentEvent, Event, Sink};
use crate::build::{self, Job, Settings};
use crate::environment;
use crate::failure::{Failure, Kind};
use crate::get_columns::size;
use crate::manifest;
use crate::output::{self, Format, Report};
use crate::signals::Signals;
use crate::styled::Colour;

/// The manifest of a project of `weft new`.
pub(crate) const MANIFEST_DEFAULT: &str = "weft.yaml";

/// The time for which interrupted tools may end by themselves.
const INTERRUPT_GRACE: Duration = Duration::from_secs(3);

const AFTER_HELP: &str = "\
Examples:
  weft build                              build all components of weft.yaml with a `build`
  weft build -f shop.yaml pricing         build one component of another manifest
  weft build && weft up -f weft.yaml      build, then start a host with the app

A component with `build: rust` (or python, javascript, c) is built by the tool of its language; with
`build: {command: …}` by that command. Missing tools are installed below the user's cache folder.
Each command is printed before it runs. The component is compared with its WIT world, and its size
and digest are printed. A deploy uploads it: `weft deploy weft.yaml`.

Ctrl-C ends the tools and the build, with code 130.";

/// Build components from source with the tools of their languages
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BuildCommand {
    /// The components to build; all that have a `build` by default
    #[arg(value_name = "COMPONENT")]
    components: Vec<ComponentName>,
    /// The manifest
    #[arg(short, long, value_name = "FILE", default_value = MANIFEST_DEFAULT)]
    file: PathBuf,
    /// Print progress in this format; json is for editors, an event on each line
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    message_format: Format,
}

/// A component that was built, as text.
#[derive(Debug, Serialize)]
struct Line(String);

impl Report for Line {
    fn text(&self) -> String {
        self.0.clone()
    }
}

impl Report for ComponentEvent<'_> {
    fn text(&self) -> String {
        String::new()
    }
}

impl BuildCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The manifest is invalid, or a component cannot be built.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let manifest = manifest::read_text(&self.file)
            .map_err(|messages| Failure::all(Kind::Input, messages))?;
        let directory = self.file.parent().unwrap_or(Path::new(""));
        let jobs = build::jobs(&manifest.app, directory, &self.components)?;
        let settings = Settings {
            cache: environment::cache_directory()?,
            linker: environment::component_linker(),
            diagnostics: match self.message_format {
                Format::Text => Diagnostics::Text {
                    colour: output::colour_on_stderr() == Colour::On,
                },
                Format::Json => Diagnostics::Messages,
            },
        };
        let sink: Arc<Sink> = match self.message_format {
            Format::Text => text_sink(&jobs),
            Format::Json => Arc::new(|component, event| {
                let event = ComponentEvent {
                    component,
                    event: &event,
                };
                // A closed pipe does not end a build, which has its files as a result.
                let _ = output::line(&event, Format::Json);
            }),
        };
        let cancel = Cancel::default();
        let work = {
            let cancel = cancel.clone();
            tokio::task::spawn_blocking(move || build::run(jobs, &settings, &cancel, &sink))
        };
        until_done(work, &cancel, &mut signals).await
    }
}

/// Waits for a build. A signal ends its tools, first gently.
async fn until_done(
    mut work: JoinHandle<Result<(), Failure>>,
    cancel: &Cancel,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let done = tokio::select! {
        done = &mut work => done,
        _ = signals.next() => {
            cancel.cancel();
            match timeout(INTERRUPT_GRACE, &mut work).await {
                Ok(done) => done,
                Err(_) => {
                    cancel.kill();
                    work.await
                }
            }
        }
    };
    done.unwrap_or_else(|error| {
        Err(Failure::new(Kind::Failed, "the build ended unexpectedly").caused_by(&error))
    })
}

/// Prints commands and the output of tools on standard error, and results on standard output. With
/// several components, each line has the name of its component.
fn text_sink(jobs: &[Job]) -> Arc<Sink> {
    let width = jobs.iter().map(|job| job.component.len()).max();
    let width = width.filter(|_| jobs.len() > 1);
    Arc::new(move |component, event| {
        let prefix = match width {
            Some(width) => format!("{component:width$} | "),
            None => String::new(),
        };
        match event {
            Event::Tool(weft_build::Event::Command { command }) => {
                output::note(&format!("{prefix}$ {command}"));
            }
            Event::Tool(weft_build::Event::Note { message }) => {
                output::note(&format!("{prefix}{message}"));
            }
            Event::Tool(weft_build::Event::Output { line, .. }) => {
                output::tool_line(&format!("{prefix}{line}"));
            }
            Event::Tool(weft_build::Event::CompilerMessage { message }) => {
                let rendered = message["rendered"].as_str().unwrap_or_default();
                for line in rendered.lines() {
                    output::tool_line(&format!("{prefix}{line}"));
                }
            }
            Event::Build(BuildEvent::BuildFinished {
                file: Some(file),
                bytes: Some(bytes),
                digest: Some(digest),
                ..
            }) => {
                let size = size(u64::try_from(bytes).unwrap_or(u64::MAX));
                let line = format!("{component}: {file} ({size}, {digest})");
                let _ = output::line(&Line(line), Format::Text);
            }
            // A failure is printed once, at the end.
            Event::Build(BuildEvent::BuildStarted { .. } | BuildEvent::BuildFinished { .. }) => {}
        }
    })
}
