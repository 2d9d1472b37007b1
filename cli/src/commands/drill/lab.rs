//! A lattice of its own on loopback: NATS servers and hosts as processes, with their files in a directory that
//! goes with it.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use weft_control::rows::HostRow;
use weft_control::{Client, token};

use super::processes::{cannot, free_addresses, kill, listens, spawn};
use super::topology::{CLOUD_LABEL, Ports, Topology};
use crate::commands::deploy;
use crate::failure::{Failure, Kind};
use crate::manifest;

/// How often something is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often the lattice is started: somebody else may take a port that was free a moment ago.
const STARTS_MAX: usize = 3;

/// How long a deployment may be refused: servers that were just started have no leader for what they store yet.
const DEPLOY_MAX: Duration = Duration::from_secs(30);

/// How long to wait before a deployment is tried again.
const DEPLOY_EVERY: Duration = Duration::from_millis(500);

/// The end of a log that is shown when something failed.
const LOG_LINES_SHOWN: usize = 12;

/// A running lattice.
pub(super) struct Lab {
    topology: Topology,
    directory: PathBuf,
    program: PathBuf,
    servers: Vec<Server>,
    hosts: Vec<LabHost>,
}

struct Server {
    cloud: &'static str,
    address: SocketAddr,
    configuration: PathBuf,
    process: Option<Child>,
}

/// One host.
pub(super) struct LabHost {
    pub(super) name: String,
    pub(super) cloud: &'static str,
    pub(super) http: SocketAddr,
    admin: SocketAddr,
    data: PathBuf,
    process: Option<Child>,
}

impl Lab {
    /// Starts the servers and the hosts.
    ///
    /// # Errors
    /// If one cannot be started.
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
        let directory = scratch().map_err(|error| cannot("make a directory", &error))?;
        let program = std::env::current_exe().map_err(|error| cannot("find `weft`", &error))?;
        let mut lab = Self {
            topology,
            directory,
            program,
            servers: Vec::new(),
            hosts: Vec::new(),
        };
        match lab.start_all().await {
            Ok(()) => Ok(lab),
            Err(failure) => {
                lab.end().await;
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
            fs::write(&configuration, text).map_err(|error| cannot("write a file", &error))?;
            self.servers.push(Server {
                cloud,
                address: own.client,
                configuration,
                process: None,
            });
            self.start_server(cloud).await?;
        }
        for (index, (cloud, own)) in hosts.into_iter().zip(of_hosts.chunks_exact(2)).enumerate() {
            self.hosts.push(LabHost {
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

    pub(super) fn hosts(&self) -> &[LabHost] {
        &self.hosts
    }

    /// What the lattice is, in words.
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

    /// A client for a host.
    ///
    /// # Errors
    /// If the host has left no token.
    pub(super) fn client(&self, host: usize) -> Result<Client, Failure> {
        let host = &self.hosts[host];
        let token =
            token::read(&host.data).map_err(|error| cannot("read a host's token", &error))?;
        Ok(Client::new(host.admin.to_string(), token))
    }

    /// Waits until every host knows of every other.
    ///
    /// # Errors
    /// If one does not within `at_most`.
    pub(super) async fn wait_until_joined(&self, at_most: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + at_most;
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
                        "host `{name}` knows of {ready} of {} hosts after {} s",
                        self.hosts.len(),
                        at_most.as_secs()
                    );
                    return Err(Failure::new(Kind::Failed, message));
                }
                sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Deploys a manifest through the first host.
    ///
    /// # Errors
    /// If it has mistakes, or is refused.
    pub(super) async fn deploy(&self, file: &Path) -> Result<(), Failure> {
        let deadline = Instant::now() + DEPLOY_MAX;
        loop {
            let manifests = manifest::read_all(&[file.to_owned()])?;
            match deploy::deploy_quietly(&self.client(0)?, manifests).await {
                Err(_) if Instant::now() < deadline => sleep(DEPLOY_EVERY).await,
                deployed => return deployed,
            }
        }
    }

    /// Ends hosts as `kill -9` does.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) async fn kill_hosts(&mut self, hosts: &[usize]) -> Result<(), Failure> {
        for host in hosts {
            kill(&mut self.hosts[*host].process).await?;
        }
        Ok(())
    }

    /// Lets hosts hang.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) async fn stop_hosts(&self, hosts: &[usize]) -> Result<(), Failure> {
        self.signal(hosts, "-STOP").await
    }

    /// Lets hosts go on that hung.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) async fn go_on(&self, hosts: &[usize]) -> Result<(), Failure> {
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

    /// Ends the server of a cloud as `kill -9` does.
    ///
    /// # Errors
    /// If the system refuses.
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
    /// If it does not.
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
                failure.or_help("install it, and see that it is in the path")
            })?;
            let listening = listens(server.address, "a NATS server", &mut process).await;
            server.process = Some(process);
            listening?;
        }
        Ok(())
    }

    /// Starts hosts, with the files that they had, and waits until they listen.
    ///
    /// # Errors
    /// If one does not.
    pub(super) async fn start_hosts(&mut self, hosts: &[usize]) -> Result<(), Failure> {
        let replicas = self.topology.replicas().to_string();
        for host in hosts {
            let log = self.log(&format!("host-{}", host + 1))?;
            let host = &self.hosts[*host];
            let servers = self.servers.iter();
            // A host uses the server of its own cloud, if there is one.
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
            let what = format!("host `{}`", host.name);
            if let Some(process) = &mut host.process {
                listens(host.admin, &what, process).await?;
            }
        }
        Ok(())
    }

    /// A failure, with what the first host logged last.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        let log = fs::read_to_string(self.directory.join("host-1.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        failure.or_help(format!("the first host logged last:\n{}", shown.join("\n")))
    }

    /// Ends every process, and removes the files.
    pub(super) async fn end(mut self) {
        let hosts = self.hosts.iter_mut().map(|host| &mut host.process);
        let servers = self.servers.iter_mut().map(|server| &mut server.process);
        for process in hosts.chain(servers) {
            // One that ended by itself is no failure.
            let _ = kill(process).await;
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, "the files of the drill are left behind");
        }
    }

    fn log(&self, name: &str) -> Result<File, Failure> {
        let file = self.directory.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(file);
        log.map_err(|error| cannot("write a log", &error))
    }
}

/// A directory that only this user can read: there are tokens in it.
fn scratch() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let directory = std::env::temp_dir().join(format!("weft-drill-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}
