//! Names in WIT: of functions, parameters, fields, cases and types.

use crate::interface::{Case, is_label};
use crate::name::text_type;

/// Maximum length of a name: real ones are far shorter, and each is repeated in messages.
const NAME_LENGTH_MAX: usize = 128;

text_type!(
    /// The name of a function, parameter, field, case or type in WIT, such as `out-of-stock`.
    WitName,
    "a name in WIT",
    problem: problem,
    pattern: "^[A-Za-z][-A-Za-z0-9]*$",
    description: "A name in WIT: words of letters and digits joined by `-`, such as `out-of-stock`."
);

fn problem(text: &str) -> Option<&'static str> {
    if text.len() > NAME_LENGTH_MAX {
        return Some("must have at most 128 characters");
    }
    (!is_label(text, Case::Any))
        .then_some("must be words of letters and digits joined by `-`, such as `out-of-stock`")
}
