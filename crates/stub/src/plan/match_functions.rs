//! Which function of an exporter's plan answers which of an importer's.

use thiserror::Error;

use super::{CallPath, Plan, PlannedFunction, Unsupported};

/// Why a function that an importer calls is not served by the exporter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MatchError {
    /// The exporter's plan does not have it.
    #[error(
        "`{export}` of the exporter has no function `{function}` that a link between stores can serve"
    )]
    Missing {
        /// The interface in the exporter.
        export: String,
        /// The function.
        function: String,
    },
    /// The exporter has it, and it cannot be carried.
    #[error("the exporter cannot serve `{function}` between stores")]
    Unsupported {
        /// The function.
        function: String,
        /// What the plan says of it.
        #[source]
        refusal: Box<Unsupported>,
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
    pub fn served_by(
        &self,
        exporter: &Self,
        links: &[(&str, &str)],
    ) -> Result<Vec<u32>, MatchError> {
        self.functions()
            .map(|(interface, function)| {
                let link = links.iter().find(|(import, _)| *import == interface.name);
                let (_, export) = link.ok_or_else(|| MatchError::NotLinked {
                    import: interface.name.clone(),
                })?;
                exporter.server(export, function)
            })
            .collect()
    }

    /// The index of the function that serves an importer's.
    fn server(&self, export: &str, wanted: &PlannedFunction) -> Result<u32, MatchError> {
        let function = wanted.name.clone();
        let Some(found) = self.find(export, &wanted.name) else {
            return Err(self.not_served(export, function));
        };
        match (&wanted.path, &found.path) {
            // A concurrent interface of the importer may have plain functions.
            (CallPath::Concurrent, _)
            | (CallPath::Stub, CallPath::Stub)
            | (CallPath::Scalars(_), CallPath::Scalars(_))
            // A typed function is called by the export itself, whatever else serves the interface.
            | (CallPath::Direct(_), CallPath::Direct(_) | CallPath::Scalars(_) | CallPath::Stub) => {
                Ok(found.index)
            }
            (_, CallPath::Concurrent) => Err(MatchError::Concurrent { function }),
            // Both ends ask the same predicate of the same signature.
            (CallPath::Stub | CallPath::Scalars(_), _) => Err(self.not_served(export, function)),
        }
    }

    fn not_served(&self, export: &str, function: String) -> MatchError {
        let is_it = |refusal: &&Unsupported| {
            refusal.interface == export && refusal.function.as_deref() == Some(function.as_str())
        };
        match self.unsupported.iter().find(is_it).cloned() {
            Some(refusal) => MatchError::Unsupported {
                function,
                refusal: Box::new(refusal),
            },
            None => MatchError::Missing {
                export: export.to_owned(),
                function,
            },
        }
    }
}
