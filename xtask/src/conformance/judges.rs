//! The judges: each is a program that reads documents, or sends requests to a host.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use weft_harness::http::Request;

use super::Judge;
use super::routes::{Generated, ROUTES, Route};
use super::tools::Tools;
use crate::command::run;

/// The folder of the documents, below that of the tools.
const DOCUMENTS: &str = "documents";

/// The scenarios of the protocol's conformance tests that apply: the others are about fixed tools
/// whose names no function can have, and about prompts, resources and sessions.
const MCP_SCENARIOS: [&str; 4] = [
    "server-initialize",
    "ping",
    "tools-list",
    "dns-rebinding-protection",
];

/// The number of generated requests to an operation, at most, in each of the phases that have a
/// choice.
const EXAMPLES: u32 = 100;
const EXAMPLES_QUICK: u32 = 20;

/// The time for a response to a generated request: a debug build on a busy machine takes some.
const REQUEST_TIMEOUT_S: &str = "60";

/// The judges against one host.
pub(super) struct Judgement<'t> {
    pub(super) tools: &'t Tools,
    /// The URL of the host.
    pub(super) host: String,
    pub(super) is_quick: bool,
    pub(super) seed: u64,
}

impl Judgement<'_> {
    /// Writes the documents that the host serves into files.
    ///
    /// # Errors
    /// If a document is not served.
    pub(super) fn read_documents(&self, host: SocketAddr) -> Result<()> {
        let folder = self.tools.folder().join(DOCUMENTS);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for route in &ROUTES {
            let path = route.document_path();
            let response = Request::get(&path).try_send(host)?;
            ensure!(
                response.status == 200,
                "expected status 200 of {path}, found {}",
                response.status
            );
            let file = self.tools.folder().join(document(route));
            fs::write(&file, &response.body)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    /// Runs a judge.
    ///
    /// # Errors
    /// If it finds something, or does not run.
    pub(super) fn of(&self, judge: Judge) -> Result<()> {
        match judge {
            Judge::Documents => self.documents(),
            Judge::Client => self.client(),
            Judge::Mcp => self.mcp(),
            Judge::Page => self.script("page.test.mjs"),
            Judge::Requests => self.requests(),
        }
    }

    fn documents(&self) -> Result<()> {
        let files = ROUTES.iter().map(document);
        run(self
            .tools
            .python("openapi-spec-validator")
            .args(["--schema", "3.1"])
            .args(files))
    }

    fn client(&self) -> Result<()> {
        for route in &ROUTES {
            let document = document(route);
            let types = document.with_extension("ts");
            let mut command = self.tools.npm_program("openapi-typescript");
            run(command.arg(&document).arg("--output").arg(&types))?;
        }
        run(self.tools.npm_program("tsc").args(["--project", "."]))?;
        self.script("client.test.ts")
    }

    fn mcp(&self) -> Result<()> {
        let url = format!("{}/values/mcp", self.host);
        for scenario in MCP_SCENARIOS {
            let arguments = ["server", "--url", &url, "--scenario", scenario];
            run(self.tools.npm_program("conformance").args(arguments))?;
        }
        self.script("mcp.test.mjs")
    }

    /// Runs a script of tests.
    fn script(&self, name: &str) -> Result<()> {
        let mut command = self.tools.node();
        command.args(["--test", "--test-reporter", "spec", name]);
        run(command.env("WEFT_URL", &self.host))
    }

    fn requests(&self) -> Result<()> {
        let routes = ROUTES.iter().filter(|route| match route.generated {
            Generated::Always => true,
            Generated::InFull => !self.is_quick,
            Generated::Never => false,
        });
        for route in routes {
            run(&mut self.requests_to(route))?;
        }
        Ok(())
    }

    fn requests_to(&self, route: &Route) -> Command {
        let examples = if self.is_quick {
            EXAMPLES_QUICK
        } else {
            EXAMPLES
        };
        let mut command = self.tools.python("schemathesis");
        command
            .arg("run")
            .arg(format!("{}{}", self.host, route.document_path()))
            .args(["--max-examples", &examples.to_string()])
            .args(["--seed", &self.seed.to_string()])
            // No examples of earlier runs, which are not those of the seed, and no limits of time,
            // which a busy machine exceeds.
            .args(["--generation-database", "none"])
            .args(["--suppress-health-check", "too_slow"])
            .args(["--request-timeout", REQUEST_TIMEOUT_S])
            .args(["--continue-on-failure", "--no-color"])
            // In their place are checks of the hooks.
            .args([
                "--exclude-checks",
                "positive_data_acceptance,negative_data_rejection",
            ])
            .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
            .env("PYTHONPATH", self.tools.folder())
            // The order of Python's sets, and with it that of requests, is the same each time.
            .env("PYTHONHASHSEED", "0");
        command
    }
}

/// The file of a document, below the folder of the tools.
fn document(route: &Route) -> PathBuf {
    Path::new(DOCUMENTS).join(format!("{}.json", route.name))
}
