//! `cargo xtask demo`: builds and runs the example shop from a fresh clone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::print_line;
use crate::guests;
use crate::host::Host;
use crate::shop;
use crate::signals::Signals;
use crate::workspace::{Build, build_weft, target_directory};

/// The build and the data of the demo.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// End after the order, and fail if a response is wrong. Uses an empty data directory of its
    /// own.
    #[arg(long)]
    exit: bool,
    /// Use the debug build of the tests: no further build after `cargo xtask test`, but slow
    /// answers.
    #[arg(long)]
    dev: bool,
    /// Delete the orders of earlier demos.
    #[arg(long)]
    fresh: bool,
}

/// Builds and runs the shop, places an order, and waits for Ctrl-C.
///
/// # Errors
/// If a build fails, the host does not start, or a response is wrong.
pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build(&guests::Options::default())?;
    let build = if options.dev { Build::Dev } else { Build::Demo };
    let weft = build_weft(build)?;
    let data = data_directory(options)?;
    let signals = Signals::listen()?;
    let host = Host::start_attached(&weft, &data, &signals)?;
    host.weft(&["deploy", shop::MANIFEST])?;
    host.weft(&["get", "links"])?;
    shop::use_api(host.http)?;
    shop::place_order(host.http)?;
    if options.exit {
        host.end()?;
        print_line("all responses are right");
        return Ok(());
    }
    print_examples(&host);
    host.run_until_signal(&signals)
}

fn data_directory(options: &Options) -> Result<PathBuf> {
    // Not `demo`: cargo builds the profile of that name there, and `cargo clean` empties it.
    let folder = target_directory()?.join("demo-data");
    let data = folder.join(if options.exit { "check" } else { "shop" });
    let is_fresh = options.exit || options.fresh;
    if is_fresh && data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    if !is_fresh {
        print_line(&format!(
            "orders are stored in {}; --fresh deletes them",
            data.display()
        ));
    }
    Ok(data)
}

fn print_examples(host: &Host) {
    let shop = format!("http://{}", host.http);
    let json = "-H content-type:application/json";
    let order = r#"-d '{"lines":[{"sku":"cup","quantity":4}]}'"#;
    print_line("");
    print_line("the shop is running; from another terminal:");
    print_line(&format!("  curl {shop}/catalog/products"));
    print_line(&format!("  curl {shop}/api/orders {json} {order}"));
    print_line(&format!("  curl {shop}/api/orders"));
    print_line(&format!("  open {shop}/api/docs in a browser"));
    print_line(&format!("  curl {shop}/"));
    for line in [
        "get components",
        "get routes",
        r#"call shop/pricing 'shop:catalog/pricing.find("teapot")'"#,
        "logs shop -f",
        "undeploy shop",
        &format!("deploy {}", shop::MANIFEST),
    ] {
        print_line(&format!("  {}", host.weft_line(line)));
    }
    print_line("Ctrl-C drains the host and stops it");
}
