//! A host in a process of its own, and commands against it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use weft_harness::http::{Request, Response};
use weft_harness::{Process, weft};

use crate::dep_info;
use crate::process::{Finished, finish, spawn};
use crate::wait::{PATIENCE, eventually};

/// The last line that `weft up` prints once its manifests are deployed.
const UP: &str = "press Ctrl-C to stop";

/// The last lines of a host's log that a failed test shows.
const LOG_LINES_SHOWN: usize = 60;

/// How a host is started.
#[derive(Debug)]
pub struct Options<'a> {
    /// Where it takes HTTP requests.
    pub http: &'a str,
    /// Manifests to deploy.
    pub files: &'a [PathBuf],
    /// More arguments of `weft up`.
    pub arguments: &'a [&'a str],
    /// The data directory of an earlier host; without it, a new one.
    pub data: Option<Arc<TempDir>>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            http: "127.0.0.1:0",
            files: &[],
            arguments: &[],
            data: None,
        }
    }
}

/// A host that runs until the test ends.
#[derive(Debug)]
pub struct Weft {
    process: Option<Process>,
    data: Arc<TempDir>,
    http: SocketAddr,
    /// Its id; `None` for a host alone.
    id: Option<String>,
}

impl Weft {
    /// Starts a host with nothing deployed.
    #[must_use]
    pub fn empty() -> Self {
        Self::start(&Options::default())
    }

    /// Starts a host that serves these manifests.
    #[must_use]
    pub fn serving(files: &[PathBuf]) -> Self {
        Self::start(&Options {
            files,
            ..Options::default()
        })
    }

    /// Starts a host.
    ///
    /// # Panics
    /// If it ends, or does not serve in time.
    #[must_use]
    pub fn start(options: &Options<'_>) -> Self {
        let data = options.data.clone().unwrap_or_else(new_data);
        let mut process = spawn_host(options, data.path());
        eventually("the host is up", PATIENCE, || {
            process
                .check()
                .unwrap_or_else(|ended| panic!("during its start, {ended}"));
            let is_up = process.stdout().contains(UP);
            is_up.then_some(()).ok_or_else(|| process.stderr())
        });
        let mut weft = Self {
            process: Some(process),
            data,
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            id: None,
        };
        let host = &weft.get("hosts")[0];
        let http = host["http"].as_str().expect("the host takes HTTP requests");
        let id = host["id"].as_str().map(str::to_owned);
        weft.http = http.parse().expect("an address");
        weft.id = id;
        weft
    }

    /// Starts a host that is expected to refuse, and waits until it has ended.
    #[must_use]
    pub fn start_refused(options: &Options<'_>) -> Finished {
        let data = options.data.clone().unwrap_or_else(new_data);
        finish(spawn_host(options, data.path()), PATIENCE)
    }

    /// Kills it as `kill -9` does, and starts another on its data, without any file.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.kill();
        Self::start(&Options {
            data: Some(Arc::clone(&self.data)),
            ..Options::default()
        })
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its process, to send it signals.
    ///
    /// # Panics
    /// If it was killed.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the host runs")
    }

    /// Waits until it has ended by itself.
    #[must_use]
    pub fn ended(mut self, deadline: Duration) -> Finished {
        let process = self.process.take().expect("the host runs");
        finish(process, deadline)
    }

    /// Where it takes HTTP requests.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its data directory, which outlives it as long as a test holds it.
    #[must_use]
    pub fn data(&self) -> Arc<TempDir> {
        Arc::clone(&self.data)
    }

    /// Its own folder in its data directory.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        folder(self.data.path())
    }

    /// Its own log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process().stderr()
    }

    /// Runs a command against it.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.spawn(arguments), PATIENCE)
    }

    /// Starts a command against it that may not end by itself.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        spawn(weft::client(weft_command(), self.data.path(), arguments))
    }

    /// Runs `weft deploy`.
    #[must_use]
    pub fn deploy(&self, manifest: &Path) -> Finished {
        self.run(&["deploy", &manifest.to_string_lossy(), "-o", "json"])
    }

    /// Deploys, and fails the test if the host refuses. Returns the report for the one manifest.
    ///
    /// # Panics
    /// If the host refuses.
    #[track_caller]
    pub fn deployed(&self, manifest: &Path) -> Value {
        self.deploy(manifest).expect_code(0).json()[0].clone()
    }

    /// Calls a function of a component.
    #[must_use]
    pub fn call(&self, component: &str, expression: &str) -> Finished {
        self.run(&["call", component, expression])
    }

    /// What a call returns, in WAVE.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn called(&self, component: &str, expression: &str) -> String {
        let finished = self.call(component, expression).expect_code(0);
        finished.stdout.trim_end().to_owned()
    }

    /// Repeats a call until it succeeds; returns its result, in WAVE.
    ///
    /// # Panics
    /// If it fails for too long.
    pub fn wait_for_call(&self, component: &str, expression: &str) -> String {
        eventually(&format!("`{component}` is called"), PATIENCE, || {
            let called = self.call(component, expression);
            match called.code {
                Some(0) => Ok(called.stdout.trim_end().to_owned()),
                _ => Err(called.stderr),
            }
        })
    }

    /// Waits until this host reports so many ready hosts in its lattice.
    ///
    /// # Panics
    /// If there are more or less for too long.
    pub fn wait_for_ready(&self, count: usize) {
        eventually(&format!("{count} hosts are ready"), PATIENCE, || {
            let rows = self.get("hosts");
            let ready = rows.iter().filter(|row| row["status"] == "ready").count();
            (ready == count).then_some(()).ok_or(format!("{rows:?}"))
        });
    }

    /// The rows of `weft get WHAT`.
    ///
    /// # Panics
    /// If they are not an array.
    #[must_use]
    #[track_caller]
    pub fn get(&self, what: &str) -> Vec<Value> {
        let rows = self.run(&["get", what, "-o", "json"]).expect_code(0).json();
        rows.as_array().expect("an array").clone()
    }

    /// The rows of `weft get WHAT` that this host has for itself.
    ///
    /// # Panics
    /// If they are not an array.
    #[must_use]
    #[track_caller]
    pub fn own(&self, what: &str) -> Vec<Value> {
        let Some(id) = &self.id else {
            return self.get(what);
        };
        let rows = self.run(&["get", what, "--host", id, "-o", "json"]);
        let rows = rows.expect_code(0).json();
        rows.as_array().expect("an array").clone()
    }

    /// Sends a request, on a connection of its own.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn send(&self, request: Request<'_>) -> Response {
        request.send(self.http)
    }

    /// `GET path`.
    #[track_caller]
    pub fn fetch(&self, path: &str) -> Response {
        self.send(Request::get(path))
    }
}

impl Drop for Weft {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows what the host said"
    )]
    fn drop(&mut self) {
        let running = self.process.as_ref();
        if let Some(process) = running.filter(|_| std::thread::panicking()) {
            let log = process.last_lines(LOG_LINES_SHOWN);
            eprintln!("--- the host's log\n{log}");
        }
    }
}

/// The `weft` of this build, with nothing of the environment's own settings.
///
/// # Panics
/// If it was not built from the sources as they are.
#[must_use]
pub fn weft_command() -> Command {
    static WEFT: LazyLock<Result<PathBuf, String>> = LazyLock::new(fresh_weft);
    weft::command(WEFT.as_ref().unwrap_or_else(|stale| panic!("{stale}")))
}

/// The `weft` beside the tests, unless it is stale.
fn fresh_weft() -> Result<PathBuf, String> {
    let test = std::env::current_exe().expect("the test has a file");
    // `target/PROFILE/deps/TEST`
    let profile = test.ancestors().nth(2).expect("the test is in `deps`");
    let weft = profile.join("weft");
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/src/main.rs");
    match dep_info::check(&weft, &profile.join("weft.d"), &main) {
        Ok(()) => Ok(weft),
        Err(stale) => Err(format!(
            "stale {}: {stale}; run `cargo xtask test`, or `cargo build --workspace --all-targets` first",
            weft.display()
        )),
    }
}

fn spawn_host(options: &Options<'_>, data: &Path) -> Process {
    let mut command = weft::up(weft_command(), data, options.http);
    for file in options.files {
        command.arg("-f").arg(file);
    }
    command.args(options.arguments);
    spawn(command)
}

/// The folder of a host in a data directory.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("private")
}

fn new_data() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary directory"))
}
