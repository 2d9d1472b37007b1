//! The query of a request, in the form of HTML forms: `limit=20&name=a+b%26c`.

use std::collections::BTreeMap;

use crate::percent;
use crate::problem::{InputError, InputPlace};

/// Maximum number of pairs: a list in a query may be long, but not as long as one in a body.
const PAIRS_MAX: usize = 1024;

/// The values of each key, in the order of the query.
pub(crate) type Query = BTreeMap<String, Vec<String>>;

/// Decodes a query.
pub(crate) fn decode(query: &str) -> Result<Query, InputError> {
    let mut pairs = Query::new();
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if index == PAIRS_MAX {
            let expected = format!("at most {PAIRS_MAX} keys");
            let place = InputPlace::Query(crate::quote::excerpt(key));
            return Err(InputError::new(place, expected, "more"));
        }
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent::decode(&text).map(|text| text.into_owned())
        };
        let (Some(key), Some(value)) = (decoded(key), decoded(value)) else {
            let (expected, found) = ("percent-encoded UTF-8", crate::quote::excerpt(pair));
            let place = InputPlace::Query(crate::quote::excerpt(key));
            return Err(InputError::new(place, expected, format!("`{found}`")));
        };
        pairs.entry(key).or_default().push(value);
    }
    Ok(pairs)
}
