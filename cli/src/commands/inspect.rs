//! `weft inspect`: what a component needs and offers, and its WIT.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use weft_compose::Description;
use weft_control::Client;
use weft_control::rows::ComponentRow;
use weft_lattice_config::Digest;

use crate::artifact::{Artifact, ArtifactError};
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::interfaces::{Export, Import, Need};
use crate::output::{self, Format, Report};
use crate::providers;
use crate::rows::size;
use crate::target::{AppTarget, ComponentTarget};

const AFTER_HELP: &str = "\
Examples:
  weft inspect target/wasm32-wasip2/release/storefront.wasm
  weft inspect shop/storefront
  weft inspect shop/storefront -o json | jq -r .wit

What is a file is read from this machine and needs no host; anything else is a component that is
deployed.";

/// Show what a component needs and offers, and its WIT
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Inspect {
    /// A `.wasm` file, or a component that is deployed
    #[arg(value_name = "FILE|APP/COMPONENT")]
    what: String,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// What a component is.
#[derive(Debug, Serialize)]
struct Inspection {
    component: String,
    digest: Digest,
    bytes: usize,
    uses_async: bool,
    imports: Vec<Import>,
    exports: Vec<Export>,
    wit: String,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    /// It is neither a component file nor a deployed component.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = Path::new(&self.what);
        let artifact = match self.what.parse::<ComponentTarget>() {
            Ok(target) if !path.exists() => {
                let client = connection::client(&self.host).await?;
                download(&client, target).await?
            }
            Ok(_) | Err(_) => Artifact::read(path).map_err(|error| unusable(&error))?,
        };
        output::report(&Inspection::new(self.what, artifact), self.output)?;
        Ok(())
    }
}

fn unusable(error: &ArtifactError) -> Failure {
    let failure = Failure::from_error(Kind::Input, error);
    match error {
        ArtifactError::Read { .. } => failure.or_help(
            "give the path of a component, a `.wasm` file, or `APP/COMPONENT` for one that is deployed",
        ),
        ArtifactError::Describe { .. } => failure,
    }
}

async fn download(client: &Client, target: ComponentTarget) -> Result<Artifact, Failure> {
    let rows: Vec<ComponentRow> = client.rows("components").await?;
    let is_meant = |row: &&ComponentRow| {
        row.app == target.app.as_str() && row.component == target.component.as_str()
    };
    let Some(row) = rows.iter().find(is_meant) else {
        return Err(missing(client, target).await);
    };
    let digest: Digest = row.digest.parse().map_err(|error| {
        Failure::new(
            Kind::Host,
            "the host gave a digest that is none; do versions differ?",
        )
        .caused_by(&error)
    })?;
    let bytes = client.artifact(&digest).await?;
    Artifact::new(bytes).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("the host holds something else than a component as `{target}`"),
        )
        .caused_by(&error)
    })
}

async fn missing(client: &Client, target: ComponentTarget) -> Failure {
    let message = format!("no file and no deployed component is called `{target}`");
    let target = AppTarget {
        app: target.app,
        component: Some(target.component),
    };
    let help = connection::what_is_there(client, &target).await;
    let failure = Failure::new(Kind::Failed, message);
    failure
        .or_help(help.unwrap_or_else(|| "`weft get components` lists what is deployed".to_owned()))
}

impl Inspection {
    fn new(component: String, artifact: Artifact) -> Inspection {
        let Artifact {
            digest,
            bytes,
            description,
        } = artifact;
        let Description {
            wit,
            imports,
            exports,
            uses_async,
        } = description;
        let providers = providers::registry(None);
        Inspection {
            component,
            digest,
            bytes: bytes.len(),
            uses_async,
            imports: imports
                .iter()
                .map(|import| Import::new(import, &providers))
                .collect(),
            exports: exports.iter().map(Export::new).collect(),
            wit,
        }
    }

    fn head(&self) -> String {
        let bytes = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        let mut lines = vec![
            format!("component  {}", self.component),
            format!("size       {} ({} bytes)", size(bytes), self.bytes),
            format!("digest     {}", self.digest),
        ];
        if self.uses_async {
            lines.push("async      yes: it uses `async` functions, streams or futures".to_owned());
        }
        lines.join("\n")
    }

    /// The imports that somebody must serve, each with who can.
    fn links_text(&self) -> Vec<String> {
        let is_open = |import: &&Import| matches!(import.need, Need::Link | Need::Unlinkable);
        let imports = self.imports.iter().filter(is_open);
        let line = |import: &Import| {
            let interface = import.interface.as_ref();
            let interface = interface
                .map(|name| format!(" (`{name}`)"))
                .unwrap_or_default();
            format!(
                "  {}{interface}\n    from {}",
                import.name,
                import.served_by()
            )
        };
        imports.map(line).collect()
    }

    fn exports_text(&self) -> Vec<String> {
        let line = |export: &Export| format!("  {}\n    for {}", export.name, export.used_by());
        self.exports.iter().map(line).collect()
    }

    fn names(&self, need: Need) -> Vec<String> {
        let imports = self.imports.iter().filter(|import| import.need == need);
        imports.map(|import| format!("  {}", import.name)).collect()
    }
}

impl Report for Inspection {
    fn text(&self) -> String {
        let sections = [
            ("to be linked in the manifest", self.links_text()),
            ("comes with every host", self.names(Need::Baseline)),
            ("types only, nothing to link", self.names(Need::Types)),
            ("offers", self.exports_text()),
        ];
        let mut text = self.head();
        for (title, lines) in sections {
            if !lines.is_empty() {
                text += &format!("\n\n{title}\n{}", lines.join("\n"));
            }
        }
        text + "\n\n" + &self.wit
    }
}
