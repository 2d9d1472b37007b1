//! Texts in messages.

/// Maximum number of shown characters: a hostile text must not fill a response or a terminal.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// Maximum number of listed names.
const LISTED_MAX: usize = 8;

/// The start of a text, without control characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN_CHARACTERS_MAX {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Names for a sentence: "one of `a`, `b`", "`a`".
pub(crate) fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let one_of = if names.len() > 1 { "one of " } else { "" };
    if names.len() > LISTED_MAX {
        names.truncate(LISTED_MAX);
        names.push("…".to_owned());
    }
    format!("{one_of}{}", names.join(", "))
}
