//! `cargo xtask conformance`: has programs of others judge the HTTP APIs of a host.
//!
//! A host runs the shop and an app of fixtures whose interfaces have all types. Documents,
//! requests, generated clients and pages of both are judged.

mod judges;
mod routes;
mod tools;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use weft_harness::Polling;

use self::judges::Judgement;
use self::routes::ROUTES;
use self::tools::Tools;
use crate::command::{print_error, print_line};
use crate::guests;
use crate::host::Host;
use crate::shop;
use crate::workspace::{Build, build_weft, target_directory};

/// The files of the judges, and the app of fixtures.
const FOLDER: &str = "xtask/conformance";

/// The manifest of the app of fixtures.
const FIXTURES: &str = "xtask/conformance/apps.yaml";

/// The time until a deployed route serves: a debug build compiles the component in some seconds.
const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// The judges to run.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Run only these judges.
    #[arg(value_enum, value_name = "JUDGE")]
    judges: Vec<Judge>,
    /// Send few generated requests, to some routes that have every type and place between them.
    #[arg(long)]
    quick: bool,
    /// The seed of the generated requests: the same requests for the same seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A judge of HTTP APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Judge {
    /// Every OpenAPI document, by `openapi-spec-validator`.
    Documents,
    /// A client that `openapi-typescript` generates: its types by `tsc`, and its calls.
    Client,
    /// The Model Context Protocol, by its conformance tests and the client of its SDK.
    Mcp,
    /// The page of an API in a browser, used with the keyboard, and by `axe`.
    Page,
    /// Responses to generated requests, valid and invalid, by `schemathesis`.
    Requests,
}

/// Runs the judges against a host, also after one found something.
///
/// # Errors
/// If a tool cannot be installed, the host does not start, or a judge finds something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let judges = match &options.judges[..] {
        [] => Judge::value_variants(),
        chosen => chosen,
    };
    guests::build(&guests::Options::default())?;
    let weft = build_weft(Build::DevOnly)?;
    let tools = Tools::install(&target_directory()?.join("conformance"), judges)?;
    let mut host = start(&weft, &tools)?;
    let judgement = Judgement {
        tools: &tools,
        host: format!("http://{}", host.http),
        is_quick: options.quick,
        seed: options.seed,
    };
    judgement.read_documents(host.http)?;
    let mut failed = 0;
    for judge in judges {
        if let Err(error) = judgement.of(*judge) {
            print_error(&error);
            failed += 1;
        }
        host.process.check()?;
    }
    host.end()?;
    if failed > 0 {
        bail!(
            "{failed} of {} judges found something; see above",
            judges.len()
        );
    }
    print_line("no judge found anything");
    Ok(())
}

/// Starts a host without earlier data, and waits until it serves all routes.
fn start(weft: &Path, tools: &Tools) -> Result<Host> {
    let data = tools.folder().join("data");
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    let mut host = Host::start(weft, &data, &[])?;
    for manifest in [shop::MANIFEST, FIXTURES] {
        host.weft(&["deploy", manifest])?;
    }
    for route in ROUTES {
        host.wait_for(&route.document_path(), Polling::of(SERVED_WITHIN))?;
    }
    Ok(host)
}
