//! Removes worlds from WIT text. A folder of interfaces often has the worlds of several components,
//! with packages that are elsewhere; interfaces do not need them.

use std::ops::Range;

/// The text without its worlds, and without their comments and attributes.
pub(super) fn remove(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for world in worlds(text) {
        rest.push_str(&text[end..world.start]);
        end = world.end;
    }
    rest.push_str(&text[end..]);
    rest
}

/// The items of the outermost level that are worlds, each from its first comment or attribute.
fn worlds(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    // The start of the current item, and whether it is a world.
    let (mut start, mut is_world) = (None, false);
    let mut at = 0;
    while let Some(token) = next(text, at) {
        let item_start = *start.get_or_insert(token.start);
        at = token.end;
        match &text[token.clone()] {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    if is_world {
                        found.push(item_start..token.end);
                    }
                    (start, is_world) = (None, false);
                }
            }
            ";" if depth == 0 => (start, is_world) = (None, false),
            "world" if depth == 0 => is_world = true,
            _ => {}
        }
    }
    found
}

/// The next comment, word or mark.
fn next(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let start = at + (rest.len() - rest.trim_start().len());
    let rest = &text[start..];
    let first = rest.chars().next()?;
    let is_word = |letter: char| letter.is_alphanumeric() || "-_%".contains(letter);
    let length = if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if is_word(first) {
        rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
    } else {
        first.len_utf8()
    };
    Some(start..start + length)
}

/// The length of a block comment, which may have others in it.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let rest = &text[at..];
        let (open, close) = (rest.find("/*"), rest.find("*/"));
        match (open, close) {
            (Some(open), Some(close)) if open < close => {
                (depth, at) = (depth + 1, at + open + 2);
            }
            (_, Some(close)) => {
                (depth, at) = (depth.saturating_sub(1), at + close + 2);
                if depth == 0 {
                    return at;
                }
            }
            (_, None) => return text.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_are_removed_with_their_comments_and_nothing_else() {
        let text = "package a:b; // the world { of text\n\
                    /// Kept.\ninterface i { /* world { */ %world: func(); }\n\
                    /// Removed.\n@since(version = 0.1.0)\nworld w { import x: interface { } }\n\
                    /* a /* world */ { */\nworld v { export i; }\n\
                    interface world-of { record world { x: u8 } }\n";
        let rest = remove(text);
        for kept in [
            "package a:b;",
            "/// Kept.",
            "%world: func()",
            "record world { x",
        ] {
            assert!(rest.contains(kept), "{kept} in {rest}");
        }
        for removed in ["Removed", "since", "import x", "export i"] {
            assert!(!rest.contains(removed), "{removed} in {rest}");
        }
    }

    #[test]
    fn text_that_is_no_wit_stays() {
        for text in ["", "}", "world", "world {", "/* open", "é{;}", "// w"] {
            assert_eq!(remove(text), text);
        }
    }
}
