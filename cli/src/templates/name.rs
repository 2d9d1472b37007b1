//! Names of projects: those of apps that the tools of all languages accept.

use weft_lattice_config::AppName;

/// The maximum number of characters, as for a name of an app.
const CHARACTERS_MAX: usize = 63;

/// The name if a text has no usable character.
const NAME_DEFAULT: &str = "app";

/// Names that a package in Rust cannot have: keywords, the crates of the language, and folders of
/// cargo.
const RESERVED: [&str; 59] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The reason why a text is not the name of a project; `None` if it is.
pub(crate) fn problem(text: &str) -> Option<String> {
    if let Err(error) = text.parse::<AppName>() {
        return Some(error.to_string());
    }
    RESERVED
        .contains(&text)
        .then(|| format!("`{text}` is a name that packages in Rust cannot have"))
}

/// The valid name that is nearest to a text.
pub(crate) fn nearest_valid(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        let is_word = character.is_ascii_alphanumeric();
        match character.to_ascii_lowercase() {
            character if is_word && !(name.is_empty() && character.is_ascii_digit()) => {
                name.push(character);
            }
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(CHARACTERS_MAX);
    let name = name.trim_end_matches('-');
    match problem(name) {
        None => name.to_owned(),
        Some(_) if name.is_empty() => NAME_DEFAULT.to_owned(),
        Some(_) => format!("{name}-app"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_valid_name_near_it() {
        for (text, expected) in [
            ("shop", "shop"),
            ("My Shop", "my-shop"),
            ("my_shop", "my-shop"),
            ("2nd--shop-", "nd-shop"),
            ("async", "async-app"),
            ("é", "app"),
            ("", "app"),
        ] {
            assert_eq!(nearest_valid(text), expected, "{text:?}");
            assert_eq!(problem(expected), None, "{expected:?}");
        }
        let long = nearest_valid(&"a".repeat(100));
        assert_eq!((long.len(), problem(&long)), (63, None));
    }

    #[test]
    fn a_reserved_name_is_a_problem() {
        assert!(problem("type").unwrap().contains("Rust"));
        assert!(problem("My").is_some());
    }
}
