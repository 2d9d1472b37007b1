//! The events of a build. `weft build --message-format json` prints them; fields are added, never
//! renamed.

use serde::Serialize;

use super::job::Built;
use crate::failure::{Failure, Message, Plain};

/// The receiver of events, with the name of the component. Builds call it from several threads.
pub(crate) type Sink = dyn Fn(&str, Event) + Send + Sync;

/// A step of the build of a component.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Event {
    /// A step of the build itself.
    Build(BuildEvent),
    /// A step of a tool.
    Tool(weft_build::Event),
}

/// A step of the build of a component beside those of its tools.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum BuildEvent {
    /// The first event of a component.
    BuildStarted {
        language: Option<&'static str>,
        dir: String,
    },
    /// The last event of a component.
    BuildFinished {
        success: bool,
        /// The file of the component.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// The reason of a failure, outermost first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        errors: Vec<String>,
        /// The next step after a failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
}

/// An event with its component: a line of JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ComponentEvent<'a> {
    pub(crate) component: &'a str,
    #[serde(flatten)]
    pub(crate) event: &'a Event,
}

impl Event {
    /// The last event of a component that was built.
    pub(super) fn built(built: &Built) -> Event {
        Event::Build(BuildEvent::BuildFinished {
            success: true,
            file: Some(built.file.display().to_string()),
            bytes: Some(built.bytes),
            digest: Some(built.digest.to_string()),
            errors: Vec::new(),
            help: None,
        })
    }

    /// The last event of a component that was not built.
    pub(super) fn failed(failure: &Failure) -> Event {
        let mut errors = Vec::new();
        let mut first_help = None;
        for message in failure.messages() {
            match message {
                Message::Plain(Plain {
                    message,
                    causes,
                    help,
                }) => {
                    errors.extend(std::iter::once(message).chain(causes).cloned());
                    first_help = first_help.or(help.clone());
                }
                Message::Formatted(text) => errors.push(text.clone()),
            }
        }
        Event::Build(BuildEvent::BuildFinished {
            success: false,
            file: None,
            bytes: None,
            digest: None,
            errors,
            help: first_help,
        })
    }
}
