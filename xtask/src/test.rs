//! `cargo xtask test`: installs and builds everything that tests need, then runs and counts all
//! tests.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::command::{Stream, output, print_line, run_and_read};
use crate::debian;
use crate::guests::{self, Toolchain};
use crate::guests_check;
use crate::workspace::{Build, build_weft, cargo};

/// The tools of the Debian toolchain for guests.
const DEBIAN_TOOLS: [&str; 4] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/bin/wasm-ld-22",
    "/usr/lib/wasm32-wasi",
];

/// The test target that runs hosts and loads guests.
const END_TO_END: &str = "end_to_end";

/// The tests to run.
#[derive(Args, Debug, Default)]
pub(crate) struct Options {
    /// Run only the tests of the workspace with this in their names.
    filter: Option<String>,
    /// Run only the tests of the workspace that match this nextest expression.
    #[arg(short = 'E', long, value_name = "EXPRESSION")]
    expression: Option<String>,
    /// Build and run only the test targets with this name, for example `wire` or `end_to_end`.
    #[arg(long = "test", value_name = "TARGET")]
    targets: Vec<String>,
    /// Skip doc tests, and the build of guests with Debian's packages.
    #[arg(long)]
    quick: bool,
}

impl Options {
    /// True if only some tests of the workspace are to run.
    fn selects(&self) -> bool {
        self.filter.is_some() || self.expression.is_some() || !self.targets.is_empty()
    }

    /// True if a selected test may run a host.
    fn includes_end_to_end(&self) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target == END_TO_END)
    }
}

/// The program that runs tests. Both find the same tests; nextest starts a process for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Nextest,
    Cargo,
}

/// The result of the tests of one kind.
struct TestRun {
    kind: &'static str,
    count: u64,
    outcome: Result<()>,
}

/// Runs and counts all tests, also after failures. With a filter or a target, only those tests of
/// the workspace are built and run.
///
/// # Errors
/// If a build or a test fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runner = runner();
    if options.selects() {
        return run_selected(options, runner);
    }
    prepare()?;
    let weft = build_weft(Build::Dev)?;
    if !options.quick {
        check_debian_guests(&weft)?;
    }
    let mut runs = vec![workspace_tests(runner), guest_tests(runner)];
    if !options.quick {
        runs.push(doc_tests());
    }
    report(runs)
}

fn run_selected(options: &Options, runner: Runner) -> Result<()> {
    if options.includes_end_to_end() {
        prepare()?;
    }
    if options.targets.iter().any(|target| target == END_TO_END) {
        // The target alone does not build the program that it runs; tests of the whole workspace
        // do.
        let weft_and_tests = [
            "build",
            "--workspace",
            "--bin",
            "weft",
            "--test",
            END_TO_END,
        ];
        crate::command::run(cargo().args(weft_and_tests))?;
    }
    let arguments = selection(options, runner)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    report(vec![run_tests(runner, "of the workspace", &arguments)])
}

/// The arguments of the runner. All packages stay selected, so that their dependencies have the
/// features that everything else is built with.
fn selection(options: &Options, runner: Runner) -> Result<Vec<String>> {
    let mut arguments = vec!["--workspace".to_owned()];
    for target in &options.targets {
        arguments.extend(["--test".to_owned(), target.clone()]);
    }
    if let Some(expression) = &options.expression {
        if runner == Runner::Cargo {
            bail!("`-E` needs cargo-nextest, which is not installed");
        }
        arguments.extend(["-E".to_owned(), expression.clone()]);
    }
    arguments.extend(options.filter.clone());
    Ok(arguments)
}

fn report(runs: Vec<TestRun>) -> Result<()> {
    let parts: Vec<String> = runs
        .iter()
        .map(|run| format!("{} {}", run.count, run.kind))
        .collect();
    let total: u64 = runs.iter().map(|run| run.count).sum();
    print_line(&format!("{total} tests ran ({})", parts.join(", ")));
    if let Some(empty) = runs
        .iter()
        .find(|run| run.count == 0 && run.outcome.is_ok())
    {
        bail!("found no test {}", empty.kind);
    }
    runs.into_iter().try_for_each(|run| run.outcome)
}

// === prerequisites ===

fn runner() -> Runner {
    if output(cargo().args(["nextest", "--version"])).is_ok() {
        return Runner::Nextest;
    }
    let mut install = cargo();
    install.args(["install", "cargo-nextest", "--locked"]);
    match crate::command::run(&mut install) {
        Ok(()) => Runner::Nextest,
        Err(error) => {
            print_line(&format!(
                "cargo-nextest cannot be installed ({error:#}): running `cargo test`, which is slower"
            ));
            Runner::Cargo
        }
    }
}

/// Installs the bus server and builds the guests that tests load.
fn prepare() -> Result<()> {
    debian::ensure("nats-server", "tests of the lattice need `nats-server`")?;
    guests::build(&guests::Options {
        foreign: true,
        ..guests::Options::default()
    })?;
    Ok(())
}

/// Builds guests with Debian's packages and runs them. Skipped if the packages are not available:
/// tests load the guests of the other toolchain.
fn check_debian_guests(weft: &Path) -> Result<()> {
    let debian = guests::Options {
        toolchain: Toolchain::Debian,
        ..guests::Options::default()
    };
    match guests::build(&debian) {
        Ok(guests) => guests_check::check(&guests, weft),
        Err(error) if DEBIAN_TOOLS.iter().all(|tool| Path::new(tool).exists()) => Err(error),
        Err(error) => {
            print_line(&format!(
                "skipped guests built with Debian's packages, which are not installed: {error:#}"
            ));
            Ok(())
        }
    }
}

// === tests ===

fn workspace_tests(runner: Runner) -> TestRun {
    run_tests(runner, "of the workspace", &["--workspace"])
}

/// The unit tests of guests, which run natively.
fn guest_tests(runner: Runner) -> TestRun {
    let guests = ["--lib", "--manifest-path", "components/Cargo.toml"];
    run_tests(runner, "of the guests", &guests)
}

fn doc_tests() -> TestRun {
    let mut command = cargo();
    command.args(["test", "--doc", "--workspace"]);
    count(&mut command, Runner::Cargo, "in the documentation")
}

fn run_tests(runner: Runner, kind: &'static str, selected: &[&str]) -> TestRun {
    let mut command = cargo();
    match runner {
        Runner::Nextest => command.args(["nextest", "run", "--no-fail-fast"]),
        Runner::Cargo if selected.contains(&"--test") => command.args(["test", "--no-fail-fast"]),
        Runner::Cargo => command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]),
    };
    count(command.args(selected), runner, kind)
}

fn count(command: &mut Command, runner: Runner, kind: &'static str) -> TestRun {
    let stream = match runner {
        Runner::Nextest => Stream::Error,
        Runner::Cargo => Stream::Output,
    };
    let mut count = 0;
    let outcome = run_and_read(command, stream, |line| {
        count += tests_in(line, runner).unwrap_or(0);
    });
    TestRun {
        kind,
        count,
        outcome,
    }
}

/// The number of tests in a line that summarizes a run.
fn tests_in(line: &str, runner: Runner) -> Option<u64> {
    match runner {
        // `     Summary [   1.234s] 10/12 tests run: 9 passed, 1 failed, 2 skipped`
        Runner::Nextest => {
            let (_, summary) = line
                .trim_start()
                .strip_prefix("Summary [")?
                .split_once(']')?;
            let word = summary.split_whitespace().next()?;
            word.split('/').next()?.parse().ok()
        }
        // `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`
        Runner::Cargo => {
            let (_, summary) = line.strip_prefix("test result: ")?.split_once(". ")?;
            let number_of = |outcome: &str| {
                let part = summary.split("; ").find(|part| part.ends_with(outcome))?;
                part.split(' ').next()?.parse::<u64>().ok()
            };
            Some(number_of("passed")? + number_of("failed")?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_counted_and_other_lines_are_not() {
        let nextest = |line| tests_in(line, Runner::Nextest);
        assert_eq!(
            nextest("     Summary [   1.234s] 310 tests run: 310 passed (2 slow), 1 skipped"),
            Some(310)
        );
        assert_eq!(
            nextest("     Summary [   0.010s] 3/12 tests run: 2 passed, 1 failed"),
            Some(3)
        );
        assert_eq!(
            nextest("     Summary [   0.010s] 1 test run: 1 passed"),
            Some(1)
        );
        assert_eq!(nextest("        PASS [   0.010s] weft-host limits"), None);

        let cargo = |line| tests_in(line, Runner::Cargo);
        assert_eq!(
            cargo(
                "test result: FAILED. 3 passed; 1 failed; 5 ignored; 0 measured; 0 filtered out; finished in 0.10s"
            ),
            Some(4)
        );
        assert_eq!(cargo("test limits ... ok"), None);
    }

    #[test]
    fn a_selection_keeps_all_packages_and_names_targets_first() {
        let filtered = Options {
            filter: Some("fuzz".to_owned()),
            targets: vec!["wire".to_owned()],
            ..Options::default()
        };
        let expected = ["--workspace", "--test", "wire", "fuzz"];
        for runner in [Runner::Nextest, Runner::Cargo] {
            assert_eq!(selection(&filtered, runner).unwrap(), expected);
        }
        let expression = Options {
            expression: Some("test(fuzz)".to_owned()),
            ..Options::default()
        };
        assert_eq!(
            selection(&expression, Runner::Nextest).unwrap(),
            ["--workspace", "-E", "test(fuzz)"]
        );
        assert!(selection(&expression, Runner::Cargo).is_err());
    }

    #[test]
    fn guests_are_needed_unless_only_other_targets_run() {
        for (targets, needed) in [
            (&[][..], true),
            (&["wire"], false),
            (&["wire", "end_to_end"], true),
        ] {
            let options = Options {
                targets: targets.iter().map(|name| (*name).to_owned()).collect(),
                ..Options::default()
            };
            assert_eq!(options.includes_end_to_end(), needed, "{targets:?}");
        }
    }

    #[test]
    fn no_tests_at_all_is_a_failure() {
        let empty = TestRun {
            kind: "of nothing",
            count: 0,
            outcome: Ok(()),
        };
        assert!(report(vec![empty]).is_err());
    }
}
