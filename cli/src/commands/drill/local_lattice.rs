//! A local lattice on loopback: processes of NATS servers and hosts, with their files in a
//! directory that is removed at the end.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use weft_control::rows::HostRow;
use weft_control::{Client, token};

use super::processes::{cannot, free_addresses, kill, spawn, wait_until_listening};
use super::topology::{CLOUD_LABEL, Ports, Topology};
use crate::commands::deploy;
use crate::failure::{Failure, Kind};
use crate::manifest;

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
    address: SocketAddr,
    configuration: PathBuf,
    process: Option<Child>,
}

/// A host process.
pub(super) struct LocalHost {
    pub(super) name: String,
    pub(super) cloud: &'static str,
    pub(super) http: SocketAddr,
    admin: SocketAddr,
    data: PathBuf,
    process: Option<Child>,
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
        let addresses = free_addresses(3 * clouds.len() + 2 * hosts.len());
        let addresses = addresses.map_err(|error| cannot("find a free port", &error))?;
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
            let store = self.directory.join(format!("nats-{cloud}"));
            let store = store.to_string_lossy().into_owned();
            let text = self.topology.configuration(cloud, &ports, &store);
            let configuration = self.directory.join(format!("nats-{cloud}.conf"));
            fs::write(&configuration, text)
                .map_err(|error| cannot("write a NATS configuration", &error))?;
            self.servers.push(Server {
                cloud,
                address: own.client,
                configuration,
                process: None,
            });
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
    ///
    /// # Errors
    /// A signal cannot be sent.
    pub(super) async fn kill_hosts(&mut self, hosts: &[usize]) -> Result<(), Failure> {
        for host in hosts {
            kill(&mut self.hosts[*host].process).await?;
        }
        Ok(())
    }

    /// Suspends hosts.
    ///
    /// # Errors
    /// A signal cannot be sent.
    pub(super) async fn suspend_hosts(&self, hosts: &[usize]) -> Result<(), Failure> {
        self.signal(hosts, "-STOP").await
    }

    /// Resumes suspended hosts.
    ///
    /// # Errors
    /// A signal cannot be sent.
    pub(super) async fn resume_hosts(&self, hosts: &[usize]) -> Result<(), Failure> {
        self.signal(hosts, "-CONT").await
    }

    async fn signal(&self, hosts: &[usize], signal: &str) -> Result<(), Failure> {
        for host in hosts {
            let process = self.hosts[*host].process.as_ref();
            let Some(id) = process.and_then(Child::id) else {
                continue;
            };
            let sent = Command::new("kill")
                .args([signal, &id.to_string()])
                .status();
            let sent = sent
                .await
                .map_err(|error| cannot("send a signal", &error))?;
            if !sent.success() {
                let message = format!("`kill {signal} {id}` failed: {sent}");
                return Err(Failure::new(Kind::Failed, message));
            }
        }
        Ok(())
    }

    /// Kills the server of a cloud, as `kill -9` does.
    ///
    /// # Errors
    /// A signal cannot be sent.
    pub(super) async fn kill_server(&mut self, cloud: &str) -> Result<(), Failure> {
        for server in self
            .servers
            .iter_mut()
            .filter(|server| server.cloud == cloud)
        {
            kill(&mut server.process).await?;
        }
        Ok(())
    }

    /// Starts the server of a cloud, and waits until it listens.
    ///
    /// # Errors
    /// The server does not start or listen.
    pub(super) async fn start_server(&mut self, cloud: &str) -> Result<(), Failure> {
        let log = self.log(&format!("nats-{cloud}"))?;
        for server in self
            .servers
            .iter_mut()
            .filter(|server| server.cloud == cloud)
        {
            let mut command = Command::new("nats-server");
            command.arg("-c").arg(&server.configuration);
            let mut process = spawn(command, log.try_clone()).map_err(|error| {
                let failure = cannot("start `nats-server`", &error);
                failure.or_help("install `nats-server` and add it to `PATH`")
            })?;
            let listening = wait_until_listening(server.address, "NATS server", &mut process).await;
            server.process = Some(process);
            listening?;
        }
        Ok(())
    }

    /// Starts hosts with their existing data directories, and waits until they listen.
    ///
    /// # Errors
    /// A host does not start or listen.
    pub(super) async fn start_hosts(&mut self, hosts: &[usize]) -> Result<(), Failure> {
        let replicas = self.topology.replicas().to_string();
        for host in hosts {
            let log = self.log(&format!("host-{}", host + 1))?;
            let host = &self.hosts[*host];
            let servers = self.servers.iter();
            // A host uses the server of its own cloud, if that has one.
            let own = servers.clone().find(|server| server.cloud == host.cloud);
            let Some(server) = own.or_else(|| self.servers.first()) else {
                continue;
            };
            let mut command = Command::new(&self.program);
            command.args(["up", "--lattice", "drill", "--name", &host.name]);
            command.args(["--nats", &format!("nats://{}", server.address)]);
            command.args(["--nats-replicas", &replicas]);
            command.args(["--label", &format!("{CLOUD_LABEL}={}", host.cloud)]);
            command.args(["--http", &host.http.to_string()]);
            command.args(["--admin", &host.admin.to_string()]);
            command.arg("--data-dir").arg(&host.data);
            let process =
                spawn(command, Ok(log)).map_err(|error| cannot("start a host", &error))?;
            let index = self.hosts.iter().position(|other| other.http == host.http);
            if let Some(host) = index.and_then(|index| self.hosts.get_mut(index)) {
                host.process = Some(process);
            }
        }
        for host in hosts {
            let host = &mut self.hosts[*host];
            let name = format!("host `{}`", host.name);
            if let Some(process) = &mut host.process {
                wait_until_listening(host.admin, &name, process).await?;
            }
        }
        Ok(())
    }

    /// Adds the last log lines of the first host to a failure.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        let log = fs::read_to_string(self.directory.join("host-1.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        failure.or_help(format!(
            "see the last log lines of the first host:\n{}",
            shown.join("\n")
        ))
    }

    /// Kills every process, and removes the files.
    pub(super) async fn end(mut self) {
        let hosts = self.hosts.iter_mut().map(|host| &mut host.process);
        let servers = self.servers.iter_mut().map(|server| &mut server.process);
        for process in hosts.chain(servers) {
            // A process that has ended by itself is not a failure.
            let _ = kill(process).await;
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, "cannot remove the files of the drill");
        }
    }

    fn log(&self, name: &str) -> Result<File, Failure> {
        let file = self.directory.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(file);
        log.map_err(|error| cannot("write a log", &error))
    }
}

/// Creates a directory that only this user can read, because hosts store tokens in it.
fn temporary_directory() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let directory = std::env::temp_dir().join(format!("weft-drill-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}
