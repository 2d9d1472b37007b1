//! Label selectors, in the equality forms of `kubectl`: `key=value,key2!=x,key3,!key4`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The most requirements of a selector: an app or a host has few labels.
const REQUIREMENTS_MAX: usize = 64;

/// Requirements on labels, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector {
    requirements: Vec<Requirement>,
}

/// A requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    /// The label has the value.
    Is(String, String),
    /// The label has another value, or is missing.
    IsNot(String, String),
    /// The label has any value.
    Has(String),
    /// The label is missing.
    HasNot(String),
}

impl Selector {
    /// True if these labels meet all requirements.
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut requirements = self.requirements.iter();
        requirements.all(|requirement| match requirement {
            Requirement::Is(key, value) => labels.get(key) == Some(value),
            Requirement::IsNot(key, value) => labels.get(key) != Some(value),
            Requirement::Has(key) => labels.contains_key(key),
            Requirement::HasNot(key) => !labels.contains_key(key),
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(',').collect();
        if parts.len() > REQUIREMENTS_MAX {
            return Err(format!(
                "expected at most {REQUIREMENTS_MAX} requirements, found {}",
                parts.len()
            ));
        }
        let requirements = parts.into_iter().map(str::parse);
        Ok(Selector {
            requirements: requirements.collect::<Result<_, _>>()?,
        })
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let pair = |(key, value): (&str, &str)| (key.trim().to_owned(), value.trim().to_owned());
        let requirement = if let Some(parts) = text.split_once("!=") {
            let (key, value) = pair(parts);
            Requirement::IsNot(key, value)
        } else if let Some(parts) = text.split_once("==").or_else(|| text.split_once('=')) {
            let (key, value) = pair(parts);
            Requirement::Is(key, value)
        } else if let Some(key) = text.strip_prefix('!') {
            Requirement::HasNot(key.trim().to_owned())
        } else {
            Requirement::Has(text.to_owned())
        };
        let (key, value) = requirement.parts();
        let is_key = !key.is_empty() && !key.contains(is_reserved);
        if !is_key || value.contains(is_reserved) {
            return Err(format!(
                "`{text}` is not a requirement: expected `KEY=VALUE`, `KEY!=VALUE`, `KEY` or \
                 `!KEY`, separated by commas"
            ));
        }
        Ok(requirement)
    }
}

impl Requirement {
    fn parts(&self) -> (&str, &str) {
        match self {
            Requirement::Is(key, value) | Requirement::IsNot(key, value) => (key, value),
            Requirement::Has(key) | Requirement::HasNot(key) => (key, ""),
        }
    }
}

/// True for characters of the syntax, and of the set forms of `kubectl`, which are rejected.
fn is_reserved(character: char) -> bool {
    character.is_whitespace() || "=!()".contains(character)
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            formatter.write_str(comma)?;
            match requirement {
                Requirement::Is(key, value) => write!(formatter, "{key}={value}"),
                Requirement::IsNot(key, value) => write!(formatter, "{key}!={value}"),
                Requirement::Has(key) => formatter.write_str(key),
                Requirement::HasNot(key) => write!(formatter, "!{key}"),
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn all_requirements_must_hold() {
        let team = labels(&[("team", "web"), ("tier", "1")]);
        for (selector, expected) in [
            ("team=web", true),
            ("team==web", true),
            ("team=web,tier=1", true),
            ("team=web, tier=2", false),
            ("tier!=2", true),
            ("tier!=1", false),
            ("zone!=a", true),
            ("team", true),
            ("zone", false),
            ("!zone", true),
            ("!team", false),
            ("zone=", false),
        ] {
            let selector: Selector = selector.parse().unwrap();
            assert_eq!(selector.matches(&team), expected, "{selector}");
        }
        let empty: Selector = "zone=".parse().unwrap();
        assert!(empty.matches(&labels(&[("zone", "")])));
    }

    #[test]
    fn a_malformed_selector_is_refused_with_the_accepted_forms() {
        for text in ["", "a=b,", "=b", "a=b=c", "!", "a in (b)", "!a=b"] {
            let error = text.parse::<Selector>().unwrap_err();
            assert!(error.contains("`KEY!=VALUE`"), "{text}: {error}");
        }
        let many = vec!["a"; REQUIREMENTS_MAX + 1].join(",");
        assert!(many.parse::<Selector>().is_err());
    }

    #[test]
    fn a_selector_is_written_as_it_is_read() {
        let text = "a=b,c!=d,e,!f";
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
    }
}
