//! Components that are deployed: their artifacts.

use bytes::Bytes;
use weft_control::Client;
use weft_control::rows::{ComponentRow, PlacementRow};
use weft_lattice_config::Digest;

use crate::all_hosts::{self, OneHost};
use crate::artifact::Artifact;
use crate::connection;
use crate::failure::{Failure, Kind};
use crate::progress::Progress;
use crate::target::{AppTarget, ComponentTarget};

/// Downloads the artifact of a deployed component.
///
/// # Errors
/// The component is not deployed, no host has its artifact, or a host does not reply.
pub(crate) async fn artifact(
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
    let _line = Progress::start(&format!("downloading {target}"));
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
    let rows: Vec<ComponentRow> = all_hosts::rows_of_all(client, &hosts, "components").await?;
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
