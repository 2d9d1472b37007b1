//! Quotes untrusted text for messages: short, on one line, and without control characters.

/// Bounds quoted text, so that hostile input cannot fill a terminal.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// Puts the text in backticks, escapes control characters and cuts off the tail of a long text.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
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
    shown.push('`');
    shown
}

/// Joins names for a sentence: "`a`, `b`".
pub(crate) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// Returns the candidate closest to the written text if it is close enough for a typing mistake,
/// for "did you mean".
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if written.len() > SHOWN_CHARACTERS_MAX {
        return None;
    }
    let distance_max = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns the help line that suggests the nearest candidate.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}
