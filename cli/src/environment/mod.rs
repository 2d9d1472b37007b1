//! Settings from the environment, and the options shared by commands. No other module reads the
//! environment.
//!
//! | module | owns |
//! | --- | --- |
//! | [`options`] | the options that select a host or a lattice |
//! | [`settings`] | the settings of one source |
//! | [`precedence`] | the order of the sources |

mod options;
pub(crate) mod precedence;
pub(crate) mod settings;

use std::ffi::OsString;
use std::path::PathBuf;

use weft_control::check_host_name;
use weft_membership::message::MAX_HOST_NAME_BYTES;

pub(crate) use self::options::{
    DataDirectory, HostOptions, LatticeOptions, TargetOptions, of_environment,
};
use crate::failure::{Failure, Kind};

/// The log filter if `WEFT_LOG` is not set. The NATS client logs each failed attempt of each
/// connection; hosts log each reason once themselves.
const LOG_FILTER_DEFAULT: &str = "info,weft=info,async_nats=off";

/// The host name if the name of the machine is missing or unusable.
const HOST_NAME_DEFAULT: &str = "local";

/// The data directory: the given one, or the user's default.
///
/// # Errors
/// None is given, and `HOME` is not set.
pub(crate) fn data_directory(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let default = || base_path("XDG_DATA_HOME", ".local/share");
    given.or_else(default).ok_or_else(|| {
        Failure::new(Kind::Input, "no default data directory: `HOME` is not set")
            .or_help("set `--data-dir DIR` or `WEFT_DATA_DIR`")
    })
}

/// The directory of the user's configuration; `None` if `HOME` is not set.
pub(crate) fn config_directory() -> Option<PathBuf> {
    base_path("XDG_CONFIG_HOME", ".config")
}

/// The directory for installed tools of languages.
///
/// # Errors
/// `HOME` is not set.
pub(crate) fn cache_directory() -> Result<PathBuf, Failure> {
    base_path("XDG_CACHE_HOME", ".cache").ok_or_else(|| {
        Failure::new(Kind::Input, "no folder for tools: `HOME` is not set")
            .or_help("set `XDG_CACHE_HOME` to a folder")
    })
}

/// The linker of components in Rust, if the user has set one for cargo.
pub(crate) fn component_linker() -> Option<PathBuf> {
    variable(weft_build::rust::LINKER_VARIABLE).map(PathBuf::from)
}

/// The arguments of this process, with its name.
pub(crate) fn arguments() -> Vec<String> {
    let arguments = std::env::args_os();
    let arguments = arguments.map(|it| it.to_string_lossy().into_owned());
    arguments.collect()
}

/// The arguments that show a login to everybody who may list the processes of the machine, by name.
pub(crate) fn visible_logins(arguments: &[String]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for name in ["--nats-password", "--nats-token"] {
        let is_given = |it: &String| it.split('=').next() == Some(name);
        if arguments.iter().any(is_given) {
            found.push(name);
        }
    }
    let servers = arguments
        .iter()
        .enumerate()
        .filter_map(|(index, argument)| match argument.split_once('=') {
            Some(("--nats", servers)) => Some(servers),
            _ if argument == "--nats" => arguments.get(index + 1).map(String::as_str),
            _ => None,
        });
    if servers.into_iter().any(|servers| servers.contains('@')) {
        found.push("--nats");
    }
    found
}

/// The log filter, in the syntax of `tracing-subscriber`.
pub(crate) fn log_filter() -> String {
    let given = variable("WEFT_LOG").and_then(|value| value.into_string().ok());
    given.unwrap_or_else(|| LOG_FILTER_DEFAULT.to_owned())
}

/// True if the user disables colour (<https://no-color.org>).
pub(crate) fn no_colour() -> bool {
    variable("NO_COLOR").is_some()
}

/// The default host name: the name of this machine.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host_name(name.trim())
}

/// Turns the name of a machine, which may be any text, into a valid host name.
fn host_name(machine: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = machine.chars().map(|c| if allowed(c) { c } else { '-' });
    let name: String = name.take(MAX_HOST_NAME_BYTES).collect();
    match check_host_name(&name) {
        Ok(()) => name,
        Err(_) => HOST_NAME_DEFAULT.to_owned(),
    }
}

/// The value of a variable; `None` if the variable is not set or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The directory of weft below the one of a variable, or below its default in `HOME`.
fn base_path(name: &str, default: &str) -> Option<PathBuf> {
    base_directory(variable(name), variable("HOME"), default)
}

/// The XDG base directory specification ignores relative paths.
fn base_directory(
    base: Option<OsString>,
    home: Option<OsString>,
    default: &str,
) -> Option<PathBuf> {
    let base = base.map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(PathBuf::from(home?).join(default)))?;
    Some(base.join("weft"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_name_becomes_a_valid_host_name() {
        let cases = [
            ("north-1", "north-1"),
            ("north 1/a", "north-1-a"),
            ("", "local"),
            ("..", "local"),
        ];
        for (machine, expected) in cases {
            assert_eq!(host_name(machine), expected);
        }
        assert_eq!(host_name(&"x".repeat(300)).len(), MAX_HOST_NAME_BYTES);
    }

    #[test]
    fn the_data_directory_follows_the_base_directory_specification() {
        let check = |xdg: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let (xdg, home) = (xdg.map(OsString::from), home.map(OsString::from));
            let found = base_directory(xdg.clone(), home.clone(), ".local/share");
            assert_eq!(found, expected.map(PathBuf::from), "{xdg:?} {home:?}");
        };
        check(Some("/data"), Some("/home/a"), Some("/data/weft"));
        check(
            Some("relative"),
            Some("/home/a"),
            Some("/home/a/.local/share/weft"),
        );
        check(None, Some("/home/a"), Some("/home/a/.local/share/weft"));
        check(None, None, None);
    }
}
