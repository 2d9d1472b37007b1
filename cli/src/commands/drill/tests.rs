//! Tests of combinations of arguments.

use clap::Parser;

use super::*;
use crate::arguments::{Arguments, Command};
use crate::failure::Message;

/// The error message for these arguments; `None` if they are valid.
fn mistake(arguments: &[&str]) -> Option<String> {
    let arguments = [&["weft", "drill"], arguments].concat();
    let drill = match Arguments::try_parse_from(arguments) {
        Ok(Arguments {
            command: Command::Drill(drill),
        }) => drill,
        Ok(other) => panic!("{other:?}"),
        Err(error) => return Some(error.to_string()),
    };
    let failure = drill.check().err()?;
    assert_eq!(failure.kind(), Kind::Input);
    match &failure.messages()[0] {
        Message::Plain(plain) => Some(format!("{plain:?}")),
        Message::Formatted(text) => Some(text.clone()),
    }
}

#[test]
fn a_drill_is_on_a_local_or_a_live_lattice() {
    for arguments in [
        &["kill-host", "-f", "shop.yaml"][..],
        &["kill-nats", "-f", "shop.yaml"],
        &["lose-cloud", "-f", "a.yaml", "--topology", "stretched"],
        &["kill-host"],
        &["kill-host", "--host", "north", "--confirm", "prod"],
        &["stop-host", "--for", "60s", "--admin", "127.0.0.1:7411"],
        &["lose-cloud", "--cloud", "eu", "--nats", "nats://a"],
        &["kill-host", "--probe", "http://a:80", "--probe", "http://b"],
    ] {
        assert_eq!(mistake(arguments), None, "{arguments:?}");
    }
}

#[test]
fn contradicting_arguments_are_refused_with_valid_ones_as_help() {
    let local = ["-f", "shop.yaml"];
    for (arguments, part) in [
        (&["kill-nats"][..], "-f FILE"),
        (&["lose-cloud"], "`--cloud`"),
        (&["stop-host", "--for", "61s"], "60s at most"),
        (&["kill-host", "--cloud", "a"], "`lose-cloud`"),
        (&["lose-cloud", "--cloud", "a", "--host", "b"], "`--cloud`"),
        (&["kill-host", "--topology", "stretched"], "--file"),
        (
            &["kill-host", "--probe", "10.0.0.7"],
            "http://10.0.0.7:8080",
        ),
        (&["melt"], "kill-host"),
    ] {
        let mistake = mistake(arguments).unwrap_or_default();
        assert!(mistake.contains(part), "{arguments:?}: {mistake}");
    }
    for (arguments, part) in [
        (&["kill-host", "--confirm", "prod"][..], "--confirm"),
        (&["kill-host", "--host", "north"], "--host"),
        (&["kill-host", "--probe", "http://a"], "--probe"),
        (&["kill-host", "--admin", "127.0.0.1:1"], "`--admin` is for"),
        (&["kill-host", "--data-dir", "data"], "`--data-dir` is for"),
        (&["kill-host", "--nats", "nats://a"], "`--nats` is for"),
        (&["kill-host", "--lattice", "prod"], "`--lattice` is for"),
        (&["lose-cloud"], "`--topology stretched`"),
        (&["lose-cloud", "--cloud", "z"], "`a`, `b` or `c`"),
    ] {
        let arguments = [arguments, &local].concat();
        let mistake = mistake(&arguments).unwrap_or_default();
        assert!(mistake.contains(part), "{arguments:?}: {mistake}");
    }
}
