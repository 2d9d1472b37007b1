//! `weft deploy`: uploads artifacts and deploys apps.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use weft_control::rows::HostRow;
use weft_control::{Client, ClientError, DeployReport};

use crate::commands::plan;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::size;
use crate::manifest::{self, Manifest};
use crate::output::{self, Format, Report};
use crate::urls::ServedRoute;

const AFTER_HELP: &str = "\
Examples:
  weft deploy shop.yaml                   deploy one app
  weft deploy shop.yaml billing.yaml      deploy two apps, or none if a manifest is invalid
  generate-manifest | weft deploy -       read the manifest from standard input
  weft deploy shop.yaml --plan            print the changes on each host without applying them

Paths of component files are relative to the manifest. Components that the host does not have are
uploaded. A repeated deploy of an unchanged app changes nothing.";

/// Deploy or update apps from manifests
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Deploy {
    /// YAML manifests; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the changes on each host without applying them
    #[arg(long)]
    plan: bool,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The result of the deploy of one manifest.
#[derive(Debug, Serialize)]
pub(crate) struct Deployed {
    file: String,
    app: String,
    revision: u64,
    changes: Vec<String>,
    uploaded: Vec<Uploaded>,
    routes: Vec<ServedRoute>,
}

/// An artifact that the host did not have.
#[derive(Debug, Serialize)]
struct Uploaded {
    component: String,
    digest: String,
    bytes: usize,
}

/// The results of a deploy of several manifests, up to the first that the host rejected.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Deployment(Vec<Deployed>);

impl Deploy {
    /// Runs the command.
    ///
    /// # Errors
    /// A manifest is invalid, or the host rejects one.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let manifests = manifest::read_all(&self.files)?;
        let client = connection::client(&self.host).await?;
        if self.plan {
            return plan::plan(&client, manifests, self.output).await;
        }
        deploy(&client, manifests, self.output).await
    }
}

/// Deploys the manifests in order and prints the results, also those before a rejected manifest.
///
/// # Errors
/// The host rejects one.
pub(crate) async fn deploy(
    client: &Client,
    manifests: Vec<Manifest>,
    format: Format,
) -> Result<(), Failure> {
    // First, because the reply to a wrong token has a body here, but not for an artifact.
    let http = http_address(client).await?;
    let mut deployment = Deployment::default();
    for manifest in manifests {
        let file = manifest.file.clone();
        match deploy_one(client, manifest, http.as_deref()).await {
            Ok(deployed) => deployment.0.push(deployed),
            Err(error) => {
                if !deployment.0.is_empty() {
                    output::report(&deployment, format)?;
                }
                return Err(rejected(&file, error));
            }
        }
    }
    output::report(&deployment, format)?;
    Ok(())
}

/// Deploys the manifests in order without printing.
///
/// # Errors
/// The host rejects one.
pub(crate) async fn deploy_quietly(
    client: &Client,
    manifests: Vec<Manifest>,
) -> Result<(), Failure> {
    for manifest in manifests {
        let file = manifest.file.clone();
        let deployed = deploy_one(client, manifest, None).await;
        deployed.map_err(|error| rejected(&file, error))?;
    }
    Ok(())
}

async fn deploy_one(
    client: &Client,
    manifest: Manifest,
    http: Option<&str>,
) -> Result<Deployed, ClientError> {
    let mut uploaded = Vec::new();
    for (digest, upload) in manifest.artifacts {
        if client.has_artifact(&digest).await? {
            continue;
        }
        let bytes = upload.bytes.len();
        client.put_artifact(&digest, upload.bytes).await?;
        uploaded.push(Uploaded {
            component: upload.component,
            digest: digest.into(),
            bytes,
        });
    }
    let DeployReport {
        app,
        revision,
        changes,
        routes,
    } = client.deploy(&manifest.app).await?;
    Ok(Deployed {
        file: manifest.file,
        app,
        revision,
        changes,
        uploaded,
        routes: ServedRoute::all(routes, http),
    })
}

/// The HTTP address of the host.
async fn http_address(client: &Client) -> Result<Option<String>, ClientError> {
    let hosts: Vec<HostRow> = client.rows("hosts").await?;
    Ok(hosts.into_iter().find_map(|host| host.http))
}

/// Adds the name of the manifest to the error of a host.
pub(crate) fn rejected(file: &str, error: ClientError) -> Failure {
    let failure = Failure::from(error);
    match failure.kind() {
        Kind::Failed | Kind::Input | Kind::Guest => {
            failure.within(format!("manifest `{file}` was rejected by the host"))
        }
        Kind::Host => failure,
    }
}

impl Report for Deployment {
    fn text(&self) -> String {
        self.0
            .iter()
            .map(Deployed::text)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Deployed {
    fn text(&self) -> String {
        let Deployed {
            file,
            app,
            revision,
            changes,
            uploaded,
            routes,
        } = self;
        let mut lines = vec![match changes.len() {
            0 => format!("{app}: revision {revision}, unchanged ({file})"),
            _ => format!("{app}: revision {revision} ({file})"),
        }];
        lines.extend(changes.iter().map(|change| format!("  {change}")));
        lines.extend(uploaded.iter().map(
            |Uploaded {
                 component, bytes, ..
             }| {
                format!(
                    "  uploaded {component}, {}",
                    size(u64::try_from(*bytes).unwrap_or(u64::MAX))
                )
            },
        ));
        lines.extend(routes.iter().map(|route| format!("  {}", route.line())));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use weft_control::rows::RouteRow;

    use super::*;

    fn example() -> Deployment {
        let route = RouteRow {
            app: "shop".to_owned(),
            host: "*".to_owned(),
            path: "/".to_owned(),
            to: "storefront".to_owned(),
            protocol: "wasi:http@0.2".to_owned(),
        };
        Deployment(vec![Deployed {
            file: "shop.yaml".to_owned(),
            app: "shop".to_owned(),
            revision: 2,
            changes: vec!["component `storefront` changed".to_owned()],
            uploaded: vec![Uploaded {
                component: "storefront".to_owned(),
                digest: "sha256:ab".to_owned(),
                bytes: 2048,
            }],
            routes: vec![ServedRoute::new(route, Some("127.0.0.1:8080"))],
        }])
    }

    #[test]
    fn the_text_lists_changes_uploads_and_urls() {
        let expected = "shop: revision 2 (shop.yaml)\n  component `storefront` changed\n  \
                        uploaded storefront, 2.0 KiB\n  http://127.0.0.1:8080/ → storefront";
        assert_eq!(example().text(), expected);
    }

    #[test]
    fn the_json_is_one_array_of_flat_objects() {
        let json = serde_json::to_value(example()).unwrap();
        assert_eq!(json[0]["revision"], 2);
        assert_eq!(json[0]["routes"][0]["url"], "http://127.0.0.1:8080/");
        assert_eq!(json[0]["routes"][0]["path"], "/");
        assert_eq!(json[0]["uploaded"][0]["bytes"], 2048);
    }
}
