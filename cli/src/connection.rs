//! How a command finds the host it speaks to, and explains that something is not there.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use weft_bus::nats::{self, NatsOptions};
use weft_bus::{Lane, Scope, Status};
use weft_control::rows::{AppRow, ComponentRow};
use weft_control::{ADMIN_ADDRESS_DEFAULT, Client, ClientError, ErrorCode, bus_rpc, token};

use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::nearest::nearest;
use crate::target::AppTarget;
use crate::urls::reachable;

/// How long it may take to connect to a lattice and to find a host of it: a hand-shake over any distance
/// takes less, and hosts answer at once.
const FIND_WAIT_MAX: Duration = Duration::from_secs(5);

/// A client for the host that the options mean, authorised by the token in its data directory.
///
/// # Errors
/// There is no token: no host has run with that data directory. Of a lattice: no host can be found.
pub(crate) async fn client(options: &HostOptions) -> Result<Client, Failure> {
    if let Some((lattice, nats)) = options.any.lattice() {
        return any_host(lattice, &nats).await;
    }
    let data_directory = options.data_directory.path()?;
    let token = token::read(&data_directory).map_err(|error| no_token(&data_directory, &error))?;
    let address = match &options.admin {
        Some(address) => address.clone(),
        None => recorded_address(&data_directory),
    };
    Ok(Client::new(address, token))
}

/// A client for a host of the lattice, whichever says first that it is there.
async fn any_host(lattice: &str, nats: &NatsOptions) -> Result<Client, Failure> {
    let servers = nats.servers.join(",");
    let unusable = |error: &dyn Error| {
        let message = format!("cannot look for lattice `{lattice}` on `{servers}`");
        Failure::new(Kind::Input, message).caused_by(error)
    };
    let scope = Scope::new(lattice).map_err(|error| unusable(&error))?;
    let bus = nats::connect(scope, nats).await;
    let bus = bus.map_err(|error| unusable(&error))?.lane(Lane::Control);
    let until = Instant::now() + FIND_WAIT_MAX;
    let mut status = bus.status();
    let connected = status.wait_for(Status::is_connected);
    if timeout_at(until, connected).await.is_err() {
        let seconds = FIND_WAIT_MAX.as_secs();
        let message = format!("cannot reach a NATS server at `{servers}` within {seconds} s");
        return Err(Failure::new(Kind::Host, message)
            .or_help("give the servers of the lattice as in `--nats nats://127.0.0.1:4222`"));
    }
    let host = bus_rpc::seek(&bus, until).await.map_err(|error| {
        let message = format!("no host of lattice `{lattice}` answers on `{servers}`");
        let failure = Failure::new(Kind::Host, message).caused_by(&error);
        failure.or_help(
            "give the lattice's name with `--lattice`, or start a host with `weft up --nats URL --lattice NAME`",
        )
    })?;
    Client::over_bus(bus, host).map_err(|error| unusable(&error))
}

/// Where the host that uses this data directory said it listens.
fn recorded_address(data_directory: &Path) -> String {
    let recorded = fs::read_to_string(data_directory.join(token::ADDRESS_FILE)).unwrap_or_default();
    match (recorded.trim(), recorded.trim().parse()) {
        ("", _) => ADMIN_ADDRESS_DEFAULT.to_owned(),
        (_, Ok(address)) => reachable(address).to_string(),
        (name, Err(_)) => name.to_owned(),
    }
}

fn no_token(data_directory: &Path, error: &io::Error) -> Failure {
    let directory = data_directory.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::new(
            Kind::Host,
            format!("no host has run with the data directory `{directory}`"),
        )
        .or_help(
            "start one with `weft up`; if a host runs with another data directory, \
                 give it with `--data-dir` or `WEFT_DATA_DIR`",
        );
    }
    let file = token::path(data_directory);
    Failure::new(
        Kind::Host,
        format!("cannot read the admin token `{}`", file.display()),
    )
    .caused_by(error)
    .or_help("run the command as the user who runs the host")
}

/// The failure for a request about `target`; if that is not there, it names what is.
pub(crate) async fn explain(client: &Client, target: &AppTarget, error: ClientError) -> Failure {
    let is_missing = matches!(
        &error,
        ClientError::Refused { body, .. } if body.code == ErrorCode::NotFound
    );
    let failure = Failure::from(error);
    if !is_missing {
        return failure;
    }
    match what_is_there(client, target).await {
        Some(help) => failure.with_help(help),
        None => failure.or_help("`weft get apps` and `weft get components` list what is deployed"),
    }
}

/// What to try instead of a target that is not there; `None` if it is there, or the host does not say.
pub(crate) async fn what_is_there(client: &Client, target: &AppTarget) -> Option<String> {
    let apps: Vec<AppRow> = client.rows("apps").await.ok()?;
    let app = target.app.as_str();
    if !apps.iter().any(|row| row.app == app) {
        return Some(instead(
            app,
            apps.iter().map(|row| row.app.as_str()).collect(),
            "apps",
        ));
    }
    let component = target.component.as_ref()?.as_str();
    let rows: Vec<ComponentRow> = client.rows("components").await.ok()?;
    let names = rows
        .iter()
        .filter(|row| row.app == app)
        .map(|row| row.component.as_str());
    let names: Vec<&str> = names.collect();
    (!names.contains(&component)).then(|| instead(component, names, "components"))
}

fn instead(written: &str, mut names: Vec<&str>, what: &str) -> String {
    /// More names than this are a table's job.
    const NAMES_MAX: usize = 10;
    names.sort_unstable();
    if let Some(name) = nearest(written, names.iter().copied()) {
        return format!("did you mean `{name}`? `weft get {what}` lists all there are");
    }
    match names.len() {
        0 => "nothing is deployed; deploy an app with `weft deploy FILE`".to_owned(),
        1..=NAMES_MAX => {
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("the {what} there are: {}", quoted.join(", "))
        }
        _ => format!("`weft get {what}` lists what there is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_compared_with_what_is_there() {
        let check = |written, names: &[&str], expected| {
            assert_eq!(instead(written, names.to_vec(), "apps"), expected);
        };
        check(
            "shp",
            &["shop", "bank"],
            "did you mean `shop`? `weft get apps` lists all there are",
        );
        check(
            "inventory",
            &["shop", "bank"],
            "the apps there are: `bank`, `shop`",
        );
        check(
            "shop",
            &[],
            "nothing is deployed; deploy an app with `weft deploy FILE`",
        );
    }

    #[test]
    fn the_address_comes_from_the_running_host_or_is_the_default() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(recorded_address(directory.path()), ADMIN_ADDRESS_DEFAULT);
        fs::write(directory.path().join(token::ADDRESS_FILE), "0.0.0.0:9000\n").unwrap();
        assert_eq!(recorded_address(directory.path()), "127.0.0.1:9000");
    }
}
