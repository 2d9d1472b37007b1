//! Text with styles, and the palette of all commands.
//!
//! A style is a meaning; [`Styled::render`] alone knows colours. It escapes control characters, so
//! that only the palette controls the terminal.

use std::borrow::Cow;
use std::fmt;

/// The meaning of a piece of text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    /// The heading of a table or section.
    Heading,
    /// A state in which all is well.
    Good,
    /// A state that passes, or needs attention.
    Waiting,
    /// A failure.
    Bad,
    /// Text that is rarely read: times, empty cells.
    Faint,
    /// The name of a host or component.
    Name,
    /// The word `error` of a failure.
    Error,
    /// The word `help` of a failure.
    Help,
}

/// The use of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    On,
    Off,
}

/// Text in pieces, each with its style.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Styled {
    pieces: Vec<(Style, String)>,
}

impl Style {
    /// The style of a state of an app, a component or a host.
    pub(crate) fn of_state(state: &str) -> Style {
        match state {
            "ready" => Style::Good,
            "failed" | "dead" => Style::Bad,
            "left" => Style::Faint,
            _ => Style::Waiting,
        }
    }

    /// The style of a number of ready replicas beside the desired one.
    pub(crate) fn of_readiness(ready: u32, wanted: u32) -> Style {
        match ready {
            _ if ready >= wanted => Style::Good,
            0 => Style::Bad,
            _ => Style::Waiting,
        }
    }

    /// The style of the level of a log line.
    pub(crate) fn of_level(level: &str) -> Style {
        match level {
            "error" => Style::Bad,
            "warn" => Style::Waiting,
            "info" => Style::Good,
            _ => Style::Faint,
        }
    }

    /// The style of the kind of an event.
    pub(crate) fn of_event(kind: &str) -> Style {
        match kind {
            "host-died" | "host-superseded" | "app-failed" | "store-away" => Style::Bad,
            "view-frozen" | "host-suspected" | "host-damped" | "host-left" | "host-outdated"
            | "app-removed" => Style::Waiting,
            "host-joined" | "host-recovered" | "host-returned" | "host-steadied"
            | "view-thawed" | "store-back" | "app-deployed" => Style::Good,
            _ => Style::Plain,
        }
    }

    /// The parameters of the SGR sequence (ECMA-48); `None` for plain text.
    fn sgr(self) -> Option<&'static str> {
        match self {
            Style::Plain => None,
            Style::Heading => Some("1"),
            Style::Good => Some("32"),
            Style::Waiting => Some("33"),
            Style::Bad => Some("31"),
            Style::Faint => Some("2"),
            Style::Name => Some("36"),
            Style::Error => Some("1;31"),
            Style::Help => Some("1;36"),
        }
    }
}

impl Styled {
    /// Text without a style.
    pub(crate) fn plain(text: impl Into<String>) -> Styled {
        let mut styled = Styled::default();
        styled.push(Style::Plain, text);
        styled
    }

    /// Adds a piece.
    pub(crate) fn push(&mut self, style: Style, text: impl Into<String>) {
        self.pieces.push((style, text.into()));
    }

    /// Adds the pieces of another text.
    pub(crate) fn append(&mut self, other: Styled) {
        self.pieces.extend(other.pieces);
    }

    /// True if the text has no character.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.iter().all(|(_, text)| text.is_empty())
    }

    /// The text for a terminal, or without colours for everything else.
    pub(crate) fn render(&self, colour: Colour) -> String {
        let mut rendered = String::new();
        for (style, text) in &self.pieces {
            let text = printable(text);
            let inner = text.trim();
            match style.sgr() {
                Some(sgr) if colour == Colour::On && !inner.is_empty() => {
                    // A style ends before a line does, and spaces have none.
                    rendered += &text.replacen(inner, &format!("\x1b[{sgr}m{inner}\x1b[0m"), 1);
                }
                _ => rendered += &text,
            }
        }
        rendered
    }
}

/// The text without its styles.
impl fmt::Display for Styled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pieces = self.pieces.iter();
        pieces.try_for_each(|(_, text)| formatter.write_str(text))
    }
}

/// Escapes control characters, so that a guest cannot control the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_harmless(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_tabs_stay_and_other_control_characters_are_escaped() {
        assert_eq!(printable("a\tb\n"), "a\tb\n");
        assert_eq!(printable("a\rb\u{7}"), "a\\rb\\u{7}");
    }

    #[test]
    fn only_the_palette_reaches_the_terminal() {
        let mut text = Styled::plain("a ");
        text.push(Style::Bad, "b\u{1b}[2J");
        text.push(Style::Name, "  ");
        text.push(Style::Heading, "\nc d\n");
        assert_eq!(
            text.render(Colour::On),
            "a \u{1b}[31mb\\u{1b}[2J\u{1b}[0m  \n\u{1b}[1mc d\u{1b}[0m\n"
        );
        assert_eq!(text.render(Colour::Off), "a b\\u{1b}[2J  \nc d\n");
    }

    #[test]
    fn states_are_green_yellow_or_red() {
        let styles = ["ready", "waiting", "suspected", "failed", "dead"].map(Style::of_state);
        let expected = [
            Style::Good,
            Style::Waiting,
            Style::Waiting,
            Style::Bad,
            Style::Bad,
        ];
        assert_eq!(styles, expected);
        let readiness = [(2, 2), (1, 2), (0, 2), (0, 0)];
        let readiness = readiness.map(|(ready, wanted)| Style::of_readiness(ready, wanted));
        let expected = [Style::Good, Style::Waiting, Style::Bad, Style::Good];
        assert_eq!(readiness, expected);
    }
}
