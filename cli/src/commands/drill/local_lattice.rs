//! A local lattice on loopback: processes of NATS servers and hosts, with their files in a
//! directory that is removed at the end.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use weft_control::rows::HostRow;
use weft_control::{Client, token};
use weft_harness::{Error, NatsServer, Process, free_addresses};

use super::topology::{CLOUD_LABEL, Ports, Topology};
use crate::commands::deploy;
use crate::environment::settings;
use crate::failure::{Failure, Kind};
use crate::manifest;

/// The time limit for a process to listen.
const LISTEN_MAX: Duration = Duration::from_secs(30);

/// The interval of polls.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The number of attempts to start the lattice: another process may take a port that was free a
/// moment ago.
const STARTS_MAX: usize = 3;

/// The time limit of retries of a deploy: new servers have no leader for their streams yet.
const DEPLOY_MAX: Duration = Duration::from_secs(30);

/// The pause before the retry of a deploy.
const DEPLOY_PAUSE: Duration = Duration::from_millis(500);

/// Number of lines at the end of a log that a failure includes.
const LOG_LINES_SHOWN: usize = 12;

/// A running local lattice.
pub(super) struct LocalLattice {
    topology: Topology,
    directory: PathBuf,
    program: PathBuf,
    servers: Vec<Server>,
    hosts: Vec<LocalHost>,
}

struct Server {
    cloud: &'static str,
    nats: NatsServer,
}

/// A host process.
pub(super) struct LocalHost {
    pub(super) name: String,
    pub(super) cloud: &'static str,
    pub(super) http: SocketAddr,
    admin: SocketAddr,
    data: PathBuf,
    process: Option<Process>,
}

impl LocalLattice {
    /// Starts the servers and the hosts.
    ///
    /// # Errors
    /// A server or a host cannot be started.
    pub(super) async fn start(topology: Topology) -> Result<Self, Failure> {
        let mut starts = 1;
        loop {
            match Self::start_once(topology).await {
                Err(_) if starts < STARTS_MAX => starts += 1,
                started => return started,
            }
        }
    }

    async fn start_once(topology: Topology) -> Result<Self, Failure> {
        let directory =
            temporary_directory().map_err(|error| cannot("create a directory", &error))?;
        let program =
            std::env::current_exe().map_err(|error| cannot("locate the `weft` binary", &error))?;
        let mut lattice = Self {
            topology,
            directory,
            program,
            servers: Vec::new(),
            hosts: Vec::new(),
        };
        match lattice.start_all().await {
            Ok(()) => Ok(lattice),
            Err(failure) => {
                lattice.end().await;
                Err(failure)
            }
        }
    }

    async fn start_all(&mut self) -> Result<(), Failure> {
        let clouds = self.topology.servers();
        let hosts = self.topology.hosts();
        let addresses = free_addresses(3 * clouds.len() + 2 * hosts.len())?;
        let (of_servers, of_hosts) = addresses.split_at(3 * clouds.len());
        let ports: Vec<_> = of_servers
            .chunks_exact(3)
            .map(|own| Ports {
                client: own[0],
                cluster: own[1],
                gateway: own[2],
            })
            .collect();
        for (cloud, own) in clouds.iter().zip(&ports) {
            let directory = self.directory.join(format!("nats-{cloud}"));
            let text = self.topology.configuration(cloud, &ports);
            let nats = NatsServer::new(directory, own.client, &text)?;
            self.servers.push(Server { cloud, nats });
            self.start_server(cloud).await?;
        }
        for (index, (cloud, own)) in hosts.into_iter().zip(of_hosts.chunks_exact(2)).enumerate() {
            self.hosts.push(LocalHost {
                name: format!("{cloud}{}", index + 1),
                cloud,
                http: own[0],
                admin: own[1],
                data: self.directory.join(format!("host-{}", index + 1)),
                process: None,
            });
        }
        let all: Vec<_> = (0..self.hosts.len()).collect();
        self.start_hosts(&all).await
    }

    pub(super) fn hosts(&self) -> &[LocalHost] {
        &self.hosts
    }

    /// The description of the lattice for the report.
    pub(super) fn describe(&self) -> String {
        let (hosts, servers) = (self.hosts.len(), self.servers.len());
        match self.topology {
            Topology::One => format!("{hosts} hosts, one NATS server"),
            Topology::Stretched => {
                format!("{hosts} hosts in three clouds, one NATS cluster of {servers} servers")
            }
            Topology::Gateways => {
                format!("{hosts} hosts in three clouds, {servers} NATS clusters joined by gateways")
            }
        }
    }

    /// Creates a client for a host.
    ///
    /// # Errors
    /// The token of the host cannot be read.
    pub(super) fn client(&self, host: usize) -> Result<Client, Failure> {
        let host = &self.hosts[host];
        let token =
            token::read(&host.data).map_err(|error| cannot("read the token of a host", &error))?;
        Ok(Client::new(host.admin.to_string(), token))
    }

    /// Waits until every host reports all hosts as ready.
    ///
    /// # Errors
    /// The timeout expires.
    pub(super) async fn wait_until_joined(&self, timeout: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + timeout;
        for host in 0..self.hosts.len() {
            loop {
                let rows: Vec<HostRow> = match self.client(host) {
                    Ok(client) => client.rows("hosts").await.unwrap_or_default(),
                    Err(_) => Vec::new(),
                };
                let ready = rows.iter().filter(|row| row.status == "ready").count();
                if ready == self.hosts.len() {
                    break;
                }
                if Instant::now() > deadline {
                    let name = &self.hosts[host].name;
                    let message = format!(
                        "host `{name}` reports {ready} of {} hosts as ready after {} s",
                        self.hosts.len(),
                        timeout.as_secs()
                    );
                    return Err(Failure::new(Kind::Failed, message));
                }
                sleep(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Deploys a manifest through the first host.
    ///
    /// # Errors
    /// The manifest is invalid, or the host rejects it.
    pub(super) async fn deploy(&self, file: &Path) -> Result<(), Failure> {
        let deadline = Instant::now() + DEPLOY_MAX;
        loop {
            let manifests = manifest::read_all(&[file.to_owned()])?;
            match deploy::deploy_quietly(&self.client(0)?, manifests).await {
                Err(_) if Instant::now() < deadline => sleep(DEPLOY_PAUSE).await,
                deployed => return deployed,
            }
        }
    }

    /// Kills hosts, as `kill -9` does.
    pub(super) async fn kill_hosts(&mut self, hosts: &[usize]) {
        for host in hosts {
            kill(self.hosts[*host].process.take()).await;
        }
    }

    /// Suspends hosts.
    ///
    /// # Errors
    /// A signal cannot be sent.
    pub(super) fn suspend_hosts(&self, hosts: &[usize]) -> Result<(), Failure> {
        Ok(self.running(hosts).try_for_each(Process::suspend)?)
    }

    /// Resumes suspended hosts.
    ///
    /// # Errors
    /// A signal cannot be sent.
    pub(super) fn resume_hosts(&self, hosts: &[usize]) -> Result<(), Failure> {
        Ok(self.running(hosts).try_for_each(Process::resume)?)
    }

    fn running(&self, hosts: &[usize]) -> impl Iterator<Item = &Process> {
        let hosts = hosts.iter().map(|host| &self.hosts[*host]);
        hosts.filter_map(|host| host.process.as_ref())
    }

    /// Kills the server of a cloud, as `kill -9` does.
    pub(super) async fn kill_server(&mut self, cloud: &str) {
        for server in self.servers_of(cloud) {
            kill(server.nats.take_process()).await;
        }
    }

    /// Starts the server of a cloud, and waits until it listens.
    ///
    /// # Errors
    /// The server does not start or listen.
    pub(super) async fn start_server(&mut self, cloud: &str) -> Result<(), Failure> {
        for Server { nats, .. } in self.servers_of(cloud) {
            nats.spawn().map_err(|error| {
                Failure::from(error).or_help("install `nats-server` and add it to `PATH`")
            })?;
            wait_until_listening("NATS server", || nats.is_listening()).await?;
        }
        Ok(())
    }

    fn servers_of(&mut self, cloud: &str) -> impl Iterator<Item = &mut Server> {
        let servers = self.servers.iter_mut();
        servers.filter(move |server| server.cloud == cloud)
    }

    /// Starts hosts with their existing data directories, and waits until they listen.
    ///
    /// # Errors
    /// A host does not start or listen.
    pub(super) async fn start_hosts(&mut self, hosts: &[usize]) -> Result<(), Failure> {
        let replicas = self.topology.replicas().to_string();
        for index in hosts {
            let host = &mut self.hosts[*index];
            let servers = self.servers.iter();
            // A host uses the server of its own cloud, if that has one.
            let own = servers.clone().find(|server| server.cloud == host.cloud);
            let Some(server) = own.or_else(|| self.servers.first()) else {
                continue;
            };
            let mut command = Command::new(&self.program);
            // Settings for other lattices, as the login of their servers.
            for name in settings::NAMES {
                command.env_remove(name.variable);
            }
            command.args(["up", "--lattice", "drill", "--name", &host.name]);
            command.args(["--nats", &server.nats.url()]);
            command.args(["--nats-replicas", &replicas]);
            command.args(["--label", &format!("{CLOUD_LABEL}={}", host.cloud)]);
            command.args(["--http", &host.http.to_string()]);
            command.args(["--admin", &host.admin.to_string()]);
            command.arg("--data-dir").arg(&host.data);
            let name = format!("host `{}`", host.name);
            let process = Process::start(&name, &mut command, &host.data)?;
            host.process = Some(process);
        }
        for index in hosts {
            let LocalHost { admin, process, .. } = &mut self.hosts[*index];
            if let Some(process) = process {
                let name = process.name().to_owned();
                wait_until_listening(&name, || process.is_listening(*admin)).await?;
            }
        }
        Ok(())
    }

    /// Adds the last log lines of the first host to a failure.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        let log = fs::read_to_string(self.directory.join("host-1.err")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        failure.or_help(format!(
            "see the last log lines of the first host:\n{}",
            shown.join("\n")
        ))
    }

    /// Kills every process, and removes the files.
    pub(super) async fn end(mut self) {
        let hosts = self.hosts.iter_mut().map(|host| host.process.take());
        let servers = self.servers.iter_mut();
        for process in hosts.chain(servers.map(|server| server.nats.take_process())) {
            kill(process).await;
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, "cannot remove the files of the drill");
        }
    }
}

/// Creates a directory that only this user can read, because hosts store tokens in it.
fn temporary_directory() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let directory = std::env::temp_dir().join(format!("weft-drill-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

/// Kills a process, as `kill -9` does, if it runs. Other threads wait for its end: this one sends
/// requests meanwhile.
async fn kill(process: Option<Process>) {
    // Dropping a process does not panic.
    let _ = spawn_blocking(move || drop(process)).await;
}

/// Waits until a process listens.
///
/// # Errors
/// The process ends, or the time limit passes.
async fn wait_until_listening(
    name: &str,
    mut is_listening: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Failure> {
    let deadline = Instant::now() + LISTEN_MAX;
    while !is_listening()? {
        if Instant::now() > deadline {
            let message = format!("{name} does not listen after {} s", LISTEN_MAX.as_secs());
            return Err(Failure::new(Kind::Failed, message));
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::from_error(Kind::Failed, &error)
    }
}

/// Creates the failure of an action that the operating system rejected.
fn cannot(action: &str, error: &io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot {action}")).caused_by(error)
}
