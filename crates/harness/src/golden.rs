//! Files with expected text; `UPDATE_GOLDEN=1` rewrites them.

use std::fs;
use std::path::Path;

/// Number of bytes in a line of [`hex_dump`].
const LINE_BYTES: usize = 16;

/// Compares text with a file, or writes the file if `UPDATE_GOLDEN` is set.
///
/// # Errors
/// The lines that differ, and the command that accepts them: the tests of `package`.
///
/// # Panics
/// If the file cannot be written.
pub fn compare(file: &Path, found: &str, package: &str) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads this variable"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    if update {
        fs::create_dir_all(file.parent().expect("a file has a folder")).expect("writable");
        fs::write(file, found).expect("writable");
        return Ok(());
    }
    Err(format!(
        "{} differs (- expected, + found):\n{}\nto accept what was found, run \
         `UPDATE_GOLDEN=1 cargo nextest run -p {package}`\n",
        file.display(),
        difference(&expected, found)
    ))
}

/// The text of a file for bytes: their hexadecimal digits, with the printable ones beside them.
#[must_use]
pub fn hex_dump(about: &str, bytes: &[u8]) -> String {
    let mut text = format!("# {about}\n");
    for line in bytes.chunks(LINE_BYTES) {
        let hex: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = line.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        let (width, shown) = (LINE_BYTES * 3, shown.collect::<String>());
        text += &format!("{:<width$} # {shown}\n", hex.join(" "));
    }
    text
}

/// The lines that differ, without the common lines at both ends.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let common = expected.iter().zip(&found);
    let start = common.take_while(|(left, right)| left == right).count();
    let (expected, found) = (&expected[start..], &found[start..]);
    let common = expected.iter().rev().zip(found.iter().rev());
    let end = common.take_while(|(left, right)| left == right).count();
    let removed = expected[..expected.len() - end].iter();
    let added = found[..found.len() - end].iter();
    let removed = removed.map(|line| format!("- {line}"));
    let lines: Vec<_> = removed
        .chain(added.map(|line| format!("+ {line}")))
        .collect();
    format!("from line {}:\n{}", start + 1, lines.join("\n"))
}
