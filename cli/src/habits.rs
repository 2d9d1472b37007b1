//! Commands of other tools that people type by habit, where an alias would be wrong: the error
//! names the command of weft.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::{Failure, Kind};

/// Commands of other tools, and the next step.
const HABITS: [(&[&str], &str); 16] = [
    (
        &["list", "ls"],
        "`weft get apps` lists apps, and `weft get RESOURCE` other resources",
    ),
    (
        &["ps"],
        "`weft get components` lists what runs on each host, and `weft status APP` is about one app",
    ),
    (
        &["top"],
        "`weft get hosts` has the load of each host, and `weft get components` that of each component",
    ),
    (
        &["version"],
        "`weft --version` prints the version of this command, and `weft get hosts -o json` those of \
         hosts",
    ),
    (
        &["run", "start", "serve", "dev"],
        "`weft up` starts a host, `weft up -f FILE` also deploys an app to it, and `weft deploy FILE` \
         deploys to a host that runs",
    ),
    (
        &["stop", "down"],
        "`weft undeploy APP` removes an app, `weft drain HOST` moves components away from a host, and \
         Ctrl-C ends `weft up`",
    ),
    (
        &["create", "install", "push", "publish"],
        "`weft deploy FILE` deploys or updates the app of a manifest, and uploads its components",
    ),
    (
        &["init", "scaffold", "generate"],
        "`weft new NAME` makes a project from a template",
    ),
    (
        &["remove", "rm", "destroy", "uninstall"],
        "`weft undeploy APP` removes an app",
    ),
    (
        &["diff", "plan"],
        "`weft deploy FILE --plan` prints the changes on each host without applying them",
    ),
    (
        &["scale", "edit", "set", "patch"],
        "change the manifest, as with `replicas`, and deploy it again with `weft deploy FILE`",
    ),
    (
        &["rollout", "wait"],
        "`weft status APP --wait` waits until all replicas of the app are ready",
    ),
    (
        &["invoke", "exec"],
        "`weft call APP/COMPONENT EXPRESSION` calls a function of a component",
    ),
    (
        &["config", "login"],
        "`weft context add NAME` stores the host or lattice of commands, with its login",
    ),
    (
        &["nodes", "node", "hosts", "host"],
        "`weft get hosts` lists the hosts of the lattice",
    ),
    (
        &["apps", "app", "components", "links", "routes", "providers"],
        "`weft get RESOURCE` lists resources, as in `weft get apps`",
    ),
];

/// The failure for a command of another tool; `None` for any other error. `arguments` are those of
/// the process, with its name.
pub(crate) fn failure(arguments: &[String], error: &Error) -> Option<Failure> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    // Commands of commands have habits of their own, as in `weft context ls`.
    let first = arguments.iter().skip(1).find(|it| *it != "help");
    if first != Some(found) {
        return None;
    }
    let is_habit = |(names, _): &&(&[&str], _)| names.contains(&found.as_str());
    let (_, help) = HABITS.iter().find(is_habit)?;
    let message = format!("there is no command `weft {found}`");
    Some(Failure::new(Kind::Input, message).or_help(*help))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::arguments::Arguments;

    fn failure_of(arguments: &[&str]) -> Option<Failure> {
        let error = Arguments::try_parse_from(arguments).unwrap_err();
        let arguments: Vec<_> = arguments.iter().map(|&it| it.to_owned()).collect();
        failure(&arguments, &error)
    }

    #[test]
    fn a_habit_is_no_command_of_weft_and_its_help_names_existing_ones() {
        let command = Arguments::command();
        for (names, help) in HABITS {
            for &name in names {
                assert!(command.find_subcommand(name).is_none(), "{name}");
                let failure = failure_of(&["weft", name, "x", "--y"]);
                assert!(failure.unwrap().mentions(&format!("`weft {name}`")));
            }
            for named in help.split("`weft ").skip(1) {
                let named = named.split([' ', '`']).next().unwrap();
                let exists = command.find_subcommand(named).is_some() || named == "--version";
                assert!(exists, "{named}");
            }
        }
    }

    #[test]
    fn other_mistakes_keep_their_message() {
        assert!(failure_of(&["weft", "deplyo"]).is_none());
        assert!(failure_of(&["weft", "link", "ls"]).is_none());
        assert!(failure_of(&["weft", "get", "--natz"]).is_none());
        assert!(failure_of(&["weft", "help", "ls"]).is_some());
    }
}
