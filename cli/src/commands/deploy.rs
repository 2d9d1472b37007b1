//! `weft deploy`: uploads artifacts and deploys apps.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;
use weft_control::rows::HostRow;
use weft_control::{Client, ClientError, DeployReport, DeployRequest, StatusReport};
use weft_lattice_config::AppName;

use crate::commands::{plan, status};
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::size;
use crate::manifest::{self, Manifest};
use crate::output::{self, Format, Report};
use crate::urls::ServedRoute;
use crate::wait::{self, WaitTimeout};

const AFTER_HELP: &str = "\
Examples:
  weft deploy shop.yaml                   deploy one app
  weft deploy shop.yaml billing.yaml      deploy two apps, or none if a manifest is invalid
  generate-manifest | weft deploy -       read the manifest from standard input
  weft deploy shop.yaml --plan            print the changes on each host without applying them
  weft deploy shop.yaml --wait            exit with 0 once all replicas are ready, on all hosts

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
    /// Replace a stored record of the app that the host cannot read, because it is damaged
    #[arg(long, conflicts_with = "plan")]
    force: bool,
    /// Wait until the apps are ready: all replicas of the deployed revisions
    #[arg(long, conflicts_with = "plan")]
    wait: bool,
    #[command(flatten)]
    timeout: WaitTimeout,
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
    app: AppName,
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
    /// A manifest is invalid, the host rejects one, or an app is not ready when the timeout
    /// expires.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let manifests = manifest::read_all(&self.files)?;
        let client = connection::client(&self.host).await?;
        if self.plan {
            return plan::plan(&client, manifests, self.output).await;
        }
        let deployment = deploy_all(&client, manifests, self.force, self.output).await?;
        if self.wait {
            wait_until_ready(&client, &deployment, self.timeout.get()).await?;
        }
        Ok(())
    }
}

/// Waits until all apps are ready at their deployed revisions or later ones, with the progress on
/// standard error.
async fn wait_until_ready(
    client: &Client,
    deployment: &Deployment,
    timeout: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + timeout;
    for Deployed { app, revision, .. } in &deployment.0 {
        let mut printed = String::new();
        let poll = async || {
            let report = client.status(app).await?;
            let progress = progress(&report, *revision);
            if progress != printed {
                output::note(&progress);
                printed = progress;
            }
            Ok(report)
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let report = wait::until(left, poll, |report| is_ready(report, *revision)).await?;
        if !is_ready(&report, *revision) {
            return Err(status::not_ready(app, Some(timeout)));
        }
    }
    Ok(())
}

/// A host that has not received the revision yet may be ready at the one before.
fn is_ready(report: &StatusReport, revision: u64) -> bool {
    report.ready && report.revision >= revision
}

fn progress(report: &StatusReport, revision: u64) -> String {
    let StatusReport {
        app, held, reason, ..
    } = report;
    if is_ready(report, revision) {
        return format!("{app}: revision {} is ready", report.revision);
    }
    if let Some(held) = held {
        return format!("{app}: waiting: placement is paused: {held}");
    }
    if let Some(reason) = reason {
        return format!("{app}: waiting: {reason}");
    }
    let components = report.components.iter().map(|status| &status.placement);
    let (ready, desired) = components.fold((0, 0), |(ready, desired), it| {
        (ready + it.ready, desired + it.wanted)
    });
    format!("{app}: waiting: {ready} of {desired} replicas are ready")
}

/// Deploys the manifests in order, and prints and returns the results; those before a rejected
/// manifest are printed too.
///
/// # Errors
/// The host rejects one.
pub(crate) async fn deploy(
    client: &Client,
    manifests: Vec<Manifest>,
    format: Format,
) -> Result<Deployment, Failure> {
    deploy_all(client, manifests, false, format).await
}

/// As [`deploy`]; with `force`, replaces records that the host cannot read.
async fn deploy_all(
    client: &Client,
    manifests: Vec<Manifest>,
    force: bool,
    format: Format,
) -> Result<Deployment, Failure> {
    // First, because the reply to a wrong token has a body here, but not for an artifact.
    let http = http_address(client).await?;
    let mut deployment = Deployment::default();
    for manifest in manifests {
        let file = manifest.file.clone();
        match deploy_one(client, manifest, force, http.as_deref()).await {
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
    Ok(deployment)
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
        let deployed = deploy_one(client, manifest, false, None).await;
        deployed.map_err(|error| rejected(&file, error))?;
    }
    Ok(())
}

async fn deploy_one(
    client: &Client,
    manifest: Manifest,
    force: bool,
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
    let request = DeployRequest {
        app: manifest.app,
        force,
    };
    let DeployReport {
        revision,
        changes,
        routes,
        ..
    } = client.deploy(&request).await?;
    Ok(Deployed {
        file: manifest.file,
        app: request.app.metadata.name,
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
        Kind::Host | Kind::Identity => failure,
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
    use weft_control::operating::ComponentStatus;
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
            app: "shop".parse().unwrap(),
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
    fn the_progress_of_a_wait_counts_replicas_and_ignores_an_older_revision() {
        let report = |revision, ready, held: Option<&str>| {
            let placement = serde_json::from_value(serde_json::json!({
                "app": "shop", "component": "cart", "revision": revision, "wanted": 3, "placed": 3,
                "ready": ready, "hosts": [], "why": [], "pins": [],
            }));
            let placement = placement.unwrap();
            StatusReport {
                app: "shop".to_owned(),
                revision,
                ready: ready == 3,
                reason: None,
                held: held.map(str::to_owned),
                components: vec![ComponentStatus {
                    placement,
                    revisions: Vec::new(),
                }],
            }
        };
        let waiting = "shop: waiting: 1 of 3 replicas are ready";
        assert_eq!(progress(&report(2, 1, None), 2), waiting);
        assert_eq!(
            progress(&report(2, 3, None), 2),
            "shop: revision 2 is ready"
        );
        assert_eq!(
            progress(&report(3, 3, None), 2),
            "shop: revision 3 is ready"
        );
        assert!(!is_ready(&report(1, 3, None), 2));
        let paused = "shop: waiting: placement is paused: no bus";
        assert_eq!(progress(&report(2, 1, Some("no bus")), 2), paused);
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
