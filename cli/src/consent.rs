//! Changes that leave a component without a host: a warning, and a question on a terminal.
//!
//! As with `kubectl apply`, a change that cannot be placed is made: what runs goes on serving, and
//! a host with the label may join later. Scripts are warned on standard error. People are asked,
//! since a wrong label is the usual cause.

use std::io::{self, BufRead, IsTerminal, Read, stdin};

use clap::Args;
use weft_control::rows::PlacementRow;

use crate::failure::{Failure, Kind};
use crate::output;

/// The maximum number of bytes to read of an answer.
const LINE_BYTES_MAX: u64 = 1024;

/// The option to skip the question.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ConsentOption {
    /// Do not ask, even if components will have no host
    #[arg(short, long)]
    yes: bool,
}

impl ConsentOption {
    /// True if the user is to be asked: at a terminal, without `--yes`.
    pub(crate) fn asks(self) -> bool {
        !self.yes && stdin().is_terminal() && io::stderr().is_terminal()
    }
}

/// Warns of the components without a host.
pub(crate) fn warn(unplaced: &[PlacementRow]) {
    if !unplaced.is_empty() {
        output::note(&warning(unplaced));
    }
}

/// Asks for consent to leave components without a host, if there are any. `refused` describes the
/// state after a refusal.
///
/// # Errors
/// The user does not consent.
pub(crate) async fn ask(unplaced: &[PlacementRow], refused: &str) -> Result<(), Failure> {
    if unplaced.is_empty() {
        return Ok(());
    }
    warn(unplaced);
    output::note("continue? [y/N]");
    check(&line().await, refused)
}

/// Reads a line from standard input; an empty one at its end.
pub(crate) async fn line() -> String {
    // The read blocks, and the bus connection must not stall meanwhile.
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line)?;
        Ok::<_, io::Error>(line)
    });
    read.await.ok().and_then(Result::ok).unwrap_or_default()
}

fn check(answer: &str, refused: &str) -> Result<(), Failure> {
    if matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") {
        return Ok(());
    }
    Err(Failure::new(Kind::Input, refused).or_help(
        "correct `placement.require` in the manifest or the label of a host, or give `--yes`",
    ))
}

fn warning(unplaced: &[PlacementRow]) -> String {
    let lines = unplaced.iter().map(|row| {
        let (app, component, why) = (&row.app, &row.component, row.why.join("; "));
        format!("warning: `{app}/{component}` will have no host: {why}")
    });
    let lines: Vec<_> = lines.collect();
    format!(
        "{}\n  what runs of it now goes on serving, until it is ready on another host",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_consent() {
        for answer in ["y", "y\n", " yes \r\n", "Y", "Yes"] {
            assert!(check(answer, "").is_ok(), "{answer:?}");
        }
        for answer in ["", "\n", "n", "no", "yep", "y y"] {
            let refused = check(answer, "nothing was deployed").unwrap_err();
            assert_eq!(refused.kind(), Kind::Input, "{answer:?}");
        }
    }

    #[test]
    fn the_warning_has_each_component_with_the_label() {
        let row = |component: &str| PlacementRow {
            app: "shop".to_owned(),
            component: component.to_owned(),
            revision: 3,
            wanted: 2,
            placed: 0,
            ready: 0,
            hosts: Vec::new(),
            why: vec!["2 hosts: label `cloud` is not `nimbus`".to_owned()],
            pins: Vec::new(),
            serving: Vec::new(),
            digest: None,
            fits: None,
        };
        let expected = "\
warning: `shop/cart` will have no host: 2 hosts: label `cloud` is not `nimbus`
warning: `shop/web` will have no host: 2 hosts: label `cloud` is not `nimbus`
  what runs of it now goes on serving, until it is ready on another host";
        assert_eq!(warning(&[row("cart"), row("web")]), expected);
    }
}
