//! `weft deploy`: uploads artifacts and deploys apps.

use std::cell::Cell;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;
use weft_control::operating::ComponentStatus;
use weft_control::rows::{HostRow, PlacementRow};
use weft_control::{Client, ClientError, DeployReport, DeployRequest, ErrorCode, StatusReport};
use weft_lattice_config::{AppName, Mistakes};

use crate::breaking_changes;
use crate::commands::{plan, status};
use crate::connection;
use crate::consent::{self, ConsentOption};
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind, Plain};
use crate::get_columns::size;
use crate::manifest::{self, Manifest};
use crate::manifest_files::ManifestFiles;
use crate::output::{self, Format, Report};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::urls::ServedRoute;
use crate::wait::{self, WaitTimeout};

const AFTER_HELP: &str = "\
Examples:
  weft deploy shop.yaml                   deploy one app
  weft apply -f shop.yaml                 the same
  weft deploy shop.yaml billing.yaml      deploy two apps, or none if a manifest is invalid
  generate-manifest | weft deploy -       read the manifest from standard input
  weft deploy shop.yaml --plan            print the changes on each host without applying them
  weft deploy shop.yaml --wait            exit with 0 once all replicas are ready, on all hosts
  weft deploy shop.yaml --no-wait         do not wait, on a terminal either
  weft deploy shop.yaml --breaking        deploy although clients of an HTTP API break

On a terminal, the command waits as with `--wait`, and asks before it deploys a component that no
host may run. Elsewhere it does not wait, and warns of such components on standard error. What runs
goes on serving until its successor is ready.

Paths of component files are relative to the manifest. Components that the host does not have are
uploaded. A repeated deploy of an unchanged app changes nothing.";

/// Deploy or update apps from manifests
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Deploy {
    #[command(flatten)]
    files: ManifestFiles,
    /// Print the changes on each host without applying them
    #[arg(long)]
    plan: bool,
    /// Replace a stored record of the app that the host cannot read, because it is damaged
    #[arg(long, conflicts_with = "plan")]
    force: bool,
    /// Deploy changes of HTTP APIs that break their clients
    #[arg(long, conflicts_with = "plan")]
    breaking: bool,
    /// Wait until the apps are ready: all replicas of the deployed revisions
    #[arg(long, conflicts_with = "plan")]
    wait: bool,
    /// Do not wait, on a terminal either
    #[arg(long, conflicts_with_all = ["plan", "wait"])]
    no_wait: bool,
    #[command(flatten)]
    timeout: WaitTimeout,
    #[command(flatten)]
    consent: ConsentOption,
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
    /// The components that no host may run.
    unplaced: Vec<PlacementRow>,
}

/// Consent to deploy components that no host may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The user is asked.
    Ask,
    /// The user is only warned.
    Given,
}

/// An artifact that the host did not have.
#[derive(Debug, Serialize)]
pub(crate) struct Uploaded {
    component: String,
    digest: String,
    bytes: usize,
}

/// The state of a deploy that the user may interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The host has the deploy.
    Deploying,
    /// All manifests are deployed.
    Waiting,
}

/// The choices of the user for a deploy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// Replaces records that the host cannot read.
    pub(crate) force: bool,
    /// Deploys changes of HTTP APIs that break their clients.
    pub(crate) breaking: bool,
    pub(crate) consent: Consent,
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
        let manifests = manifest::read_all(&self.files.all())?;
        let client = connection::client(&self.host).await?;
        if self.plan {
            return plan::plan(&client, manifests, self.output).await;
        }
        let choices = Choices {
            force: self.force,
            breaking: self.breaking,
            consent: match self.consent.asks() {
                true => Consent::Ask,
                false => Consent::Given,
            },
        };
        let checked = check(&client, manifests, choices).await?;
        // From here on the host goes on with what it was sent.
        let mut signals = Signals::listen()?;
        let phase = Cell::new(Phase::Deploying);
        let deploying = async {
            let deployment = checked.deploy(&client, self.output).await?;
            phase.set(Phase::Waiting);
            if self.wait || (self.waits_by_default() && deployment.is_placed()) {
                wait_until_ready(&client, &deployment, self.timeout.get()).await?;
            }
            Ok(())
        };
        tokio::select! {
            done = deploying => done,
            _ = signals.next() => Err(phase.get().interrupted()),
        }
    }

    fn waits_by_default(&self) -> bool {
        !self.no_wait && self.output == Format::Text && output::is_watched()
    }
}

impl Deployment {
    /// True if every component has a host; the others would be waited for in vain.
    fn is_placed(&self) -> bool {
        self.0.iter().all(|deployed| deployed.unplaced.is_empty())
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
        let mut shown = String::new();
        let line = Progress::start(&format!("{app}: waiting"));
        let poll = async || {
            let report = client.status(app).await?;
            let progress = progress(&report, *revision);
            if progress != shown {
                line.set_or_note(&progress);
                shown = progress;
            }
            Ok(report)
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let report = wait::until(left, poll, |report| is_ready(report, *revision)).await?;
        drop(line);
        if !is_ready(&report, *revision) {
            return Err(status::not_ready(app, Some(timeout)));
        }
        // The note that a line has replaced for people.
        output::progress(&progress(&report, *revision));
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
    let mut text = format!("{app}: waiting: {ready} of {desired} replicas are ready");
    for status in &report.components {
        for problem in problems(status, report.revision) {
            text += &format!("; {}: {problem}", status.placement.component);
        }
    }
    text
}

/// The reasons why replicas of a component do not become ready.
fn problems(status: &ComponentStatus, revision: u64) -> Vec<String> {
    let ComponentStatus {
        placement,
        revisions,
    } = status;
    let missing = placement.wanted.saturating_sub(placement.placed);
    let missing = (missing > 0).then(|| {
        let why = placement.why.join("; ");
        format!("no host for {missing} of {}: {why}", placement.wanted)
    });
    let failed = revisions.iter().filter(|it| it.revision == revision);
    let failed = failed.filter(|it| it.failed > 0).map(|it| match it.failed {
        1 => "does not start on 1 host".to_owned(),
        hosts => format!("does not start on {hosts} hosts"),
    });
    missing.into_iter().chain(failed).collect()
}

/// Deploys the manifests in order, and prints and returns the results; those before a rejected
/// manifest are printed too.
///
/// # Errors
/// The host rejects one, or the user does not consent to components without a host.
pub(crate) async fn deploy(
    client: &Client,
    manifests: Vec<Manifest>,
    format: Format,
    choices: Choices,
) -> Result<Deployment, Failure> {
    let checked = check(client, manifests, choices).await?;
    checked.deploy(client, format).await
}

/// Manifests that the host has checked, with their artifacts uploaded.
struct Checked {
    manifests: Vec<(Manifest, Vec<Uploaded>)>,
    /// The components that no host may run.
    unplaced: Vec<PlacementRow>,
    http: Option<String>,
    force: bool,
}

/// Uploads the artifacts, has the host check all manifests, and asks for consent.
///
/// # Errors
/// The mistakes in all manifests, or the user does not consent.
async fn check(
    client: &Client,
    manifests: Vec<Manifest>,
    choices: Choices,
) -> Result<Checked, Failure> {
    // First, because the reply to a wrong token has a body here, but not for an artifact.
    let http = http_address(client).await?;
    let manifests = upload(client, manifests).await?;
    let unplaced = unplaced(client, &manifests).await?;
    let apps = manifests.iter().map(|(manifest, _)| manifest);
    breaking_changes::check(client, apps, choices.breaking).await?;
    match choices.consent {
        Consent::Ask => consent::ask(&unplaced, "nothing was deployed").await?,
        Consent::Given => consent::warn(&unplaced),
    }
    Ok(Checked {
        manifests,
        unplaced,
        http,
        force: choices.force,
    })
}

/// Uploads the artifacts that the host does not have.
///
/// # Errors
/// An upload fails.
pub(crate) async fn upload(
    client: &Client,
    manifests: Vec<Manifest>,
) -> Result<Vec<(Manifest, Vec<Uploaded>)>, Failure> {
    let mut all = Vec::new();
    for mut manifest in manifests {
        let mut uploaded = Vec::new();
        for (digest, upload) in std::mem::take(&mut manifest.artifacts) {
            if client.has_artifact(&digest).await? {
                continue;
            }
            let bytes = upload.bytes.len();
            let text = format!("uploading {}, {}", upload.component, bytes_text(bytes));
            let _progress = Progress::start(&text);
            client.put_artifact(&digest, upload.bytes).await?;
            uploaded.push(Uploaded {
                component: upload.component,
                digest: digest.into(),
                bytes,
            });
        }
        all.push((manifest, uploaded));
    }
    Ok(all)
}

/// The components that no host may run, if the manifests were deployed. Empty while placement is
/// paused, because the host does not know all hosts then.
///
/// # Errors
/// The mistakes in all manifests.
async fn unplaced(
    client: &Client,
    manifests: &[(Manifest, Vec<Uploaded>)],
) -> Result<Vec<PlacementRow>, Failure> {
    let mut unplaced = Vec::new();
    let mut rejections = Vec::new();
    for (index, (manifest, _)) in manifests.iter().enumerate() {
        match client.plan(&manifest.app).await {
            Ok(report) if report.held.is_none() => {
                let rows = report.placements.into_iter();
                unplaced.extend(rows.filter(|row| row.placed == 0 && row.wanted > 0));
            }
            Ok(_) => {}
            Err(error) if is_decisive(&error, index) => {
                rejections.push(rejected(manifest, error));
            }
            // The deploy reports the reason of a refusal.
            Err(_) => {}
        }
    }
    Failure::merge(rejections).map_or(Ok(unplaced), Err)
}

/// True for mistakes in the manifest. A manifest before it may still give up a route that this one
/// takes.
fn is_decisive(error: &ClientError, index: usize) -> bool {
    let ClientError::Refused { body, .. } = error else {
        return false;
    };
    !body.mistakes.is_empty() && (index == 0 || body.code != ErrorCode::Conflict)
}

impl Checked {
    /// Deploys the manifests in order, and prints and returns the results; those before a rejected
    /// manifest are printed too.
    ///
    /// # Errors
    /// The host rejects one.
    async fn deploy(self, client: &Client, format: Format) -> Result<Deployment, Failure> {
        let Self {
            manifests,
            mut unplaced,
            http,
            force,
        } = self;
        let mut deployment = Deployment::default();
        for (manifest, uploaded) in manifests {
            match deploy_one(client, &manifest, uploaded, force, http.as_deref()).await {
                Ok(mut deployed) => {
                    let is_of_it = |row: &mut PlacementRow| row.app == deployed.app.as_str();
                    deployed.unplaced = unplaced.extract_if(.., is_of_it).collect();
                    deployment.0.push(deployed);
                }
                Err(error) => {
                    if !deployment.0.is_empty() {
                        output::report(&deployment, format)?;
                    }
                    return Err(rejected(&manifest, error));
                }
            }
        }
        output::report(&deployment, format)?;
        Ok(deployment)
    }
}

impl Phase {
    /// The failure of a command that is interrupted in this phase.
    fn interrupted(self) -> Failure {
        let message = match self {
            Phase::Deploying => "interrupted: the host goes on with the deploy that it was sent",
            Phase::Waiting => {
                "interrupted: the apps are deployed, and get ready without this command"
            }
        };
        Failure::new(Kind::Interrupted, message).or_help("`weft status APP` has the progress")
    }
}

/// Deploys the manifests in order without printing.
///
/// # Errors
/// The host rejects one.
pub(crate) async fn deploy_quietly(
    client: &Client,
    manifests: Vec<Manifest>,
) -> Result<(), Failure> {
    for (manifest, uploaded) in upload(client, manifests).await? {
        let deployed = deploy_one(client, &manifest, uploaded, false, None).await;
        deployed.map_err(|error| rejected(&manifest, error))?;
    }
    Ok(())
}

async fn deploy_one(
    client: &Client,
    manifest: &Manifest,
    uploaded: Vec<Uploaded>,
    force: bool,
    http: Option<&str>,
) -> Result<Deployed, ClientError> {
    let request = DeployRequest {
        app: manifest.app.clone(),
        force,
    };
    let name = request.app.metadata.name.clone();
    let text = format!("{name}: waiting for the host, which checks the components");
    let line = Progress::start(&text);
    let DeployReport {
        revision,
        changes,
        routes,
        ..
    } = client.deploy(&request).await?;
    drop(line);
    Ok(Deployed {
        file: manifest.file.clone(),
        app: name,
        revision,
        changes,
        uploaded,
        routes: ServedRoute::all(routes, http),
        unplaced: Vec::new(),
    })
}

/// The HTTP address of the host.
async fn http_address(client: &Client) -> Result<Option<String>, ClientError> {
    let hosts: Vec<HostRow> = client.rows("hosts").await?;
    Ok(hosts.into_iter().find_map(|host| host.http))
}

/// Adds the name of the manifest to the error of a host, and the lines of its mistakes.
pub(crate) fn rejected(manifest: &Manifest, error: ClientError) -> Failure {
    let file = &manifest.file;
    let mistakes = match &error {
        ClientError::Refused { body, .. } => body.mistakes.clone(),
        _ => Mistakes::default(),
    };
    let failure = Failure::from(error);
    if !mistakes.is_empty() {
        let heading = Plain::new(format!("manifest `{file}` was rejected by the host"));
        let messages = vec![heading.into(), manifest.located(mistakes)];
        return Failure::all(failure.kind(), messages);
    }
    match failure.kind() {
        Kind::Failed | Kind::Input | Kind::Guest => {
            failure.within(format!("manifest `{file}` was rejected by the host"))
        }
        Kind::Host | Kind::Identity | Kind::Interrupted => failure,
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

fn bytes_text(bytes: usize) -> String {
    size(u64::try_from(bytes).unwrap_or(u64::MAX))
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
            // Standard error has them.
            unplaced: _,
        } = self;
        let mut lines = vec![match changes.len() {
            0 => format!("{app}: revision {revision}, unchanged ({file})"),
            _ => format!("{app}: revision {revision} ({file})"),
        }];
        lines.extend(changes.iter().map(|change| format!("  {change}")));
        lines.extend(uploaded.iter().map(
            |Uploaded {
                 component, bytes, ..
             }| { format!("  uploaded {component}, {}", bytes_text(*bytes)) },
        ));
        lines.extend(routes.iter().map(|route| format!("  {}", route.line())));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use weft_control::operating::RevisionStatus;
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
            unplaced: Vec::new(),
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
                notes: Vec::new(),
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
    fn the_progress_of_a_wait_has_the_reasons_for_missing_replicas() {
        let placement = PlacementRow {
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            revision: 2,
            wanted: 3,
            placed: 1,
            ready: 0,
            hosts: vec!["north".to_owned()],
            why: vec!["2 hosts: label `cloud` is not `nimbus`".to_owned()],
            pins: Vec::new(),
            serving: Vec::new(),
            digest: None,
            fits: None,
        };
        let revision = |revision, failed| RevisionStatus {
            revision,
            ready: 0,
            failed,
            other: 0,
        };
        let report = StatusReport {
            app: "shop".to_owned(),
            revision: 2,
            ready: false,
            reason: None,
            notes: Vec::new(),
            held: None,
            components: vec![ComponentStatus {
                placement,
                revisions: vec![revision(1, 2), revision(2, 1)],
            }],
        };
        let expected = "shop: waiting: 0 of 3 replicas are ready; cart: no host for 2 of 3: \
                        2 hosts: label `cloud` is not `nimbus`; cart: does not start on 1 host";
        assert_eq!(progress(&report, 2), expected);
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
