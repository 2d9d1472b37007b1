//! `weft inspect`: shows the imports, exports and WIT of a component.

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
use crate::get_columns::size;
use crate::interfaces::{Export, Import, Need};
use crate::output::{self, Format, Report};
use crate::providers;
use crate::target::{AppTarget, ComponentTarget};

const AFTER_HELP: &str = "\
Examples:
  weft inspect target/wasm32-wasip2/release/storefront.wasm
  weft inspect shop/storefront
  weft inspect shop/storefront -o json | jq -r .wit

A path that exists is read from this machine, without a host; any other argument names a deployed
component.";

/// Show the imports, exports and WIT of a component
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Inspect {
    /// A `.wasm` file or a deployed component
    #[arg(value_name = "FILE|APP/COMPONENT")]
    component: String,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The description of a component.
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
    /// The argument is neither a component file nor a deployed component.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = Path::new(&self.component);
        let artifact = match self.component.parse::<ComponentTarget>() {
            Ok(target) if !path.exists() => {
                let client = connection::client(&self.host).await?;
                download(&client, target).await?
            }
            Ok(_) | Err(_) => Artifact::read(path).map_err(|error| unusable(&error))?,
        };
        output::report(&Inspection::new(self.component, artifact), self.output)?;
        Ok(())
    }
}

fn unusable(error: &ArtifactError) -> Failure {
    let failure = Failure::from_error(Kind::Input, error);
    match error {
        ArtifactError::Read { .. } => failure.or_help(
            "give the path of a `.wasm` file, or `APP/COMPONENT` for a deployed component",
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
            "invalid digest from the host; check that the host runs this version of weft",
        )
        .caused_by(&error)
    })?;
    let bytes = client.artifact(&digest).await?;
    Artifact::new(bytes).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("artifact of `{target}` is not a component"),
        )
        .caused_by(&error)
    })
}

async fn missing(client: &Client, target: ComponentTarget) -> Failure {
    let message = format!("`{target}` is neither a file nor a deployed component");
    let target = AppTarget {
        app: target.app,
        component: Some(target.component),
    };
    let help = connection::missing_target_help(client, &target).await;
    let failure = Failure::new(Kind::Failed, message);
    failure.or_help(
        help.unwrap_or_else(|| "list deployed components with `weft get components`".to_owned()),
    )
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
            lines.push("async      yes: uses `async` functions, streams or futures".to_owned());
        }
        lines.join("\n")
    }

    /// The imports that need a link, each with its possible servers.
    fn links_text(&self) -> Vec<String> {
        let is_open = |import: &&Import| matches!(import.need, Need::Link | Need::Unlinkable);
        let imports = self.imports.iter().filter(is_open);
        let line = |import: &Import| {
            let interface = import.interface.as_ref();
            let interface = interface
                .map(|name| format!(" (`{name}`)"))
                .unwrap_or_default();
            format!(
                "  {}{interface}\n    served by: {}",
                import.name,
                import.served_by()
            )
        };
        imports.map(line).collect()
    }

    fn exports_text(&self) -> Vec<String> {
        let line =
            |export: &Export| format!("  {}\n    used by: {}", export.name, export.used_by());
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
            ("imports to link in the manifest", self.links_text()),
            ("imports provided by every host", self.names(Need::Baseline)),
            ("imports of types only", self.names(Need::Types)),
            ("exports", self.exports_text()),
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
