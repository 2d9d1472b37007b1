//! The result of a function as JSON, for the faces that have no statuses.

use weft_json::{EncodeError, Format, Kind};

use super::Output;
use super::respond::decoder;
use crate::operation::Operation;
use crate::problem::Problem;

/// The result of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The value as JSON, `None` if the function returns nothing; or the problem of an error.
    pub value: Result<Option<String>, Problem>,
    /// A sentence for the log of the host about what the client does not get.
    pub log: Option<String>,
}

impl Operation {
    /// Returns the result of a call.
    #[must_use]
    pub fn returned(&self, result: &[u8]) -> Returned {
        self.try_returned(result).unwrap_or_else(|error| {
            let (problem, log) = self.malformed_result(&error);
            Returned {
                value: Err(problem),
                log: Some(log),
            }
        })
    }

    fn try_returned(&self, result: &[u8]) -> Result<Returned, EncodeError> {
        let Some(errors) = &self.outcome.errors else {
            return self.returned_value(result);
        };
        let mut decoder = decoder(result)?;
        let is_ok = decoder.is_ok()?;
        let value = &result[decoder.offset()..];
        if is_ok {
            return self.returned_value(value);
        }
        let (problem, log) = self.error_problem(errors, value)?;
        Ok(Returned {
            value: Err(problem),
            log,
        })
    }

    fn returned_value(&self, value: &[u8]) -> Result<Returned, EncodeError> {
        let ty = match &self.outcome.ok {
            Output::Value(ty) => Some(ty),
            // Bytes are a string in base64, as inside other values.
            Output::Bytes => self.ok_type(),
            Output::None | Output::Stream(_) => None,
        };
        let json = match ty {
            Some(ty) => {
                let json = self.written(Format::Json, ty, value)?;
                Some(String::from_utf8_lossy(&json).into_owned())
            }
            None => {
                decoder(value)?.finish()?;
                None
            }
        };
        Ok(Returned {
            value: Ok(json),
            log: None,
        })
    }

    /// The type of a result that is not an error.
    pub(crate) fn ok_type(&self) -> Option<&weft_json::Type> {
        let ty = self.function.result.as_ref()?;
        match ty.kind() {
            Kind::Result { ok, .. } => ok.as_ref(),
            _ => Some(ty),
        }
    }
}
