//! Everything the command prints: the one place that writes to standard output and standard error.
//!
//! A command yields a value, a [`Report`]; here it becomes text or JSON. What comes from hosts and
//! guests is not trusted with the terminal: control characters are shown escaped.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::environment;
use crate::failure::{Failure, Kind, Message, Plain};

/// The form of what a command prints on standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Plain comments: doc comments would become six lines in the help of every command.
    // For people; it may change from version to version.
    #[default]
    Text,
    // For programs: fields are added, never renamed.
    Json,
}

/// What a command yields.
pub(crate) trait Report: Serialize {
    /// The form for people.
    fn text(&self) -> String;

    /// What is said on standard error beside it: why there is nothing, and what to do next.
    fn note(&self) -> Option<String> {
        None
    }
}

/// Whether somebody still reads what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// More may be printed.
    Listening,
    /// The other end of the pipe is closed (`weft logs | head`): that is no mistake of anyone.
    Gone,
}

/// Prints what a command yields.
///
/// # Errors
/// Standard output cannot be written, for another reason than a closed pipe.
pub(crate) fn report(report: &impl Report, format: Format) -> Result<Reader, Failure> {
    let reader = match format {
        Format::Text => write_stdout(&printable(&report.text())),
        Format::Json => write_stdout(&json(report, serde_json::to_string_pretty)?),
    }?;
    if let Some(note) = report.note() {
        stderr_line(&printable(&note));
    }
    Ok(reader)
}

/// Prints one of many values: a line of text, or of JSON.
///
/// # Errors
/// As [`report`].
pub(crate) fn line(report: &impl Report, format: Format) -> Result<Reader, Failure> {
    match format {
        Format::Text => write_stdout(&printable(&report.text())),
        Format::Json => write_stdout(&json(report, serde_json::to_string)?),
    }
}

/// Says something on standard error that is not a failure.
pub(crate) fn note(text: &str) {
    stderr_line(&printable(text));
}

/// Prints why the command did not succeed.
pub(crate) fn failure(failure: &Failure) {
    stderr_line(&failure_text(failure, colour_on_stderr()));
}

/// Whether standard error understands, and the user wants, colour.
pub(crate) fn colour_on_stderr() -> Colour {
    if io::stderr().is_terminal() && !environment::no_colour() {
        Colour::On
    } else {
        Colour::Off
    }
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// With escape sequences.
    On,
    /// Without.
    Off,
}

// === texts ===

fn failure_text(failure: &Failure, colour: Colour) -> String {
    let messages = failure.messages().iter().map(|message| match message {
        Message::Plain(plain) => plain_text(plain, colour),
        Message::Formatted(text) => printable(text).trim_end().to_owned(),
    });
    messages.collect::<Vec<_>>().join("\n")
}

fn plain_text(plain: &Plain, colour: Colour) -> String {
    let (error, help) = match colour {
        Colour::On => ("\x1b[1;31merror\x1b[0m", "\x1b[1;36mhelp\x1b[0m"),
        Colour::Off => ("error", "help"),
    };
    let mut text = format!("{error}: {}", printable(&plain.message));
    for cause in &plain.causes {
        text += &format!("\n  caused by: {}", printable(cause));
    }
    if let Some(advice) = &plain.help {
        text += &format!("\n{help}: {}", printable(advice));
    }
    text
}

/// The text with control characters escaped, so that a guest cannot steer the terminal.
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

fn json<T: Serialize>(
    value: &T,
    render: fn(&T) -> serde_json::Result<String>,
) -> Result<String, Failure> {
    render(value).map_err(|error| {
        Failure::new(Kind::Failed, "cannot write the result as JSON").caused_by(&error)
    })
}

// === streams ===

fn write_stdout(text: &str) -> Result<Reader, Failure> {
    if text.is_empty() {
        return Ok(Reader::Listening);
    }
    match write_line(io::stdout().lock(), text) {
        Ok(()) => Ok(Reader::Listening),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::from_error(Kind::Failed, &StdoutError(error))),
    }
}

fn stderr_line(text: &str) {
    // There is nowhere left to say that standard error is closed.
    let _ = write_line(io::stderr().lock(), text);
}

fn write_line(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stream.write_all(b"\n")?;
    }
    stream.flush()
}

/// Standard output cannot be written.
#[derive(Debug)]
struct StdoutError(io::Error);

impl std::fmt::Display for StdoutError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cannot write to standard output")
    }
}

impl std::error::Error for StdoutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Failure {
        let plain = Plain {
            message: "cannot read `a.yaml`".to_owned(),
            causes: vec!["not found".to_owned()],
            help: Some("create it".to_owned()),
        };
        Failure::all(
            Kind::Input,
            vec![plain.into(), Plain::new("and `b\u{1b}[2J`").into()],
        )
    }

    #[test]
    fn a_failure_is_its_message_its_causes_and_what_to_do() {
        let expected = "error: cannot read `a.yaml`\n  caused by: not found\nhelp: create it\n\
                        error: and `b\\u{1b}[2J`";
        assert_eq!(failure_text(&example(), Colour::Off), expected);
    }

    #[test]
    fn only_the_words_error_and_help_are_coloured() {
        let text = failure_text(&example(), Colour::On);
        assert!(
            text.starts_with("\x1b[1;31merror\x1b[0m: cannot read `a.yaml`\n"),
            "{text:?}"
        );
        assert!(
            text.contains("\n\x1b[1;36mhelp\x1b[0m: create it\n"),
            "{text:?}"
        );
        assert!(text.ends_with("`b\\u{1b}[2J`"), "{text:?}");
    }

    #[test]
    fn line_ends_and_tabs_stay_and_other_control_characters_are_shown() {
        assert_eq!(printable("a\tb\n"), "a\tb\n");
        assert_eq!(printable("a\rb\u{7}"), "a\\rb\\u{7}");
    }
}
