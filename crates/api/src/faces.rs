//! The faces of an API: what a host serves at its paths besides the operations.

use weft_lattice_config::template::{PathTemplate, Segment};
use weft_lattice_config::{Face, Mistake, RouteSpec};

use crate::mistakes::MistakesAt;
use crate::operation::Operation;

/// The addresses on which a host listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Only those of the machine itself.
    Loopback,
    /// Others, too.
    Open,
}

/// The faces of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faces {
    /// The faces in the manifest.
    chosen: Option<Vec<Face>>,
    /// True if an operation has a path of the face `docs`.
    has_path_of_docs: bool,
}

impl Faces {
    /// Reads and checks the faces of a route: a path of a chosen face must be no operation.
    pub(crate) fn new(
        route: &RouteSpec,
        operations: &[Operation],
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let chosen = route.faces.clone();
        for (index, face) in chosen.iter().flatten().enumerate() {
            for path in paths(*face) {
                let template = template(path);
                let mut operations = operations.iter();
                let other = operations.find(|it| it.request().path.overlaps(&template));
                let Some(other) = other else { continue };
                let message = format!(
                    "the path `/{path}` of the face `{}` is also one of `{}`",
                    face.as_str(),
                    other.request()
                );
                let help = "change the path of the operation, or remove the face";
                MistakesAt::new(mistakes, format!("faces[{index}]"))
                    .add_with_help("", message, help);
            }
        }
        let mut of_docs = paths(Face::Docs).iter().map(|path| template(path));
        let has_path_of_docs = of_docs.any(|path| {
            operations
                .iter()
                .any(|it| it.request().path.overlaps(&path))
        });
        Self {
            chosen,
            has_path_of_docs,
        }
    }

    /// The faces in the manifest, or else those of every host.
    #[must_use]
    pub fn chosen(&self) -> &[Face] {
        self.chosen.as_deref().unwrap_or(&[Face::Http])
    }

    /// The faces that a host serves. By default these are the operations, and on loopback the
    /// documentation, unless an operation has its path.
    #[must_use]
    pub fn on(&self, listener: Listener) -> Vec<Face> {
        match &self.chosen {
            Some(chosen) => chosen.clone(),
            None if listener == Listener::Loopback && !self.has_path_of_docs => {
                vec![Face::Http, Face::Docs]
            }
            None => vec![Face::Http],
        }
    }
}

/// The face of a path below the route, as it stands in a request; `None` for the paths of
/// operations.
#[must_use]
pub fn face_of(below: &str) -> Option<Face> {
    let path = below.strip_prefix('/')?;
    let mut faces = [Face::Docs, Face::Rpc, Face::Mcp].into_iter();
    faces.find(|face| paths(*face).contains(&path))
}

/// The paths of a face below the route. The operations have their own.
#[must_use]
pub fn paths(face: Face) -> &'static [&'static str] {
    match face {
        Face::Http => &[],
        Face::Docs => &["openapi.json", "docs", "docs/docs.css", "docs/docs.js"],
        Face::Rpc => &["rpc"],
        Face::Mcp => &["mcp"],
    }
}

fn template(path: &str) -> PathTemplate {
    PathTemplate {
        segments: path.split('/').map(literal).collect(),
        rest: None,
    }
}

fn literal(segment: &str) -> Segment {
    Segment::Literal(segment.to_owned())
}
