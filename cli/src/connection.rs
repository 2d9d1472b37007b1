//! Client connections to a host, and errors that suggest existing names for missing ones.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use weft_bus::nats::{self, NatsOptions};
use weft_bus::{Lane, Outage, OutageKind, Scope, Status};
use weft_control::rows::PlacementRow;
use weft_control::{ADMIN_ADDRESS_DEFAULT, Client, ClientError, ErrorCode, bus_rpc, token};
use weft_lattice_config::ComponentName;

use crate::contact::{self, Contact, HostContact};
use crate::did_you_mean::suggest;
use crate::environment::precedence::{Selection, Source, Target};
use crate::environment::{self, HostOptions};
use crate::failure::{Failure, Kind};
use crate::target::AppTarget;
use crate::urls::reachable;

/// The time limit to connect to NATS and discover a host of the lattice. A handshake over any
/// distance takes less, and hosts reply at once.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to the host that the options, the environment and contexts select, with the token in
/// its data directory.
///
/// # Errors
/// The settings are invalid; the token is missing because no host has run with that data directory;
/// or no host of the lattice is discovered.
pub(crate) async fn client(options: &HostOptions) -> Result<Client, Failure> {
    let Selection { target, source } = options.select()?;
    let (admin, data_dir) = match target {
        Target::Lattice(lattice) => {
            contact::record(Contact::lattice(&lattice, source));
            return any_host(&lattice.name, &lattice.nats).await;
        }
        Target::Host { admin, data_dir } => (admin, data_dir),
    };
    // The address may be of the environment, and the data directory of the command line.
    let source = match source {
        Source::CommandLine if admin.is_some() && !options.has_admin() => {
            Source::Environment("WEFT_ADMIN")
        }
        source => source,
    };
    if let Some(address) = &admin {
        check_address(address)?;
    }
    let data_directory = environment::data_directory(data_dir)?;
    let token = token::read(&data_directory);
    let recorded = recorded_address(&data_directory);
    // An address that was given may be that of another host.
    let socket = match admin {
        None => token::socket(&data_directory),
        Some(_) => None,
    };
    let default = || recorded.clone().unwrap_or(ADMIN_ADDRESS_DEFAULT.to_owned());
    let address = admin.unwrap_or_else(default);
    contact::record(Contact::host(
        HostContact {
            address: address.clone(),
            recorded,
            data_directory: data_directory.clone(),
            token: token.as_ref().ok().cloned(),
        },
        source,
    ));
    let token = token.map_err(|error| no_token(&data_directory, &error))?;
    Ok(Client::new(address, token).with_socket(socket))
}

/// Connects over the bus to the first host of the lattice that replies.
async fn any_host(lattice: &str, nats: &NatsOptions) -> Result<Client, Failure> {
    let servers = nats.shown_servers();
    let unusable = |error: &dyn Error| {
        let message = format!("cannot search for lattice `{lattice}` on NATS servers `{servers}`");
        Failure::new(Kind::Input, message).caused_by(error)
    };
    let scope = Scope::new(lattice).map_err(|error| unusable(&error))?;
    let bus = nats::connect(scope, nats).await;
    let bus = bus.map_err(|error| unusable(&error))?.lane(Lane::Control);
    let until = Instant::now() + DISCOVERY_TIMEOUT;
    let mut status = bus.status();
    // A login that is rejected now is not accepted later.
    let is_decided = |status: &Status| {
        status.is_connected() || status.outage().is_some_and(Outage::is_rejection)
    };
    let decided = timeout_at(until, status.wait_for(is_decided)).await;
    let is_connected = matches!(&decided, Ok(Ok(status)) if status.is_connected());
    drop(decided);
    if !is_connected {
        return Err(no_connection(&servers, status.borrow().outage()));
    }
    let host = bus_rpc::discover(&bus, until).await.map_err(|error| {
        let message = format!("no host of lattice `{lattice}` replied on NATS servers `{servers}`");
        let failure = Failure::new(Kind::Host, message).caused_by(&error);
        failure.or_help(
            "check the lattice name (`--lattice`), or start a host with `weft up --nats URL --lattice NAME`",
        )
    })?;
    Client::over_bus(bus, host).map_err(|error| unusable(&error))
}

/// The failure of a command without a connection to NATS.
pub(crate) fn no_connection(servers: &str, outage: Option<&Outage>) -> Failure {
    let help = match outage.map(Outage::kind) {
        Some(OutageKind::Login) => {
            "log in with `--nats-user`, `--nats-token`, `--nats-nkey`, `--nats-creds` or `--nats-cert`"
        }
        Some(OutageKind::Tls) => {
            "give the authority of the servers with `--nats-ca`, and a client certificate with \
             `--nats-cert` and `--nats-key` if they require one"
        }
        Some(OutageKind::MaxPayload) => {
            "remove `max_payload` from the configuration of the servers"
        }
        Some(OutageKind::Unreachable) | None => {
            "give the servers of the lattice, as in `--nats nats://127.0.0.1:4222`"
        }
    };
    let message = format!("cannot connect to NATS servers `{servers}`");
    let failure = Failure::new(Kind::Host, message).or_help(help);
    match outage {
        Some(outage) => failure.caused_by(outage),
        None => failure,
    }
}

/// Checks that an address has a host and a port; the host may be a name.
fn check_address(address: &str) -> Result<(), Failure> {
    let is_valid = |(host, port): (&str, &str)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
    };
    if address.rsplit_once(':').is_some_and(is_valid) {
        return Ok(());
    }
    let message = format!("`{address}` is not an admin address: expected `HOST:PORT`");
    let help = format!("give the address that `weft up` prints, as in `{ADMIN_ADDRESS_DEFAULT}`");
    Err(Failure::new(Kind::Input, message).or_help(help))
}

/// Reads the admin address that a host recorded in its data directory; `None` if no host did.
fn recorded_address(data_directory: &Path) -> Option<String> {
    let recorded = token::read_address(data_directory)?;
    Some(match recorded.parse() {
        Ok(address) => reachable(address).to_string(),
        Err(_) => recorded,
    })
}

fn no_token(data_directory: &Path, error: &io::Error) -> Failure {
    let directory = data_directory.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::new(
            Kind::Host,
            format!("no host has run with the data directory `{directory}`"),
        )
        .or_help(
            "start a host with `weft up`, or select the data directory of a running host with \
                 `--data-dir` or `WEFT_DATA_DIR`",
        );
    }
    let file = token::path(data_directory);
    Failure::new(
        Kind::Host,
        format!("cannot read the admin token `{}`", file.display()),
    )
    .caused_by(error)
    .or_help("run the command as the user that runs the host")
}

/// Turns an error about `target` into a failure; a missing target is the same failure for every
/// command.
pub(crate) async fn explain(client: &Client, target: &AppTarget, error: ClientError) -> Failure {
    let is_missing = matches!(
        &error,
        ClientError::Refused { body, .. } if body.code == ErrorCode::NotFound
    );
    if is_missing && let Ok(Some(missing)) = missing(client, target).await {
        return missing;
    }
    let failure = Failure::from(error);
    if !is_missing {
        return failure;
    }
    failure
        .or_help("list deployed apps and components with `weft get apps` and `weft get components`")
}

/// Checks that an app is deployed and has the component of the target.
///
/// # Errors
/// A failure that lists the existing names, or that of the host.
pub(crate) async fn check_target(client: &Client, target: &AppTarget) -> Result<(), Failure> {
    match missing(client, target).await? {
        Some(missing) => Err(missing),
        None => Ok(()),
    }
}

/// The failure for a missing target, with the existing names; `None` if the target is deployed.
///
/// The names are those of the desired state, which every host has.
pub(crate) async fn missing(
    client: &Client,
    target: &AppTarget,
) -> Result<Option<Failure>, ClientError> {
    let rows: Vec<PlacementRow> = client.rows("placements").await?;
    let apps: BTreeSet<_> = rows.iter().map(|row| row.app.as_str()).collect();
    let app = target.app.as_str();
    if !apps.contains(app) {
        let failure = Failure::new(Kind::Failed, format!("there is no app `{app}`"));
        return Ok(Some(failure.or_help(suggestion(app, &apps, "apps"))));
    }
    let Some(component) = target.component.as_ref().map(ComponentName::as_str) else {
        return Ok(None);
    };
    let components = rows.iter().filter(|row| row.app == app);
    let components: BTreeSet<_> = components.map(|row| row.component.as_str()).collect();
    if components.contains(component) {
        return Ok(None);
    }
    let message = format!("app `{app}` has no component `{component}`");
    let failure = Failure::new(Kind::Failed, message);
    let help = suggestion(component, &components, "components");
    Ok(Some(failure.or_help(help)))
}

fn suggestion(written: &str, names: &BTreeSet<&str>, resources: &str) -> String {
    /// Longer lists belong in the table of `weft get`.
    const NAMES_MAX: usize = 10;
    let existing = match names.len() {
        0 => return format!("no {resources} are deployed; deploy an app with `weft deploy FILE`"),
        1..=NAMES_MAX => {
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("deployed {resources}: {}", quoted.join(", "))
        }
        _ => format!("list all {resources} with `weft get {resources}`"),
    };
    match suggest(written, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {existing}"),
        None => existing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_name_is_compared_with_the_existing_ones() {
        let check = |written, names: &[&str], expected| {
            let names = names.iter().copied().collect();
            assert_eq!(suggestion(written, &names, "apps"), expected);
        };
        check(
            "shp",
            &["shop", "bank"],
            "did you mean `shop`? deployed apps: `bank`, `shop`",
        );
        check(
            "inventory",
            &["shop", "bank"],
            "deployed apps: `bank`, `shop`",
        );
        check(
            "shop",
            &[],
            "no apps are deployed; deploy an app with `weft deploy FILE`",
        );
        let many: Vec<_> = (0..11).map(|number| format!("app-{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        check(
            "app-x",
            &many,
            "did you mean `app-0`? list all apps with `weft get apps`",
        );
    }

    #[test]
    fn an_admin_address_has_a_host_and_a_port() {
        for address in [
            "127.0.0.1:7411",
            "localhost:1",
            "[::1]:7411",
            "north.example:80",
        ] {
            check_address(address).unwrap();
        }
        for address in ["localhost", ":7411", "http://a:7411", "a:b", "a:70000"] {
            let failure = format!("{:?}", check_address(address).unwrap_err());
            assert!(failure.contains("expected `HOST:PORT`"), "{failure}");
        }
    }

    #[test]
    fn the_recorded_address_is_one_to_connect_to() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(recorded_address(directory.path()), None);
        let file = directory.path().join(token::ADDRESS_FILE);
        std::fs::write(file, "0.0.0.0:9000\n").unwrap();
        let recorded = recorded_address(directory.path());
        assert_eq!(recorded.as_deref(), Some("127.0.0.1:9000"));
    }
}
