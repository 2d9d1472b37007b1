//! From parameters in JSON, by name or by position, to the encoded arguments of a function.

use serde_json::value::RawValue;
use weft_json::{Argument, DecodeError, Format, decode};
use weft_wire::Limits;

use super::arguments::{too_large, unreadable};
use crate::operation::Operation;
use crate::problem::{InputError, InputPlace, Problem};
use crate::rpc;

impl Operation {
    /// Returns the encoded arguments of the call for an object of parameters, or a list of them in
    /// the order of the function. Missing ones are absent options.
    ///
    /// # Errors
    /// A problem for the client, with all errors, up to a bound.
    pub fn arguments_of(&self, params: &[u8], encoded_max: usize) -> Result<Vec<u8>, Problem> {
        match rpc::is_list(params) {
            true => self.arguments_of_object(&self.named(params)?, encoded_max),
            false => self.arguments_of_object(params, encoded_max),
        }
    }

    fn arguments_of_object(&self, params: &[u8], encoded_max: usize) -> Result<Vec<u8>, Problem> {
        let arguments = self.function.params.iter().map(Argument::Body);
        let arguments: Vec<_> = arguments.collect();
        let limits = Limits {
            bytes: encoded_max,
            ..Limits::LINK
        };
        let mut encoded = Vec::new();
        let (format, settings) = (Format::Json, self.settings);
        let decoded = decode::arguments(format, params, &arguments, settings, limits, &mut encoded);
        match decoded {
            Ok(()) => Ok(encoded),
            Err(DecodeError::Invalid(problems)) => {
                let errors = problems.into_iter().map(InputError::of_body);
                Err(Problem::validation(errors.collect()))
            }
            Err(DecodeError::TooLarge { limit }) => Err(too_large(limit)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// A list of parameters as an object.
    fn named(&self, list: &[u8]) -> Result<Vec<u8>, Problem> {
        let names = self.function.params.iter();
        let names: Vec<_> = names.map(|it| it.name.key(self.settings.names)).collect();
        let values: Option<Vec<&RawValue>> = rpc::bounded_list(list, names.len());
        let Some(values) = values else {
            let place = InputPlace::Body(String::new());
            let expected = format!("at most {} parameters", names.len());
            return Err(Problem::validation(vec![InputError::new(
                place,
                expected,
                "another list",
            )]));
        };
        let pairs = names.iter().zip(values);
        // Names of WIT have no character that JSON escapes.
        let pairs = pairs.map(|(name, value)| format!("\"{name}\":{}", value.get()));
        let pairs: Vec<_> = pairs.collect();
        Ok(format!("{{{}}}", pairs.join(",")).into_bytes())
    }
}
