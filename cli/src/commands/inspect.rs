//! `weft inspect`: shows the imports, exports and WIT of a component.

use std::path::Path;

use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use weft_compose::Description;
use weft_control::Client;
use weft_control::rows::{ComponentRow, HostRow, PlacementRow};
use weft_lattice_config::Digest;

use crate::all_hosts::{self, OneHost};
use crate::artifact::{Artifact, ArtifactError};
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::size;
use crate::interfaces::{Export, Import, Need};
use crate::output::{self, Format, Report};
use crate::providers;
use crate::row_joins::OfEachHost;
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
    #[command(flatten)]
    one_host: OneHost,
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
                download(&client, &self.one_host, target).await?
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

async fn download(
    client: &Client,
    one_host: &OneHost,
    target: ComponentTarget,
) -> Result<Artifact, Failure> {
    let host = one_host.row(client).await?;
    let asked = match &host {
        Some(host) => client.for_row(host)?,
        None => client.clone(),
    };
    let rows: Vec<PlacementRow> = asked.rows("placements").await?;
    let is_meant = |row: &&PlacementRow| {
        row.app == target.app.as_str() && row.component == target.component.as_str()
    };
    let Some(row) = rows.iter().find(is_meant) else {
        return Err(missing(client, target).await);
    };
    let digest = match &row.digest {
        Some(digest) => digest.clone(),
        None => running_digest(client, &target).await?,
    };
    let digest: Digest = digest.parse().map_err(|error| {
        Failure::new(
            Kind::Host,
            "invalid digest from the host; check that the host runs this version of weft",
        )
        .caused_by(&error)
    })?;
    let bytes = match host {
        Some(_) => asked.artifact(&digest).await?,
        None => any_artifact(client, &digest).await?,
    };
    Artifact::new(bytes).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("artifact of `{target}` is not a component"),
        )
        .caused_by(&error)
    })
}

/// The digest from a host that runs the component, for hosts of releases whose placements have
/// none.
async fn running_digest(client: &Client, target: &ComponentTarget) -> Result<String, Failure> {
    let hosts = all_hosts::alive(client).await?;
    let request = |_: &HostRow, host: Client| async move { host.rows("components").await };
    let rows = ComponentRow::join(all_hosts::gather(client, hosts, request).await?);
    let mut rows = rows.into_iter();
    let row = rows
        .find(|row| row.app == target.app.as_str() && row.component == target.component.as_str());
    row.map(|row| row.digest).ok_or_else(|| {
        Failure::new(Kind::Failed, format!("no host runs `{target}`"))
            .or_help("`weft get placements` shows why")
    })
}

/// The bytes from the lattice, or from the first host that has them: one that has just joined may
/// lack them.
async fn any_artifact(client: &Client, digest: &Digest) -> Result<Bytes, Failure> {
    let error = match client.artifact(digest).await {
        Ok(bytes) => return Ok(bytes),
        Err(error) => error,
    };
    for host in all_hosts::alive(client).await? {
        if let Ok(bytes) = client.for_row(&host)?.artifact(digest).await {
            return Ok(bytes);
        }
    }
    Err(error.into())
}

async fn missing(client: &Client, target: ComponentTarget) -> Failure {
    let message = format!("`{target}` is neither a file nor a deployed component");
    let target = AppTarget {
        app: target.app,
        component: Some(target.component),
    };
    match connection::missing(client, &target).await {
        Ok(Some(missing)) => missing.within(message),
        Ok(None) => Failure::new(Kind::Failed, message)
            .or_help("list deployed components with `weft get components`"),
        Err(error) => error.into(),
    }
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
