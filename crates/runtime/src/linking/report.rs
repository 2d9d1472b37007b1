//! What is said of a link when somebody asks how it works: `weft get links`, `weft link why`.

use std::time::Duration;

use weft_lattice_config::App;

use super::store_crossing::Crossings;
use super::modes::{Choice, Mode};
use super::resolve::ComponentLink;

/// How one import of a component is linked to another component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkReport {
    /// The index of the link in the manifest.
    pub(crate) link: usize,
    /// The name of the import.
    pub(crate) import: String,
    pub(crate) mode: Mode,
    /// Why it is not fused; empty if it is.
    pub(crate) reasons: Vec<String>,
    /// Each function, and how its calls go.
    pub(crate) functions: Vec<(String, &'static str)>,
    /// How long a call may take, by the manifest.
    pub(crate) deadline: Option<Duration>,
}

impl LinkReport {
    /// One for each import that is linked to a component.
    pub(crate) fn all(
        app: &App,
        links: &[ComponentLink],
        choices: &[Choice],
        crossings: &Crossings,
    ) -> Vec<Self> {
        let reports = links.iter().zip(choices).map(|(link, choice)| {
            let deadline = app.spec.links[link.link].deadline;
            Self {
                link: link.link,
                import: link.edge.import.clone(),
                mode: choice.mode,
                reasons: choice.reasons.clone(),
                functions: crossings.paths(link),
                deadline: deadline.map(|deadline| deadline.get()),
            }
        });
        reports.collect()
    }
}

impl Mode {
    /// The word for it in output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}
