//! The commands, one file each, and the async runtimes that run them.

pub(crate) mod build;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod context;
pub(crate) mod deploy;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod drill;
pub(crate) mod events;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod hang;
pub(crate) mod inspect;
pub(crate) mod keyvalue;
pub(crate) mod label;
pub(crate) mod link;
mod log_follower;
pub(crate) mod logs;
pub(crate) mod manual;
pub(crate) mod new;
pub(crate) mod plan;
pub(crate) mod status;
pub(crate) mod undeploy;
pub(crate) mod up;

use std::num::NonZero;

use tokio::runtime::{Builder, Runtime};

use crate::arguments::Command;
use crate::contact;
use crate::failure::{Failure, Kind};

/// Runs one command to completion.
///
/// # Errors
/// The failure of the command.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => client_runtime()?.block_on(new.run()),
        Command::Build(build) => client_runtime()?.block_on(build.run()),
        Command::Up(up) => up.run(),
        Command::Completions(completions) => completions.run(),
        Command::Context(context) => context.run(),
        Command::Manual(manual) => manual.run(),
        Command::HangParent(hang) => run_client(hang.run()),
        Command::Deploy(deploy) => run_client(deploy.run()),
        Command::Check(check) => client_runtime()?.block_on(check.run()),
        Command::Undeploy(undeploy) => run_client(undeploy.run()),
        Command::Get(get) => run_client(get.run()),
        Command::Call(call) => run_client(call.run()),
        Command::Describe(describe) => run_client(describe.run()),
        Command::Inspect(inspect) => run_client(inspect.run()),
        Command::Link(link) => run_client(link.run()),
        Command::Doctor(doctor) => run_client(doctor.run()),
        Command::Drill(drill) => run_client(drill.run()),
        Command::Logs(logs) => run_client(logs.run()),
        Command::Status(status) => run_client(status.run()),
        Command::Events(events) => run_client(events.run()),
        Command::Drain(drain) => run_client(drain.run()),
        Command::Gc(gc) => run_client(gc.run()),
        Command::KeyValue(keyvalue) => run_client(keyvalue.run()),
        Command::Label(label) => run_client(label.run()),
    }
}

/// Runs a client command, and adds the host or lattice that it contacted to its failure.
fn run_client(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    client_runtime()?.block_on(async {
        match command.await {
            Ok(()) => Ok(()),
            Err(failure) => Err(contact::explain(failure).await),
        }
    })
}

/// The runtime of client commands. One thread: a client waits for one reply at a time, and starts
/// faster without a pool.
fn client_runtime() -> Result<Runtime, Failure> {
    build(Builder::new_current_thread())
}

/// The runtime of a host, with a worker for each core, and one that is free for sockets and short
/// requests while guests that run long have the others.
fn host_runtime() -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(cores + 1);
    build(builder)
}

fn build(mut builder: Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|error| {
        Failure::new(Kind::Failed, "cannot start the async runtime").caused_by(&error)
    })
}
