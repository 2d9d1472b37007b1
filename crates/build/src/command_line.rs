//! Commands in the syntax of a shell.

use std::ffi::OsStr;
use std::process::Command;

/// The command, ready to paste into a shell, with its folder and variables.
#[must_use]
pub fn command_line(command: &Command) -> String {
    let directory = command
        .get_current_dir()
        .filter(|path| path.as_os_str() != ".")
        .map(|path| format!("cd {} &&", quoted(path.as_os_str())));
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(quoted);
    directory
        .into_iter()
        .chain(variables)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word in the syntax of a shell.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_printed_in_the_syntax_of_a_shell() {
        let mut command = Command::new("cargo");
        command
            .current_dir("components")
            .env("RUSTFLAGS", "-C a")
            .env_remove("RUSTC")
            .arg("it's");
        let expected = r"cd components && RUSTFLAGS='-C a' cargo 'it'\''s'";
        assert_eq!(command_line(&command), expected);
    }
}
