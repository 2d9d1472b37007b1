//! The rules for the first line of a commit message.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{output, print_line};

/// The longest subject: it fits a line of `git log` with some indentation.
const CHARACTERS_MAX: usize = 72;

/// Checks the subjects of the commits after `base`, up to the current one.
///
/// # Errors
/// If git does not have `base`, or a subject breaks a rule.
pub(super) fn check(base: &str) -> Result<()> {
    let range = format!("{base}..HEAD");
    let subjects = output(Command::new("git").args(["log", "--format=%h %s", &range]))?;
    let mut wrong = 0;
    let mut checked = 0;
    for line in subjects.lines() {
        checked += 1;
        let (_, subject) = line.split_once(' ').unwrap_or((line, ""));
        if let Err(reason) = check_subject(subject) {
            wrong += 1;
            print_line(&format!("{line}\n  {reason}"));
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {checked} commit subjects break a rule; `git rebase -i {base}` rewords");
    }
    print_line(&format!("{checked} commit subjects are fine"));
    Ok(())
}

fn check_subject(subject: &str) -> Result<(), String> {
    let length = subject.chars().count();
    if length > CHARACTERS_MAX {
        return Err(format!(
            "expected at most {CHARACTERS_MAX} characters, found {length}"
        ));
    }
    if subject.trim().is_empty() {
        return Err("the subject is empty".to_owned());
    }
    if subject.ends_with('.') {
        return Err("the subject ends with a full stop".to_owned());
    }
    let mut words = subject.split(|c: char| !c.is_alphanumeric());
    if words.any(|word| word.eq_ignore_ascii_case("wip")) {
        return Err("`wip`: name the change".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_short_and_names_a_change() {
        for (subject, reason) in [
            ("wire: drop empty frames", None),
            ("cli: rewipe the screen…", None),
            (&"a".repeat(72), None),
            (&"a".repeat(73), Some("found 73")),
            ("", Some("empty")),
            ("wire: drop empty frames.", Some("full stop")),
            ("WIP: wire", Some("wip")),
            ("wire (wip)", Some("wip")),
        ] {
            let found = check_subject(subject).err();
            let matches = match (&found, reason) {
                (Some(found), Some(reason)) => found.contains(reason),
                (None, None) => true,
                _ => false,
            };
            assert!(matches, "{subject}: {found:?}");
        }
    }
}
