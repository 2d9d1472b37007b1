//! The rules of prose that can be counted, and their budgets.

/// The longest comment line, in columns from the start of the line.
const COLUMNS_MAX: usize = 100;

/// A rule of prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// A comment opens with a noun phrase or a verb, not with a question word.
    Opener,
    /// Plain negation: "missing", "invalid", "not a…", "`None` if…".
    Negation,
    /// Programs send, publish, report and receive.
    Speech,
    /// Comments wrap.
    Width,
}

impl Rule {
    pub(super) const ALL: [Self; 4] = [Self::Opener, Self::Negation, Self::Speech, Self::Width];

    /// The heading of its column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Opener => "openers",
            Self::Negation => "is none",
            Self::Speech => "say/tell",
            Self::Width => "width",
        }
    }

    /// The advice to an author.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Opener => {
                "open with a noun phrase or a verb: \"Sends…\", \"The retry budget…\", \"True if…\""
            }
            Self::Negation => "write \"missing\", \"invalid\", \"not a…\", \"`None` if…\"",
            Self::Speech => "programs send, publish, report, receive, store and request",
            Self::Width => "wrap comments at 100 columns",
        }
    }

    /// The lines that may break it, of a thousand comment lines.
    pub(super) fn permille_max(self) -> usize {
        match self {
            Self::Opener | Self::Speech => 10,
            Self::Negation => 5,
            Self::Width => 0,
        }
    }

    /// True if a comment line breaks the rule.
    pub(super) fn is_broken_by(self, line: &str) -> bool {
        match self {
            Self::Opener => opens_with_a_question_word(line),
            Self::Negation => negates_by_a_noun(line),
            Self::Speech => words(line).any(|word| SPEECH.contains(&&*word.to_lowercase())),
            Self::Width => line.chars().count() > COLUMNS_MAX,
        }
    }
}

const OPENERS: [&str; 11] = [
    "What", "Who", "How", "Whether", "Where", "Which", "Why", "Whom", "Whose", "Of which",
    "Of what",
];

const SPEECH: [&str; 16] = [
    "say", "says", "said", "saying", "tell", "tells", "told", "telling", "hear", "hears", "heard",
    "hearing", "ask", "asks", "asked", "asking",
];

fn opens_with_a_question_word(line: &str) -> bool {
    let text = content(line);
    OPENERS.iter().any(|opener| {
        text.strip_prefix(opener)
            .is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    })
}

fn negates_by_a_noun(line: &str) -> bool {
    let words: Vec<String> = words(line).map(str::to_lowercase).collect();
    let has_pair = |pairs: &[[&str; 2]]| {
        let mut neighbours = words.windows(2);
        neighbours.any(|pair| pairs.iter().any(|of_rule| pair == of_rule))
    };
    words.iter().any(|word| word == "nobody")
        || has_pair(&[["is", "none"], ["is", "no"]])
        // In code, `None if …` is an ordinary phrase.
        || words.windows(2).any(|pair| pair == ["none", "if"]) && !line.contains("`None` if")
}

/// The text of a comment without its slashes.
fn content(line: &str) -> &str {
    let text = line.trim_start().trim_start_matches('/');
    text.strip_prefix('!').unwrap_or(text).trim_start()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    content(line)
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_by(line: &str) -> Vec<Rule> {
        let broken = Rule::ALL.into_iter();
        broken.filter(|rule| rule.is_broken_by(line)).collect()
    }

    #[test]
    fn a_line_breaks_the_rules_it_breaks() {
        use Rule::{Negation, Opener, Speech, Width};
        let long = format!("// {}", "a".repeat(98));
        let umlauts = format!("// {}", "ü".repeat(97));
        for (line, expected) in [
            ("    /// Sends a frame.", &[][..]),
            ("//! What a frame is.", &[Opener]),
            ("/// How: by hand.", &[Opener]),
            ("// Who's there?", &[Opener]),
            ("///Whether it fits.", &[Opener]),
            ("/// Of which host.", &[Opener]),
            ("/// However, it fits.", &[]),
            ("/// Whatever fits.", &[]),
            ("/// Of whichever host.", &[]),
            ("/// Sends what fits.", &[]),
            ("/// The host, if there is none.", &[Negation]),
            ("/// Nobody waits.", &[Negation]),
            ("/// A name that is no identifier.", &[Negation]),
            ("/// The host; none if unknown.", &[Negation]),
            ("/// The host; `None` if unknown.", &[]),
            ("/// This is nonempty.", &[]),
            ("/// The host says so.", &[Speech]),
            ("/// Asked twice.", &[Speech]),
            ("/// It is told: nobody hears.", &[Negation, Speech]),
            ("/// A task, as it is.", &[]),
            ("/// The `say_hello` function.", &[]),
            ("/// What is asked.", &[Opener, Speech]),
            (&long, &[Width]),
            (&umlauts, &[]),
        ] {
            assert_eq!(broken_by(line), expected, "{line}");
        }
    }
}
