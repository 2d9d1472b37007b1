//! Errors that prevent an app from being linked, reported all at once, each with a next step.

use std::fmt;

/// One mismatch in an app's links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkError {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// All mismatches in an app's links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LinkErrors(pub(crate) Vec<LinkError>);

impl LinkError {
    pub(crate) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

impl LinkErrors {
    pub(crate) fn push(&mut self, error: LinkError) {
        self.0.push(error);
    }

    /// `Ok(value)` if there are no errors.
    pub(crate) fn or<T>(self, value: T) -> Result<T, LinkErrors> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  help: {}", self.message, self.help)
    }
}

impl fmt::Display for LinkErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LinkErrors {}
