//! Printing. No other module writes to standard output and standard error.
//!
//! A command returns a [`Report`], which is printed as text or JSON. Text from hosts and guests is
//! not trusted: control characters are escaped.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use rustix::termios::tcgetwinsize;
use serde::Serialize;

use crate::environment;
use crate::failure::{Failure, Kind, Message, Plain};
use crate::styled::{Colour, Style, Styled, printable};

/// The output format on standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Plain comments: doc comments would add six lines to the help of every command.
    // For people; may change between versions.
    #[default]
    Text,
    // For programs: fields are added, never renamed.
    Json,
}

/// The result of a command.
pub(crate) trait Report: Serialize {
    /// The text for people, without styles and of any width.
    fn text(&self) -> String;

    /// The text for people, for a terminal with this many columns, or without a limit.
    fn styled(&self, _columns: Option<usize>) -> Styled {
        Styled::plain(self.text())
    }

    /// A note for standard error: why the result is empty, and the next step.
    fn note(&self) -> Option<String> {
        None
    }
}

/// The state of the reader of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Open,
    /// The other end of the pipe is closed (`weft logs | head`), which is not an error.
    Closed,
}

/// Prints the result of a command.
///
/// # Errors
/// Standard output cannot be written for a reason other than a closed pipe.
pub(crate) fn report(report: &impl Report, format: Format) -> Result<Reader, Failure> {
    let reader = match format {
        Format::Text => write_stdout(&stdout_text(report)),
        Format::Json => write_stdout(&json(report, serde_json::to_string_pretty)?),
    }?;
    if let Some(note) = report.note() {
        stderr_line(&printable(&note));
    }
    Ok(reader)
}

/// Prints one value of a stream: a line of text or of JSON.
///
/// # Errors
/// As [`report`].
pub(crate) fn line(report: &impl Report, format: Format) -> Result<Reader, Failure> {
    match format {
        Format::Text => write_stdout(&stdout_text(report)),
        Format::Json => write_stdout(&json(report, serde_json::to_string)?),
    }
}

/// Prints an empty line between two results of a stream.
///
/// # Errors
/// As [`report`].
pub(crate) fn blank_line() -> Result<Reader, Failure> {
    write_stdout("\n")
}

/// Prints a note, which is not a failure, on standard error.
pub(crate) fn note(text: &str) {
    stderr_line(&printable(text));
}

/// Prints a line of a tool on standard error as it is, with its colours: the tool is one that the
/// user runs.
pub(crate) fn tool_line(line: &str) {
    stderr_line(line);
}

/// Prints a note about the progress of a command, if a person watches it.
pub(crate) fn progress(text: &str) {
    if is_watched() {
        note(text);
    }
}

/// Prints the failure of a command on standard error.
pub(crate) fn failure(failure: &Failure) {
    stderr_line(&failure_text(failure, colour_on_stderr()));
}

/// True if a person watches the command: both outputs are terminals.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Colour on standard error.
pub(crate) fn colour_on_stderr() -> Colour {
    colour(io::stderr().is_terminal())
}

/// Colour, if the stream is a terminal and the user has not disabled it.
fn colour(is_terminal: bool) -> Colour {
    if is_terminal && !environment::no_colour() {
        Colour::On
    } else {
        Colour::Off
    }
}

/// The width of standard output; `None` if it is not a terminal, or one of unknown width.
fn stdout_columns() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let columns = tcgetwinsize(stdout).ok()?.ws_col;
    (columns > 0).then_some(columns.into())
}

// === texts ===

fn stdout_text(report: &impl Report) -> String {
    let text = report.styled(stdout_columns());
    text.render(colour(io::stdout().is_terminal()))
}

fn failure_text(failure: &Failure, colour: Colour) -> String {
    let messages = failure.messages().iter().map(|message| match message {
        Message::Plain(plain) => plain_text(plain).render(colour),
        Message::Formatted(text) => printable(text).trim_end().to_owned(),
    });
    let label = match colour {
        Colour::On => "\x1b[1;36mhost\x1b[0m",
        Colour::Off => "host",
    };
    let host = failure.host();
    let host = host.map(|host| format!("{label}: {}", printable(host)));
    messages.chain(host).collect::<Vec<_>>().join("\n")
}

fn plain_text(plain: &Plain) -> Styled {
    let mut text = Styled::default();
    text.push(Style::Error, "error");
    text.push(Style::Plain, format!(": {}", plain.message));
    for cause in &plain.causes {
        text.push(Style::Plain, format!("\n  caused by: {cause}"));
    }
    if let Some(advice) = &plain.help {
        text.push(Style::Plain, "\n");
        text.push(Style::Help, "help");
        text.push(Style::Plain, format!(": {advice}"));
    }
    text
}

fn json<T: Serialize>(
    value: &T,
    render: fn(&T) -> serde_json::Result<String>,
) -> Result<String, Failure> {
    render(value).map_err(|error| {
        Failure::new(Kind::Failed, "cannot encode the result as JSON").caused_by(&error)
    })
}

// === streams ===

fn write_stdout(text: &str) -> Result<Reader, Failure> {
    if text.is_empty() {
        return Ok(Reader::Open);
    }
    match write_line(io::stdout().lock(), text) {
        Ok(()) => Ok(Reader::Open),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Closed),
        Err(error) => Err(Failure::from_error(Kind::Failed, &StdoutError(error))),
    }
}

fn stderr_line(text: &str) {
    // If standard error is closed, the error cannot be reported anywhere.
    let _ = write_line(io::stderr().lock(), text);
}

fn write_line(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stream.write_all(b"\n")?;
    }
    stream.flush()
}

/// A failed write to standard output.
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
    fn a_failure_is_printed_with_message_causes_and_help() {
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
}
