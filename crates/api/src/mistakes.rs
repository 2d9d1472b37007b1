//! Mistakes of a route, with their paths in the manifest.

use weft_lattice_config::{Mistake, nearest};

use crate::quote::one_of;

/// The mistakes of a part of a route.
pub(crate) struct MistakesAt<'m> {
    mistakes: &'m mut Vec<Mistake>,
    /// The path of the part, empty for the route itself.
    path: String,
    /// True for a part that the manifest does not have: its mistakes are at the path itself.
    is_implied: bool,
    /// The function of an implied operation. No line of the manifest names it, so messages do.
    function: Option<String>,
}

impl<'m> MistakesAt<'m> {
    /// Mistakes of the part with this path.
    pub(crate) fn new(mistakes: &'m mut Vec<Mistake>, path: impl Into<String>) -> Self {
        Self {
            mistakes,
            path: path.into(),
            is_implied: false,
            function: None,
        }
    }

    /// Mistakes of a part that is implied by the value at this path.
    pub(crate) fn implied(mistakes: &'m mut Vec<Mistake>, path: &str) -> Self {
        Self {
            is_implied: true,
            ..Self::new(mistakes, path)
        }
    }

    /// Mistakes of the operation of a function that is implied by the value at the path of these.
    pub(crate) fn operation(&mut self, function: &str) -> MistakesAt<'_> {
        MistakesAt {
            function: Some(function.to_owned()),
            ..MistakesAt::implied(self.mistakes, &self.path)
        }
    }

    /// Adds a mistake at a key of the part.
    pub(crate) fn add(&mut self, key: &str, message: impl Into<String>) {
        let mistake = self.mistake(key, message);
        self.mistakes.push(mistake);
    }

    /// Adds a mistake with the next step for the user.
    pub(crate) fn add_with_help(&mut self, key: &str, message: impl Into<String>, help: &str) {
        let mistake = self.mistake(key, message).with_help(help);
        self.mistakes.push(mistake);
    }

    fn mistake(&self, key: &str, message: impl Into<String>) -> Mistake {
        let path = self.path_of(key);
        match &self.function {
            Some(function) => Mistake::new(path, format!("`{function}`: {}", message.into())),
            None => Mistake::new(path, message),
        }
    }

    /// Adds a mistake about a name that is not one of the known ones.
    pub(crate) fn add_unknown(
        &mut self,
        key: &str,
        message: impl Into<String>,
        name: &str,
        known: &[&str],
    ) {
        let help = match nearest(name, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if known.is_empty() => return self.add(key, message),
            None => format!("use {}", one_of(known.iter().copied())),
        };
        self.add_with_help(key, message, &help);
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            (path, _) if self.is_implied => path.to_owned(),
            (path, "") => path.to_owned(),
            ("", key) => key.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}
