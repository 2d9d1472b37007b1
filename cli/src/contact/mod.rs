//! The host or lattice that the command contacts. A failure names it if the command line does not,
//! and corrects a wrong admin address.

mod probe;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::timeout;
use weft_control::Client;
use weft_control::rows::HostRow;

use crate::contact::probe::Found;
use crate::environment::precedence::{LatticeTarget, Source};
use crate::failure::{Failure, Kind, Plain};
use crate::urls::reachable;

/// The time limit for the answer of the host at the recorded address: it is on this machine, and a
/// failure should not take long.
const RECORDED_HOST_TIMEOUT: Duration = Duration::from_secs(1);

/// The contact of this process, which runs one command.
static CONTACT: OnceLock<Contact> = OnceLock::new();

/// The host or lattice of the command, and the source that selected it.
#[derive(Debug)]
pub(crate) struct Contact {
    /// For people.
    name: String,
    /// The host, if the command contacts a certain one.
    host: Option<HostContact>,
    source: Source,
}

/// A host with an admin address.
#[derive(Debug)]
pub(crate) struct HostContact {
    pub(crate) address: String,
    /// The address that a host recorded in the data directory.
    pub(crate) recorded: Option<String>,
    pub(crate) data_directory: PathBuf,
    /// The token in the data directory.
    pub(crate) token: Option<String>,
}

/// Records the contact of the command. Later ones are ignored: a command has one.
pub(crate) fn record(contact: Contact) {
    // An error is an earlier contact.
    let _ = CONTACT.set(contact);
}

/// Adds the contact of the command to its failure.
pub(crate) async fn explain(failure: Failure) -> Failure {
    match CONTACT.get() {
        Some(contact) => contact.explain(failure).await,
        None => failure,
    }
}

impl Contact {
    /// A lattice, any host of which may answer.
    pub(crate) fn lattice(lattice: &LatticeTarget, source: Source) -> Self {
        Self {
            name: format!("any host of {lattice}"),
            host: None,
            source,
        }
    }

    /// A certain host.
    pub(crate) fn host(host: HostContact, source: Source) -> Self {
        Self {
            name: format!("`{}`", host.address),
            host: Some(host),
            source,
        }
    }

    async fn explain(&self, failure: Failure) -> Failure {
        let failure = match &self.host {
            Some(host) if failure.kind() == Kind::Host => host.explain(failure, &self.source).await,
            Some(_) | None => failure,
        };
        match self.source {
            Source::CommandLine | Source::Default => failure,
            Source::Environment(_) | Source::Context(_) => {
                failure.of_host(format!("{}, {}", self.name, self.source))
            }
        }
    }
}

impl HostContact {
    /// Explains the failure of a request to the address: another server may listen there.
    async fn explain(&self, failure: Failure, source: &Source) -> Failure {
        // Without a token, nothing was sent.
        let Some(token) = &self.token else {
            return failure;
        };
        let (recorded, found) =
            tokio::join!(self.recorded_host(token), probe::probe(&self.address));
        let failure = self.corrected(failure, &found, recorded.as_ref());
        match &recorded {
            Some(recorded) => failure.with_help(self.next_step(recorded, source)),
            None => failure,
        }
    }

    /// The host at the recorded address, if that is another one and the host answers.
    async fn recorded_host(&self, token: &str) -> Option<RecordedHost> {
        let address = self.recorded.clone()?;
        if address == self.address {
            return None;
        }
        let client = Client::new(&address, token);
        let answer = timeout(RECORDED_HOST_TIMEOUT, client.rows("hosts")).await;
        let hosts = answer.ok()?.ok()?;
        Some(RecordedHost { address, hosts })
    }

    fn corrected(
        &self,
        failure: Failure,
        found: &Found,
        recorded: Option<&RecordedHost>,
    ) -> Failure {
        let address = &self.address;
        let cause = match found {
            Found::Nothing | Found::NoAnswer => return failure,
            Found::AdminApi if failure.mentions(address) => return failure,
            Found::AdminApi => {
                return failure.within(format!("the host at `{address}` rejected the command"));
            }
            Found::Other(server) => match recorded.and_then(|it| it.of_http(address)) {
                Some(host) => format!("found the HTTP address of host `{host}`, which serves apps"),
                None => format!("found {server}"),
            },
        };
        let plain = Plain {
            message: format!("the server at `{address}` is not the admin API of a host"),
            causes: vec![cause],
            help: Some(
                "give the admin address of a host with `--admin HOST:PORT`; `weft up` prints it"
                    .to_owned(),
            ),
        };
        Failure::all(Kind::Host, vec![plain.into()])
    }

    fn next_step(&self, recorded: &RecordedHost, source: &Source) -> String {
        let (address, data) = (&recorded.address, self.data_directory.display());
        let step = match source {
            Source::Environment(_) => "unset `WEFT_ADMIN`".to_owned(),
            Source::Context(name) => {
                format!(
                    "correct it with `weft context add {name} --replace --admin {address} \
                     --data-dir {data}`"
                )
            }
            Source::CommandLine | Source::Default => "omit `--admin`".to_owned(),
        };
        format!("the host with the data directory `{data}` answers at `{address}`: {step}")
    }
}

/// The host that answers at the address in the data directory.
#[derive(Debug)]
struct RecordedHost {
    address: String,
    /// The hosts of its lattice.
    hosts: Vec<HostRow>,
}

impl RecordedHost {
    /// The name of the host that serves apps at this address.
    fn of_http(&self, address: &str) -> Option<&str> {
        let address = address.replace("localhost:", "127.0.0.1:");
        let serves = |host: &&HostRow| {
            let http = host.http.as_deref().unwrap_or_default();
            let http = http.strip_prefix("http://").unwrap_or(http);
            let reached = http.parse().map(|it| reachable(it).to_string());
            reached.is_ok_and(|reached| reached == address)
        };
        self.hosts
            .iter()
            .find(serves)
            .map(|host| host.host.as_str())
    }
}
