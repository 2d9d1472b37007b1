//! Names in WIT and in JSON.

use std::sync::Arc;

/// The style of keys in JSON: names of fields, flags and parameters. Cases of variants and enums
/// have their WIT name in both styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Names {
    /// `unitPrice`, the names that `jco` gives to JavaScript.
    #[default]
    Camel,
    /// `unit-price`, the names of WIT.
    Kebab,
}

/// A name in WIT, with its form in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    wit: Arc<str>,
    camel: Arc<str>,
}

impl Name {
    /// Creates the name from the one in WIT.
    #[must_use]
    pub fn new(wit: &str) -> Self {
        Self {
            wit: wit.into(),
            camel: camel_case(wit).into(),
        }
    }

    /// Returns the name in WIT.
    #[must_use]
    pub fn wit(&self) -> &str {
        &self.wit
    }

    /// Returns the name in lowerCamelCase.
    #[must_use]
    pub fn camel(&self) -> &str {
        &self.camel
    }

    /// Returns the name as a key of JSON.
    #[must_use]
    pub fn key(&self, names: Names) -> &str {
        match names {
            Names::Camel => &self.camel,
            Names::Kebab => &self.wit,
        }
    }
}

/// Returns a WIT name in lowerCamelCase, as `jco` does.
///
/// A word ends at a `-` alone, because a word of WIT has either small or capital letters. Words of
/// capitals are written like others, and a digit after a `-` follows without a mark.
///
/// ```
/// assert_eq!(weft_json::camel_case("unit-price"), "unitPrice");
/// assert_eq!(weft_json::camel_case("get-URL-2-x"), "getUrl2X");
/// ```
#[must_use]
pub fn camel_case(wit: &str) -> String {
    let mut camel = String::with_capacity(wit.len());
    for (index, word) in wit.split('-').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => camel.push(first.to_ascii_uppercase()),
            Some(first) => camel.push(first.to_ascii_lowercase()),
            None => {}
        }
        camel.extend(letters.map(|letter| letter.to_ascii_lowercase()));
    }
    camel
}
