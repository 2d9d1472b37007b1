//! Runs other programs. A command with effects is printed before it runs, ready to paste into a
//! shell, and shares the output of this process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use weft_build::command_line;

/// Prints a command and runs it.
///
/// # Errors
/// If it cannot be started, or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    print_command(command);
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", command_line(command));
    }
    Ok(())
}

/// Prints a command.
pub(crate) fn print_command(command: &Command) {
    print_line(&format!("$ {}", command_line(command)));
}

/// An output stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

/// Prints a command and runs it. Each line of `stream` is printed and passed to `read`.
///
/// # Errors
/// If it cannot be started or read, or fails.
pub(crate) fn run_and_read(
    command: &mut Command,
    stream: Stream,
    mut read: impl FnMut(&str),
) -> Result<()> {
    match stream {
        Stream::Output => command.stdout(Stdio::piped()),
        Stream::Error => command.stderr(Stdio::piped()),
    };
    print_command(command);
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    let pipe: Box<dyn Read> = match (child.stdout.take(), child.stderr.take()) {
        (Some(output), _) => Box::new(output),
        (None, Some(error)) => Box::new(error),
        (None, None) => Box::new(std::io::empty()),
    };
    for line in BufReader::new(pipe).split(b'\n') {
        let line = line.with_context(|| format!("cannot read from `{}`", program(command)))?;
        let line = String::from_utf8_lossy(&line);
        print_line(&line);
        read(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", command_line(command));
    }
    Ok(())
}

/// Runs a command without effects and returns its standard output. It is not printed.
///
/// # Errors
/// If it cannot be started, fails, or prints something that is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", command_line(command), output.status);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("output of `{}` is not UTF-8", command_line(command)))
}

/// Prints a line of progress or results.
#[expect(clippy::print_stdout, reason = "progress goes to standard output")]
pub(crate) fn print_line(line: &str) {
    println!("{line}");
}

/// Prints an error, with each cause on a line of its own.
#[expect(clippy::print_stderr, reason = "errors go to standard error")]
pub(crate) fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  caused by: {cause}");
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`; is it installed?", program(command))
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_read_line_by_line() {
        for (script, stream) in [
            ("echo one; echo two", Stream::Output),
            ("(echo one; echo two) >&2", Stream::Error),
        ] {
            let mut lines = Vec::new();
            let mut command = Command::new("sh");
            run_and_read(command.args(["-c", script]), stream, |line| {
                lines.push(line.to_owned());
            })
            .unwrap();
            assert_eq!(lines, ["one", "two"], "{script}");
        }
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(&mut Command::new("false")).expect_err("false fails");
        assert!(error.to_string().contains("`false`"), "{error}");
    }
}
