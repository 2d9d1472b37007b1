//! Parsing of provider and link configuration, and its errors.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Configuration of a manifest, before a backend has parsed it.
pub type Settings = serde_json::Map<String, Value>;

/// A mistake in the configuration of a provider or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    place: String,
    key: Option<String>,
    problem: String,
}

/// Parses `settings` into the configuration struct of a backend, which refuses unknown keys
/// (`#[serde(deny_unknown_fields)]`). `place` is a [`Context`](crate::Context) or a
/// [`LinkContext`](crate::LinkContext).
///
/// # Errors
///
/// With the key of the invalid value, if it can be determined.
///
/// # Examples
///
/// ```
/// use serde_json::json;
///
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields, rename_all = "kebab-case")]
/// struct Limits { max_bytes: u64 }
///
/// let settings = json!({ "max-bytes": "lots" }).as_object().cloned().unwrap_or_default();
/// let problem = weft_provider::parse::<Limits>(&"provider `cache`", &settings).unwrap_err();
/// assert_eq!(
///     problem.to_string(),
///     "config of provider `cache`, key `max-bytes`: invalid type: string \"lots\", expected u64",
/// );
/// ```
pub fn parse<T: DeserializeOwned>(
    place: &dyn fmt::Display,
    settings: &Settings,
) -> Result<T, ConfigProblem> {
    serde_json::from_value(Value::Object(settings.clone())).map_err(|error| ConfigProblem {
        place: place.to_string(),
        key: key_of::<T>(settings, &error.to_string()),
        problem: error.to_string(),
    })
}

/// Finds the key that `problem` is about: the one that alone causes the same message. serde's
/// message does not contain it, except for a missing key.
fn key_of<T: DeserializeOwned>(settings: &Settings, problem: &str) -> Option<String> {
    if problem.starts_with("missing field") {
        return None;
    }
    let has_problem = |key: &String, value: &Value| {
        let alone = Settings::from_iter([(key.clone(), value.clone())]);
        let error = serde_json::from_value::<T>(Value::Object(alone)).err();
        error.is_some_and(|error| error.to_string() == problem)
    };
    let (key, _) = settings
        .iter()
        .find(|(key, value)| has_problem(key, value))?;
    Some(key.clone())
}

// === impl ConfigProblem ===

impl ConfigProblem {
    /// Creates the error that `given`, the value of `key`, is not `expected`.
    pub fn invalid(
        place: &dyn fmt::Display,
        key: &str,
        given: &dyn fmt::Display,
        expected: &dyn fmt::Display,
    ) -> Self {
        Self {
            place: place.to_string(),
            key: Some(key.to_owned()),
            problem: format!("invalid value `{given}`, expected {expected}"),
        }
    }

    /// The key of the invalid value; `None` if the mistake is a missing key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "config of {}, key `{key}`: {}", self.place, self.problem),
            None => write!(f, "config of {}: {}", self.place, self.problem),
        }
    }
}

impl std::error::Error for ConfigProblem {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[expect(dead_code, reason = "only read by serde")]
        a: u8,
        #[expect(dead_code, reason = "only read by serde")]
        b: u8,
    }

    fn check(settings: &Value, key: Option<&str>, message: &str) {
        let settings = settings.as_object().cloned().unwrap();
        let problem = parse::<Pair>(&"provider `p`", &settings).unwrap_err();
        assert_eq!(problem.key(), key);
        assert_eq!(problem.to_string(), message);
    }

    #[test]
    fn a_problem_names_the_place_the_key_and_what_was_given() {
        check(
            &json!({ "a": 1, "b": -5 }),
            Some("b"),
            "config of provider `p`, key `b`: invalid value: integer `-5`, expected u8",
        );
        check(
            &json!({ "a": 1, "b": 2, "c": 3 }),
            Some("c"),
            "config of provider `p`, key `c`: unknown field `c`, expected `a` or `b`",
        );
        check(
            &json!({ "a": 1 }),
            None,
            "config of provider `p`: missing field `b`",
        );
    }
}
