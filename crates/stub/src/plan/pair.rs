//! Which function of an exporter's plan answers which of an importer's.

use thiserror::Error;

use super::{Path, Plan, PlannedFunction, Refusal};

/// Why a function that an importer calls is not served by the exporter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unserved {
    /// The exporter's plan does not have it.
    #[error(
        "`{export}` of the exporter has no function `{function}` that a link between stores can serve"
    )]
    NotThere {
        /// The interface in the exporter.
        export: String,
        /// The function.
        function: String,
    },
    /// The exporter has it, and it cannot be carried.
    #[error("the exporter cannot serve `{function}` between stores")]
    LeftOut {
        /// The function.
        function: String,
        /// What the plan says of it.
        #[source]
        refusal: Box<Refusal>,
    },
    /// The two ends take it for functions of different kinds.
    #[error("`{function}` is a concurrent function of the exporter and none of the importer")]
    Concurrent {
        /// The function.
        function: String,
    },
    /// No export was named for an import.
    #[error("nothing of the exporter is linked to `{import}`")]
    NotLinked {
        /// The interface in the importer.
        import: String,
    },
}

impl Plan {
    /// For each function of this plan, an importer's, by its index: the index of the function that serves
    /// it in `exporter`.
    ///
    /// `links` are pairs of an import of this plan and the export that it is linked to.
    ///
    /// # Errors
    ///
    /// Says which function is served by nobody.
    pub fn served_by(&self, exporter: &Self, links: &[(&str, &str)]) -> Result<Vec<u32>, Unserved> {
        self.functions()
            .map(|(interface, function)| {
                let link = links.iter().find(|(import, _)| *import == interface.name);
                let (_, export) = link.ok_or_else(|| Unserved::NotLinked {
                    import: interface.name.clone(),
                })?;
                exporter.server(export, function)
            })
            .collect()
    }

    /// The index of the function that serves an importer's.
    fn server(&self, export: &str, wanted: &PlannedFunction) -> Result<u32, Unserved> {
        let function = wanted.name.clone();
        let Some(found) = self.find(export, &wanted.name) else {
            return Err(self.not_served(export, function));
        };
        match (&wanted.path, &found.path) {
            // A concurrent interface of the importer may have plain functions.
            (Path::Concurrent, _)
            | (Path::Stub, Path::Stub)
            | (Path::Scalars(_), Path::Scalars(_))
            // A typed function is called by the export itself, whatever else serves the interface.
            | (Path::Direct(_), Path::Direct(_) | Path::Scalars(_) | Path::Stub) => {
                Ok(found.index)
            }
            (_, Path::Concurrent) => Err(Unserved::Concurrent { function }),
            // Both ends ask the same predicate of the same signature.
            (Path::Stub | Path::Scalars(_), _) => Err(self.not_served(export, function)),
        }
    }

    fn not_served(&self, export: &str, function: String) -> Unserved {
        let is_it = |refusal: &&Refusal| {
            refusal.interface == export && refusal.function.as_deref() == Some(function.as_str())
        };
        match self.left_out.iter().find(is_it).cloned() {
            Some(refusal) => Unserved::LeftOut {
                function,
                refusal: Box::new(refusal),
            },
            None => Unserved::NotThere {
                export: export.to_owned(),
                function,
            },
        }
    }
}
