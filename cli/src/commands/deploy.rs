//! `weft deploy`: sends apps and the bytes of their components to a host.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use weft_control::rows::HostRow;
use weft_control::{Client, ClientError, DeployReport};

use crate::commands::plan;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::manifest::{self, Manifest};
use crate::output::{self, Format, Report};
use crate::rows::size;
use crate::urls::ServedRoute;

const AFTER_HELP: &str = "\
Examples:
  weft deploy shop.yaml                   deploy one app
  weft deploy shop.yaml billing.yaml      deploy two; nothing is sent if either has a mistake
  generate-manifest | weft deploy -       read the manifest from standard input
  weft deploy shop.yaml --plan            show what would change, on which host; change nothing

Component files are looked for beside the manifest and uploaded when the host does not have them.
Deploying what is deployed already changes nothing.";

/// Deploy apps, or change them to what their manifests say
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Deploy {
    /// Manifests in YAML; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show what would change, on which host, and change nothing
    #[arg(long)]
    plan: bool,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// What the deploy of one manifest did.
#[derive(Debug, Serialize)]
pub(crate) struct Deployed {
    file: String,
    app: String,
    revision: u64,
    changes: Vec<String>,
    uploaded: Vec<Uploaded>,
    routes: Vec<ServedRoute>,
}

/// The bytes of a component that the host did not have.
#[derive(Debug, Serialize)]
struct Uploaded {
    component: String,
    digest: String,
    bytes: usize,
}

/// What a deploy of several manifests did, up to the first that was refused.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Deployment(Vec<Deployed>);

impl Deploy {
    /// Runs the command.
    ///
    /// # Errors
    /// A manifest has mistakes, or the host refuses one.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let manifests = manifest::read_all(&self.files)?;
        let client = connection::client(&self.host).await?;
        if self.plan {
            return plan::plan(&client, manifests, self.output).await;
        }
        deploy(&client, manifests, self.output).await
    }
}

/// Deploys the manifests in order and prints what that did; what was done before a refusal is
/// printed too.
///
/// # Errors
/// The host refuses one.
pub(crate) async fn deploy(
    client: &Client,
    manifests: Vec<Manifest>,
    format: Format,
) -> Result<(), Failure> {
    // Asked first: the answer to a wrong token has a body here, and none when asking for an artifact.
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
                return Err(refused(&file, error));
            }
        }
    }
    output::report(&deployment, format)?;
    Ok(())
}

/// Deploys the manifests in order, and prints nothing.
///
/// # Errors
/// The host refuses one.
pub(crate) async fn deploy_quietly(
    client: &Client,
    manifests: Vec<Manifest>,
) -> Result<(), Failure> {
    for manifest in manifests {
        let file = manifest.file.clone();
        let deployed = deploy_one(client, manifest, None).await;
        deployed.map_err(|error| refused(&file, error))?;
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

/// Where the host takes HTTP requests.
async fn http_address(client: &Client) -> Result<Option<String>, ClientError> {
    let hosts: Vec<HostRow> = client.rows("hosts").await?;
    Ok(hosts.into_iter().find_map(|host| host.http))
}

/// A host's refusal says what is wrong; this says in which file.
pub(crate) fn refused(file: &str, error: ClientError) -> Failure {
    let failure = Failure::from(error);
    match failure.kind() {
        Kind::Failed | Kind::Input | Kind::Guest => {
            failure.within(format!("the host refused `{file}`"))
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
    fn people_see_changes_uploads_and_urls() {
        let expected = "shop: revision 2 (shop.yaml)\n  component `storefront` changed\n  \
                        uploaded storefront, 2.0 KiB\n  http://127.0.0.1:8080/ → storefront";
        assert_eq!(example().text(), expected);
    }

    #[test]
    fn programs_see_one_array_of_flat_objects() {
        let json = serde_json::to_value(example()).unwrap();
        assert_eq!(json[0]["revision"], 2);
        assert_eq!(json[0]["routes"][0]["url"], "http://127.0.0.1:8080/");
        assert_eq!(json[0]["routes"][0]["path"], "/");
        assert_eq!(json[0]["uploaded"][0]["bytes"], 2048);
    }
}
