//! The parameters of a function, and their text in messages.

use wasmtime::component::Type;

use super::type_text::TypeText;

/// The most characters of a type or a value in a message.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// A parameter of a function.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) ty: Type,
}

/// The parameters as in WIT: ``2 arguments: `sku: string, quantity: u32` ``.
pub(super) fn of(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return count(0);
    }
    let listed = parameters
        .iter()
        .map(|Parameter { name, ty }| format!("{name}: {}", TypeText(ty)));
    let listed = listed.collect::<Vec<_>>().join(", ");
    format!("{}: `{}`", count(parameters.len()), shown(&listed))
}

pub(super) fn count(number: usize) -> String {
    match number {
        1 => "1 argument".to_owned(),
        number => format!("{number} arguments"),
    }
}

/// A text in a message: its beginning, if it is long.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
