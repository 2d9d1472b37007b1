//! The commands, one file each, and the async runtimes that run them.

pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod deploy;
pub(crate) mod drain;
pub(crate) mod drill;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod hang;
pub(crate) mod inspect;
pub(crate) mod label;
pub(crate) mod link;
mod log_follower;
pub(crate) mod logs;
pub(crate) mod plan;
pub(crate) mod status;
pub(crate) mod undeploy;
pub(crate) mod up;

use tokio::runtime::{Builder, Runtime};

use crate::arguments::Command;
use crate::failure::{Failure, Kind};

/// Runs one command to completion.
///
/// # Errors
/// The failure of the command.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(up) => up.run(),
        Command::Completions(completions) => completions.run(),
        Command::HangParent(hang) => client_runtime()?.block_on(hang.run()),
        Command::Deploy(deploy) => client_runtime()?.block_on(deploy.run()),
        Command::Check(check) => client_runtime()?.block_on(check.run()),
        Command::Undeploy(undeploy) => client_runtime()?.block_on(undeploy.run()),
        Command::Get(get) => client_runtime()?.block_on(get.run()),
        Command::Call(call) => client_runtime()?.block_on(call.run()),
        Command::Inspect(inspect) => client_runtime()?.block_on(inspect.run()),
        Command::Link(link) => client_runtime()?.block_on(link.run()),
        Command::Drill(drill) => client_runtime()?.block_on(drill.run()),
        Command::Logs(logs) => client_runtime()?.block_on(logs.run()),
        Command::Status(status) => client_runtime()?.block_on(status.run()),
        Command::Events(events) => client_runtime()?.block_on(events.run()),
        Command::Drain(drain) => client_runtime()?.block_on(drain.run()),
        Command::Label(label) => client_runtime()?.block_on(label.run()),
    }
}

/// The runtime of client commands. One thread: a client waits for one reply at a time, and starts
/// faster without a pool.
fn client_runtime() -> Result<Runtime, Failure> {
    build(Builder::new_current_thread())
}

/// The runtime of a host, with a worker for each core.
fn host_runtime() -> Result<Runtime, Failure> {
    build(Builder::new_multi_thread())
}

fn build(mut builder: Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|error| {
        Failure::new(Kind::Failed, "cannot start the async runtime").caused_by(&error)
    })
}
