//! Splits Rust source text into lines of code, comment lines and blank lines, and marks the lines
//! of test modules.
//!
//! A scanner of characters, not a parser: it knows strings, comments and braces, which is enough
//! for text that rustfmt has formatted.

use std::iter::Peekable;
use std::str::Chars;

/// The content of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blank,
    /// Nothing but a comment.
    Comment,
    Code,
}

/// A line of source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) kind: Kind,
    /// True in an inline `#[cfg(test)]` module, and for the declaration of one in another file.
    pub(crate) in_tests: bool,
}

/// The text of a file, line by line.
pub(crate) struct Scan<'a> {
    pub(crate) lines: Vec<Line<'a>>,
    /// Names of the `#[cfg(test)]` modules that are files of their own.
    pub(crate) test_files: Vec<String>,
}

/// Scans the text of a file.
pub(crate) fn scan(text: &str) -> Scan<'_> {
    let mut scanner = Scanner::Code;
    let mut tests = TestModules::default();
    let mut lines = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let masked = scanner.line(text);
        lines.push(Line {
            number: index + 1,
            text,
            kind: masked.kind(text),
            in_tests: tests.line(masked.code.trim()),
        });
        // The attribute belongs to the module that only a later line declares.
        if let Some(length) = tests.length.take() {
            let first = lines.len() - length;
            lines[first..]
                .iter_mut()
                .for_each(|line| line.in_tests = true);
        }
    }
    Scan {
        lines,
        test_files: tests.files,
    }
}

// === the content of lines ===

/// The construct that the scanner is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scanner {
    Code,
    BlockComment { depth: usize },
    String,
    RawString { hashes: usize },
}

/// A line without its comments and without the content of its strings.
#[derive(Debug, Default)]
struct Masked {
    code: String,
    has_string: bool,
}

impl Masked {
    fn kind(&self, text: &str) -> Kind {
        if text.trim().is_empty() {
            Kind::Blank
        } else if self.has_string || !self.code.trim().is_empty() {
            Kind::Code
        } else {
            Kind::Comment
        }
    }
}

impl Scanner {
    /// Reads one line; the state at its end is that at the start of the next one.
    fn line(&mut self, text: &str) -> Masked {
        let mut masked = Masked::default();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            *self = match *self {
                Self::Code => match Self::code(c, &mut rest, &mut masked) {
                    Some(next) => next,
                    // A line comment: nothing else is on the line.
                    None => return masked,
                },
                Self::BlockComment { depth } => block_comment(c, &mut rest, depth),
                Self::String => {
                    masked.has_string = true;
                    match c {
                        '"' => Self::Code,
                        '\\' => {
                            rest.next();
                            Self::String
                        }
                        _ => Self::String,
                    }
                }
                Self::RawString { hashes } => {
                    masked.has_string = true;
                    if c == '"' && take_hashes(&mut rest, hashes) == hashes {
                        Self::Code
                    } else {
                        *self
                    }
                }
            };
        }
        masked
    }

    /// The state after a character of code; `None` for a comment up to the end of the line.
    fn code(c: char, rest: &mut Peekable<Chars<'_>>, masked: &mut Masked) -> Option<Self> {
        match (c, rest.peek()) {
            ('/', Some('/')) => return None,
            ('/', Some('*')) => {
                rest.next();
                return Some(Self::BlockComment { depth: 1 });
            }
            ('"', _) => {
                masked.has_string = true;
                return Some(Self::String);
            }
            ('r', Some('"' | '#')) if !masked.ends_in_a_word() => {
                let hashes = take_hashes(rest, usize::MAX);
                if rest.next_if_eq(&'"').is_some() {
                    masked.has_string = true;
                    return Some(Self::RawString { hashes });
                }
            }
            ('\'', _) => character(rest),
            _ => {}
        }
        masked.code.push(c);
        Some(Self::Code)
    }
}

impl Masked {
    /// True after a letter of a name; the prefixes of byte and C strings are not names.
    fn ends_in_a_word(&self) -> bool {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let name: String = self.code.chars().rev().take_while(|c| word(*c)).collect();
        !matches!(name.as_str(), "" | "b" | "c")
    }
}

fn block_comment(c: char, rest: &mut Peekable<Chars<'_>>, depth: usize) -> Scanner {
    match (c, rest.peek()) {
        ('*', Some('/')) => {
            rest.next();
            match depth {
                1 => Scanner::Code,
                _ => Scanner::BlockComment { depth: depth - 1 },
            }
        }
        ('/', Some('*')) => {
            rest.next();
            Scanner::BlockComment { depth: depth + 1 }
        }
        _ => Scanner::BlockComment { depth },
    }
}

/// Skips the rest of a character literal; a lifetime has no second quote right behind its first
/// letter.
fn character(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    match (ahead.next(), ahead.next()) {
        (Some('\\'), _) => {
            rest.nth(1);
            rest.by_ref().find(|c| *c == '\'');
        }
        (Some(_), Some('\'')) => {
            rest.nth(1);
        }
        _ => {}
    }
}

fn take_hashes(rest: &mut Peekable<Chars<'_>>, most: usize) -> usize {
    let mut hashes = 0;
    while hashes < most && rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    hashes
}

// === test modules ===

/// Finds `#[cfg(test)]` modules in masked lines.
#[derive(Debug, Default)]
struct TestModules {
    state: Place,
    files: Vec<String>,
    /// Set at the line that declares a test module: the number of lines from its attribute to here.
    length: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Outside,
    /// After `#[cfg(test)]`, before the item it belongs to.
    Attribute { lines: usize },
    /// In an inline module with this many open braces.
    Inside { braces: usize },
}

impl TestModules {
    /// Reads one line and returns whether a test module that an earlier line opened includes it.
    fn line(&mut self, code: &str) -> bool {
        match self.state {
            Place::Outside => {
                if code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test,") {
                    self.state = Place::Attribute { lines: 1 };
                }
                false
            }
            Place::Attribute { lines } => {
                self.attribute(code, lines + 1);
                false
            }
            Place::Inside { braces } => {
                self.state = match after_braces(braces, code) {
                    0 => Place::Outside,
                    braces => Place::Inside { braces },
                };
                true
            }
        }
    }

    fn attribute(&mut self, code: &str, lines: usize) {
        // Blank lines, comments and further attributes stand before the item.
        if code.is_empty() || code.starts_with("#[") {
            self.state = Place::Attribute { lines };
            return;
        }
        self.state = Place::Outside;
        let mut words = code.split_whitespace().skip_while(|word| *word != "mod");
        let Some(name) = words.nth(1) else { return };
        self.length = Some(lines);
        if let Some(name) = name.strip_suffix(';') {
            self.files.push(name.to_owned());
        } else if let braces @ 1.. = after_braces(0, code) {
            self.state = Place::Inside { braces };
        }
    }
}

fn after_braces(open: usize, code: &str) -> usize {
    code.chars().fold(open, |open, c| match c {
        '{' => open + 1,
        '}' => open.saturating_sub(1),
        _ => open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `c` for a comment, `.` for code, `_` for a blank line; in capitals or as `:` and `-` in
    /// tests.
    fn kinds(text: &str) -> String {
        let letter = |line: &Line<'_>| match (line.kind, line.in_tests) {
            (Kind::Blank, false) => '_',
            (Kind::Comment, false) => 'c',
            (Kind::Code, false) => '.',
            (Kind::Blank, true) => '-',
            (Kind::Comment, true) => 'C',
            (Kind::Code, true) => ':',
        };
        scan(text).lines.iter().map(letter).collect()
    }

    #[test]
    fn a_line_is_code_if_it_has_more_than_a_comment() {
        for (text, expected) in [
            ("//! a\n\nuse b; // c\n/// d\nfn e() {}\n", "c_.c."),
            ("/* a\n\nb */\nlet c; /* d */\n/* e */ let f;\n", "c_c.."),
            ("/* /* a */\nb */ c\n", "c."),
            ("let a = \"\n// b\n\\\"// c\n\";\n// d", "....c"),
            ("let a = r#\"\n// \"b\n\"#;\n// c", "...c"),
            ("let a = br\"\\\";\n// b", ".c"),
            ("let r#type = 1;\nlet var = \"//\";\n// a", "..c"),
            ("fn a<'b>(c: &'b str) { '\"' }\n// d", ".c"),
            ("let a = ['\\'', '\\u{7f}', '/'];\n// b", ".c"),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }

    #[test]
    fn a_test_module_ends_with_its_last_brace() {
        for (text, expected) in [
            (
                "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n// c\n",
                ".:::::c",
            ),
            (
                "#[cfg(test)]\n#[expect(a)]\nmod tests {\n// {\nlet a = r\"\n}\";\n'{';\n}\nfn b() {}\n",
                ":::C::::.",
            ),
            ("#[cfg(test)]\nfn a() {\n}\nfn b() {}\n", "...."),
            ("#[cfg(not(test))]\nmod a {\n}\n", "..."),
            ("#[cfg(test)]\nmod tests;\nmod a;\n", "::."),
            ("#[cfg(test)]\n\npub(crate) mod a {}\nmod b;\n", ":-:."),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }

    #[test]
    fn test_modules_in_other_files_are_named() {
        let text = "mod a;\n#[cfg(test)]\nmod rig;\n#[cfg(test)]\npub(crate) mod tests;\n";
        assert_eq!(scan(text).test_files, ["rig", "tests"]);
    }
}
