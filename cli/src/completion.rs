//! Completion in shells: the script that a shell loads, and the names that it completes, from the
//! host or the lattice that the rest of the line selects.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{Args, Command, CommandFactory, FromArgMatches};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use tokio::runtime::Builder;
use weft_compose::ExternKind;
use weft_control::Client;
use weft_control::rows::PlacementRow;

use crate::all_hosts::OneHost;
use crate::arguments::Arguments;
use crate::connection;
use crate::deployed;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::interfaces::Export;
use crate::target::ComponentTarget;

/// The name of the command in scripts.
const NAME: &str = "weft";

/// The variable by which a script requests completions.
const VARIABLE: &str = "COMPLETE";

/// The longest wait for names: a user at a prompt waits for no more.
const NAMES_TIMEOUT: Duration = Duration::from_secs(2);

/// Replies to a shell that requests completions, and ends the process then.
pub(crate) fn reply_to_shell() {
    CompleteEnv::with_factory(Arguments::command)
        .var(VARIABLE)
        .complete();
}

/// The script that a shell loads. It runs this command for each completion, so that it is never
/// older than the command.
///
/// # Errors
/// The shell has no such script.
pub(crate) fn script(shell: Shell) -> Result<String, Failure> {
    let unsupported = || {
        let message = format!("shell `{shell}` is not supported; expected bash, zsh or fish");
        Failure::new(Kind::Input, message)
    };
    let shells = Shells::builtins();
    let name = shell.to_string();
    let completer = shells.completer(&name).ok_or_else(unsupported)?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(|_| unsupported())?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Completes the name of a component with its app.
pub(crate) fn component() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, components))
}

/// Completes the name of a component with its app, and the path of a file.
pub(crate) fn component_or_file() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let mut found = candidates(current, components);
        found.extend(PathCompleter::file().complete(current));
        found
    })
}

/// Completes the name of an app.
pub(crate) fn app() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, apps))
}

/// Completes the name of a function of the component that the line has.
pub(crate) fn function() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, functions))
}

/// A name, with a line of help.
struct Name {
    name: String,
    help: Option<String>,
}

/// The names that begin with `current`; empty if the host does not reply in time.
fn candidates(
    current: &OsStr,
    names: impl AsyncFnOnce(&Client, &[String]) -> Result<Vec<Name>, Failure>,
) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let line = words();
    let names = runtime.block_on(async {
        let names = async {
            let client = connection::client(&host_options(&line)?).await?;
            names(&client, &line).await
        };
        tokio::time::timeout(NAMES_TIMEOUT, names).await
    });
    let Ok(Ok(names)) = names else {
        return Vec::new();
    };
    let names = names.into_iter();
    let names = names.filter(|name| name.name.starts_with(current));
    let candidate = |Name { name, help }| CompletionCandidate::new(name).help(help.map(Into::into));
    names.map(candidate).collect()
}

/// The words of the line that a shell completes: those behind `--` in the arguments of the script.
fn words() -> Vec<String> {
    let arguments = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let words = arguments.map(OsString::into_string);
    words.filter_map(Result::ok).collect()
}

/// The options of a line that select a host. The line may be incomplete, so the other words are
/// left out.
fn host_options(line: &[String]) -> Result<HostOptions, Failure> {
    let command = HostOptions::augment_args(Command::new(NAME).no_binary_name(true));
    let mut options = Vec::new();
    let mut words = line.iter();
    while let Some(word) = words.next() {
        let Some(long) = word.strip_prefix("--") else {
            continue;
        };
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let argument = command
            .get_arguments()
            .find(|it| it.get_long() == Some(name));
        let Some(argument) = argument else { continue };
        options.push(format!("--{name}"));
        if argument.get_action().takes_values() {
            options.extend(
                value
                    .or_else(|| words.next().map(String::as_str))
                    .map(str::to_owned),
            );
        }
    }
    let invalid = |error: clap::Error| Failure::new(Kind::Input, error.to_string());
    let matches = command.try_get_matches_from(options).map_err(invalid)?;
    HostOptions::from_arg_matches(&matches).map_err(invalid)
}

async fn placements(client: &Client) -> Result<Vec<PlacementRow>, Failure> {
    Ok(client.rows("placements").await?)
}

async fn components(client: &Client, _: &[String]) -> Result<Vec<Name>, Failure> {
    let rows = placements(client).await?.into_iter();
    let names = rows.map(|row| Name {
        name: format!("{}/{}", row.app, row.component),
        help: None,
    });
    Ok(names.collect())
}

async fn apps(client: &Client, _: &[String]) -> Result<Vec<Name>, Failure> {
    let rows = placements(client).await?;
    let mut names: Vec<_> = rows.into_iter().map(|row| row.app).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.into_iter().map(|name| Name { name, help: None });
    Ok(names.collect())
}

/// The functions of the component of the line, each with its signature. A function has the name of
/// its interface only if another interface has a function of that name.
async fn functions(client: &Client, line: &[String]) -> Result<Vec<Name>, Failure> {
    let component = line
        .iter()
        .find_map(|word| word.parse::<ComponentTarget>().ok());
    let Some(component) = component else {
        return Ok(Vec::new());
    };
    let artifact = deployed::artifact(client, &OneHost::default(), component).await?;
    let mut names: Vec<(String, Name)> = Vec::new();
    for export in &artifact.description.exports {
        let is_interface = export.kind == ExternKind::Instance;
        for function in Export::new(export).functions {
            let full = match is_interface {
                true => format!("{}.{}", export.name, function.name),
                false => function.name.clone(),
            };
            let help = Some(format!("{}: {}", export.name, function.signature));
            names.push((
                full,
                Name {
                    name: function.name,
                    help,
                },
            ));
        }
    }
    let count = |name: &str| names.iter().filter(|(_, it)| it.name == name).count();
    let is_unique: Vec<bool> = names.iter().map(|(_, it)| count(&it.name) == 1).collect();
    let names = names.into_iter().zip(is_unique);
    let names = names.map(|((full, short), is_unique)| match is_unique {
        true => short,
        false => Name {
            name: full,
            ..short
        },
    });
    Ok(names.collect())
}
