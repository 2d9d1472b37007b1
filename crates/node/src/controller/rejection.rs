//! The reasons why an app cannot run, all that a check found, with their places in the app.

use std::error::Error;
use std::fmt;

use weft_lattice_config::{Mistake, Mistakes, nearest};
use weft_telemetry::chain;

use super::DeployError;

/// An app that cannot run. Has at least one reason.
#[derive(Debug)]
pub struct Rejection {
    reasons: Vec<Reason>,
}

/// A reason why an app cannot run.
#[derive(Debug)]
pub(crate) struct Reason {
    /// The path of the mistake in the app; empty if it is in the app as a whole.
    pub(crate) path: String,
    pub(crate) error: DeployError,
}

impl Rejection {
    /// `Ok` without a reason.
    ///
    /// # Errors
    /// The reasons, if there are any.
    pub(crate) fn of(reasons: Vec<Reason>) -> Result<(), Self> {
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(Self { reasons }),
        }
    }

    /// The errors, in no particular order.
    pub fn errors(&self) -> impl Iterator<Item = &DeployError> {
        self.reasons.iter().map(|reason| &reason.error)
    }

    /// The error, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<&DeployError> {
        match &self.reasons[..] {
            [reason] => Some(&reason.error),
            _ => None,
        }
    }

    /// The mistakes in the app.
    #[must_use]
    pub fn mistakes(&self) -> Mistakes {
        let mut mistakes = Mistakes::default();
        for reason in &self.reasons {
            mistakes.append(reason.mistakes());
        }
        mistakes
    }
}

impl Reason {
    fn mistakes(&self) -> Mistakes {
        let Self { path, error } = self;
        if let DeployError::Prepare(error) = error
            && !error.mistakes.is_empty()
        {
            return error.mistakes.clone();
        }
        let mistake = Mistake::new(path, chain(error));
        let mistake = match self.help() {
            Some(help) => mistake.with_help(help),
            None => mistake,
        };
        Mistakes(vec![mistake])
    }

    fn help(&self) -> Option<String> {
        let DeployError::ProviderType { source, .. } = &self.error else {
            return None;
        };
        let similar = nearest(&source.kind, source.known.iter().copied());
        similar.map(|kind| format!("did you mean `{kind}`?"))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(error) => error.fmt(formatter),
            None => {
                let mistakes = self.mistakes();
                let count = mistakes.0.len();
                write!(formatter, "the app has {count} mistakes\n{mistakes}")
            }
        }
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.only()?.source()
    }
}
