//! `cargo xtask lint`: the rules of prose and of commit subjects that can be counted.
//!
//! Comments of all crates are read, except those of guests and of tests. Some rules have a budget
//! for each crate, since a rule of words has rightful exceptions.

mod report;
mod rules;
mod subjects;

use anyhow::{Result, bail};
use clap::Args;

use crate::command::print_line;
use crate::sources::{self, GUESTS};
use report::Report;

/// The crate of the end-to-end tests.
const TESTS: &str = "tests";

/// The texts to check.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Check the subjects of the commits after this one instead of the comments.
    #[arg(long, value_name = "BASE")]
    subjects: Option<String>,
}

/// Checks comments, or the subjects of commits.
///
/// # Errors
/// If a crate is over a budget, or a subject breaks a rule.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.subjects {
        Some(base) => subjects::check(base),
        None => check_comments(),
    }
}

fn check_comments() -> Result<()> {
    let mut sources = sources::read()?;
    sources.retain(|source| ![GUESTS, TESTS].contains(&source.folder.as_str()));
    let report = Report::of(&sources);
    let over: Vec<_> = report.over().collect();
    for (folder, rule) in &over {
        print_line(&report.places(folder, *rule));
    }
    print_line(&report.table());
    if !over.is_empty() {
        bail!("{} budgets of crates are exceeded; see above", over.len());
    }
    Ok(())
}
