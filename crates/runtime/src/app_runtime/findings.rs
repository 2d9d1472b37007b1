//! The mistakes of an app while it is checked.

use weft_lattice_config::mistake_paths::{component_path, link_path};
use weft_lattice_config::{App, Mistake, Mistakes};
use weft_node::runtime::PrepareErrorKind;
use weft_state::artifacts::ArtifactError;
use weft_telemetry::chain;

use super::linked_app::AppError;
use crate::linking::BinaryError;

/// Mistakes, and their kind.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: Mistakes,
    /// The kind of all mistakes, or [`PrepareErrorKind::Refused`] if they differ.
    pub(super) kind: Option<PrepareErrorKind>,
}

impl Findings {
    /// Adds a mistake.
    pub(super) fn push(&mut self, kind: PrepareErrorKind, mistake: Mistake) {
        self.kind = match self.kind {
            Some(known) if known != kind => Some(PrepareErrorKind::Refused),
            Some(_) | None => Some(kind),
        };
        self.mistakes.push(mistake);
    }

    /// Adds the mistake of a component that cannot be read.
    pub(super) fn push_unreadable(&mut self, component: usize, error: &BinaryError) {
        let kind = match error {
            BinaryError::SourceIsFile { .. } => PrepareErrorKind::Malformed,
            BinaryError::Artifact {
                source: ArtifactError::Missing { .. },
                ..
            } => PrepareErrorKind::Missing,
            BinaryError::Artifact { .. } | BinaryError::Describe { .. } => {
                PrepareErrorKind::Refused
            }
        };
        let path = format!("{}.source", component_path(component));
        self.push(kind, Mistake::new(path, chain(error)));
    }

    /// Adds the mistakes of links.
    pub(super) fn append(&mut self, Mistakes(mistakes): Mistakes) {
        for mistake in mistakes {
            self.push(PrepareErrorKind::Refused, mistake);
        }
    }

    /// True if a mistake is in a component or in one of its links to others.
    pub(super) fn concern(&self, app: &App, component: usize) -> bool {
        let links = app.spec.links.iter().enumerate();
        let name = &app.spec.components[component].name;
        let links = links.filter(|(_, link)| link.from == *name);
        let links = links.map(|(index, _)| link_path(index));
        let mut places = links.chain([component_path(component)]);
        places.any(|place| self.mistakes.0.iter().any(|it| is_within(&it.path, &place)))
    }

    /// `Ok(value)` without a mistake.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub(super) fn or<T>(self, value: T) -> Result<T, AppError> {
        if self.mistakes.is_empty() {
            Ok(value)
        } else {
            Err(AppError::Mistakes(self))
        }
    }
}

/// True if a path is that of a place or of a part of it.
fn is_within(path: &str, place: &str) -> bool {
    let rest = path.strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
