//! `cargo xtask demo`: from a fresh clone to an answer of the example app, and what to try then.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::say;
use crate::guests;
use crate::host::{Event, Host};
use crate::shop;
use crate::signals::Signals;
use crate::workspace::{Build, build_weft, target_directory};

/// How to show it.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// End after the answers; fails if they were wrong. Starts with an empty shop in a data directory
    /// of its own.
    #[arg(long)]
    exit: bool,
    /// Use the debug build of the tests: no further build after `cargo xtask test`, but slow answers.
    #[arg(long)]
    dev: bool,
    /// Forget the orders of earlier demos.
    #[arg(long)]
    fresh: bool,
}

/// Builds all there is to build, runs the shop, buys something, and stays until Ctrl-C.
///
/// # Errors
/// If something does not build, the host does not start, or an answer is wrong.
pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build(&guests::Options::default())?;
    let build = if options.dev { Build::Dev } else { Build::Demo };
    let weft = build_weft(build)?;
    let data = data_directory(options)?;
    let signals = Signals::listen()?;
    let host = Host::start(&weft, &data, &signals)?;
    host.weft(&["deploy", shop::MANIFEST])?;
    host.weft(&["get", "links"])?;
    shop::visit(host.http)?;
    if options.exit {
        host.stop(&signals)?;
        say("the answers are right");
        return Ok(());
    }
    suggest(&host);
    stay(host, &signals)
}

fn data_directory(options: &Options) -> Result<PathBuf> {
    // Not `demo`: cargo builds the profile of that name there, and `cargo clean` empties it.
    let folder = target_directory()?.join("demo-data");
    let data = folder.join(if options.exit { "check" } else { "shop" });
    let wipe = options.exit || options.fresh;
    if wipe && data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    if !wipe {
        say(&format!(
            "orders are kept in {}; --fresh forgets them",
            data.display()
        ));
    }
    Ok(data)
}

fn suggest(host: &Host) {
    let shop = format!("http://{}", host.http);
    let order = r#"-d '{"lines":[{"sku":"cup","quantity":4}]}'"#;
    say("");
    say("the shop is open. From another terminal:");
    say(&format!("  curl {shop}/"));
    say(&format!("  curl {shop}/products"));
    say(&format!("  curl {shop}/orders {order}"));
    for line in [
        "get components",
        "get routes",
        r#"call shop/pricing 'shop:catalog/pricing.find("teapot")'"#,
        "logs shop -f",
        "undeploy shop",
        &format!("deploy {}", shop::MANIFEST),
    ] {
        say(&format!("  {}", host.weft_line(line)));
    }
    say("Ctrl-C drains the host and ends it");
}

/// Stays until the host ends, or until it has been asked to.
fn stay(mut host: Host, signals: &Signals) -> Result<()> {
    loop {
        match host.ended(signals)? {
            Event::Nothing => {}
            Event::Signal => return host.stop(signals),
            Event::Ended(status) => anyhow::bail!("the host ended by itself: {status}"),
        }
    }
}
