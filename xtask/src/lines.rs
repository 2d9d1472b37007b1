//! `cargo xtask lines`: lines of code without tests, for each crate and in all.
//!
//! Counted is every Rust source that git tracks, this crate, the test kit and the guests included
//! (all guests are one row, `components`). Left out are test files and test modules, as
//! [`sources`] defines them. A line of code has more on it than a comment; the
//! table has comment lines and all lines, blank ones included, beside it.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use clap::Args;

use crate::command::print_line;
use crate::sources::{self, Kind, Source, scan};

/// The most lines of code in one crate: more takes too long to read, and to compile after a change.
const CRATE_MAX: usize = 12_000;

/// The most lines of code in all. There were 63,441 (62,426 without the test kit) when this was
/// set.
const TOTAL_MAX: usize = 58_000;

/// The lines to count.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Fail if a crate or the total has more lines of code than allowed.
    #[arg(long)]
    check: bool,
}

/// Prints the lines of all crates, largest first.
///
/// # Errors
/// If `--check` is given and there are too many.
pub(crate) fn run(options: &Options) -> Result<()> {
    let counts = count(&sources::read()?);
    print_line(&table(&counts));
    if options.check {
        check(&counts)?;
    }
    Ok(())
}

/// The lines of a crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    files: usize,
    code: usize,
    comments: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.code += other.code;
        self.comments += other.comments;
        self.all += other.all;
    }
}

/// The counts by folder.
type Counts = BTreeMap<String, Count>;

fn count(sources: &[Source]) -> Counts {
    let mut counts = Counts::new();
    for source in sources {
        let count = counts.entry(source.folder.clone()).or_default();
        count.add(count_text(&source.text));
    }
    counts
}

fn count_text(text: &str) -> Count {
    let mut count = Count {
        files: 1,
        ..Count::default()
    };
    for line in scan(text).lines.iter().filter(|line| !line.in_tests) {
        count.all += 1;
        match line.kind {
            Kind::Code => count.code += 1,
            Kind::Comment => count.comments += 1,
            Kind::Blank => {}
        }
    }
    count
}

fn total(counts: &Counts) -> Count {
    let mut total = Count::default();
    counts.values().for_each(|count| total.add(*count));
    total
}

fn table(counts: &Counts) -> String {
    let mut rows: Vec<_> = counts
        .iter()
        .map(|(folder, count)| (folder.as_str(), *count))
        .collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.code));
    rows.push(("total", total(counts)));
    let mut table = format!(
        "{:<28} {:>6} {:>8} {:>9} {:>8}\n",
        "crate", "files", "code", "comments", "all"
    );
    for (name, count) in rows {
        let Count {
            files,
            code,
            comments,
            all,
        } = count;
        table += &format!("{name:<28} {files:>6} {code:>8} {comments:>9} {all:>8}\n");
    }
    table
}

fn check(counts: &Counts) -> Result<()> {
    let large = counts.iter().filter(|(_, count)| count.code > CRATE_MAX);
    let mut over: Vec<String> = large
        .map(|(folder, count)| format!("`{folder}` has {}, at most {CRATE_MAX}", count.code))
        .collect();
    let total = total(counts).code;
    if total > TOTAL_MAX {
        over.push(format!("all crates have {total}, at most {TOTAL_MAX}"));
    }
    if !over.is_empty() {
        bail!("too many lines of code: {}", over.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_code_are_those_with_more_than_a_comment() {
        let text = "//! a\n\nfn b() {} // c\n\n#[cfg(test)]\nmod tests {\n    // d\n}\n";
        let expected = Count {
            files: 1,
            code: 1,
            comments: 1,
            all: 4,
        };
        assert_eq!(count_text(text), expected);
    }

    #[test]
    fn crates_and_the_total_have_budgets() {
        let of = |codes: &[usize]| -> Counts {
            let count = |code: &usize| Count {
                code: *code,
                ..Count::default()
            };
            let numbered = codes.iter().map(count).enumerate();
            numbered.map(|(i, count)| (format!("{i}"), count)).collect()
        };
        for (codes, expected) in [
            (&[CRATE_MAX; 4][..], None),
            (
                &[1, CRATE_MAX + 1],
                Some("too many lines of code: `1` has 12001, at most 12000"),
            ),
            (
                &[CRATE_MAX; 5],
                Some("too many lines of code: all crates have 60000, at most 58000"),
            ),
        ] {
            let found = check(&of(codes)).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn the_largest_crate_is_first_and_the_total_last() {
        let count = |code| Count {
            code,
            ..Count::default()
        };
        let counts = Counts::from([
            ("a".to_owned(), count(1)),
            ("b".to_owned(), count(3)),
            ("c".to_owned(), count(2)),
        ]);
        let table = table(&counts);
        let names: Vec<_> = table
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(names, ["crate", "b", "c", "a", "total"]);
    }
}
