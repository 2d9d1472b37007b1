//! Matches the functions of an importer's plan with those of an exporter's.

use thiserror::Error;

use super::{CallPath, Plan, PlannedFunction, Unsupported};

/// The reason a function of an importer has no counterpart in the exporter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MatchError {
    /// The exporter's plan does not have the function.
    #[error("`{export}` of the exporter has no function `{function}`")]
    Missing {
        /// The interface in the exporter.
        export: String,
        /// The function.
        function: String,
    },
    /// The exporter has the function, and links between stores do not support it.
    #[error("`{function}` of the exporter is unsupported on links between stores")]
    Unsupported {
        /// The function.
        function: String,
        /// The entry of [`Plan::unsupported`].
        #[source]
        unsupported: Box<Unsupported>,
    },
    /// The function is concurrent in the exporter only.
    #[error("`{function}` is concurrent in the exporter and synchronous in the importer")]
    Concurrent {
        /// The function.
        function: String,
    },
    /// No export is linked to the import.
    #[error("import `{import}` is not linked to an export")]
    NotLinked {
        /// The interface in the importer.
        import: String,
    },
}

impl Plan {
    /// Returns, for each function of this importer's plan in the order of the indices, the index of
    /// the function of `exporter` that serves it.
    ///
    /// `links` are pairs of an import of this plan and the export that it is linked to.
    ///
    /// # Errors
    ///
    /// Fails with the first function that the exporter does not serve.
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
                exporter.matching(export, function)
            })
            .collect()
    }

    /// Returns the index of the function that serves an importer's function.
    fn matching(&self, export: &str, imported: &PlannedFunction) -> Result<u32, MatchError> {
        let function = imported.name.clone();
        let Some(found) = self.find(export, &imported.name) else {
            return Err(self.unmatched(export, function));
        };
        match (&imported.path, &found.path) {
            // A concurrent interface of the importer may have plain functions.
            (CallPath::Concurrent, _)
            | (CallPath::Stub, CallPath::Stub)
            | (CallPath::Scalars(_), CallPath::Scalars(_))
            // The host calls a typed function on the export itself, even if a skeleton serves the
            // rest of the interface.
            | (CallPath::Direct(_), CallPath::Direct(_) | CallPath::Scalars(_) | CallPath::Stub) => {
                Ok(found.index)
            }
            (_, CallPath::Concurrent) => Err(MatchError::Concurrent { function }),
            // Both ends apply the same predicate to the same signature.
            (CallPath::Stub | CallPath::Scalars(_), _) => Err(self.unmatched(export, function)),
        }
    }

    fn unmatched(&self, export: &str, function: String) -> MatchError {
        let is_function = |entry: &&Unsupported| {
            entry.interface == export && entry.function.as_deref() == Some(function.as_str())
        };
        match self.unsupported.iter().find(is_function).cloned() {
            Some(unsupported) => MatchError::Unsupported {
                function,
                unsupported: Box::new(unsupported),
            },
            None => MatchError::Missing {
                export: export.to_owned(),
                function,
            },
        }
    }
}
