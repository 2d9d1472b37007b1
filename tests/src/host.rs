//! A host in a process of its own, and commands against it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::dep_info;
use crate::http::{Request, Response};
use crate::process::{Finished, Process};
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
        let address_file = data.path().join("admin.address");
        // That of a host that was killed leads nowhere.
        let _ = std::fs::remove_file(&address_file);
        let mut process = spawn(options, data.path());
        eventually("the host is up", PATIENCE, || {
            assert!(
                !process.has_ended(),
                "the host ended while it started:\n{}",
                process.stderr()
            );
            if process.stdout().contains(UP) && address_file.is_file() {
                return Ok(());
            }
            Err(process.stderr())
        });
        let mut weft = Self {
            process: Some(process),
            data,
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let host = &weft.get("hosts")[0];
        let http = host["http"].as_str().expect("the host takes HTTP requests");
        weft.http = http.parse().expect("an address");
        weft
    }

    /// Starts a host that is expected to refuse, and waits until it has ended.
    #[must_use]
    pub fn start_refused(options: &Options<'_>) -> Finished {
        let data = options.data.clone().unwrap_or_else(new_data);
        spawn(options, data.path()).wait(PATIENCE)
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
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Sends it SIGTERM.
    pub fn terminate(&self) {
        self.process().terminate();
    }

    /// Has it do nothing at all, until [`Weft::resume`].
    pub fn suspend(&self) {
        self.process().suspend();
    }

    /// Ends what [`Weft::suspend`] began.
    pub fn resume(&self) {
        self.process().resume();
    }

    /// Waits until it has ended by itself.
    #[must_use]
    pub fn ended(mut self, deadline: Duration) -> Finished {
        let process = self.process.take().expect("the host runs");
        process.wait(deadline)
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

    /// Its own log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process().stderr()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process().id()
    }

    /// Runs a command against it.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.spawn(arguments).wait(PATIENCE)
    }

    /// Starts a command against it that may not end by itself.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        let mut command = weft_command();
        command.args(arguments);
        command.arg("--data-dir").arg(self.data.path());
        Process::spawn(command)
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

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the host runs")
    }
}

impl Drop for Weft {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows what the host said"
    )]
    fn drop(&mut self) {
        let Some(process) = self.process.as_mut() else {
            return;
        };
        process.kill();
        if std::thread::panicking() {
            let log = process.stderr();
            let lines: Vec<_> = log.lines().collect();
            let first = lines.len().saturating_sub(LOG_LINES_SHOWN);
            eprintln!("--- the host's log\n{}", lines[first..].join("\n"));
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
    let weft = WEFT.as_ref().unwrap_or_else(|stale| panic!("{stale}"));
    let mut command = Command::new(weft);
    for name in ["WEFT_DATA_DIR", "WEFT_ADMIN", "WEFT_LOG", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
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

fn spawn(options: &Options<'_>, data: &Path) -> Process {
    let mut command = weft_command();
    command.args(["up", "--http", options.http, "--admin", "127.0.0.1:0"]);
    command.arg("--data-dir").arg(data);
    for file in options.files {
        command.arg("-f").arg(file);
    }
    command.args(options.arguments);
    Process::spawn(command)
}

fn new_data() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary directory"))
}
