//! Builds the components of a manifest, without printing: progress is a stream of events.
//!
//! [`jobs`] reads the components to build from a manifest, and [`run`] builds them. `weft build`
//! prints the events; other commands that build can use them otherwise.
//!
//! | module | owns |
//! | --- | --- |
//! | [`event`] | the events, and their JSON |
//! | [`job`] | one component: its tool, its file, its check |
//! | [`world`] | the WIT world that a component must implement |

pub(crate) mod event;
mod job;
mod world;

use std::collections::VecDeque;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use weft_build::Cancel;
use weft_lattice_config::{App, ComponentName, Language, Source, WitSource};

use crate::did_you_mean::suggest;
use crate::failure::{Failure, Kind};

use event::{BuildEvent, Event, Sink};
pub(crate) use job::Job;

/// The settings of all builds of a command.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The folder for installed tools.
    pub(crate) cache: PathBuf,
    /// The linker for Rust, if the user has set one.
    pub(crate) linker: Option<PathBuf>,
    /// The form of diagnostics of compilers.
    pub(crate) diagnostics: weft_build::rust::Diagnostics,
}

/// The builds of the components with these names, or of all that have a build.
///
/// # Errors
/// A name is unknown, a named component has no build, or no component has one.
pub(crate) fn jobs(
    app: &App,
    directory: &Path,
    names: &[ComponentName],
) -> Result<Vec<Job>, Failure> {
    let components = &app.spec.components;
    for name in names {
        if !components.iter().any(|component| component.name == *name) {
            let known = components.iter().map(|component| component.name.as_str());
            let help = suggest(name.as_str(), known)
                .map_or_else(String::new, |name| format!("did you mean `{name}`?"));
            let message = format!("app `{}` has no component `{name}`", app.metadata.name);
            let failure = Failure::new(Kind::Input, message);
            return Err(match help.is_empty() {
                true => failure,
                false => failure.with_help(help),
            });
        }
    }
    let mut jobs = Vec::new();
    for component in components {
        let is_named = names.contains(&component.name);
        if !names.is_empty() && !is_named {
            continue;
        }
        match (&component.build, &component.source) {
            (Some(build), Source::File(file)) => jobs.push(Job {
                component: component.name.to_string(),
                dir: directory.join(&build.dir),
                build: build.clone(),
                file: directory.join(file),
                wit: match &component.wit {
                    Some(WitSource::Folder(folder)) => Some(directory.join(folder)),
                    Some(WitSource::Text(_)) | None => None,
                },
            }),
            (Some(_), Source::Digest(_)) => {
                let name = &component.name;
                let message = format!("component `{name}` has a build, and a digest as its source");
                return Err(Failure::new(Kind::Input, message)
                    .with_help("set `source.file` to the file that the build makes"));
            }
            (None, _) if is_named => {
                let message = format!("component `{}` has no `build`", component.name);
                return Err(Failure::new(Kind::Input, message).with_help(BUILD_HELP));
            }
            (None, _) => {}
        }
    }
    if jobs.is_empty() {
        let message = format!(
            "app `{}` has no component with a `build`",
            app.metadata.name
        );
        return Err(Failure::new(Kind::Input, message).with_help(BUILD_HELP));
    }
    Ok(jobs)
}

const BUILD_HELP: &str =
    "name the language of the component, as in `build: rust`; `weft new` makes an example";

/// Builds components, and publishes each step. A component that cannot be built does not stop the
/// others. Returns once no tool runs any more.
///
/// Components in Rust, and those with a command of their own, are built one after another: cargo
/// uses all cores by itself, and locks its folders. The others are built beside them.
///
/// # Errors
/// The failures of all components, or [`Kind::Interrupted`] if the build was cancelled.
pub(crate) fn run(
    jobs: Vec<Job>,
    settings: &Settings,
    cancel: &Cancel,
    sink: &Arc<Sink>,
) -> Result<(), Failure> {
    let lanes = lanes(jobs);
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = workers.min(lanes.len());
    let lanes = Mutex::new(lanes);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(lane) = next(&lanes) {
                    for job in lane {
                        let failure = build(&job, settings, cancel, sink).err();
                        lock(&failures).extend(failure);
                    }
                }
            });
        }
    });
    if cancel.is_cancelled() {
        return Err(Failure::new(Kind::Interrupted, "the build was interrupted"));
    }
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Failure::merge(failures).map_or(Ok(()), Err)
}

fn build(job: &Job, settings: &Settings, cancel: &Cancel, sink: &Arc<Sink>) -> Result<(), Failure> {
    if cancel.is_cancelled() {
        return Ok(());
    }
    let publish = |event| sink(&job.component, event);
    publish(Event::Build(BuildEvent::BuildStarted {
        language: job.build.language.map(Language::as_str),
        dir: job.dir.display().to_string(),
    }));
    let outcome = job.build(settings, cancel, sink);
    match &outcome {
        Ok(built) => publish(Event::built(built)),
        Err(failure) => publish(Event::failed(failure)),
    }
    outcome
        .map(drop)
        .map_err(|failure| failure.within(format!("cannot build component `{}`", job.component)))
}

/// Groups of jobs; those of a group are built one after another.
fn lanes(jobs: Vec<Job>) -> VecDeque<Vec<Job>> {
    let (shared, own): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| {
        job.build.command.is_some() || matches!(job.build.language, Some(Language::Rust) | None)
    });
    let shared = (!shared.is_empty()).then_some(shared);
    let own = own.into_iter().map(|job| vec![job]);
    shared.into_iter().chain(own).collect()
}

fn next(lanes: &Mutex<VecDeque<Vec<Job>>>) -> Option<Vec<Job>> {
    lock(lanes).pop_front()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
